// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_DEVICE_HOST_PROBE_H_
#define HANAS_PROFILER_AGENT_DEVICE_HOST_PROBE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hanas {

/// What stays the same while the machine is up.
struct HostIdentity {
  std::string host_id;  // 32 hexadecimal digits, stable over restarts: of /etc/machine-id, else of the host name
  std::string hostname;
  std::string cpu_model;  // "Intel(R) Xeon(R) Processor", or the SoC's name from the device tree
  std::string isa;        // "avx512vnni+fp16", "neon-dotprod"; what makes kernels differ
  std::string kernel;     // release of the operating system's kernel
  int num_cpus = 0;       // that this process may use
  int64_t memory_bytes = 0;
  std::string governor;           // empty when the host has none
  int64_t max_frequency_khz = 0;  // 0 when the host does not say
};

/// A reading of the things that disturb a measurement; absent where the host has no such sensor (guests have none).
struct HostReading {
  std::optional<double> load_average;         // of the last minute
  std::optional<int64_t> steal_ticks;         // since boot, all CPUs
  std::optional<int64_t> total_ticks;         // since boot, all CPUs
  std::optional<double> temperature_celsius;  // hottest zone
  std::optional<double> frequency_mhz;        // slowest CPU now
  std::optional<int64_t> throttle_count;      // since boot, all CPUs
};

/// What happened between two readings.
struct HostState {
  std::optional<double> load_average;
  std::optional<double> steal_percent;
  std::optional<double> temperature_celsius;
  std::optional<double> frequency_mhz;
  std::optional<int64_t> throttle_events;
};
HostState Between(const HostReading& before, const HostReading& after);

/// Source of readings, so that tests can script them.
class HostMonitor {
 public:
  virtual ~HostMonitor() = default;
  virtual HostReading Read() = 0;
};

/// The numbers of the logical processors that this process may execute on, ascending. Never empty.
std::vector<int> AllowedCpus();

/// Reads /proc, /sys and /etc below `root` ("" on a real host; a directory in tests). Files that are missing or not understood leave their
/// field absent. Thread-compatible.
class HostProbe : public HostMonitor {
 public:
  explicit HostProbe(std::string root = "") : root_(std::move(root)) {}
  HostReading Read() override;
  HostIdentity Identify() const;

  /// `count` of the `allowed` processors, `first` at the front, for threads that work together: as far as there are, one of each physical
  /// core, as two threads on one core slow each other; among these, processors as fast as `first` and of the same package come first. Where
  /// the host does not say what shares a core, every processor has its own. Fewer than `count` when no more are allowed.
  std::vector<int> ChooseCpus(const std::vector<int>& allowed, int first, int count) const;

 private:
  std::string root_;
};

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_DEVICE_HOST_PROBE_H_
