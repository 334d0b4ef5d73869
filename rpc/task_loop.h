// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_TASK_LOOP_H_
#define HANAS_RPC_TASK_LOOP_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "hanas/v1/task.grpc.pb.h"
#include "rpc/clock.h"
#include "rpc/retry.h"
#include "telemetry/event_log.h"
#include "telemetry/metrics.h"

namespace hanas::rpc {

// The life of a process that leases tasks (a worker, a profiler-agent):
//
//   register -> lease (long poll) -> execute on a thread of its own while the lease is renewed -> complete or fail -> lease …
//
// The rules. A lease is renewed at a third of its ttl, more often while paused. When no renewal was answered for `stop_fraction` of the ttl
// the task is held at its next step boundary, since somebody else may now have it; it goes on when an answer says that the lease still
// lives, so a coordinator that is away for a while costs nothing but the wait. STALE_LEASE means that somebody else has it: the result is
// dropped and the loop carries on. Only monotonic time is used.

/// What a task does at a step boundary.
enum class Directive {
  kContinue,
  kHandBack,  // stop and return what there is, resumable; CANCELLED when there is no partial result
  kAbandon,   // stop; the result is not wanted. Return CANCELLED
};

/// A task's view of its lease. Thread-safe.
class TaskContext {
 public:
  virtual ~TaskContext() = default;

  /// To be called at every step boundary, cheaply often. Blocks while the coordinator says PAUSE and while the lease is in doubt, so that
  /// only the three directives remain. `note` is for people: "loss 1.23, 812 images/s".
  virtual Directive ReportProgress(int64_t done, int64_t total, absl::string_view note) = 0;

  /// Stores measured rows before going on; blocks over outages of the coordinator. Returns CANCELLED when the lease is lost.
  virtual absl::Status RecordRound(int round, const std::vector<v1::RoundRow>& rows) = 0;

  /// Whether ReportProgress would answer something else than kContinue; never blocks. For code that has no boundary to stop at (a child
  /// process to be killed).
  virtual bool ShouldStop() = 0;
};

/// The work itself. Called by one thread at a time.
class TaskExecutor {
 public:
  virtual ~TaskExecutor() = default;

  /// Executes `task` and returns a request with its result set (the loop fills in the lease). Artifacts that the result names are uploaded
  /// before it returns. An error fails the task: its reason (core/base/error_reason.h) is the code, else the name of the status code; codes
  /// that another attempt would repeat (IsRetryable) are final.
  virtual absl::StatusOr<v1::CompleteTaskRequest> Execute(const v1::Task& task, TaskContext& context) = 0;
};

/// Whether another attempt at a task that failed with `status` may go differently: false for statuses that blame the input or the state it
/// meets (INVALID_ARGUMENT, FAILED_PRECONDITION, NOT_FOUND, OUT_OF_RANGE, UNIMPLEMENTED, …).
bool IsRetryable(const absl::Status& status);

struct TaskLoopOptions {
  v1::Party party;                                         // name, instance, host, version, and what it is
  absl::Duration poll = absl::Seconds(20);                 // a lease request waits so long at the coordinator
  absl::Duration max_renewal_interval = absl::Seconds(2);  // ttl / 3 when that is shorter
  absl::Duration paused_renewal_interval = absl::Milliseconds(500);
  double stop_fraction = 0.8;                     // of the ttl without an answer: the task is held
  int max_error_answers = 8;                      // in a row, to registering or asking for work, before the loop ends
  absl::Duration max_outage = absl::Minutes(15);  // without an answer: running work and results are given up
  absl::Duration stop_grace = absl::Seconds(10);  // after RequestStop, how long a result is offered to a coordinator that is away
  absl::Duration call_timeout = absl::Seconds(10);
  RetryPolicy retry;                                      // the waits between attempts; its give_up_after is not used
  telemetry::Metrics* metrics = &telemetry::NoMetrics();  // borrowed
};

/// Thread-safe. Borrows stub, executor and clock.
class TaskLoop {
 public:
  TaskLoop(TaskLoopOptions options, v1::TaskService::StubInterface* stub, TaskExecutor* executor, Clock* clock = &SystemClock());
  ~TaskLoop();

  TaskLoop(const TaskLoop&) = delete;
  TaskLoop& operator=(const TaskLoop&) = delete;

  /// Works until RequestStop, then returns OK: the running task is told to hand back and its result is delivered first. Returns the
  /// coordinator's status when it refuses this party, in which another attempt would change nothing (not IsRetryable): INVALID_ARGUMENT for
  /// a bad registration, UNAUTHENTICATED for want of its token (TOKEN_REQUIRED, TOKEN_WRONG), ALREADY_EXISTS when somebody else has the
  /// name (NAME_IN_USE), FAILED_PRECONDITION for another version (PROTOCOL_VERSION) or when a newer instance has taken the name
  /// (SUPERSEDED), and the like; also when it answers with another error `max_error_answers` times in a row. A coordinator that does not
  /// answer is waited for.
  absl::Status Run();

  /// From any thread, not from a signal handler.
  void RequestStop();
  bool stopping() const;

  /// Since the coordinator last answered; before the first answer, since the loop was made. A request for work waits there for `poll`, so
  /// an idle loop in order is silent for as long.
  absl::Duration silence() const;

 private:
  class RunningTask;
  class Refusals;

  std::string PartyName() const;
  void Answered();
  absl::Status Register();
  absl::StatusOr<v1::Task> LeaseOne();  // a task without a lease: nothing to do
  /// Runs what was leased, or waits when an empty answer came at once.
  absl::Status TakeTask(const v1::Task& task, absl::Duration asked_at);
  absl::Status RunTask(const v1::Task& task);
  void KeepLease(RunningTask& running);
  void Renew(RunningTask& running);
  void Deliver(RunningTask& running, absl::StatusOr<v1::CompleteTaskRequest> outcome);
  absl::Status Complete(RunningTask& running, v1::CompleteTaskRequest request);
  absl::Status Fail(RunningTask& running, const absl::Status& why);
  /// Repeats `call` while the coordinator is away or does not know us; every other status is returned.
  absl::Status UntilAnswered(absl::FunctionRef<absl::Status()> call, absl::FunctionRef<bool()> give_up);
  /// Waits `duration` or until RequestStop, whichever is first.
  void Wait(absl::Duration duration);
  template <typename Request>
  void FillIdentity(const v1::Lease& lease, Request& request);

  const TaskLoopOptions options_;
  v1::TaskService::StubInterface* const stub_;
  TaskExecutor* const executor_;
  Clock* const clock_;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::string party_ ABSL_GUARDED_BY(mutex_);  // the resource name that Register answered
  absl::Duration last_answer_ ABSL_GUARDED_BY(mutex_);
  grpc::ClientContext* polling_ ABSL_GUARDED_BY(mutex_) = nullptr;  // the lease request in flight
  RunningTask* running_ ABSL_GUARDED_BY(mutex_) = nullptr;
  telemetry::EventLimiter away_;
};

}  // namespace hanas::rpc

#endif  // HANAS_RPC_TASK_LOOP_H_
