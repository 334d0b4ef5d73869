// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/train_member.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "coordinator/state/search_view.h"
#include "coordinator/state/task_key.h"
#include "coordinator/state/transitions.h"
#include "coordinator/state/updates.h"
#include "core/base/error_reason.h"

namespace hanas::coordinator {
namespace {

bool IsOfTarget(const SearchState& search, const MemberRecord& member, absl::string_view target) {
  return target.empty() ? member.target == 0 : TargetsOf(*search.job)[member.target].name == target;
}

/// Closes the gaps that were left in the order in which members were asked for.
void Renumber(std::vector<MemberRecord>& members) {
  std::vector<MemberRecord*> asked;
  for (MemberRecord& member : members) {
    if (member.asked > 0) asked.push_back(&member);
  }
  std::sort(asked.begin(), asked.end(), [](const MemberRecord* a, const MemberRecord* b) { return a->asked < b->asked; });
  for (size_t i = 0; i < asked.size(); ++i) asked[i]->asked = static_cast<int32_t>(i + 1);
}

void Erase(State& state, SearchState& search, const std::string& key, Changes& changes) {
  const uint64_t id = search.tasks.at(key);
  changes.erased.push_back({RecordKind::kTask, search.record.id, id});
  changes.deleted_tasks.insert(id);
  changes.tasks.erase(id);  // what it was cancelled for
  state.tasks.erase(id);
  search.tasks.erase(key);
  std::erase(search.tasks_in_order, id);
}

/// Whether a task of members is of one that is trained on.
bool IsOfTrained(const SearchView& view, TaskKey key) {
  key.index = 0;
  return std::any_of(view.record().members.begin(), view.record().members.end(),
                     [&](const MemberRecord& member) { return !member.set_aside && view.MemberKey(key.stage, member) == key; });
}

/// Sets the members of those indices aside again, and erases what was done for them since, their failures too.
void GiveUp(State& state, SearchState& search, const std::vector<size_t>& indices, Changes& changes) {
  std::vector<MemberRecord>& members = search.record.members;
  for (const size_t index : indices) {
    members[index].asked = 0;
    members[index].set_aside = true;
    std::erase_if(search.record.left_out,
                  [&](const LeftOutRecord& record) { return record.target == members[index].target && record.id == members[index].id; });
  }
  Renumber(members);
  const SearchView view(state, search);
  std::vector<std::string> keys;
  for (const auto& [text, id] : search.tasks) {
    const std::optional<TaskKey> key = ParseTaskKey(text);
    const bool after_the_search = key.has_value() && (key->stage == TaskStage::kMemberFinal || key->stage == TaskStage::kMemberBind ||
                                                      key->stage == TaskStage::kMemberVerify);
    if (after_the_search && !IsOfTrained(view, *key)) keys.push_back(text);
  }
  for (const std::string& key : keys) Erase(state, search, key, changes);
  for (MemberRecord& member : members) {
    // One that is trained as another has steps of its own only while it is trained on itself.
    const bool trained = member.trained_as < 0 && IsOfTrained(view, view.MemberKey(TaskStage::kMemberFinal, member));
    if (member.set_aside && !trained) member.final_steps = 0;
  }
  changes.searches.insert(search.record.id);
}

}  // namespace

int32_t NumAsked(const std::vector<MemberRecord>& members) {
  return static_cast<int32_t>(std::count_if(members.begin(), members.end(), [](const MemberRecord& member) { return member.asked > 0; }));
}

std::string GiveUpAsked(State& state, SearchState& search, Changes& changes) {
  const SearchView view(state, search);
  std::vector<size_t> given_up;
  std::vector<std::string> names;
  for (size_t i = 0; i < search.record.members.size(); ++i) {
    const MemberRecord& member = search.record.members[i];
    if (member.asked == 0 || view.Done<VerifyOutcome>(view.MemberKey(TaskStage::kMemberVerify, member)) != nullptr) continue;
    given_up.push_back(i);
    names.push_back(member.id);
  }
  if (!given_up.empty()) GiveUp(state, search, given_up, changes);
  return absl::StrJoin(names, ", ");
}

std::optional<size_t> IndexOfMember(const SearchState& search, absl::string_view target, absl::string_view id) {
  const std::vector<MemberRecord>& members = search.record.members;
  for (size_t i = 0; i < members.size(); ++i) {
    if (IsOfTarget(search, members[i], target) && !members[i].reference && members[i].id == id) return i;
  }
  return std::nullopt;
}

void TrainOn(std::vector<MemberRecord>& members, size_t index, int64_t steps) {
  MemberRecord& member = members.at(index);
  MemberRecord* const trained = member.trained_as >= 0 ? &members.at(static_cast<size_t>(member.trained_as)) : &member;
  if (trained->final_steps == 0) trained->final_steps = steps;
  member.final_steps = trained->final_steps;
  member.set_aside = false;
}

absl::Status TrainMemberUpdate::Check(const State& state) const {
  const SearchState* found = state.FindSearch(search);
  if (found == nullptr) return NoSearch(search);
  if (!found->refused.ok()) return found->refused;  // it would fail, and its report with it
  const SearchRecord& record = found->record;
  const std::optional<size_t> index = IndexOfMember(*found, target, member);
  const bool verifies_again = !IsTerminal(record.phase) && NumAsked(record.members) > 0;
  if (record.phase != SearchPhase::kSucceeded && !verifies_again) {
    return WithReason(absl::FailedPreconditionError(
                          absl::StrCat("expected a search that has SUCCEEDED, found it ", Name(record.phase), ": searches/", search)),
                      kSearchNotSucceeded, SearchName(search));
  }
  if (index.has_value() && record.members[*index].asked > 0) return absl::OkStatus();
  if (!index.has_value()) {
    std::vector<absl::string_view> waiting;
    for (const MemberRecord& each : record.members) {
      if (each.set_aside && IsOfTarget(*found, each, target)) waiting.push_back(each.id);
    }
    return WithReason(absl::NotFoundError(absl::StrCat("expected a member that was set aside (",
                                                       waiting.empty() ? "there is none" : absl::StrJoin(waiting, ", "), "), found \"",
                                                       member, "\": searches/", search)),
                      kMemberNotFound, SearchName(search));
  }
  const SearchView view(state, *found);
  const MemberRecord& wanted = record.members[*index];
  const bool left_out = view.IsLeftOut(wanted) || view.FailedTaskOf(wanted) != nullptr;
  if (wanted.set_aside && !left_out) return absl::OkStatus();
  return WithReason(absl::FailedPreconditionError(absl::StrCat("expected a member that was set aside, found ", member,
                                                               left_out ? ", which could not be trained" : ", which is trained already",
                                                               ": searches/", search)),
                    kMemberTrained, SearchName(search));
}

void TrainMemberUpdate::Apply(State& state, Changes& changes) const {
  SearchState& found = state.searches.at(search);
  SearchRecord& record = found.record;
  const size_t index = *IndexOfMember(found, target, member);
  if (record.members[index].asked > 0) {
    const SearchView view(state, found);
    if (!view.IsLeftOut(record.members[index]) && view.FailedTaskOf(record.members[index]) == nullptr) return;
    GiveUp(state, found, {index}, changes);  // it failed, and is tried anew
  }
  TrainOn(record.members, index, steps);
  record.members[index].asked = NumAsked(record.members) + 1;
  record.end_time_us = 0;
  if (record.phase == SearchPhase::kSucceeded) EnterPhase(found, SearchPhase::kVerifying, changes);
  AddEvent(found, "final",
           absl::StrCat(SearchView(state, found).For(record.members[index].target).TargetPrefix(), member, " is trained on for ",
                        record.members[index].final_steps, " steps, as a user asked"),
           changes);
}

}  // namespace hanas::coordinator
