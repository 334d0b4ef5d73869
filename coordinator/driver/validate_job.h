// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_DRIVER_VALIDATE_JOB_H_
#define HANAS_COORDINATOR_DRIVER_VALIDATE_JOB_H_

#include <string>

#include "absl/status/statusor.h"
#include "coordinator/state/state.h"
#include "core/base/stop.h"
#include "core/family/convnet/scaled.h"
#include "core/job/search_job.h"

namespace hanas::coordinator {

struct JobValidation {
  ForecastRecord forecast;
  std::string infeasible;  // why no network keeps the limits, as far as that is known already; empty: nothing is known against it
};

/// What of the state ValidateJob reads: the device that the target names, the latency table of its kind, the last search that was profiled
/// there, and the last one that trained on the job's dataset.
State ValidationInputs(const State& state, const SearchJob& job);

/// What a search for this job would find out before it measures or trains. Limits are judged when the device's kind has a row for every
/// operator of the space and was calibrated by an earlier search. Pure. Returns the statuses of SearchContext::Create
/// and Keys, and CANCELLED when `stop` says so.
absl::StatusOr<JobValidation> ValidateJob(const State& inputs, const SearchJob& job, PlainNetworks plain = {}, StopCheck stop = NeverStop);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_DRIVER_VALIDATE_JOB_H_
