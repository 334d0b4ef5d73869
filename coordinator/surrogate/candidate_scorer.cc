// SPDX-License-Identifier: Apache-2.0
#include "coordinator/surrogate/candidate_scorer.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <set>
#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "core/cost/cost.h"
#include "core/lowering/unit_walk.h"

namespace hanas {

/// Fills the tables from a walk of the space.
class CandidateScorer::Compiler : public UnitVisitor {
 public:
  Compiler(const Lowering& lowering, const BackendCaps& caps, const LatencyTable* table, int64_t max_entries, StopCheck stop)
      : lowering_(lowering), caps_(caps), table_(table), max_entries_(max_entries), stop_(stop) {}

  absl::StatusOr<CandidateScorer> Run() && {
    const std::string& name = lowering_.space().name();
    WalkUnits(lowering_, WalkOf::kNetworks, *this);
    if (stopped_) return absl::CancelledError("compiling the cost tables of the space was cancelled");
    if (num_entries_ > max_entries_) {
      return absl::ResourceExhaustedError(absl::StrCat("cost tables: expected at most ", max_entries_,
                                                       " (unit, context, choice) entries, found at least ", num_entries_, " in space \"",
                                                       name, "\": give its blocks fewer choices"));
    }
    if (!missing_.empty()) {
      return absl::NotFoundError(absl::StrCat("latency table: expected a row for every operator of space \"", name, "\", found none for ",
                                              missing_.size(), " of them, the first being \"", *missing_.begin(), "\""));
    }
    return std::move(scorer_);
  }

  bool Enter(const UnitMeetings& met) override {
    const absl::Span<const int32_t> contexts = met.contexts;
    UnitTable& table = scorer_.units_.emplace_back(NewTable(met.unit));
    num_entries_ += table.choices.size() * static_cast<int64_t>(contexts.size());
    if (num_entries_ > max_entries_) return false;
    table.local_context.assign(static_cast<size_t>(contexts.empty() ? 0 : contexts.back() + 1), -1);
    int32_t local = 0;
    for (const int32_t context : contexts) table.local_context[static_cast<size_t>(context)] = local++;
    table.entries = std::make_shared<std::vector<Entry>>(static_cast<size_t>(table.choices.size()) * contexts.size());
    return true;
  }

  bool Repeat(size_t unit) override {
    UnitTable table = NewTable(unit);
    table.local_context = scorer_.units_.back().local_context;
    table.entries = scorer_.units_.back().entries;
    scorer_.units_.push_back(std::move(table));
    return true;
  }

  bool Visit(const LoweredUnit& lowered) override {
    constexpr int kLookEvery = 256;  // entries: about a millisecond
    if (++compiled_ % kLookEvery == 0 && stop_()) {
      stopped_ = true;
      return false;
    }
    const Graph& graph = lowered.fragment.graph;
    const ExecPlan plan = MakePlan(graph, caps_);
    const Cost cost = GraphCost(graph);
    UnitTable& table = scorer_.units_.back();
    const int64_t first = table.local_context[static_cast<size_t>(lowered.context)] * table.choices.size();
    Entry& entry = (*table.entries)[static_cast<size_t>(first + table.choices.Of(lowered.choices))];
    entry = {.sum_us = table_ == nullptr ? std::numeric_limits<double>::quiet_NaN() : 0,
             .macs = cost.macs,
             .parameters = cost.parameters,
             .size_bytes = cost.size_bytes,
             .weight_bytes = ExecutedWeightBytes(plan),
             .peak_activation_bytes = PeakActivationBytes(plan),
             .next_context = lowered.next};
    if (table_ == nullptr) return true;
    for (const ExecStep& step : plan.steps) {
      if (const LatencyRow* row = table_->Find(step.key); row != nullptr) {
        entry.sum_us += row->flushed_us;
      } else {
        missing_.insert(ToString(step.key));
      }
    }
    return true;
  }

 private:
  UnitTable NewTable(size_t unit) const {
    const Unit& described = lowering_.family().units()[unit];
    return {.local_context = {},
            .entries = nullptr,
            .choices = ChoiceIndex(lowering_.space(), described.genes, max_entries_),
            .present_if = described.present_if};
  }

  const Lowering& lowering_;
  const BackendCaps& caps_;
  const LatencyTable* table_;
  int64_t max_entries_;
  StopCheck stop_;
  CandidateScorer scorer_;
  int64_t num_entries_ = 0;
  int64_t compiled_ = 0;
  bool stopped_ = false;
  std::set<std::string> missing_;
};

absl::StatusOr<CandidateScorer> CandidateScorer::Create(const Lowering& lowering, const BackendCaps& caps, const LatencyTable* table,
                                                        const LatencyCalibration& calibration, int64_t max_entries, StopCheck stop) {
  absl::StatusOr<CandidateScorer> scorer = Compiler(lowering, caps, table, max_entries, stop).Run();
  if (scorer.ok()) scorer->calibration_ = calibration;
  return scorer;
}

const CandidateScorer::Entry& CandidateScorer::Find(const UnitTable& unit, int32_t context, const Architecture& architecture) {
  const int64_t index = unit.local_context[static_cast<size_t>(context)] * unit.choices.size() + unit.choices.Of(architecture);
  const Entry& entry = (*unit.entries)[static_cast<size_t>(index)];
  CHECK_GE(entry.next_context, 0) << "the architecture is not canonical";
  return entry;
}

CandidateCost CandidateScorer::ScoreOne(const Architecture& architecture) const {
  CandidateCost cost;
  int64_t weight_bytes = 0;
  int64_t peak_activation_bytes = 0;
  int32_t context = kStartContext;
  for (const UnitTable& unit : units_) {
    if (!SearchSpace::Hold(architecture, unit.present_if)) continue;
    const Entry& entry = Find(unit, context, architecture);
    cost.sum_us += entry.sum_us;
    cost.macs += entry.macs;
    cost.parameters += entry.parameters;
    cost.size_bytes += entry.size_bytes;
    weight_bytes += entry.weight_bytes;
    peak_activation_bytes = std::max(peak_activation_bytes, entry.peak_activation_bytes);
    context = entry.next_context;
  }
  cost.peak_memory_bytes = weight_bytes + peak_activation_bytes;
  cost.latency_us = ApplyCalibration(cost.sum_us, calibration_);
  return cost;
}

void CandidateScorer::Score(absl::Span<const Architecture> architectures, absl::Span<CandidateCost> costs) const {
  for (size_t i = 0; i < architectures.size(); ++i) costs[i] = ScoreOne(architectures[i]);
}

int64_t CandidateScorer::num_entries() const {
  std::set<const std::vector<Entry>*> tables;
  for (const UnitTable& unit : units_) tables.insert(unit.entries.get());
  int64_t count = 0;
  for (const std::vector<Entry>* table : tables) count += static_cast<int64_t>(table->size());
  return count;
}

}  // namespace hanas
