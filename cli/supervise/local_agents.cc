// SPDX-License-Identifier: Apache-2.0
#include "cli/supervise/local_agents.h"

#include "core/base/processor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace hanas::cli {

std::vector<LocalAgent> AgentsFor(const SearchJob& job) {
  std::vector<LocalAgent> agents;
  const auto add = [&](const TargetSpec& target) {
    const int threads = std::max(1, target.threads);
    const auto same = [&](const LocalAgent& agent) { return agent.backend == target.backend && agent.threads == threads; };
    if (std::any_of(agents.begin(), agents.end(), same)) return;
    const std::string number = agents.empty() ? "" : absl::StrCat("-", agents.size() + 1);
    agents.push_back({absl::StrCat("agent", number), absl::StrCat(kLocalDevice, number), target.backend, threads});
  };
  // Who asks for no number of threads gets the agent that is called "local": it is the first, and has one.
  for (const bool any_number : {true, false}) {
    for (const TargetSpec& target : TargetsOf(job)) {
      if (target.device == kLocalDevice && (target.threads == 0) == any_number) add(target);
    }
  }
  if (agents.empty()) add(TargetSpec{});
  return agents;
}

SearchJob ForThisProcessor(SearchJob job) {
  if (job.training.numerics == Numerics::kAuto) job.training.numerics = ProcessorMultipliesBf16() ? Numerics::kBf16 : Numerics::kF32;
  return job;
}

}  // namespace hanas::cli
