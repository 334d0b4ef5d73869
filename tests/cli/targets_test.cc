// SPDX-License-Identifier: Apache-2.0
// What the programs make of several targets: which agents a local run starts, and where each report goes.

#include <string>
#include <utility>
#include <vector>

#include "cli/commands/results.h"
#include "cli/supervise/local_agents.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

/// Names and threads of the agents for targets on these devices.
std::vector<std::pair<std::string, int>> AgentsOf(std::vector<TargetSpec> targets) {
  SearchJob job;
  job.targets = std::move(targets);
  std::vector<std::pair<std::string, int>> agents;
  for (const LocalAgent& agent : AgentsFor(job)) agents.emplace_back(agent.name, agent.threads);
  return agents;
}

TEST(LocalAgentsTest, OneForEachNumberOfThreads) {
  EXPECT_THAT(AgentsOf({}), ElementsAre(Pair("local", 1))) << "a job with one target";
  EXPECT_THAT(AgentsOf({{.name = "a", .threads = 1}, {.name = "b", .threads = 2}}), ElementsAre(Pair("local", 1), Pair("local-2", 2)));
  EXPECT_THAT(AgentsOf({{.name = "a", .threads = 2}, {.name = "b", .threads = 2, .statistic = LatencyStatistic::kP99}}),
              ElementsAre(Pair("local", 2)))
      << "one device, two targets";
  EXPECT_THAT(AgentsOf({{.name = "a", .device = "pi5", .threads = 4}}), ElementsAre(Pair("local", 1))) << "of another machine";
}

TEST(LocalAgentsTest, WhoAsksForNoNumberOfThreadsGetsTheOneThatIsCalledLocal) {
  EXPECT_THAT(AgentsOf({{.name = "a", .threads = 2}, {.name = "b"}}), ElementsAre(Pair("local", 1), Pair("local-2", 2)));
}

TEST(ResultsOfTargetsTest, NoNameMeetsAnotherOrAFileOfTheRun) {
  v1::Report report;
  EXPECT_EQ(DirectoryOf(report, "out"), "out");
  for (const char* name : {"v1.0", "v1_0", "lock", "state"}) {
    report.set_target(name);
    EXPECT_EQ(DirectoryOf(report, "out"), std::string("out/targets/") + name);
  }
  report.set_target("../../etc");
  EXPECT_EQ(DirectoryOf(report, "out"), "out/targets/______etc") << "no coordinator of ours has let that in";
}

}  // namespace
}  // namespace hanas::cli
