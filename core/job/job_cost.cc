// SPDX-License-Identifier: Apache-2.0
#include "core/job/job_cost.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/bounds.h"
#include "core/family/convnet/convnet_space.h"
#include "core/lowering/unit_walk.h"
#include "core/plan/exec_plan.h"
#include "core/plan/op_limits.h"

namespace hanas {
namespace {

constexpr int64_t kBytesPerNumber = 4;
constexpr int64_t kCopiesInTraining = 3;  // of each activation: what backpropagation keeps, its gradient, and the normalised one

/// What has keys of every kind that a device of today's backends has, so that none of them has more operators than this one.
BackendCaps MostKeys() {
  BackendCaps caps = {.name = "any", .version = "", .isa = "", .native = EveryKindBut(OpKind::kHardSwish, ElementType::kInt8)};
  caps.native.push_back({.compute = ElementType::kFloat16});
  caps.native.push_back({.kind = OpKind::kFullyConnected, .compute = ElementType::kInt8, .weights = ElementType::kInt4});
  return caps;
}

int64_t WeightsOf(const SlotTable& slots) {
  int64_t weights = 0;
  for (const Slot& slot : slots.slots()) weights += NumElements(slot.shape);
  return weights;
}

/// Counts what walks of operators and of networks would visit, without doing them, and keeps the largest that each unit can be: it walks
/// the contexts, and lowers the unit once more in each of them with its other genes at their last, largest choices.
class Counter : public UnitVisitor {
 public:
  explicit Counter(const FamilySpace& family) : family_(family) {}

  bool Enter(const UnitMeetings& met) override {
    const SearchSpace& space = family_.space();
    const Unit& unit = family_.units()[met.unit];
    int64_t entries = static_cast<int64_t>(met.contexts.size());
    for (const int gene : unit.genes) entries = Times(entries, space.gene(gene).num_choices());
    table_entries = std::min(table_entries + entries, kSaturated);
    for (const std::vector<int>& list : unit.operator_genes) {
      int64_t visits = met.meetings;
      for (const int gene : list) {
        if (!Contains(met.open_genes, gene)) continue;
        visits = Times(visits, Contains(unit.weight_bit_genes, gene) ? space.gene(gene).num_choices() : NumDistinctTypes(space.gene(gene)));
      }
      lowerings = std::min(lowerings + visits, kSaturated);
    }
    largest_.push_back(0);
    return GoesOn();
  }

  bool Repeat(size_t) override {
    largest_.push_back(largest_.back());
    return true;
  }

  bool Visit(const LoweredUnit& lowered) override {
    ++visits_;
    const Unit& unit = family_.units()[lowered.unit];
    std::vector<uint8_t> choices(lowered.choices.begin(), lowered.choices.end());
    for (size_t i = 0; i < choices.size(); ++i) {
      if (!Contains(unit.context_genes, unit.genes[i])) {
        choices[i] = static_cast<uint8_t>(family_.space().gene(unit.genes[i]).num_choices() - 1);
      }
    }
    See(lowered.unit, lowered.before, choices);
    return GoesOn();
  }

  /// One of the largest networks, for a space that is not walked to its end: what is wrong with it is told even so.
  void SeeLargest() {
    const Architecture largest = family_.space().Largest({16, 16});
    LoweringContext context = family_.Input(ChoicesOf(family_.units().front(), largest));
    largest_.assign(family_.units().size(), 0);
    for (size_t u = 0; u < family_.units().size(); ++u) context = See(u, context, ChoicesOf(family_.units()[u], largest));
  }

  /// Of all values of a network, at most.
  int64_t NumActivations() const { return std::accumulate(largest_.begin(), largest_.end(), int64_t{0}); }
  /// Of the supernet, but for layers that only smaller choices have.
  int64_t NumWeights() const { return WeightsOf(slots_); }

  int64_t lowerings = 0;
  int64_t table_entries = 0;
  std::vector<std::pair<std::string, std::string>> refused;  // fields, and why an agent would refuse an operator of theirs

 private:
  /// Where one bound is exceeded the other may be too: the walk goes on for as long as nobody notices.
  bool GoesOn() const {
    constexpr int64_t kUnnoticed = 5'000;
    return visits_ < kUnnoticed || (table_entries <= bounds::kMaxTableEntries && lowerings <= bounds::kMaxLowerings);
  }

  static constexpr int64_t kSaturated = int64_t{1} << 40;  // far above every bound
  static int64_t Times(int64_t a, int64_t b) { return std::min(a * b, kSaturated); }
  static bool Contains(absl::Span<const int> list, int gene) { return std::find(list.begin(), list.end(), gene) != list.end(); }

  /// Takes a unit into account; returns the context behind it.
  LoweringContext See(size_t unit, const LoweringContext& before, absl::Span<const uint8_t> choices) {
    const Fragment fragment = family_.Lower(unit, choices, NetBuilder(before, &slots_));
    const Graph& graph = fragment.graph;
    int64_t elements = 0;
    for (const Value& value : graph.values) elements += NumElements(value.shape);
    largest_[unit] = std::max(largest_[unit], elements);
    static const auto& kInt8 = *new BackendCaps{.native = {{.compute = ElementType::kInt8}}};  // plans with few conversions
    for (const ExecStep& step : MakePlan(graph, kInt8).steps) {
      if (step.op < 0) continue;  // a conversion is as large as what it converts
      const absl::Status status = CheckOpKey(step.key);
      if (status.ok()) continue;
      const std::string field = family_.FieldOf(graph.name(graph.operators[static_cast<size_t>(step.op)]));
      const auto same = [&](const auto& told) { return told.first == field; };
      if (std::none_of(refused.begin(), refused.end(), same)) refused.emplace_back(field, std::string(status.message()));
    }
    return fragment.next;
  }

  const FamilySpace& family_;
  SlotTable slots_;               // of the largest units
  std::vector<int64_t> largest_;  // elements of each unit's values
  int64_t visits_ = 0;
};

JobCost CostFrom(const SearchJob& job, const Counter& counter) {
  return {.lowerings = counter.lowerings,
          .table_entries = counter.table_entries,
          .supernet_weights = counter.NumWeights(),
          .training_bytes = counter.NumActivations() * kBytesPerNumber * kCopiesInTraining * job.training.batch_size};
}

std::string Gibibytes(int64_t bytes) { return absl::StrFormat("%.3g GiB", static_cast<double>(bytes) / (int64_t{1} << 30)); }

}  // namespace

JobCost CostOf(const SearchJob& job, const Lowering& lowering) {
  Counter counter(lowering.family());
  WalkUnits(lowering, WalkOf::kContexts, counter);
  JobCost cost = CostFrom(job, counter);
  cost.supernet_weights = WeightsOf(lowering.slots());
  return cost;
}

void CheckJobCost(const SearchJob& job, FieldViolations& violations) {
  const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(job.space);
  if (!space.ok()) {
    for (const FieldViolation& violation : ViolationsOf(space.status())) violations.Add(violation.path, violation.message);
    return;
  }
  // The walk ends as soon as there is too much.
  Counter counter(*space);
  const bool whole = WalkUnits(*space, WalkOf::kContexts, counter);
  if (!whole) counter.SeeLargest();
  const JobCost cost = CostFrom(job, counter);
  const char* const found = whole ? ", found " : ", found at least ";
  const char* const kFewer = "; give stages fewer choices of width, expansion, kernel or precision, or the space fewer resolutions";
  if (cost.lowerings > bounds::kMaxLowerings) {
    violations.Add("space", absl::StrCat("expected at most ", bounds::kMaxLowerings,
                                         " combinations of neighbouring choices to look for operators in", found, cost.lowerings, kFewer));
  }
  if (cost.table_entries > bounds::kMaxTableEntries) {
    violations.Add("space",
                   absl::StrCat("expected cost tables of at most ", bounds::kMaxTableEntries,
                                " entries (the choices of each block combined, in every context)", found, cost.table_entries, kFewer));
  }
  if (cost.supernet_weights > bounds::kMaxSupernetWeights) {
    violations.Add("space", absl::StrCat("expected at most ", bounds::kMaxSupernetWeights, " weights in the supernet, found ",
                                         cost.supernet_weights, "; lower widths, expansions or depths"));
  }
  if (cost.training_bytes > bounds::kMaxTrainingBytes) {
    violations.Add(
        "training.batch_size",
        absl::StrCat("expected at most ", Gibibytes(bounds::kMaxTrainingBytes), " for a batch of the largest network, found about ",
                     Gibibytes(cost.training_bytes), " for ", job.training.batch_size, " images; lower the batch, resolutions or widths"));
  }
  for (const auto& [field, message] : counter.refused) {
    violations.Add(field, absl::StrCat("expected operators that an agent can execute, even in the largest network; ", message,
                                       "; lower resolutions, widths, expansions or classes"));
  }
}

bool IsSearchedWhole(const SearchJob& job, const SearchSpace& space) {
  const long double networks = space.NumNetworks();
  if (networks < bounds::kFewestForPredictor) return true;
  const int64_t rounds = static_cast<int64_t>(job.evolution.rounds) * job.evolution.evaluations_per_round;
  const bool within_budget = job.budget.max_evaluations == 0 || networks <= static_cast<long double>(job.budget.max_evaluations);
  const int64_t most = std::min<int64_t>(job.sampling.networks + rounds, bounds::kMaxEvaluationsPerRound);
  return within_budget && networks <= static_cast<long double>(most);
}

absl::Status CheckOperatorCount(const Lowering& lowering, StopCheck stop) {
  const absl::Status status = EnumerateOpKeys(lowering, MostKeys(), stop, bounds::kMaxOperatorKeys).status();
  if (!absl::IsResourceExhausted(status)) return status;
  FieldViolations violations;
  violations.Add(
      "space", absl::StrCat(status.message(), "; give stages fewer choices of width, expansion or kernel, or the space fewer resolutions"));
  return violations.ToStatus();
}

}  // namespace hanas
