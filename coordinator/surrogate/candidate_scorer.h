// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SURROGATE_CANDIDATE_SCORER_H_
#define HANAS_COORDINATOR_SURROGATE_CANDIDATE_SCORER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/surrogate/choice_index.h"
#include "core/base/bounds.h"
#include "core/base/stop.h"
#include "core/latency/latency_model.h"
#include "core/lowering/lowering.h"
#include "core/plan/exec_plan.h"

namespace hanas {

/// What a candidate costs on one target, without running it.
struct CandidateCost {
  double sum_us = 0;      // of the operators' flushed times; NaN when compiled without a latency table
  double latency_us = 0;  // calibrated
  int64_t macs = 0;
  int64_t parameters = 0;
  int64_t size_bytes = 0;
  int64_t peak_memory_bytes = 0;
};

/// The fast cost tables of a search: lowering, planning, costing and the latency table, compiled into arrays indexed by (unit, context,
/// choice). Scoring walks one array entry per unit. Equal to full lowering for every architecture (integers exactly, times to rounding).
///
/// Thread-compatible; scoring is const.
class CandidateScorer {
 public:
  /// Compiles every reachable (unit, context, choice). `table` may be null: then times are NaN and nothing can be missing.
  /// Units that lower alike share one table. Returns NOT_FOUND naming the first operator key without a row and how many are missing,
  /// RESOURCE_EXHAUSTED when the space has more than max_entries, and CANCELLED when `stop` says so.
  static absl::StatusOr<CandidateScorer> Create(const Lowering& lowering, const BackendCaps& caps, const LatencyTable* table,
                                                const LatencyCalibration& calibration, int64_t max_entries = bounds::kMaxTableEntries,
                                                StopCheck stop = NeverStop);

  /// Requires canonical architectures of the space, and spans of equal length.
  void Score(absl::Span<const Architecture> architectures, absl::Span<CandidateCost> costs) const;
  CandidateCost ScoreOne(const Architecture& architecture) const;

  const LatencyCalibration& calibration() const { return calibration_; }
  /// Of all tables, shared ones counted once.
  int64_t num_entries() const;

 private:
  class Compiler;

  /// A compiled fragment.
  struct Entry {
    double sum_us = 0;
    int64_t macs = 0;
    int64_t parameters = 0;
    int64_t size_bytes = 0;
    int64_t weight_bytes = 0;
    int64_t peak_activation_bytes = 0;
    int32_t next_context = -1;  // -1: not reachable
  };
  /// Entries of one unit: [local context][combination of the choices of its genes].
  struct UnitTable {
    std::vector<int32_t> local_context;           // by global context; -1: does not enter this unit
    std::shared_ptr<std::vector<Entry>> entries;  // the same one for units that lower alike
    ChoiceIndex choices;
    std::vector<Condition> present_if;
  };

  CandidateScorer() = default;
  static const Entry& Find(const UnitTable& unit, int32_t context, const Architecture& architecture);

  std::vector<UnitTable> units_;  // stem, blocks stage by stage, head
  LatencyCalibration calibration_;
};

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SURROGATE_CANDIDATE_SCORER_H_
