// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_REPORT_RESOURCE_TEXT_H_
#define HANAS_CLI_REPORT_RESOURCE_TEXT_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/report/palette.h"
#include "hanas/v1/farm.pb.h"
#include "hanas/v1/search.pb.h"

namespace hanas::cli {

// Resources for people: tables and paragraphs. Pure; what the coordinator left out is left out. Texts of others are made harmless for a
// terminal (OneLine). Thread-safe.

/// "training", "paused in training", "searching, finishing".
std::string PhaseInWords(const v1::Search& search);

/// Whether trying a FAILED search again can help once its cause is mended; not when the cause lies in its job.
bool CanBeMended(const v1::Search& search);

/// One line for each search; "No searches." when there are none.
std::string RenderSearches(const v1::ListSearchesResponse& searches, absl::Time now, const Palette& palette);

/// A search that is not done: what it is, its phases with what was done in each, what it waits for, what it has used and will take, why it
/// failed, and the commands that make sense now.
std::string RenderSearch(const v1::Search& search, absl::Time now, const Palette& palette);

/// What a search would take, as `submit --validate-only` says it; empty when the forecast is.
std::string RenderForecast(const v1::Forecast& forecast);

std::string RenderTasks(const std::vector<v1::TaskSummary>& tasks, const Palette& palette);
std::string RenderWorkers(const std::vector<v1::Worker>& workers, const Palette& palette);
std::string RenderDevices(const std::vector<v1::Device>& devices, const Palette& palette);

/// `describe` turns an architecture into words; it may return an empty string.
std::string RenderCandidates(const std::vector<v1::Candidate>& candidates,
                             const std::function<std::string(const v1::Architecture&)>& describe);

/// What `hanas explain` knows. Without a farm (an older coordinator) that part is left out.
struct Explanation {
  v1::Search search;
  std::vector<v1::TaskSummary> tasks;
  std::vector<v1::Worker> workers;
  std::vector<v1::Device> devices;
  bool farm_known = true;
};

/// What the search is blocked on, which tasks run where, what failed and how often, who could work for it, and what to do.
std::string RenderExplanation(const Explanation& explanation, absl::Time now, const Palette& palette);

}  // namespace hanas::cli

#endif  // HANAS_CLI_REPORT_RESOURCE_TEXT_H_
