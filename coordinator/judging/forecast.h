// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_JUDGING_FORECAST_H_
#define HANAS_COORDINATOR_JUDGING_FORECAST_H_

#include <cstdint>
#include <string>

#include "coordinator/judging/search_context.h"
#include "coordinator/state/search_view.h"
#include "coordinator/store/records.h"
#include "core/job/search_job.h"

namespace hanas::coordinator {

/// The families of plain networks that a job can be compared with: a dense one and one of inverted residuals. It is as many as the
/// coordinator is given (PlainNetworksOfPresets of coordinator/service), and known here because a job is forecast before anything of it
/// exists.
inline constexpr int kPlainFamilies = 2;

/// Steps of a task of training: one in twenty of its chain. Members' are not smaller than the supernet's, or than what a network is trained
/// for to be told apart, since a task has a fixed cost.
int64_t ChunkSteps(int64_t steps);
int64_t MemberChunkSteps(const SearchJob& job, int64_t steps);

/// Members of each target's report at most, and the steps that each of them is trained for by itself, in all.
int NumReturned(const SearchJob& job);
/// That are trained to evaluate so many networks.
int64_t ScreeningSteps(const SearchJob& job, int64_t networks);
int64_t MemberSteps(const SearchJob& job);

/// Steps of training of what the report compares with. How many steps plain networks get is known only when the search has spent what it
/// spends: each family is counted as the search's own steps once more, and so is the network that gets all of the compute, for each target.
int64_t ReferenceSteps(const SearchJob& job);

/// Says of a job with plain networks how many times as long as the search alone it takes; empty for others.
std::string FamilyNote(const SearchJob& job);

/// What follows from the job alone. Cheap.
ForecastRecord CountsOf(const SearchJob& job);

/// What is known by now, for all targets: the counts; operator keys once the device is known; measuring time at the pace of profiling once
/// that is done; training time at the rate of this search's last training task, else of the last one of any search with as many
/// shards on the same dataset and space; disk bytes of checkpoints (of each chain the last two are kept) and of the models of the finalists
/// at their largest. Pure.
ForecastRecord ForecastOf(const SearchView& view, SearchContext& context);

/// What a search has spent.
struct BudgetUse {
  double wall_seconds = 0;    // in all phases; time paused, or without a coordinator, is in none
  double device_seconds = 0;  // of measuring tasks that are done
  int64_t evaluations = 0;    // networks evaluated in rounds
};
/// `wall_seconds` is of the recorded phases. O(phases).
BudgetUse SpentBy(const SearchState& search);

/// "budget.max_evaluations of 500 was reached", or empty. Of the bounds that are looked at before a round: evaluations and device seconds.
std::string RoundBudgetReached(const SearchView& view);
/// The same for the time.
std::string WallBudgetReached(const SearchJob& job, const BudgetUse& spent);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_JUDGING_FORECAST_H_
