// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_MEASURE_SLICES_H_
#define HANAS_PROFILER_AGENT_MEASURE_SLICES_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "profiler-agent/measure/measure.h"

namespace hanas {

/// Standard deviation over mean of the rounds after dropping the slowest quarter (rounded down): what is left of a disturbance is always
/// slower, and one of five may be. 0 for a single round.
double RoundCv(std::vector<double> rounds);

/// The order of work that operators and networks share: rounds, slices, canary, rejection, extra rounds for noisy items. It knows nothing
/// of what a visit does.
///
/// Thread-compatible.
class SliceRunner {
 public:
  using Visit = std::function<absl::StatusOr<VisitRow>(int index)>;

  /// `options` must be valid; all are borrowed but copied options.
  SliceRunner(size_t count, const MeasureOptions& options, const MeasureEnvironment& environment);

  /// Counts rounds of an earlier attempt. Returns INVALID_ARGUMENT for an index or round out of range, a time that is not positive, or a
  /// visit that is there twice.
  absl::Status Resume(absl::Span<const Round> done);

  /// Visits until every item has its rounds. Statuses of `visit` and `on_round`; CANCELLED.
  absl::Status Run(const Visit& visit, const RoundCallback& on_round);

  /// The rows that count for an item: of undisturbed slices when there are three, else all.
  std::vector<VisitRow> Rows(size_t index) const;
  double Cv(size_t index) const;
  /// Whether rounds disagree by more than the options allow.
  bool Noisy(size_t index) const;
  const JobState& state() const { return state_; }

 private:
  struct Entry {
    VisitRow row;
    int round = 0;
    bool disturbed = false;
  };

  std::vector<int> Pending(int round) const;
  absl::Status RunSlice(absl::Span<const int> pending, int round, const Visit& visit, const RoundCallback& on_round, size_t& taken);
  absl::StatusOr<std::vector<VisitRow>> VisitSome(absl::Span<const int> pending, const Visit& visit);
  absl::StatusOr<double> ReadCanary();
  double Baseline() const;
  bool MayReject() const;
  void Keep(const Round& round);

  const MeasureOptions options_;
  const MeasureEnvironment& environment_;
  std::vector<std::vector<Entry>> entries_;
  std::vector<double> canary_history_;  // of kept slices, microseconds
  double last_canary_ = 0;              // the reading after a slice is the one before the next
  int kept_slices_ = 0;
  JobState state_;
};

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_MEASURE_SLICES_H_
