// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "telemetry/prometheus/prometheus_metrics.h"

namespace hanas::telemetry {
namespace {

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The number in `fields[index]`, or 0.
double NumberAt(const std::vector<absl::string_view>& fields, size_t index) {
  double value = 0;
  return index < fields.size() && absl::SimpleAtod(fields[index], &value) ? value : 0;
}

/// When the system booted, in seconds since the epoch; 0 when it does not say.
double BootTime() {
  const std::string stat = ReadFile("/proc/stat");
  for (const absl::string_view line : absl::StrSplit(stat, '\n')) {
    if (absl::StartsWith(line, "btime ")) return NumberAt(absl::StrSplit(line, ' '), 1);
  }
  return 0;
}

}  // namespace

void CollectProcessMetrics(Metrics& metrics) {
  // proc(5): fields after the parenthesised name; state is the first. utime is the 12th of them, stime the 13th, starttime the 20th,
  // rss the 22nd.
  const std::string stat = ReadFile("/proc/self/stat");
  const size_t name_end = stat.rfind(") ");
  if (name_end != std::string::npos) {
    const std::vector<absl::string_view> fields = absl::StrSplit(absl::string_view(stat).substr(name_end + 2), ' ');
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    metrics.Set(Metric::kProcessCpuSeconds, {}, (NumberAt(fields, 11) + NumberAt(fields, 12)) / ticks);
    metrics.Set(Metric::kProcessStartTime, {}, BootTime() + NumberAt(fields, 19) / ticks);
    metrics.Set(Metric::kProcessResidentBytes, {}, NumberAt(fields, 21) * static_cast<double>(sysconf(_SC_PAGESIZE)));
  }
  std::error_code error;
  const auto descriptors = std::filesystem::directory_iterator("/proc/self/fd", error);
  if (!error) metrics.Set(Metric::kProcessOpenFds, {}, static_cast<double>(std::distance(begin(descriptors), end(descriptors))));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) metrics.Set(Metric::kProcessMaxFds, {}, static_cast<double>(limit.rlim_cur));
}

}  // namespace hanas::telemetry
