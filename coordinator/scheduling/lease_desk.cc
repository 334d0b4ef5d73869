// SPDX-License-Identifier: Apache-2.0
#include "coordinator/scheduling/lease_desk.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/state/state_counts.h"
#include "coordinator/state/updates.h"
#include "core/base/error_reason.h"

namespace hanas::coordinator {
namespace {

absl::AnyInvocable<void()> AnswerOf(LeaseDesk::Done done, absl::StatusOr<std::optional<GrantedTask>> answer) {
  return [done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); };
}

}  // namespace

void LeaseDesk::AnswerWhenWritten(uint64_t task_id, Done done, absl::Duration now) {
  scheduler_.Extend(task_id, now);
  // The record as granted: when it is written, the task may have gone to somebody else.
  const TaskRecord& task = ledger_.decided().tasks.at(task_id);
  const SearchState& search = ledger_.decided().searches.at(task.search);
  GrantedTask granted = {.task = task, .ttl = lease_ttl_, .job = search.job, .dataset_digest = search.record.dataset_digest, .rows = {}};
  ledger_.WhenWritten([granted = std::move(granted), done = std::move(done)](const absl::Status& written) mutable {
    if (!written.ok()) return done(written);
    done(std::move(granted));
  });
}

absl::StatusOr<bool> LeaseDesk::TryGrant(uint64_t party_id, const std::string& instance, Done& done, absl::Duration now) {
  if (absl::Status status = ledger_.CheckUsable(); !status.ok()) return status;
  const PartyRecord* party = ledger_.decided().FindParty(party_id);
  if (party == nullptr) {
    return WithReason(absl::NotFoundError(absl::StrCat("expected a registered party, found ", party_id, "; register again")),
                      kUnknownParty);
  }
  if (party->instance != instance) {
    return WithReason(
        absl::FailedPreconditionError(absl::StrCat("expected the instance that registered last as ", party->name, ", found ", instance)),
        kSuperseded);
  }
  scheduler_.Heard(party_id, now);
  if (const uint64_t held = scheduler_.HeldBy(party_id); held != 0) {
    AnswerWhenWritten(held, std::move(done), now);
    return true;
  }
  const uint64_t chosen = scheduler_.Choose(party_id, now);
  if (chosen == 0) return false;
  if (absl::Status status = ledger_.Begin(GrantLeaseUpdate{chosen, party_id}, nullptr); !status.ok()) return status;
  metrics_.Count(telemetry::Metric::kLeases, {"granted", KindOf(ledger_.decided().tasks.at(chosen).work).name});
  AnswerWhenWritten(chosen, std::move(done), now);
  return true;
}

LeaseDesk::Answers LeaseDesk::Request(uint64_t party, const std::string& instance, uint64_t wait, Done done, absl::Duration now) {
  Answers answers;
  const absl::StatusOr<bool> granted = TryGrant(party, instance, done, now);
  if (granted.ok() && *granted) return answers;
  if (!granted.ok() || wait == 0 || stopped_) {
    answers.push_back(granted.ok() ? AnswerOf(std::move(done), std::nullopt) : AnswerOf(std::move(done), granted.status()));
    return answers;
  }
  const auto earlier = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& entry) { return entry.second.party == party; });
  if (earlier != waiting_.end()) {
    answers.push_back(AnswerOf(std::move(earlier->second.done), std::nullopt));
    scheduler_.EndWaiting(party, now);
    waiting_.erase(earlier);
  }
  waiting_[wait] = {party, instance, std::move(done)};
  scheduler_.BeginWaiting(party);
  return answers;
}

LeaseDesk::Answers LeaseDesk::EndWait(uint64_t wait, absl::Duration now) {
  Answers answers;
  const auto waiting = waiting_.find(wait);
  if (waiting == waiting_.end()) return answers;
  answers.push_back(AnswerOf(std::move(waiting->second.done), std::nullopt));
  scheduler_.EndWaiting(waiting->second.party, now);
  waiting_.erase(waiting);
  return answers;
}

void LeaseDesk::GrantWaiting(absl::Duration now) {
  if (granting_ || waiting_.empty()) return;
  granting_ = true;  // a grant is a change too
  for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
    Waiting& request = waiting->second;
    const absl::StatusOr<bool> granted = TryGrant(request.party, request.instance, request.done, now);
    if (!granted.ok()) {
      ledger_.WhenWritten([done = std::move(request.done), refused = granted.status()](const absl::Status&) mutable { done(refused); });
    }
    if (granted.ok() && !*granted) {
      ++waiting;
      continue;
    }
    scheduler_.EndWaiting(request.party, now);
    waiting = waiting_.erase(waiting);
  }
  granting_ = false;
}

LeaseDesk::Answers LeaseDesk::Stop() {
  stopped_ = true;
  Answers answers;
  for (auto& [wait, request] : std::exchange(waiting_, {})) answers.push_back(AnswerOf(std::move(request.done), std::nullopt));
  return answers;
}

}  // namespace hanas::coordinator
