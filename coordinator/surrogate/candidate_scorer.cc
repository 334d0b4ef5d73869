// SPDX-License-Identifier: Apache-2.0
#include "coordinator/surrogate/candidate_scorer.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "core/cost/cost.h"

namespace hanas {
namespace {

/// In front of the stem, before the resolution is known.
constexpr int32_t kStartContext = 0;

}  // namespace

/// Walks the reachable contexts unit by unit, as key enumeration does, and remembers what each choice gives.
class CandidateScorer::Compiler {
 public:
  Compiler(const Lowering& lowering, const BackendCaps& caps, const LatencyTable* table, int64_t max_entries, StopCheck stop)
      : lowering_(lowering), space_(lowering.space()), caps_(caps), table_(table), max_entries_(max_entries), stop_(stop), contexts_(1) {}

  absl::StatusOr<CandidateScorer> Run() && {
    CandidateScorer scorer;
    std::set<int32_t> contexts = CompileStem(scorer);
    for (int stage = 0; stage < space_.num_stages() && !contexts.empty(); ++stage) contexts = CompileStage(stage, contexts, scorer);
    if (!contexts.empty()) CompileHead(contexts, scorer);
    if (stopped_) return absl::CancelledError("compiling the cost tables of the space was cancelled");
    if (num_entries_ > max_entries_) {
      return absl::ResourceExhaustedError(absl::StrCat("cost tables: expected at most ", max_entries_,
                                                       " (unit, context, choice) entries, found at least ", num_entries_, " in space \"",
                                                       space_.spec().name, "\": give its blocks fewer choices"));
    }
    if (!missing_.empty()) {
      return absl::NotFoundError(absl::StrCat("latency table: expected a row for every operator of space \"", space_.spec().name,
                                              "\", found none for ", missing_.size(), " of them, the first being \"", *missing_.begin(),
                                              "\""));
    }
    return scorer;
  }

 private:
  /// An empty table over the choices of `genes`; false when that is too large.
  bool Start(const std::set<int32_t>& contexts, const std::vector<int>& genes, UnitTable& unit) {
    unit.num_choices = 1;
    for (const int gene : genes) {
      unit.genes[unit.num_genes] = gene;
      unit.radix[unit.num_genes++] = static_cast<int32_t>(unit.num_choices);
      unit.num_choices *= space_.genes()[static_cast<size_t>(gene)].num_choices;
      if (unit.num_choices > max_entries_) break;
    }
    num_entries_ += unit.num_choices * static_cast<int64_t>(contexts.size());
    if (num_entries_ > max_entries_) return false;
    unit.local_context.assign(contexts_.size(), -1);
    int32_t local = 0;
    for (const int32_t context : contexts) unit.local_context[static_cast<size_t>(context)] = local++;
    unit.entries = std::make_shared<std::vector<Entry>>(static_cast<size_t>(unit.num_choices) * contexts.size());
    return true;
  }

  /// Calls visit(choices of the unit's genes, index) for each combination, until it is time to stop.
  template <typename Visit>
  void ForEachChoice(const UnitTable& unit, Visit visit) const {
    std::vector<uint8_t> genes(static_cast<size_t>(unit.num_genes));
    for (int64_t index = 0; index < unit.num_choices && !stopped_; ++index) {
      for (int i = 0; i < unit.num_genes; ++i) {
        const int num_choices = space_.genes()[static_cast<size_t>(unit.genes[i])].num_choices;
        genes[static_cast<size_t>(i)] = static_cast<uint8_t>(index / unit.radix[i] % num_choices);
      }
      visit(absl::MakeConstSpan(genes), index);
    }
  }

  Entry& EntryAt(UnitTable& unit, int32_t context, int64_t index) {
    return (*unit.entries)[static_cast<size_t>(unit.local_context[static_cast<size_t>(context)] * unit.num_choices + index)];
  }

  std::set<int32_t> CompileStem(CandidateScorer& scorer) {
    UnitTable& unit = scorer.units_.emplace_back();
    std::set<int32_t> leaving;
    if (!Start({kStartContext}, {space_.resolution_gene(), space_.stem_width_gene(), space_.stem_precision_gene()}, unit)) return leaving;
    const SpaceSpec& spec = space_.spec();
    ForEachChoice(unit, [&](absl::Span<const uint8_t> genes, int64_t index) {
      const StemChoice choice = {spec.resolutions[genes[0]], spec.stem.widths[genes[1]], spec.stem.precisions[genes[2]]};
      leaving.insert(
          Compile({.kind = UnitKind::kStem}, lowering_.InputContext(choice.resolution), choice, EntryAt(unit, kStartContext, index)));
    });
    return leaving;
  }

  /// A stage has one width for all its blocks: behind the first block a context belongs to a width.
  std::set<int32_t> CompileStage(int stage, const std::set<int32_t>& contexts, CandidateScorer& scorer) {
    const StageSpec& spec = space_.spec().stages[static_cast<size_t>(stage)];
    scorer.first_block_.push_back(static_cast<int>(scorer.units_.size()));
    scorer.depth_gene_.push_back(space_.depth_gene(stage));
    scorer.depth_.push_back(spec.depths);
    std::vector<std::set<int32_t>> entering(spec.widths.size(), contexts);
    std::set<int32_t> leaving;
    std::vector<std::set<int32_t>> entered_before;
    for (int block = 0; block < space_.max_depth(stage); ++block) {
      const auto at = static_cast<size_t>(block);
      if (block > 1 && spec.blocks[at] == spec.blocks[at - 1] && entering == entered_before) {
        ShareTable({UnitKind::kBlock, stage, block}, scorer);  // and what follows is what followed the block before
      } else {
        std::vector<std::set<int32_t>> next(spec.widths.size());
        if (!CompileBlock({UnitKind::kBlock, stage, block}, entering, next, scorer)) return {};
        entered_before = std::exchange(entering, std::move(next));
      }
      if (std::find(spec.depths.begin(), spec.depths.end(), block + 1) == spec.depths.end()) continue;
      for (const std::set<int32_t>& of_width : entering) leaving.insert(of_width.begin(), of_width.end());
    }
    return leaving;
  }

  std::vector<int> BlockGenes(const UnitId& id) const {
    std::vector<int> genes = {space_.stage_width_gene(id.stage)};
    for (int i = 0; i < 7; ++i) genes.push_back(space_.block_gene(id.stage, id.block) + i);
    return genes;
  }

  /// The unit costs what the one before it costs, for its own genes.
  void ShareTable(const UnitId& id, CandidateScorer& scorer) {
    UnitTable unit = scorer.units_.back();
    const std::vector<int> genes = BlockGenes(id);
    std::copy(genes.begin(), genes.end(), unit.genes);
    scorer.units_.push_back(std::move(unit));
  }

  bool CompileBlock(const UnitId& id, const std::vector<std::set<int32_t>>& entering, std::vector<std::set<int32_t>>& next,
                    CandidateScorer& scorer) {
    std::set<int32_t> contexts;
    for (const std::set<int32_t>& of_width : entering) contexts.insert(of_width.begin(), of_width.end());
    UnitTable& unit = scorer.units_.emplace_back();
    if (!Start(contexts, BlockGenes(id), unit)) return false;
    const BlockSpec& spec = space_.spec().stages[static_cast<size_t>(id.stage)].blocks[static_cast<size_t>(id.block)];
    ForEachChoice(unit, [&](absl::Span<const uint8_t> choices, int64_t index) {
      if (spec.expansions[choices[2]] == 1.0 && choices[5] != 0) return;  // an inactive gene that is not 0: not canonical
      const size_t width = choices[0];
      const BlockChoice choice = space_.DecodeBlock(id.stage, id.block, static_cast<int>(width), choices.subspan(1));
      for (const int32_t context : entering[width]) {
        next[width].insert(Compile(id, LoweringContext(contexts_[static_cast<size_t>(context)]), choice, EntryAt(unit, context, index)));
      }
    });
    return true;
  }

  void CompileHead(const std::set<int32_t>& contexts, CandidateScorer& scorer) {
    UnitTable& unit = scorer.units_.emplace_back();
    const std::vector<int> genes = {space_.head_width_gene(), space_.head_precision_gene(), space_.hidden_precision_gene(),
                                    space_.classifier_precision_gene()};
    if (!Start(contexts, genes, unit)) return;
    const HeadSpec& spec = space_.spec().head;
    ForEachChoice(unit, [&](absl::Span<const uint8_t> choices, int64_t index) {
      const HeadChoice choice = {spec.widths[choices[0]], spec.precisions[choices[1]], spec.hidden_precisions[choices[2]],
                                 spec.classifier_precisions[choices[3]]};
      for (const int32_t context : contexts) {
        Compile({.kind = UnitKind::kHead}, LoweringContext(contexts_[static_cast<size_t>(context)]), choice, EntryAt(unit, context, index));
      }
    });
  }

  /// Fills `entry` and returns the context that follows.
  int32_t Compile(const UnitId& id, const LoweringContext& context, const UnitChoice& choice, Entry& entry) {
    constexpr int kLookEvery = 256;  // entries: about a millisecond
    if (++compiled_ % kLookEvery == 0) stopped_ = stopped_ || stop_();
    const Fragment fragment = lowering_.LowerUnit(id, context, choice);
    const ExecPlan plan = MakePlan(fragment.graph, caps_);
    const Cost cost = GraphCost(fragment.graph);
    entry = {.sum_us = table_ == nullptr ? std::numeric_limits<double>::quiet_NaN() : 0,
             .macs = cost.macs,
             .parameters = cost.parameters,
             .size_bytes = cost.size_bytes,
             .weight_bytes = ExecutedWeightBytes(plan),
             .peak_activation_bytes = PeakActivationBytes(plan),
             .next_context = ContextId(fragment.next)};
    if (table_ == nullptr) return entry.next_context;
    for (const ExecStep& step : plan.steps) {
      if (const LatencyRow* row = table_->Find(step.key); row != nullptr) {
        entry.sum_us += row->flushed_us;
      } else {
        missing_.insert(ToString(step.key));
      }
    }
    return entry.next_context;
  }

  int32_t ContextId(const LoweringContext& context) {
    const auto [at, is_new] = ids_.emplace(context, static_cast<int32_t>(contexts_.size()));
    if (is_new) contexts_.push_back(context);
    return at->second;
  }

  const Lowering& lowering_;
  const SearchSpace& space_;
  const BackendCaps& caps_;
  const LatencyTable* table_;
  int64_t max_entries_;
  StopCheck stop_;
  int64_t num_entries_ = 0;
  int64_t compiled_ = 0;
  bool stopped_ = false;
  std::vector<LoweringContext> contexts_;  // by id; the first is kStartContext
  absl::flat_hash_map<LoweringContext, int32_t> ids_;
  std::set<std::string> missing_;
};

absl::StatusOr<CandidateScorer> CandidateScorer::Create(const Lowering& lowering, const BackendCaps& caps, const LatencyTable* table,
                                                        const LatencyCalibration& calibration, int64_t max_entries, StopCheck stop) {
  absl::StatusOr<CandidateScorer> scorer = Compiler(lowering, caps, table, max_entries, stop).Run();
  if (scorer.ok()) scorer->calibration_ = calibration;
  return scorer;
}

const CandidateScorer::Entry& CandidateScorer::Find(const UnitTable& unit, int32_t context, const Architecture& architecture) {
  int64_t index = unit.local_context[static_cast<size_t>(context)] * unit.num_choices;
  for (int i = 0; i < unit.num_genes; ++i)
    index += static_cast<int64_t>(unit.radix[i]) * architecture.genes[static_cast<size_t>(unit.genes[i])];
  const Entry& entry = (*unit.entries)[static_cast<size_t>(index)];
  CHECK_GE(entry.next_context, 0) << "the architecture is not canonical";
  return entry;
}

CandidateCost CandidateScorer::ScoreOne(const Architecture& architecture) const {
  CandidateCost cost;
  int64_t weight_bytes = 0;
  int64_t peak_activation_bytes = 0;
  int32_t context = kStartContext;
  const auto add = [&](const UnitTable& unit) {
    const Entry& entry = Find(unit, context, architecture);
    cost.sum_us += entry.sum_us;
    cost.macs += entry.macs;
    cost.parameters += entry.parameters;
    cost.size_bytes += entry.size_bytes;
    weight_bytes += entry.weight_bytes;
    peak_activation_bytes = std::max(peak_activation_bytes, entry.peak_activation_bytes);
    context = entry.next_context;
  };
  add(units_.front());
  for (size_t stage = 0; stage < first_block_.size(); ++stage) {
    const int depth = depth_[stage][architecture.genes[static_cast<size_t>(depth_gene_[stage])]];
    for (int block = 0; block < depth; ++block) add(units_[static_cast<size_t>(first_block_[stage] + block)]);
  }
  add(units_.back());
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
