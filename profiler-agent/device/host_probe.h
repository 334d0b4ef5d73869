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

/// Reads /proc, /sys and /etc below `root` ("" on a real host; a directory in tests). Files that are missing or not understood leave their
/// field absent. Thread-compatible.
class HostProbe : public HostMonitor {
 public:
  explicit HostProbe(std::string root = "") : root_(std::move(root)) {}
  HostReading Read() override;
  HostIdentity Identify() const;

 private:
  std::string root_;
};

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_DEVICE_HOST_PROBE_H_
