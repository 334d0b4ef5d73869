// SPDX-License-Identifier: Apache-2.0
// The application's loop: leases that ran out, steps of searches, artifacts that nothing refers to.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/app/app.h"
#include "coordinator/app/task_events.h"
#include "coordinator/driver/search_driver.h"
#include "coordinator/driver/step_builder.h"
#include "core/base/error_reason.h"
#include "telemetry/event_log.h"

namespace hanas::coordinator {
namespace {

constexpr absl::Duration kSweepInterval = absl::Seconds(1);  // between looks at every search that goes on, for what depends on time
constexpr absl::Duration kMaxRest = absl::Milliseconds(10);  // after a look that computed, so that the loop never takes a whole processor

/// Whether operators that the search asked for are still being measured.
bool OperatorsAreOpen(const SearchView& view) {
  return view.Has({.stage = TaskStage::kOperators}) && !view.AllDone({.stage = TaskStage::kOperators});
}

}  // namespace

/// Returns the write of what expired.
absl::StatusOr<PendingWrite> App::ExpireLeases() {
  const std::vector<ExpireLeaseUpdate> expired = scheduler_.Overdue(clock_->Monotonic());
  for (const ExpireLeaseUpdate& update : expired) {
    static constexpr const char* kReasons[] = {"silent", "stuck", "ignored_stop"};
    LogTask(telemetry::Severity::kWarning, "lease_expired", ledger_.decided().tasks.at(update.task),
            {{"holder", kReasons[static_cast<size_t>(update.reason)]}});
    CountLease("expired", update.task);
    if (absl::Status status = ledger_.Begin(update, nullptr); !status.ok()) return status;
  }
  desk_.GrantWaiting(clock_->Monotonic());  // a party that is silent for long holds nobody up
  return expired.empty() ? PendingWrite() : ledger_.AllWritten();
}

void App::CatchUp() {
  Lag lag;
  {
    absl::MutexLock lock(&mutex_);
    lag = ledger_.TakeLag(driven_.generation());
  }
  driven_.Follow(std::move(lag));
}

/// True when the search was told to finish, or has failed.
absl::StatusOr<bool> App::EnforceWallBudget(uint64_t id) {
  const SearchState& search = ledger_.synced().searches.at(id);
  const SearchRecord& record = search.record;
  if (search.job->budget.max_wall_seconds <= 0 || record.paused || record.finishing || record.phase >= SearchPhase::kVerifying) {
    return false;
  }
  const PhaseRecord progress = LiveProgress(search);
  BudgetUse spent = SpentBy(search);
  spent.wall_seconds += progress.seconds - record.phases.back().seconds;
  const std::string reason = WallBudgetReached(*search.job, spent);
  if (reason.empty()) return false;
  const FinishSearchUpdate finish = {id, reason};
  if (finish.Check(ledger_.decided()).ok()) {
    if (absl::Status status = ledger_.Begin(finish, nullptr); !status.ok()) return status;
    return true;
  }
  AdvanceSearchUpdate fail =
      FailStep(SearchView(ledger_.synced(), search), std::string(kBudgetSpent),
               absl::StrCat(reason, " in ", Name(record.phase), ", before any network was evaluated: raise it, or train and profile less"));
  fail.progress = progress;
  const absl::Status status = ledger_.Begin(std::move(fail), nullptr);
  // It moved on meanwhile, and is looked at again with the next sweep; or it was deleted.
  if (absl::IsAborted(status) || absl::IsNotFound(status)) return false;
  if (!status.ok()) return status;
  return true;
}

absl::Status App::EnforceWallBudgets(const std::set<uint64_t>& due) {
  PendingWrite write;
  {
    absl::MutexLock lock(&mutex_);
    bool any = false;
    for (const uint64_t id : due) {
      const SearchState* search = ledger_.synced().FindSearch(id);  // it may be deleted since it was due
      if (search == nullptr || IsTerminal(search->record.phase)) continue;
      const absl::StatusOr<bool> enforced = EnforceWallBudget(id);
      if (!enforced.ok()) return enforced.status();
      any = any || *enforced;
    }
    if (any) write = ledger_.AllWritten();
  }
  return write.Await();
}

bool App::Prepared(const SearchState& search, const std::shared_ptr<SearchContext>& context) {
  if (options_.executor == nullptr || search.record.paused) return true;
  for (const SearchView& view : SearchView(driven_.state(), search).ForEach()) {
    if (!PreparedFor(view, context)) return false;
  }
  return true;
}

bool App::PreparedFor(const SearchView& view, const std::shared_ptr<SearchContext>& context) {
  const size_t target = view.target_index();
  const BackendCaps& caps = view.target().caps;
  std::shared_ptr<const LatencyTable> table;  // to compile cost tables with; none: the operators are to be found
  if (context->has_keys(target)) {
    if (context->has_scorer(target) || view.Table() == nullptr || OperatorsAreOpen(view)) return true;
    const absl::StatusOr<const std::vector<OpKey>*> keys = context->Keys(view);
    if (!keys.ok() || !view.Table()->Missing(**keys).empty()) return true;
    table = std::make_shared<const LatencyTable>(*view.Table());
  }
  const auto stop = std::make_shared<std::atomic<bool>>(false);
  const uint64_t id = view.record().id;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_ || !preparing_.try_emplace(id, stop).second) return false;
  }
  options_.executor->Run([this, id, context, target, caps, table, stop] {
    const auto stopped = [&] { return stop->load(std::memory_order_relaxed); };
    const absl::Status status =
        table == nullptr ? context->PrepareKeys(target, caps, stopped) : context->PrepareScorer(target, caps, table.get(), stopped);
    if (!status.ok()) {
      telemetry::LogEvent(telemetry::Severity::kInfo, "preparing_ended",
                          {{"search", absl::StrCat("searches/", id)}, {"status", status.ToString()}});
    }
    absl::MutexLock lock(&mutex_);
    preparing_.erase(id);
    if (ledger_.synced().FindSearch(id) != nullptr) due_.insert(id);
  });
  return false;
}

/// True when a step was taken, or has to be looked for again.
absl::StatusOr<bool> App::Drive(uint64_t id) {
  const SearchState* search = driven_.state().FindSearch(id);
  if (search == nullptr || IsTerminal(search->record.phase)) return false;
  std::shared_ptr<SearchContext> context;
  absl::Status refused;
  if (search->record.phase != SearchPhase::kPending) {
    absl::StatusOr<std::shared_ptr<SearchContext>> found;
    {
      absl::MutexLock lock(&mutex_);
      found = ContextOf(*search);
    }
    if (found.ok()) {
      context = *std::move(found);
      if (!Prepared(*search, context)) return false;
    } else {
      refused = found.status();
    }
  }
  const absl::Duration begin = clock_->Monotonic();
  const SearchView view(driven_.state(), *search);
  absl::StatusOr<std::optional<AdvanceSearchUpdate>> step =
      refused.ok() ? NextStep(view, context.get()) : absl::StatusOr<std::optional<AdvanceSearchUpdate>>(refused);
  // This search cannot go on, all others can. A job that was stored under other bounds, for instance, will never do; what else may go
  // wrong in a step is worth another attempt.
  if (!step.ok()) {
    const bool final = !refused.ok() || absl::IsInvalidArgument(step.status());
    step = FailStep(view, final ? std::string(kJobRefused) : "SEARCH_FAILED", std::string(step.status().message()));
  }
  if (!step->has_value()) return false;
  AdvanceSearchUpdate& update = **step;
  if (update.candidates_scored > 0) update.scoring_seconds = absl::ToDoubleSeconds(clock_->Monotonic() - begin);
  const std::optional<SearchPhase> entered = update.next;
  absl::MutexLock lock(&mutex_);
  if (driven_.generation() != ledger_.generation()) return true;  // read back meanwhile: the step rests on a state that is no more
  const SearchState* now = ledger_.synced().FindSearch(id);
  if (now == nullptr) return false;  // deleted meanwhile
  update.progress = LiveProgress(*now);
  const absl::Status status = ledger_.Begin(std::move(update), nullptr);
  if (absl::IsNotFound(status)) return false;
  if (absl::IsAborted(status)) return true;  // cancelled meanwhile, for instance
  if (!status.ok()) return status;
  RestartClock(id);
  if (entered.has_value()) {
    telemetry::LogEvent(telemetry::Severity::kInfo, "search_phase",
                        {{"search", absl::StrCat("searches/", id)}, {"phase", std::string(Name(*entered))}});
  }
  return true;
}

std::set<uint64_t> App::TakeDue(absl::Duration now) {
  std::set<uint64_t> due = std::exchange(due_, {});
  if (last_sweep_.has_value() && now - *last_sweep_ < kSweepInterval) return due;
  last_sweep_ = now;
  for (const auto& [id, search] : ledger_.synced().searches) {
    if (!IsTerminal(search.record.phase)) due.insert(id);
  }
  return due;
}

absl::Status App::DriveAll(std::set<uint64_t> due) {
  while (!due.empty()) {
    CatchUp();
    std::set<uint64_t> again;
    for (const uint64_t id : due) {
      const absl::StatusOr<bool> moved = Drive(id);
      if (!moved.ok()) return moved.status();
      if (*moved) again.insert(id);
    }
    due = std::move(again);
    if (due.empty()) break;
    PendingWrite steps;
    {
      absl::MutexLock lock(&mutex_);
      steps = ledger_.AllWritten();
    }
    if (absl::Status status = steps.Await(); !status.ok()) return status;
    absl::MutexLock lock(&mutex_);
    for (const uint64_t id : due) due_.erase(id);  // by its own step
  }
  return absl::OkStatus();
}

absl::Status App::RunOnce() {
  absl::MutexLock driving(&driver_mutex_);
  const absl::Duration now = clock_->Monotonic();
  std::set<uint64_t> due;
  bool collect = collector_.IsDue(now);
  absl::StatusOr<PendingWrite> expired;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
    expired = ExpireLeases();
    if (!expired.ok()) return expired.status();
  }
  if (absl::Status status = expired->Await(); !status.ok()) return status;
  {
    absl::MutexLock lock(&mutex_);
    due = TakeDue(now);
    collect = std::exchange(collect_, false) || collect;
  }
  if (absl::Status status = EnforceWallBudgets(due); !status.ok()) return status;
  if (absl::Status status = DriveAll(std::move(due)); !status.ok()) return status;
  if (collect) {
    if (absl::Status status = CollectArtifacts(); !status.ok()) return status;
  }
  absl::MutexLock lock(&mutex_);
  rest_ = std::min(kMaxRest, clock_->Monotonic() - now);
  return absl::OkStatus();
}

absl::Status App::CollectArtifacts() {
  PendingWrite named;
  {
    absl::MutexLock lock(&mutex_);
    named_.clear();
    named = ledger_.AllWritten();
  }
  if (absl::Status status = named.Await(); !status.ok()) return status;
  CatchUp();  // what was named before is synced now
  const absl::Duration now = clock_->Monotonic();
  const absl::StatusOr<std::vector<std::string>> candidates = collector_.Candidates(driven_.state(), now);
  absl::Status status = candidates.status();
  if (candidates.ok()) {
    for (const std::string& sha256 : *candidates) {
      absl::MutexLock lock(&mutex_);
      if (!named_.contains(sha256)) status.Update(artifacts_->Remove(sha256));
    }
    status.Update(artifacts_->Purge());
  }
  collector_.Looked(now, !status.ok());
  // Space is lost, nothing else: the next look tries again.
  if (!status.ok()) telemetry::LogEvent(telemetry::Severity::kWarning, "collecting_artifacts_failed", {{"status", status.ToString()}});
  return absl::OkStatus();
}

void App::WaitForChange(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&stopped_), std::exchange(rest_, absl::ZeroDuration()));
  const auto changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopped_ || collect_ || !due_.empty(); };
  mutex_.AwaitWithTimeout(absl::Condition(&changed), timeout);
}

void App::StoodStill() {
  absl::MutexLock lock(&mutex_);
  const absl::Duration now = clock_->Monotonic();
  for (const auto& [task, lease] : scheduler_.leases()) scheduler_.Extend(task, now);
}

void App::Stop() {
  LeaseDesk::Answers answers;
  std::map<uint64_t, Watch> watches;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    for (const auto& [search, stop] : preparing_) *stop = true;
    answers = desk_.Stop();
    watches = watches_;
  }
  for (auto& answer : answers) answer();
  for (const auto& [id, watch] : watches) (*watch.notify)();
}

}  // namespace hanas::coordinator
