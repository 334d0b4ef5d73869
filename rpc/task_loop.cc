// SPDX-License-Identifier: Apache-2.0
#include "rpc/task_loop.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/utf8.h"
#include "google/protobuf/descriptor.h"
#include "rpc/client.h"
#include "rpc/protocol.h"
#include "rpc/request.h"
#include "rpc/status.h"

namespace hanas::rpc {
namespace {

constexpr absl::string_view kHandedBack = "HANDED_BACK";
constexpr absl::string_view kResultRefused = "RESULT_REFUSED";
constexpr size_t kMaxFailureBytes = 4096;
constexpr double kDefaultTtlSeconds = 15;

using telemetry::Field;
using telemetry::LogEvent;
using telemetry::Metric;
using telemetry::Severity;

/// "train": the field that holds its work.
std::string KindOf(const v1::Task& task) {
  const google::protobuf::OneofDescriptor* const work = v1::Task::descriptor()->FindOneofByName("work");
  const google::protobuf::FieldDescriptor* const field = v1::Task::GetReflection()->GetOneofFieldDescriptor(task, work);
  return field == nullptr ? std::string(telemetry::kOtherLabel) : std::string(field->name());
}

/// The coordinator did not answer, or not for itself, or cannot store what we say for now.
bool IsOutage(const absl::Status& status) { return IsTemporary(status) || absl::IsDeadlineExceeded(status) || absl::IsCancelled(status); }

bool IsUnknownParty(const absl::Status& status) { return HasReason(status, kUnknownParty); }

/// Whether repeating the request is useless: it would get the same answer until somebody changes something here or there.
bool IsRefusal(const absl::Status& status) { return !IsOutage(status) && !IsRetryable(status); }

/// The lease is not ours any more, or its task is gone.
bool IsLeaseLost(const absl::Status& status) {
  return HasReason(status, kStaleLease) || (absl::IsNotFound(status) && !IsUnknownParty(status));
}

}  // namespace

bool IsRetryable(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return false;
    default:
      return true;
  }
}

/// Tells answers that another request may get another of from those that end the loop. Confined to one thread.
class TaskLoop::Refusals {
 public:
  explicit Refusals(int max_in_a_row) : max_in_a_row_(max_in_a_row) {}

  /// `status` is an error, the latest in a row.
  bool IsFinal(const absl::Status& status) {
    if (IsRefusal(status)) return true;
    // Nobody answered for the coordinator: it may come back, however often that is so.
    in_a_row_ = IsOutage(status) ? 0 : in_a_row_ + 1;
    return in_a_row_ >= max_in_a_row_;
  }
  void Reset() { in_a_row_ = 0; }

 private:
  const int max_in_a_row_;
  int in_a_row_ = 0;
};

/// The lease in hand: shared by the task's thread (through TaskContext) and the thread that renews.
class TaskLoop::RunningTask : public TaskContext {
 public:
  RunningTask(TaskLoop* loop, const v1::Task& task, absl::Duration leased_at)
      : loop_(loop),
        lease_(task.lease()),
        search_(task.search()),
        kind_(KindOf(task)),
        party_(loop->PartyName()),
        last_answer_(leased_at),
        ttl_(Ttl(task.lease().ttl_seconds(), absl::Seconds(kDefaultTtlSeconds))) {}

  Directive ReportProgress(int64_t done, int64_t total, absl::string_view note) override {
    absl::MutexLock lock(&mutex_);
    done_ = done;
    total_ = total;
    note_ = ToUtf8(note);
    // Not only when a renewal fails: one that is not due yet, or hangs, says nothing, and this process may have been stopped for long.
    Doubt(absl::DeadlineExceededError("no renewal was answered in time"));
    if (!stopping_ && Held()) {
      paused_ = true;
      renew_now_ = true;  // the coordinator learns at once that the boundary is reached
      mutex_.Await(absl::Condition(this, &RunningTask::MayGoOn));
      paused_ = false;
      renew_now_ = true;
    }
    return CurrentDirective();
  }

  absl::Status RecordRound(int round, const std::vector<v1::RoundRow>& rows) override {
    v1::RecordRoundRequest request;
    request.set_round(round);
    request.mutable_rows()->Assign(rows.begin(), rows.end());
    loop_->FillIdentity(lease_, request);
    const auto call = [&] {
      grpc::ClientContext context;
      SetDeadline(context, loop_->options_.call_timeout);
      v1::RecordRoundResponse response;
      return FromGrpcStatus(loop_->stub_->RecordRound(&context, request, &response));
    };
    absl::Status status = loop_->UntilAnswered(call, [&] { return ShouldStop(); });
    if (IsLeaseLost(status)) {
      Abandon();
      return absl::CancelledError(absl::StrCat("the lease of ", lease_.task(), " is lost: ", status.message()));
    }
    if (!status.ok() && ShouldStop()) return absl::CancelledError(status.message());
    return status;
  }

  bool ShouldStop() override {
    absl::MutexLock lock(&mutex_);
    return CurrentDirective() != Directive::kContinue;
  }

  const v1::Lease& lease() const { return lease_; }
  const std::string& kind() const { return kind_; }

  /// One event about this task.
  void Log(Severity severity, absl::string_view event, std::vector<Field> more = {}) const {
    std::vector<Field> fields = {{"search", search_}, {"task", lease_.task()}, {"kind", kind_}, {"party", party_}};
    fields.insert(fields.end(), more.begin(), more.end());
    LogEvent(severity, event, fields);
  }

  void Stop() {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    renew_now_ = true;
  }
  void Finish() {
    absl::MutexLock lock(&mutex_);
    finished_ = true;
  }
  void Abandon() {
    absl::MutexLock lock(&mutex_);
    abandoned_ = true;
  }
  bool abandoned() {
    absl::MutexLock lock(&mutex_);
    return abandoned_;
  }
  bool told_to_stop() {
    absl::MutexLock lock(&mutex_);
    return stopping_ || instruction_ == v1::INSTRUCTION_HAND_BACK;
  }
  absl::Duration last_answer() {
    absl::MutexLock lock(&mutex_);
    return last_answer_;
  }

  /// Blocks until the next renewal is due (true) or the task has finished (false).
  bool AwaitRenewal() {
    absl::MutexLock lock(&mutex_);
    if (abandoned_) mutex_.Await(absl::Condition(&finished_));
    const TaskLoopOptions& options = loop_->options_;
    absl::Duration interval = std::min(ttl_ / 3, options.max_renewal_interval);
    if (paused_) interval = std::min(interval, options.paused_renewal_interval);
    loop_->clock_->AwaitWithTimeout(mutex_, absl::Condition(this, &RunningTask::RenewalWanted), interval);
    renew_now_ = false;
    return !finished_;
  }

  v1::RenewLeaseRequest RenewalRequest() {
    absl::MutexLock lock(&mutex_);
    v1::RenewLeaseRequest request;
    request.set_done(done_);
    request.set_total(total_);
    request.set_note(note_);
    request.set_paused(paused_);
    return request;
  }

  void Answered(const v1::RenewLeaseResponse& response, absl::Duration sent_at) {
    absl::MutexLock lock(&mutex_);
    last_answer_ = sent_at;
    ttl_ = Ttl(response.ttl_seconds(), ttl_);
    instruction_ = response.instruction();
    if (instruction_ == v1::INSTRUCTION_ABANDON) abandoned_ = true;
    if (suspended_) Log(Severity::kInfo, "task_resumed");
    suspended_ = false;
  }

  void Unanswered(const absl::Status& status) {
    absl::MutexLock lock(&mutex_);
    Doubt(status);
    const absl::Duration silence = loop_->clock_->Now() - last_answer_;
    if (!abandoned_ && silence >= loop_->options_.max_outage) {
      Log(Severity::kError, "task_given_up", {{"silence", absl::FormatDuration(silence)}});
      abandoned_ = true;
    }
  }

 private:
  /// Holds the task when it is time.
  void Doubt(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const absl::Duration silence = loop_->clock_->Now() - last_answer_;
    if (suspended_ || silence < loop_->options_.stop_fraction * ttl_) return;
    Log(Severity::kWarning, "lease_in_doubt",
        {{"silence", absl::FormatDuration(silence)}, {"status", status.ToString()}, {"consequence", "held at the next step boundary"}});
    suspended_ = true;
  }

  static absl::Duration Ttl(double seconds, absl::Duration otherwise) {
    return seconds > 0 && seconds < 1e6 ? absl::Seconds(seconds) : otherwise;
  }

  bool Held() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !abandoned_ && (instruction_ == v1::INSTRUCTION_PAUSE || suspended_); }
  bool MayGoOn() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !Held(); }
  bool RenewalWanted() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return finished_ || renew_now_; }
  Directive CurrentDirective() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (abandoned_) return Directive::kAbandon;
    return stopping_ || instruction_ == v1::INSTRUCTION_HAND_BACK ? Directive::kHandBack : Directive::kContinue;
  }

  TaskLoop* const loop_;
  const v1::Lease lease_;
  const std::string search_;
  const std::string kind_;
  const std::string party_;

  absl::Mutex mutex_;
  int64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t total_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string note_ ABSL_GUARDED_BY(mutex_);
  v1::Instruction instruction_ ABSL_GUARDED_BY(mutex_) = v1::INSTRUCTION_CONTINUE;
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;     // waiting at a boundary
  bool suspended_ ABSL_GUARDED_BY(mutex_) = false;  // the lease is in doubt
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;  // the result is not wanted
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;   // this process is to end
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool renew_now_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration last_answer_ ABSL_GUARDED_BY(mutex_);  // when the renewal that was answered last was sent
  absl::Duration ttl_ ABSL_GUARDED_BY(mutex_);
};

TaskLoop::TaskLoop(TaskLoopOptions options, v1::TaskService::StubInterface* stub, TaskExecutor* executor, Clock* clock)
    : options_(std::move(options)), stub_(stub), executor_(executor), clock_(clock), last_answer_(clock->Now()) {}

TaskLoop::~TaskLoop() = default;

template <typename Request>
void TaskLoop::FillIdentity(const v1::Lease& lease, Request& request) {
  absl::MutexLock lock(&mutex_);
  request.set_party(party_);
  request.set_instance_id(options_.party.instance_id());
  request.set_task(lease.task());
  request.set_fencing_token(lease.fencing_token());
}

std::string TaskLoop::PartyName() const {
  absl::MutexLock lock(&mutex_);
  return party_;
}

void TaskLoop::Answered() {
  absl::MutexLock lock(&mutex_);
  last_answer_ = clock_->Now();
  away_.Reset();
}

absl::Duration TaskLoop::silence() const {
  absl::MutexLock lock(&mutex_);
  return clock_->Now() - last_answer_;
}

void TaskLoop::RequestStop() {
  absl::MutexLock lock(&mutex_);
  stopping_ = true;
  if (polling_ != nullptr) polling_->TryCancel();
  if (running_ != nullptr) running_->Stop();
}

bool TaskLoop::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

void TaskLoop::Wait(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  clock_->AwaitWithTimeout(mutex_, absl::Condition(&stopping_), duration);
}

absl::Status TaskLoop::TakeTask(const v1::Task& task, absl::Duration asked_at) {
  if (!task.lease().task().empty()) return RunTask(task);
  // An answer that came at once though nothing was there: never ask in a tight loop.
  if (clock_->Now() - asked_at < options_.retry.initial_backoff) Wait(options_.retry.initial_backoff);
  return absl::OkStatus();
}

absl::Status TaskLoop::Run() {
  if (absl::Status status = Register(); !status.ok()) return stopping() ? absl::OkStatus() : status;
  Backoff backoff(options_.retry);
  Refusals refusals(options_.max_error_answers);
  while (!stopping()) {
    const absl::Duration asked_at = clock_->Now();
    const absl::StatusOr<v1::Task> task = LeaseOne();
    if (task.ok()) {
      Answered();
      backoff.Reset();
      refusals.Reset();
      if (absl::Status status = TakeTask(*task, asked_at); !status.ok()) return status;
    } else if (stopping()) {
      break;
    } else if (IsUnknownParty(task.status()) || absl::IsNotFound(task.status())) {
      LogEvent(Severity::kInfo, "registering_again", {{"party", PartyName()}, {"status", task.status().ToString()}});
      Wait(backoff.Next());
      if (absl::Status status = Register(); !status.ok()) return stopping() ? absl::OkStatus() : status;
    } else if (refusals.IsFinal(task.status())) {
      return task.status();
    } else {
      away_.Log(clock_->Now(), Severity::kWarning, "no_answer_to_lease_request",
                {{"party", PartyName()}, {"status", task.status().ToString()}});
      Wait(backoff.Next());
    }
  }
  return absl::OkStatus();
}

absl::Status TaskLoop::Register() {
  Backoff backoff(options_.retry);
  v1::RegisterRequest request;
  *request.mutable_party() = options_.party;
  request.mutable_party()->set_protocol_version(kProtocolVersion);
  if (absl::Status status = CheckUtf8(request); !status.ok()) return status;
  Refusals refusals(options_.max_error_answers);
  while (true) {
    v1::RegisterResponse response;
    grpc::ClientContext context;
    SetDeadline(context, options_.call_timeout);
    absl::Status status = FromGrpcStatus(stub_->Register(&context, request, &response));
    if (status.ok()) {
      LogEvent(Severity::kInfo, "registered",
               {{"party", response.party()}, {"name", options_.party.name()}, {"coordinator_version", response.coordinator_version()}});
      Answered();
      absl::MutexLock lock(&mutex_);
      party_ = response.party();
      return status;
    }
    if (stopping() || refusals.IsFinal(status)) return status;
    away_.Log(clock_->Now(), Severity::kWarning, "cannot_register", {{"name", options_.party.name()}, {"status", status.ToString()}});
    Wait(backoff.Next());
    if (stopping()) return status;
  }
}

absl::StatusOr<v1::Task> TaskLoop::LeaseOne() {
  v1::LeaseTaskRequest request;
  grpc::ClientContext context;
  SetDeadline(context, options_.poll + options_.call_timeout);
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::CancelledError("stopping");
    request.set_party(party_);
    polling_ = &context;
  }
  request.set_instance_id(options_.party.instance_id());
  request.set_wait_seconds(absl::ToDoubleSeconds(options_.poll));
  v1::LeaseTaskResponse response;
  const absl::Status status = FromGrpcStatus(stub_->LeaseTask(&context, request, &response));
  {
    absl::MutexLock lock(&mutex_);
    polling_ = nullptr;
  }
  if (!status.ok()) return status;
  return std::move(*response.mutable_task());
}

absl::Status TaskLoop::RunTask(const v1::Task& task) {
  RunningTask running(this, task, clock_->Now());
  {
    absl::MutexLock lock(&mutex_);
    running_ = &running;
    if (stopping_) running.Stop();
  }
  running.Log(Severity::kInfo, "task_begins", {{"attempt", absl::StrCat(task.lease().attempt())}});
  options_.metrics->Set(Metric::kTaskInProgress, {running.kind()}, 1);
  const absl::Duration begin = clock_->Now();
  absl::StatusOr<v1::CompleteTaskRequest> outcome = absl::InternalError("not executed");
  std::thread worker([&] {
    outcome = executor_->Execute(task, running);
    running.Finish();
  });
  KeepLease(running);
  worker.join();
  options_.metrics->Set(Metric::kTaskInProgress, {running.kind()}, 0);
  options_.metrics->Observe(Metric::kTaskSeconds, {running.kind()}, absl::ToDoubleSeconds(clock_->Now() - begin));
  Deliver(running, std::move(outcome));
  absl::MutexLock lock(&mutex_);
  running_ = nullptr;
  return absl::OkStatus();
}

void TaskLoop::KeepLease(RunningTask& running) {
  while (running.AwaitRenewal()) {
    if (!running.abandoned()) Renew(running);
  }
}

void TaskLoop::Renew(RunningTask& running) {
  v1::RenewLeaseRequest request = running.RenewalRequest();
  FillIdentity(running.lease(), request);
  v1::RenewLeaseResponse response;
  grpc::ClientContext context;
  SetDeadline(context, options_.call_timeout);
  const absl::Duration sent_at = clock_->Now();
  const absl::Status status = FromGrpcStatus(stub_->RenewLease(&context, request, &response));
  if (status.ok()) {
    Answered();
    running.Answered(response, sent_at);
  } else if (IsUnknownParty(status)) {
    running.Unanswered(status);
    Register().IgnoreError();  // the next renewal tells whether the lease lives
  } else if (IsLeaseLost(status)) {
    Answered();
    running.Log(Severity::kWarning, "lease_lost", {{"status", status.ToString()}});
    running.Abandon();
  } else {
    running.Unanswered(status);
  }
}

void TaskLoop::Deliver(RunningTask& running, absl::StatusOr<v1::CompleteTaskRequest> outcome) {
  const auto ended = [&](Severity severity, absl::string_view result, const absl::Status& why) {
    options_.metrics->Count(Metric::kTaskAttempts, {running.kind(), result});
    std::vector<Field> fields = {{"result", std::string(result)}};
    if (!why.ok()) fields.emplace_back("status", why.ToString());
    running.Log(severity, "task_ends", std::move(fields));
  };
  if (running.abandoned()) return ended(Severity::kWarning, "abandoned", absl::OkStatus());
  absl::Status delivered;
  absl::Status why = outcome.status();
  absl::string_view result = "completed";
  if (outcome.ok()) {
    delivered = Complete(running, *std::move(outcome));
    if (!delivered.ok() && !IsLeaseLost(delivered) && !IsOutage(delivered)) {
      result = "failed";
      why = WithReason(absl::InternalError(absl::StrCat("the coordinator refused the result: ", delivered.message())), kResultRefused);
      delivered = Fail(running, why);
    }
  } else if ((absl::IsCancelled(why) || IsTemporary(why)) && running.told_to_stop()) {  // an upload, say, that was cut short
    result = "handed_back";
    delivered = Fail(running, WithReason(why, kHandedBack));
  } else {
    result = "failed";
    delivered = Fail(running, why);
  }
  if (!delivered.ok()) {
    ended(Severity::kWarning, IsLeaseLost(delivered) ? "abandoned" : "undelivered", delivered);
  } else {
    ended(result == "failed" ? Severity::kError : Severity::kInfo, result, result == "failed" ? why : absl::OkStatus());
  }
}

absl::Status TaskLoop::Complete(RunningTask& running, v1::CompleteTaskRequest request) {
  FillIdentity(running.lease(), request);
  const auto call = [&] {
    grpc::ClientContext context;
    SetDeadline(context, options_.call_timeout);
    v1::CompleteTaskResponse response;
    return FromGrpcStatus(stub_->CompleteTask(&context, request, &response));
  };
  const absl::Duration began = std::max(running.last_answer(), clock_->Now());
  return UntilAnswered(call, [&] { return clock_->Now() - began >= options_.max_outage; });
}

absl::Status TaskLoop::Fail(RunningTask& running, const absl::Status& why) {
  v1::FailTaskRequest request;
  FillIdentity(running.lease(), request);
  const std::string reason = ReasonOf(why);
  request.set_code(reason.empty() ? absl::StatusCodeToString(why.code()) : reason);
  request.set_message(ToUtf8(CutUtf8(why.message(), kMaxFailureBytes)));
  request.set_retryable(IsRetryable(why));
  const auto call = [&] {
    grpc::ClientContext context;
    SetDeadline(context, options_.call_timeout);
    v1::FailTaskResponse response;
    return FromGrpcStatus(stub_->FailTask(&context, request, &response));
  };
  const absl::Duration began = clock_->Now();
  return UntilAnswered(call, [&] { return clock_->Now() - began >= options_.max_outage; });
}

absl::Status TaskLoop::UntilAnswered(absl::FunctionRef<absl::Status()> call, absl::FunctionRef<bool()> give_up) {
  Backoff backoff(options_.retry);
  std::optional<absl::Duration> stop_seen;
  while (true) {
    absl::Status status = call();
    // The coordinator may have another token since it was started again: somebody is about to bring it here too.
    if (!IsOutage(status) && !IsUnknownParty(status) && !absl::IsUnauthenticated(status)) return status;
    if (give_up()) return status;
    if (stopping()) {
      if (!stop_seen.has_value()) stop_seen = clock_->Now();
      if (clock_->Now() - *stop_seen >= options_.stop_grace) return status;
    }
    if (IsUnknownParty(status)) Register().IgnoreError();
    const absl::Duration wait = backoff.Next();
    // Wait would return at once while stopping.
    if (stopping()) {
      clock_->Sleep(wait);
    } else {
      Wait(wait);
    }
  }
}

}  // namespace hanas::rpc
