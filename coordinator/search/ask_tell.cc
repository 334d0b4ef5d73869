// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/ask_tell.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/search/recorded_search.h"

namespace hanas {

absl::StatusOr<std::vector<Proposal>> RecordedSearch::Ask(int count) {
  if (count < 0) return absl::InvalidArgumentError(absl::StrCat("search: expected a count of proposals of 0 or more, found ", count));
  std::vector<Proposal> batch;
  while (static_cast<int>(batch.size()) < count && !exhausted_ && evaluations_.size() >= NumVisible(proposals_.size())) {
    const uint64_t sequence = proposals_.size();
    std::optional<Architecture> architecture = Propose(sequence);
    if (!architecture.has_value()) {
      exhausted_ = true;
      break;
    }
    proposed_.insert(*architecture);
    proposals_.push_back(*architecture);
    batch.push_back({sequence, *std::move(architecture)});
  }
  if (batch.empty() && count > 0 && exhausted_ && evaluations_.size() == proposals_.size()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("search: no network is left that was not proposed before; proposed so far: ", proposals_.size()));
  }
  return batch;
}

absl::Status RecordedSearch::CheckResult(const Result& result, uint64_t expected_sequence) const {
  if (result.sequence != expected_sequence) {
    return absl::InvalidArgumentError(
        absl::StrCat("search: expected the result of sequence ", expected_sequence, ", found ", result.sequence));
  }
  if (result.sequence >= proposals_.size()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "search: a result came for a sequence that was not asked; asked so far: ", proposals_.size(), ", sequence ", result.sequence));
  }
  if (result.architecture != proposals_[result.sequence]) {
    return absl::DataLossError(
        absl::StrCat("search: the result is of another network than this seed, space and history propose, sequence ", result.sequence));
  }
  return absl::OkStatus();
}

absl::Status RecordedSearch::Tell(absl::Span<const Result> results) {
  if (results.empty()) return absl::OkStatus();
  const size_t num_objectives = (evaluations_.empty() ? results[0].evaluation : evaluations_[0]).objectives.size();
  uint64_t expected = evaluations_.size();
  for (const Result& result : results) {
    if (absl::Status status = CheckResult(result, expected++); !status.ok()) return status;
    const size_t found = result.evaluation.objectives.size();
    if (found == 0 || found != num_objectives) {
      return absl::InvalidArgumentError(absl::StrCat("search: expected ", std::max<size_t>(1, num_objectives), " objectives, found ", found,
                                                     ", sequence ", result.sequence));
    }
  }
  for (const Result& result : results) {
    evaluations_.push_back(result.evaluation);
    OnTold();
  }
  return absl::OkStatus();
}

absl::Status Replay(absl::Span<const Result> results, SearchAlgorithm& algorithm) {
  for (const Result& result : results) {
    // One at a time, so that no more is asked than was told.
    if (algorithm.num_asked() <= result.sequence) {
      if (absl::StatusOr<std::vector<Proposal>> asked = algorithm.Ask(1); !asked.ok()) return asked.status();
    }
    if (absl::Status status = algorithm.Tell({result}); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void ResultsInOrder::Add(Result result) {
  if (result.sequence < next_) return;
  const uint64_t sequence = result.sequence;
  waiting_.try_emplace(sequence, std::move(result));
}

std::vector<Result> ResultsInOrder::Take() {
  std::vector<Result> ready;
  for (auto at = waiting_.begin(); at != waiting_.end() && at->first == next_; at = waiting_.erase(at), ++next_)
    ready.push_back(std::move(at->second));
  return ready;
}

}  // namespace hanas
