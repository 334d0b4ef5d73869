// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/device/host_probe.h"

#include <cpuinfo.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/digest.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> ReadText(const fs::path& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return std::string(absl::StripAsciiWhitespace(absl::string_view(text.str())));
}

std::optional<int64_t> ReadInteger(const fs::path& path) {
  const std::optional<std::string> text = ReadText(path);
  int64_t value = 0;
  if (!text || !absl::SimpleAtoi(*text, &value)) return std::nullopt;
  return value;
}

/// Entries of a directory whose name is `prefix` and a number, in order.
std::vector<fs::path> Numbered(const fs::path& directory, absl::string_view prefix) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    int number = 0;
    if (absl::StartsWith(name, prefix) && absl::SimpleAtoi(name.substr(prefix.size()), &number)) found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

void ReadTicks(const fs::path& proc, HostReading& reading) {
  const std::optional<std::string> text = ReadText(proc / "stat");
  if (!text) return;
  const std::vector<std::string> fields = absl::StrSplit(text->substr(0, text->find('\n')), ' ', absl::SkipEmpty());
  // cpu user nice system idle iowait irq softirq steal guest guest_nice; guest time is within user.
  constexpr size_t kSteal = 8;
  if (fields.size() <= kSteal || fields[0] != "cpu") return;
  int64_t total = 0;
  int64_t value = 0;
  for (size_t i = 1; i <= kSteal; ++i) {
    if (!absl::SimpleAtoi(fields[i], &value)) return;
    total += value;
  }
  reading.steal_ticks = value;
  reading.total_ticks = total;
}

/// "model name" of /proc/cpuinfo, else the board's name.
std::string CpuModel(const fs::path& root) {
  const std::optional<std::string> cpuinfo = ReadText(root / "proc/cpuinfo");
  for (const absl::string_view line : absl::StrSplit(cpuinfo.value_or(""), '\n')) {
    if (!absl::StartsWith(line, "model name") && !absl::StartsWith(line, "Hardware")) continue;
    const size_t colon = line.find(':');
    if (colon != absl::string_view::npos) return std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  std::string model = ReadText(root / "sys/firmware/devicetree/base/model").value_or("");
  while (!model.empty() && model.back() == '\0') model.pop_back();
  return model.empty() ? "unknown" : model;
}

std::string Isa() {
  if (!cpuinfo_initialize()) return "unknown";
  std::vector<std::string> parts;
  const auto add = [&](bool has, const char* name) {
    if (has) parts.emplace_back(name);
  };
#if CPUINFO_ARCH_X86 || CPUINFO_ARCH_X86_64
  add(cpuinfo_has_x86_avx2(), "avx2");
  add(cpuinfo_has_x86_avx512f(), "avx512");
  add(cpuinfo_has_x86_avx512vnni() || cpuinfo_has_x86_avxvnni(), "vnni");
  add(cpuinfo_has_x86_avx512fp16(), "fp16");
  add(cpuinfo_has_x86_amx_int8(), "amx");
#elif CPUINFO_ARCH_ARM || CPUINFO_ARCH_ARM64
  add(true, "neon");
  add(cpuinfo_has_arm_neon_dot(), "dotprod");
  add(cpuinfo_has_arm_neon_fp16_arith(), "fp16");
  add(cpuinfo_has_arm_i8mm(), "i8mm");
#endif
  return parts.empty() ? "generic" : absl::StrJoin(parts, "-");
}

int64_t MemoryBytes(const fs::path& root) {
  const std::optional<std::string> text = ReadText(root / "proc/meminfo");
  for (const absl::string_view line : absl::StrSplit(text.value_or(""), '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    int64_t kilobytes = 0;
    if (fields.size() >= 2 && fields[0] == "MemTotal:" && absl::SimpleAtoi(fields[1], &kilobytes)) return kilobytes * 1024;
  }
  return 0;
}

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0' ? name.data() : "localhost";
}

template <typename T>
void KeepLarger(std::optional<T>& kept, std::optional<T> found) {
  if (found && (!kept || *found > *kept)) kept = found;
}

}  // namespace

std::vector<int> AllowedCpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
    return cpus;
  }
  const int count = static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));  // more processors than a cpu_set_t has room for
  for (int cpu = 0; cpu < count; ++cpu) cpus.push_back(cpu);
  return cpus;
}

std::vector<int> HostProbe::ChooseCpus(const std::vector<int>& allowed, int first, int count) const {
  const fs::path cpus = fs::path(root_.empty() ? "/" : root_) / "sys/devices/system/cpu";
  struct Cpu {
    int number = 0;
    std::string core;  // the list of those that share it
    bool taken = false;
  };
  const auto read = [&](int cpu, const char* file) { return ReadText(cpus / absl::StrCat("cpu", cpu) / file); };
  const auto core = [&](int cpu) { return read(cpu, "topology/thread_siblings_list").value_or(absl::StrCat(cpu)); };
  const std::optional<std::string> capacity = read(first, "cpu_capacity");  // absent where all are equal
  const std::optional<std::string> package = read(first, "topology/physical_package_id");
  std::vector<std::pair<std::array<int, 3>, Cpu>> others;
  for (const int cpu : allowed) {
    if (cpu == first) continue;
    const bool other_speed = read(cpu, "cpu_capacity") != capacity;
    const bool other_package = read(cpu, "topology/physical_package_id") != package;
    others.push_back({{other_speed ? 1 : 0, other_package ? 1 : 0, cpu}, {.number = cpu, .core = core(cpu)}});
  }
  std::sort(others.begin(), others.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<int> chosen = {first};
  std::set<std::string> cores = {core(first)};
  for (const bool shared_cores : {false, true}) {
    for (auto& [order, cpu] : others) {
      if (static_cast<int>(chosen.size()) >= count) return chosen;
      if (cpu.taken || (!shared_cores && !cores.insert(cpu.core).second)) continue;
      cpu.taken = true;
      chosen.push_back(cpu.number);
    }
  }
  return chosen;
}

HostReading HostProbe::Read() {
  const fs::path root = root_.empty() ? "/" : root_;
  HostReading reading;
  double load = 0;
  const std::string text = ReadText(root / "proc/loadavg").value_or("");
  if (absl::SimpleAtod(text.substr(0, text.find(' ')), &load)) reading.load_average = load;
  ReadTicks(root / "proc", reading);
  for (const fs::path& zone : Numbered(root / "sys/class/thermal", "thermal_zone")) {
    const std::optional<int64_t> milli = ReadInteger(zone / "temp");
    if (milli) KeepLarger(reading.temperature_celsius, std::optional<double>(static_cast<double>(*milli) / 1000));
  }
  for (const fs::path& cpu : Numbered(root / "sys/devices/system/cpu", "cpu")) {
    if (const std::optional<int64_t> khz = ReadInteger(cpu / "cpufreq/scaling_cur_freq"); khz) {
      const double mhz = static_cast<double>(*khz) / 1000;
      reading.frequency_mhz = std::min(reading.frequency_mhz.value_or(mhz), mhz);
    }
    if (const std::optional<int64_t> count = ReadInteger(cpu / "thermal_throttle/core_throttle_count"); count) {
      reading.throttle_count = reading.throttle_count.value_or(0) + *count;
    }
  }
  return reading;
}

HostIdentity HostProbe::Identify() const {
  const fs::path root = root_.empty() ? "/" : root_;
  HostIdentity identity{.hostname = HostName(),
                        .cpu_model = CpuModel(root),
                        .isa = Isa(),
                        .num_cpus = static_cast<int>(AllowedCpus().size()),
                        .memory_bytes = MemoryBytes(root)};
  const std::string machine = ReadText(root / "etc/machine-id").value_or("");
  // The file may exist without an id ("uninitialized" in images). The id itself is confidential: machine-id(5).
  const bool usable = machine.size() == 32 && std::all_of(machine.begin(), machine.end(),
                                                          [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
  identity.host_id = DigestBuilder().Add("hanas host").Add(usable ? machine : identity.hostname).Build().ToHex();
  utsname names{};
  if (uname(&names) == 0) identity.kernel = names.release;
  identity.governor = ReadText(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").value_or("");
  identity.max_frequency_khz = ReadInteger(root / "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq").value_or(0);
  return identity;
}

HostState Between(const HostReading& before, const HostReading& after) {
  HostState state{
      .load_average = after.load_average, .temperature_celsius = after.temperature_celsius, .frequency_mhz = after.frequency_mhz};
  if (before.steal_ticks && after.steal_ticks && before.total_ticks && after.total_ticks && *after.total_ticks > *before.total_ticks) {
    state.steal_percent = 100.0 * static_cast<double>(*after.steal_ticks - *before.steal_ticks) /
                          static_cast<double>(*after.total_ticks - *before.total_ticks);
  }
  if (before.throttle_count && after.throttle_count) state.throttle_events = *after.throttle_count - *before.throttle_count;
  return state;
}

}  // namespace hanas
