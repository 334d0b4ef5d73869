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

/// Whether later checkpoints of the chain have taken the place of this task's, or nobody goes on from it.
bool IsReplaced(const SearchView& view, const std::string& key, const TaskRecord& task) {
  const std::optional<TaskKey> chain = ParseTaskKey(key);
  if (!chain.has_value()) return false;
  if (chain->stage == TaskStage::kOpponentProbe) return true;  // only its rate was asked for
  int later = 0;
  for (const TaskRecord* other : view.Numbered(*chain)) later += other->id > task.id && other->state == TaskState::kDone ? 1 : 0;
  return later >= kKeptCheckpoints;
}

/// Collects for each artifact the use that keeps it the longest.
class ArtifactUseCollector {
 public:
  void AddArtifact(const ArtifactRef& artifact, ArtifactUse use) {
    if (artifact.empty()) return;
    const auto [at, is_new] = uses_.emplace(artifact.sha256, use);
    if (!is_new) at->second = std::min(at->second, use);
  }

  /// Adds what a task begins from and what it brought. The task itself is needed as `own` says; what others have replaced is needed less.
  void AddTask(const SearchView& view, const std::string& key, const TaskRecord& task, ArtifactUse own) {
    const auto* train = std::get_if<TrainWork>(&task.work);
    if (train != nullptr) {
      const ArtifactUse as_input = task.state == TaskState::kDone ? ArtifactUse::kReplaced : own;
      AddArtifact(train->initial, as_input);
      if (train->teacher.has_value()) AddArtifact(train->teacher->checkpoint, as_input);
    }
    if (!task.outcome.has_value()) return;
    const bool replaced = train != nullptr && IsReplaced(view, key, task);
    for (const ArtifactRef& artifact : ArtifactsOf(*task.outcome)) AddArtifact(artifact, replaced ? ArtifactUse::kReplaced : own);
  }

  std::map<std::string, ArtifactUse> TakeUses() && { return std::move(uses_); }

 private:
  std::map<std::string, ArtifactUse> uses_;
};

}  // namespace

std::map<std::string, ArtifactUse> ArtifactUses(const State& state) {
  ArtifactUseCollector collector;
  for (const auto& [id, search] : state.searches) {
    const SearchView view(state, search);
    const ArtifactUse by_search = UseBy(search.record.phase);
    for (const auto& [key, task_id] : search.tasks) {
      const TaskRecord& task = state.tasks.at(task_id);
      // A supernet outlives its searches: the next one goes on where it is.
      collector.AddTask(view, key, task, task.shared_under.empty() ? by_search : ArtifactUse::kNeeded);
    }
  }
  return std::move(collector).TakeUses();
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
