// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_ASK_TELL_H_
#define HANAS_COORDINATOR_SEARCH_ASK_TELL_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/search/evaluation.h"

namespace hanas {

/// The `sequence`-th network that a search wants evaluated, counted from 0.
struct Proposal {
  uint64_t sequence = 0;
  Architecture architecture;
  friend bool operator==(const Proposal&, const Proposal&) = default;
};

struct Result {
  uint64_t sequence = 0;
  Architecture architecture;
  Evaluation evaluation;
};

/// A search as a pure function of its seed and of the results it is told.
///
/// Window W: proposal n depends only on the results with sequence below n - W + 1, whatever else has been told by then, so W proposals can
/// be under evaluation at once and the order in which they finish changes nothing. Every draw is counter-based on (seed, purpose,
/// sequence). There is no state that Replay cannot rebuild: recovery after a crash is a new object, told the recorded results.
///
/// Thread-compatible. No clock, no I/O.
class SearchAlgorithm {
 public:
  virtual ~SearchAlgorithm() = default;

  /// The next proposals, at most `count`: fewer when the window is full, none when only results can help. No architecture is proposed
  /// twice. Returns INVALID_ARGUMENT for a negative count, and RESOURCE_EXHAUSTED when nothing is in flight and the space (or the bounded
  /// number of attempts at a new network) is exhausted: the search is over.
  virtual absl::StatusOr<std::vector<Proposal>> Ask(int count) = 0;

  /// Results in sequence order without gaps. On error nothing is taken.
  /// Returns INVALID_ARGUMENT for another sequence than num_told() next or another number of objectives than before, FAILED_PRECONDITION
  /// for a sequence that was not asked, DATA_LOSS when the architecture is not the one proposed under this sequence.
  virtual absl::Status Tell(absl::Span<const Result> results) = 0;

  virtual uint64_t num_asked() const = 0;
  virtual uint64_t num_told() const = 0;
  /// No further network can be proposed.
  virtual bool exhausted() const = 0;
};

/// Brings a fresh `algorithm` to the state after `results` (all recorded ones, in sequence order): asks and tells until all are told and
/// exactly that many are asked, so that the next Ask proposes again what was in flight. Returns Ask's and Tell's statuses.
absl::Status Replay(absl::Span<const Result> results, SearchAlgorithm& algorithm);

/// Holds results that arrive in any order until those before them are there.
///
/// Thread-compatible.
class ResultsInOrder {
 public:
  /// Ignores a sequence that was already released or is already held: results are recorded once.
  void Add(Result result);
  /// The results that are next in sequence, removed.
  std::vector<Result> Take();
  uint64_t next_sequence() const { return next_; }

 private:
  uint64_t next_ = 0;
  std::map<uint64_t, Result> waiting_;
};

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_ASK_TELL_H_
