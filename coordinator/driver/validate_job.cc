// SPDX-License-Identifier: Apache-2.0
#include "coordinator/driver/validate_job.h"

#include <memory>
#include <utility>

#include "coordinator/driver/profile_step.h"
#include "coordinator/driver/replay.h"
#include "coordinator/judging/forecast.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/scheduling/target_agent.h"
#include "coordinator/state/search_view.h"
#include "coordinator/state/updates.h"

namespace hanas::coordinator {
namespace {

/// The last search that was profiled on this kind of device, or null.
const SearchState* LastProfiled(const State& state, const Digest& context) {
  const SearchState* last = nullptr;
  for (const auto& [id, search] : state.searches) {
    if (search.record.profile.has_value() && ContextDigest(search.record.device, search.record.caps) == context) last = &search;
  }
  return last;
}

}  // namespace

State ValidationInputs(const State& state, const SearchJob& job) {
  State inputs;
  const auto take = [&](uint64_t search) {
    State one = RecordingOf(state, search);
    inputs.searches.merge(one.searches);
    inputs.tasks.merge(one.tasks);
  };
  if (const PartyRecord* device = FindTargetAgent(state, job.target)) {
    inputs.parties.emplace(device->id, *device);
    const Digest context = ContextDigest(device->device, device->caps);
    if (const auto table = state.tables.find(context); table != state.tables.end()) inputs.tables.insert(*table);
    if (const SearchState* profiled = LastProfiled(state, context)) take(profiled->record.id);
  }
  uint64_t trained = 0;
  for (const auto& [id, search] : state.searches) {
    const bool same = search.job->dataset.name == job.dataset.name && search.job->dataset.directory == job.dataset.directory;
    if (same && !search.record.dataset_digest.empty()) trained = id;
  }
  if (trained != 0) take(trained);
  return inputs;
}

absl::StatusOr<JobValidation> ValidateJob(const State& inputs, const SearchJob& job, StopCheck stop) {
  absl::StatusOr<std::unique_ptr<SearchContext>> context = SearchContext::Create(job);
  if (!context.ok()) return context.status();
  SearchState search;
  search.job = std::make_shared<const SearchJob>(job);
  const PartyRecord* device = FindTargetAgent(inputs, job.target);
  if (device != nullptr) {
    search.record.agent = device->name;
    search.record.device = device->device;
    search.record.caps = device->caps;
  }
  const SearchView view(inputs, search);
  if (device != nullptr) {
    if (absl::Status status = (*context)->PrepareKeys(device->caps, stop); !status.ok()) return status;
  }
  JobValidation validation = {.forecast = ForecastOf(view, **context), .infeasible = ""};
  if (const FeasibilityReport* computed = (*context)->ComputedFeasibility(); computed != nullptr && !computed->feasible) {
    // What more is known of a device that was profiled before says all that is wrong at once.
    validation.infeasible = InfeasibleMessage(view, *computed, LatencyCalibration{});
  }
  if (device == nullptr || view.Table() == nullptr) return validation;
  const absl::StatusOr<const std::vector<OpKey>*> keys = (*context)->Keys(device->caps);
  if (!keys.ok() || !view.Table()->Missing(**keys).empty()) return validation;
  const SearchState* profiled = LastProfiled(inputs, ContextDigest(device->device, device->caps));
  if (profiled == nullptr) return validation;
  const SearchView earlier(inputs, *profiled);
  const absl::StatusOr<std::unique_ptr<SearchContext>> earlier_context = SearchContext::Create(*profiled->job);
  if (!earlier_context.ok()) return validation;
  for (const auto& [of, state] : {std::pair(earlier_context->get(), &earlier), std::pair(context->get(), &view)}) {
    const absl::Status prepared = of->PrepareScorer(state->record().caps, state->Table(), stop);
    if (absl::IsCancelled(prepared)) return prepared;
  }
  const absl::StatusOr<FittedLatency> latency = (*earlier_context)->FitLatency(earlier, 0);
  const absl::StatusOr<const CandidateScorer*> scorer = (*context)->Scorer(view);
  if (!latency.ok() || !scorer.ok()) return validation;
  const absl::StatusOr<FeasibilityReport> report = ProbeLimits(view, **context, **scorer, latency->fit.calibration);
  if (report.ok() && !report->feasible) validation.infeasible = InfeasibleMessage(view, *report, latency->fit.calibration);
  return validation;
}

}  // namespace hanas::coordinator
