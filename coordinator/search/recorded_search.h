// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_RECORDED_SEARCH_H_
#define HANAS_COORDINATOR_SEARCH_RECORDED_SEARCH_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "coordinator/search/ask_tell.h"

namespace hanas {

/// What every ask/tell algorithm shares: sequences, the window, refusal of results that do not fit. An algorithm adds how to propose.
///
/// Thread-compatible.
class RecordedSearch : public SearchAlgorithm {
 public:
  absl::StatusOr<std::vector<Proposal>> Ask(int count) final;
  absl::Status Tell(absl::Span<const Result> results) final;
  uint64_t num_asked() const final { return proposals_.size(); }
  uint64_t num_told() const final { return evaluations_.size(); }
  bool exhausted() const final { return exhausted_; }

 protected:
  /// Requires window >= 1 and generation >= 1. With a generation of more than one network proposals see whole generations only, and all of
  /// one may be under evaluation at once.
  explicit RecordedSearch(int window, int generation = 1)
      : window_(static_cast<uint64_t>(window)), generation_(static_cast<uint64_t>(generation)) {}

  /// How many results proposal `sequence` may depend on: those with a sequence below this.
  uint64_t NumVisible(uint64_t sequence) const {
    const uint64_t within = sequence / generation_ * generation_ + 1;
    return within > window_ ? within - window_ : 0;
  }
  const absl::flat_hash_set<Architecture>& proposed() const { return proposed_; }
  const std::vector<Architecture>& proposals() const { return proposals_; }
  const std::vector<Evaluation>& evaluations() const { return evaluations_; }

 private:
  /// A network outside proposed(), a pure function of the seed, `sequence` and the first NumVisible(sequence) results; nothing when
  /// exhausted.
  virtual std::optional<Architecture> Propose(uint64_t sequence) = 0;
  /// After each result.
  virtual void OnTold() {}

  absl::Status CheckResult(const Result& result, uint64_t expected_sequence) const;

  uint64_t window_;
  uint64_t generation_;
  bool exhausted_ = false;
  std::vector<Architecture> proposals_;  // by sequence
  absl::flat_hash_set<Architecture> proposed_;
  std::vector<Evaluation> evaluations_;  // by sequence
};

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_RECORDED_SEARCH_H_
