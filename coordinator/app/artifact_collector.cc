// SPDX-License-Identifier: Apache-2.0
#include "coordinator/app/artifact_collector.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "coordinator/state/search_view.h"
#include "coordinator/state/task_key.h"
#include "coordinator/state/updates.h"

namespace hanas::coordinator {
namespace {

constexpr absl::Duration kRetryAfter = absl::Minutes(1);
constexpr int kKeptCheckpoints = 2;

ArtifactUse UseBy(SearchPhase phase) {
  if (phase == SearchPhase::kCancelled) return ArtifactUse::kReplaced;
  return phase == SearchPhase::kFailed ? ArtifactUse::kResuming : ArtifactUse::kNeeded;
}

/// Whether later checkpoints of the chain have taken the place of this task's.
bool IsReplaced(const SearchView& view, const std::string& key, const TaskRecord& task) {
  const std::optional<TaskKey> chain = ParseTaskKey(key);
  if (!chain.has_value()) return false;
  int later = 0;
  for (const TaskRecord* other : view.Numbered(*chain)) later += other->id > task.id && other->state == TaskState::kDone ? 1 : 0;
  return later >= kKeptCheckpoints;
}

}  // namespace

std::map<std::string, ArtifactUse> ArtifactUses(const State& state) {
  std::map<std::string, ArtifactUse> uses;
  const auto note = [&](const ArtifactRef& artifact, ArtifactUse use) {
    if (artifact.empty()) return;
    const auto [at, is_new] = uses.emplace(artifact.sha256, use);
    if (!is_new) at->second = std::min(at->second, use);
  };
  for (const auto& [id, search] : state.searches) {
    const SearchView view(state, search);
    const ArtifactUse own_use = UseBy(search.record.phase);
    for (const auto& [key, task_id] : search.tasks) {
      const TaskRecord& task = state.tasks.at(task_id);
      // A supernet outlives its searches: the next one goes on where it is.
      const ArtifactUse use = task.shared_under.empty() ? own_use : ArtifactUse::kNeeded;
      const auto* train = std::get_if<TrainWork>(&task.work);
      if (train != nullptr) note(train->initial, task.state == TaskState::kDone ? ArtifactUse::kReplaced : use);
      if (!task.outcome.has_value()) continue;
      const bool replaced = train != nullptr && IsReplaced(view, key, task);
      for (const ArtifactRef& artifact : ArtifactsOf(*task.outcome)) note(artifact, replaced ? ArtifactUse::kReplaced : use);
    }
  }
  return uses;
}

absl::StatusOr<std::vector<std::string>> ArtifactCollector::Candidates(const State& state, absl::Duration now) {
  const absl::StatusOr<std::vector<std::string>> stored = artifacts_->List();
  if (!stored.ok()) return stored.status();
  const std::map<std::string, ArtifactUse> uses = ArtifactUses(state);
  std::map<std::string, absl::Duration> unneeded;
  std::vector<std::string> candidates;
  for (const std::string& sha256 : *stored) {
    const auto use = uses.find(sha256);
    if (use != uses.end() && use->second == ArtifactUse::kNeeded) continue;
    const auto before = unneeded_since_.find(sha256);
    const absl::Duration since = before == unneeded_since_.end() ? now : before->second;
    unneeded.emplace(sha256, since);
    const absl::Duration grace = use == uses.end()                       ? options_.orphan_grace
                                 : use->second == ArtifactUse::kResuming ? options_.failed_grace
                                                                         : options_.replaced_grace;
    if (now - since >= grace) candidates.push_back(sha256);
  }
  unneeded_since_ = std::move(unneeded);
  return candidates;
}

void ArtifactCollector::Looked(absl::Duration now, bool failed) {
  next_look_ = now + (failed ? std::min(kRetryAfter, options_.interval) : options_.interval);
}

}  // namespace hanas::coordinator
