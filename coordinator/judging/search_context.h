// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_JUDGING_SEARCH_CONTEXT_H_
#define HANAS_COORDINATOR_JUDGING_SEARCH_CONTEXT_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "coordinator/calibration/calibration.h"
#include "coordinator/judging/goals.h"
#include "coordinator/judging/plain_network.h"
#include "coordinator/state/search_view.h"
#include "coordinator/surrogate/accuracy_predictor.h"
#include "coordinator/surrogate/candidate_scorer.h"
#include "core/base/stop.h"
#include "core/family/convnet/convnet_space.h"
#include "core/family/convnet/scaled.h"
#include "core/job/search_job.h"
#include "core/lowering/lowering.h"

namespace hanas::coordinator {

/// A calibration with what it was fitted and tested on.
struct FittedLatency {
  CalibrationFit fit;
  CalibrationQuality held_out;
  CalibrationQuality uncalibrated;  // of the plain sum, on the same held-out networks
  int num_fitted = 0;
};

/// By what the networks of a target are judged, with what is known after some rounds.
struct Judging {
  const CandidateScorer* scorer = nullptr;  // of the context
  const Goals* goals = nullptr;             // of the context
  LatencyCalibration calibration;
};

/// What is expensive to derive from a search's state, kept while the process lives. Holds nothing that is not recomputed from the state, so
/// losing it costs time only.
///
/// Thread-safe: what is derived never changes after. Nobody waits for a derivation of another thread: two that need the same at the same
/// time both derive it, and the first one is kept.
class SearchContext {
 public:
  /// Returns INVALID_ARGUMENT for a space that is not valid, and what DefineTeacher does.
  static absl::StatusOr<std::unique_ptr<SearchContext>> Create(const SearchJob& job, PlainNetworks plain = {});

  const SearchSpace& space() const { return lowering_.space(); }
  const Lowering& lowering() const { return lowering_; }
  /// Whether every network of the space is evaluated: IsSearchedWhole of core/job.
  bool searched_whole() const { return searched_whole_; }
  /// That members are compared with in a job with ReferencesKind::kFamily.
  absl::Span<const PlainFamily> families() const { return families_; }
  /// That the job's other networks learn from; null without one.
  const PlainNetwork* teacher() const { return teacher_.has_value() ? &*teacher_ : nullptr; }

  // What takes up to seconds is prepared ahead of its use. Keys and Scorer do it themselves where nobody did.
  // A target is named by its index in TargetsOf(job), and has the capabilities of its device.
  /// Whether Keys and Scorer answer at once, be it with a status.
  bool has_keys(size_t target) ABSL_LOCKS_EXCLUDED(mutex_);
  bool has_scorer(size_t target) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Return CANCELLED when `stop` says so, else what Keys and Scorer return from then on.
  absl::Status PrepareKeys(size_t target, const BackendCaps& caps, StopCheck stop) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status PrepareScorer(size_t target, const BackendCaps& caps, const LatencyTable* table, StopCheck stop) ABSL_LOCKS_EXCLUDED(mutex_);

  /// Whether any network keeps those limits of a target that need no measurement, as far as that was looked at: PrepareKeys does it, so
  /// that nothing is measured for a job that no network can satisfy. Null before that, and when there are no such limits.
  const FeasibilityReport* ComputedFeasibility(size_t target) ABSL_LOCKS_EXCLUDED(mutex_);

  // Of the view's target.
  /// Every operator key of the space on the target's device. Returns RESOURCE_EXHAUSTED for more than bounds::kMaxOperatorKeys.
  absl::StatusOr<const std::vector<OpKey>*> Keys(const SearchView& view) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Requires a complete table. Returns CandidateScorer::Create's statuses.
  absl::StatusOr<const CandidateScorer*> Scorer(const SearchView& view) ABSL_LOCKS_EXCLUDED(mutex_);

  /// For how many steps a network is trained where `steps` are meant for the middle one at 8 bits: as many as cost the same, at most
  /// kMostSteps times as many, and at least one. Just `steps` with a supernet.
  int64_t StepsAsCostly(const Architecture& architecture, int64_t steps) const;

  std::string GraphDigestOf(const Architecture& architecture) const;
  std::string PlanDigestOf(const Architecture& architecture, const BackendCaps& caps) const;

  /// What the job wants. A limit that is relative to the latency of a network takes it from the calibration of PROFILING, and stays what it
  /// was when that is refined. Returns the statuses of Scorer and FitLatency.
  absl::StatusOr<const Goals*> GoalsOfJob(const SearchView& view) ABSL_LOCKS_EXCLUDED(mutex_);

  /// Returns the statuses of Scorer, FitLatency and GoalsOfJob.
  absl::StatusOr<Judging> JudgingAfter(const SearchView& view, int num_rounds);

  /// Fitted on the calibration networks and the first `num_rounds` rounds.
  absl::StatusOr<FittedLatency> FitLatency(const SearchView& view, int num_rounds);
  /// The predictor that a FitPredictor task brought. Returns NOT_FOUND before it is done.
  absl::StatusOr<AccuracyPredictor> Predictor(const SearchView& view, const TaskKey& key) const;

 private:
  /// What was derived for one target.
  struct OfTarget {
    std::optional<absl::StatusOr<std::vector<OpKey>>> keys;  // or why there are none, for good
    std::optional<FeasibilityReport> computed;
    std::optional<absl::StatusOr<CandidateScorer>> scorer;
    std::optional<Goals> goals;
  };

  SearchContext(ConvnetSpace space, const SearchJob& job, bool searched_whole, std::vector<PlainFamily> families,
                std::optional<PlainNetwork> teacher);

  /// The report of ComputedFeasibility; nothing without such limits, or for a space whose tables are too large. Returns CANCELLED when
  /// `stop` says so.
  absl::StatusOr<std::optional<FeasibilityReport>> ProbeComputed(const TargetSpec& target, const BackendCaps& caps, StopCheck stop) const;

  static constexpr int64_t kMostSteps = 4;

  const Lowering lowering_;
  const int64_t middle_work_;  // TrainingWork of the middle network at 8 bits
  const bool searched_whole_;
  const SearchJob job_;
  const std::vector<PlainFamily> families_;
  const std::optional<PlainNetwork> teacher_;
  absl::Mutex mutex_;
  std::vector<OfTarget> targets_ ABSL_GUARDED_BY(mutex_);  // as many as the job has; what is derived stays where it is
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_JUDGING_SEARCH_CONTEXT_H_
