// SPDX-License-Identifier: Apache-2.0
#include "coordinator/driver/validate_job.h"

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "coordinator/driver/profile_step.h"
#include "coordinator/judging/forecast.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/scheduling/target_agent.h"
#include "coordinator/state/search_view.h"
#include "coordinator/state/updates.h"

namespace hanas::coordinator {
namespace {

/// The last search that was profiled on this kind of device, for which of its targets; null when there is none.
struct Profiled {
  const SearchState* search = nullptr;
  size_t target = 0;
};
Profiled LastProfiled(const State& state, const Digest& context) {
  Profiled last;
  for (const auto& [id, search] : state.searches) {
    for (size_t i = 0; i < search.record.targets.size(); ++i) {
      const TargetRecord& target = search.record.targets[i];
      if (target.profile.has_value() && ContextOf(target) == context) last = {&search, i};
    }
  }
  return last;
}

/// Why the limits of the view's target cannot be met, as far as its device is known; empty otherwise. Returns CANCELLED when `stop` says
/// so.
absl::StatusOr<std::string> WhyInfeasible(const State& inputs, const SearchView& view, SearchContext& context, StopCheck stop) {
  if (view.target().agent.empty()) return "";
  if (absl::Status status = context.PrepareKeys(view.target_index(), view.target().caps, stop); !status.ok()) return status;
  std::string computed_only;
  if (const FeasibilityReport* computed = context.ComputedFeasibility(view.target_index()); computed != nullptr && !computed->feasible)
    computed_only = InfeasibleMessage(view, *computed, LatencyCalibration{});
  if (view.Table() == nullptr) return computed_only;
  const absl::StatusOr<const std::vector<OpKey>*> keys = context.Keys(view);
  if (!keys.ok() || !view.Table()->Missing(**keys).empty()) return computed_only;
  const Profiled profiled = LastProfiled(inputs, ContextOf(view.target()));
  if (profiled.search == nullptr) return computed_only;
  const SearchView earlier(inputs, *profiled.search, profiled.target);
  SearchJob profiled_job = *profiled.search->job;
  profiled_job.teacher = {};  // it has no part in latencies
  const absl::StatusOr<std::unique_ptr<SearchContext>> earlier_context = SearchContext::Create(profiled_job);
  if (!earlier_context.ok()) return computed_only;
  for (const auto& [of, state] : {std::pair(earlier_context->get(), &earlier), std::pair(&context, &view)}) {
    const absl::Status prepared = of->PrepareScorer(state->target_index(), state->target().caps, state->Table(), stop);
    if (absl::IsCancelled(prepared)) return prepared;
  }
  const absl::StatusOr<FittedLatency> latency = (*earlier_context)->FitLatency(earlier, 0);
  const absl::StatusOr<const CandidateScorer*> scorer = context.Scorer(view);
  if (!latency.ok() || !scorer.ok()) return computed_only;
  const absl::StatusOr<FeasibilityReport> report = ProbeLimits(view, context, **scorer, latency->fit.calibration);
  // What is known of a device that was profiled before says all that is wrong at once.
  if (report.ok() && !report->feasible) return InfeasibleMessage(view, *report, latency->fit.calibration);
  return computed_only;
}

}  // namespace

State ValidationInputs(const State& state, const SearchJob& job) {
  State inputs;
  const auto take = [&](uint64_t search) {
    const SearchState& found = state.searches.at(search);
    if (!inputs.searches.emplace(search, found).second) return;
    for (const uint64_t task : found.tasks_in_order) inputs.tasks.emplace(task, state.tasks.at(task));
  };
  for (const TargetSpec& target : TargetsOf(job)) {
    const PartyRecord* device = FindTargetAgent(state, target);
    if (device == nullptr) continue;
    inputs.parties.emplace(device->id, *device);
    const Digest context = ContextDigest(device->device, device->caps);
    if (const auto table = state.tables.find(context); table != state.tables.end()) inputs.tables.insert(*table);
    if (const Profiled profiled = LastProfiled(state, context); profiled.search != nullptr) take(profiled.search->record.id);
  }
  uint64_t trained = 0;
  for (const auto& [id, search] : state.searches) {
    const bool same = search.job->dataset.name == job.dataset.name && search.job->dataset.directory == job.dataset.directory &&
                      search.job->training.shards == job.training.shards && search.job->training.numerics == job.training.numerics;
    if (same && !search.record.dataset_digest.empty()) trained = id;
  }
  if (trained != 0) take(trained);
  return inputs;
}

absl::StatusOr<JobValidation> ValidateJob(const State& inputs, const SearchJob& job, PlainNetworks plain, StopCheck stop) {
  absl::StatusOr<std::unique_ptr<SearchContext>> context = SearchContext::Create(job, std::move(plain));
  if (!context.ok()) return context.status();
  SearchState search;
  search.job = std::make_shared<const SearchJob>(job);
  for (const TargetSpec& target : TargetsOf(job)) {
    TargetRecord& bound = search.record.targets.emplace_back();
    const PartyRecord* device = FindTargetAgent(inputs, target);
    if (device != nullptr) bound = {.agent = device->name, .device = device->device, .caps = device->caps};
  }
  const SearchView view(inputs, search);
  JobValidation validation;
  std::set<std::string> said;  // apart from the device: what no measurement can change is the same on each
  for (const SearchView& of_target : view.ForEach()) {
    const absl::StatusOr<std::string> infeasible = WhyInfeasible(inputs, of_target, **context, stop);
    if (!infeasible.ok()) return infeasible.status();
    const std::string without_device = absl::StrReplaceAll(*infeasible, {{absl::StrCat(" on ", of_target.target().device.device), ""}});
    if (infeasible->empty() || !said.insert(without_device).second) continue;
    absl::StrAppend(&validation.infeasible, validation.infeasible.empty() ? "" : "; ", of_target.TargetPrefix(), *infeasible);
  }
  validation.forecast = ForecastOf(view, **context);
  return validation;
}

}  // namespace hanas::coordinator
