// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_JUDGING_CANDIDATES_H_
#define HANAS_COORDINATOR_JUDGING_CANDIDATES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/search/front_index.h"
#include "coordinator/state/search_view.h"

namespace hanas::coordinator {

/// A network that was truly evaluated, with the shared weights or trained alone for a short while, as users see it.
struct CandidateRow {
  int64_t sequence = 0;  // in the order asked, from 1
  Architecture architecture;
  Score score;
  double latency_us = 0;  // measured, else the estimate with the calibration of now
  bool latency_measured = false;
  int64_t size_bytes = 0;
  uint64_t worker = 0;  // the party that evaluated it
};

struct CandidatePage {
  std::vector<CandidateRow> candidates;
  bool more = false;  // there are candidates after the last one of the page
  int64_t total = 0;
};

/// The candidates of one search and their front for one of its targets, kept up with the state: Update costs what is new since the last
/// one, and, when the latency model was refitted, one pass over all. Pages cost their length, the front its size.
///
/// Holds nothing that is not recomputed from the state. Thread-compatible.
class CandidateIndex {
 public:
  /// Of a target of the search that `context` was made for.
  explicit CandidateIndex(std::shared_ptr<SearchContext> context) : context_(std::move(context)) {}

  /// Takes in what is done by now. `view` must be of the search and target that the index is of, and grow from call to call. Returns the
  /// statuses of SearchContext::Scorer and FitLatency.
  absl::Status Update(const SearchView& view);

  /// At most `max` candidates with a sequence above `after`, in its order.
  CandidatePage Page(int64_t after, int max) const;
  /// Of the candidates that keep the limits those that no other beats in every objective of the job, ascending in latency. When none keeps
  /// them, the one that comes closest.
  std::vector<CandidateRow> Front() const;

 private:
  struct Entry {
    Architecture architecture;
    CandidateCost cost;
    Score score;
    double measured_us = 0;  // 0: not measured
    double latency_us = 0;
    double violation = 0;
    uint64_t worker = 0;
    bool evaluated = false;
  };

  void AddAsked(const SearchView& view);
  absl::Status AddResults(const SearchView& view);
  /// Adds to `changed` the entries whose score or time it takes from what a task answered.
  absl::Status AddScores(const SearchView& view, const TaskRecord& task, const EvaluateOutcome& evaluated, std::vector<size_t>& changed);
  void AddTimes(const SearchView& view, const TaskRecord& task, const MeasureNetworksOutcome& measured, std::vector<size_t>& changed);
  absl::Status Recalibrate(const SearchView& view);
  void Judge(size_t index);
  CandidateRow RowOf(size_t index) const;

  const std::shared_ptr<SearchContext> context_;
  std::vector<Entry> entries_;                           // by sequence - 1
  std::map<std::string, size_t> first_;                  // of an evaluation task's networks in entries_, by its key
  absl::flat_hash_map<Architecture, size_t> of_rounds_;  // in entries_, those that rounds asked for
  FrontIndex front_;                                     // of numbers in entries_
  size_t closest_ = 0;                                   // of those that break the limits, when any_outside_
  bool any_outside_ = false;
  int64_t total_ = 0;
  size_t tasks_seen_ = 0;
  size_t results_seen_ = 0;
  int calibrated_rounds_ = -1;
  LatencyCalibration calibration_;
  Goals goals_;
  std::vector<CostLimit> limits_for_predictions_;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_JUDGING_CANDIDATES_H_
