// SPDX-License-Identifier: Apache-2.0
#include "core/job/job_cost.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/bounds.h"
#include "core/plan/exec_plan.h"
#include "core/plan/op_limits.h"

namespace hanas {
namespace {

constexpr int64_t kBytesPerNumber = 4;
constexpr int64_t kCopiesInTraining = 3;  // of each activation: what backpropagation keeps, its gradient, and the normalised one

/// What has keys of every kind that some device has, so that no device has more operators than this one.
BackendCaps MostKeys() {
  return {.name = "any", .version = "", .isa = "", .native_float16 = true, .int8_hard_swish = false, .int4_fully_connected = true};
}

/// (context, choice) pairs of a unit, of all its genes, saturated far above the bound. The stem's context follows from its own genes.
int64_t TableEntries(const SearchSpace& space, const ConvnetUnit& unit, const ReachedUnit& reached) {
  // At most 2^14 contexts and 2^24 choices: no overflow.
  int64_t entries = unit.id.kind == UnitKind::kStem ? 1 : reached.contexts.size();
  for (const int gene : unit.genes) entries *= space.gene(gene).num_choices();
  return entries;
}

int64_t NumWeights(const Lowering& lowering) {
  int64_t weights = 0;
  for (const Slot& slot : lowering.slots().slots()) weights += NumElements(slot.shape);
  return weights;
}

/// Where a user can change the operator.
std::string FieldOf(const SpaceSpec& space, const Provenance& made_by) {
  switch (made_by.unit) {
    case UnitKind::kStem:
      return "space.stem.widths";
    case UnitKind::kBlock:
      return absl::StrCat("space.stages[", made_by.stage, "].widths");
    case UnitKind::kHead:
      if (made_by.role == LayerRole::kClassifier) return "space.num_classes";
      return made_by.role == LayerRole::kHidden && space.head.hidden > 0 ? "space.head.hidden" : "space.head.widths";
  }
  return "space";
}

/// Every extent of an operator grows with every choice, so that the largest network has the largest operator of each kind and place.
void CheckLargestOperators(const Lowering& lowering, FieldViolations& violations) {
  const Graph graph = lowering.Lower(lowering.space().Largest({16, 16}));
  std::vector<std::string> told;
  for (const ExecStep& step : MakePlan(graph, {}).steps) {
    const absl::Status status = CheckOpKey(step.key);
    if (status.ok()) continue;
    const Provenance made_by = step.op < 0 ? Provenance{} : graph.operators[static_cast<size_t>(step.op)].provenance;
    std::string field = FieldOf(lowering.family().spec(), made_by);
    if (std::find(told.begin(), told.end(), field) != told.end()) continue;
    told.push_back(field);
    violations.Add(std::move(field), absl::StrCat("expected operators that an agent can execute, even in the largest network; ",
                                                  status.message(), "; lower resolutions, widths, expansions or classes"));
  }
}

int64_t TrainingBytes(const SearchJob& job, const Lowering& lowering) {
  int64_t elements = 0;
  for (const Value& value : lowering.Lower(lowering.space().Largest({16, 16})).values) elements += NumElements(value.shape);
  return elements * kBytesPerNumber * kCopiesInTraining * job.training.batch_size;
}

std::string Gibibytes(int64_t bytes) { return absl::StrFormat("%.3g GiB", static_cast<double>(bytes) / (int64_t{1} << 30)); }

}  // namespace

JobCost CostOf(const SearchJob& job, const Lowering& lowering) {
  JobCost cost;
  cost.lowerings = NumLowerings(lowering);
  const std::vector<ReachedUnit> units = lowering.ReachedUnits();
  for (size_t i = 0; i < units.size(); ++i) {
    if (units[i].same_as == static_cast<int>(i))
      cost.table_entries += TableEntries(lowering.space(), lowering.family().units()[i], units[i]);
  }
  cost.supernet_weights = NumWeights(lowering);
  cost.training_bytes = TrainingBytes(job, lowering);
  return cost;
}

void CheckJobCost(const SearchJob& job, FieldViolations& violations) {
  const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(job.space);
  if (!space.ok()) {
    for (const FieldViolation& violation : ViolationsOf(space.status())) violations.Add(violation.path, violation.message);
    return;
  }
  const Lowering lowering(*space);
  const JobCost cost = CostOf(job, lowering);
  const char* const kFewer = "; give stages fewer choices of width, expansion, kernel or precision, or the space fewer resolutions";
  if (cost.lowerings > bounds::kMaxLowerings) {
    violations.Add("space", absl::StrCat("expected at most ", bounds::kMaxLowerings,
                                         " combinations of neighbouring choices to look for operators in, found ", cost.lowerings, kFewer));
  }
  if (cost.table_entries > bounds::kMaxTableEntries) {
    violations.Add("space",
                   absl::StrCat("expected cost tables of at most ", bounds::kMaxTableEntries,
                                " entries (the choices of each block combined, in every context), found ", cost.table_entries, kFewer));
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
  CheckLargestOperators(lowering, violations);
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
