// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_MEASURE_CHILD_H_
#define HANAS_PROFILER_AGENT_MEASURE_CHILD_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hanas {

// Measuring jobs run in a child process that is this program executed again (never a bare fork), so that a backend that crashes, hangs or
// eats memory costs one job. Parent and child exchange opaque bytes: the request goes in on standard input, records come back on descriptor
// 3, framed and checked; what a library prints on standard output or error is only quoted in messages.
//
//   int main(int argc, char** argv) {
//     if (hanas::IsChild(argc, argv)) return hanas::ChildMain(argc, argv, {{"measure-operators", &MeasureOperatorsJob}, ...});

/// Sends one record to the parent as it happens. Returns UNAVAILABLE when the parent is gone.
using EmitRecord = std::function<absl::Status(absl::string_view record)>;
/// A kind of job, in the child. Its status becomes RunChild's.
using ChildHandler = std::function<absl::Status(absl::string_view request, const EmitRecord& emit)>;
using ChildHandlers = std::map<std::string, ChildHandler>;

bool IsChild(int argc, char** argv);
/// Applies the limits, pins the process to as many CPUs as it has threads, dies with the parent, runs the handler of the job kind. Returns
/// the exit status.
int ChildMain(int argc, char** argv, const ChildHandlers& handlers);

struct ChildLimits {
  absl::Duration wall = absl::Minutes(10);
  absl::Duration cpu = absl::ZeroDuration();  // of each thread; zero: same as wall
  int64_t memory_bytes = int64_t{2} << 30;    // of private memory, stacks of further threads apart; 0: no limit
  int64_t max_record_bytes = int64_t{64} << 20;
  int threads = 1;  // that the job computes with, 1 to bounds::kMaxDeviceThreads
  bool pin = true;  // to as many CPUs, the one it starts on and others (HostProbe::ChooseCpus)
};

struct ChildJob {
  std::string kind;     // key of the handlers
  std::string name;     // for messages: "tasks/12 (measure-operators)"
  std::string request;  // given to the handler
  ChildLimits limits;
};

/// How a child failed, beyond what its handler reported.
enum class MeasureError { kCrashed, kTimeout, kOutOfMemory, kGarbage };
/// "MEASURE_CRASHED", "MEASURE_TIMEOUT", "MEASURE_OUT_OF_MEMORY", "MEASURE_GARBAGE": the code of a failed task.
absl::string_view Name(MeasureError error);
/// Which of them `status` is; nullopt for any other status.
std::optional<MeasureError> MeasureErrorOf(const absl::Status& status);

struct ChildUsage {
  double wall_seconds = 0;
  double cpu_seconds = 0;
  int64_t peak_memory_bytes = 0;
};

struct RunChildOptions {
  std::string program = "/proc/self/exe";
  /// Asked every 100 ms; true kills the child. Empty: never.
  std::function<bool()> cancelled;
};

/// Runs one job to its end, calling `on_record` for each record on the calling thread as it arrives; its error kills the child and is
/// returned. The job has succeeded only when the child exited with status 0 after a final record, so records of a failed job are
/// trustworthy one by one but not complete. Blocks. Thread-safe.
///
/// Returns the handler's own status; CANCELLED; or, naming the job and how it ended, one of the MeasureErrors: INTERNAL for a crash,
/// DEADLINE_EXCEEDED for a timeout, RESOURCE_EXHAUSTED for memory, DATA_LOSS for garbage.
absl::StatusOr<ChildUsage> RunChild(const ChildJob& job, const std::function<absl::Status(absl::string_view record)>& on_record,
                                    const RunChildOptions& options = {});

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_MEASURE_CHILD_H_
