// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_APP_DISTURBED_RUN_H_
#define HANAS_TESTS_APP_DISTURBED_RUN_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "core/base/counter_random.h"
#include "tests/app/app_fixture.h"

namespace hanas::coordinator {

struct Disturbance {
  uint64_t order = 1;             // who acts next, and when the coordinator is killed, is drawn from it
  int max_kills = 0;              // of the coordinator
  double kill_probability = 0.5;  // after each action, until there were max_kills
};

/// How a search ended.
struct DisturbedEnding {
  SearchRecord record;
  int kills = 0;
  /// What a search is judged by: everything but times and kills.
  friend bool operator==(const DisturbedEnding& a, const DisturbedEnding& b) {
    return a.record.phase == b.record.phase && a.record.targets == b.record.targets && a.record.members == b.record.members &&
           a.record.compute_seconds == b.record.compute_seconds;
  }
};

/// Runs a search to its end: two workers and the device of each target, on hosts of their own, take tasks and complete them in an order
/// that is drawn. What is leased when the coordinator is killed is completed later.
inline DisturbedEnding RunDisturbed(const SearchJob& job, const Disturbance& disturbance) {
  constexpr uint64_t kMaxActions = 20'000;
  AppHarness harness(job);
  std::vector<uint64_t> parties = {harness.AddWorker("a", "i", "host-a"), harness.AddWorker("b", "i", "host-b")};
  for (const TargetSpec& target : TargetsOf(job))
    parties.push_back(harness.AddAgent("i", "host-" + target.device, target.device, std::max(1, target.threads)));
  const uint64_t search = harness.Submit();
  std::map<uint64_t, GrantedTask> held;
  DisturbedEnding ending;
  for (uint64_t action = 0; action < kMaxActions; ++action) {
    CounterRandom random(disturbance.order, "test/action", action);
    EXPECT_THAT(harness.app().RunOnce(), absl_testing::IsOk());
    ending.record = harness.app().GetSearch(search)->record;
    if (IsTerminal(ending.record.phase)) return ending;
    const uint64_t party = parties[random.UniformInt(parties.size())];
    if (!held.contains(party)) {
      if (std::optional<GrantedTask> granted = harness.Lease(party, "i")) held.emplace(party, *std::move(granted));
    } else {
      EXPECT_THAT(harness.Complete(held.at(party)), absl_testing::IsOk());
      held.erase(party);
    }
    if (ending.kills >= disturbance.max_kills || !random.Bernoulli(disturbance.kill_probability)) continue;
    ++ending.kills;
    harness.Reopen();
  }
  ADD_FAILURE() << "the search did not end; it is in " << Name(ending.record.phase);
  return ending;
}

}  // namespace hanas::coordinator

#endif  // HANAS_TESTS_APP_DISTURBED_RUN_H_
