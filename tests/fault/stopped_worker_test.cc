// SPDX-License-Identifier: Apache-2.0
// A worker that is stopped for longer than its lease lives, as by a suspended machine, and goes on when its task was done elsewhere: there
// is one result, the stale one is refused, and the worker carries on.
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fault/coordinator_process.h"
#include "tests/fault/load.h"
#include "tests/fault/oracle.h"
#include "tests/support/program.h"
#include "tests/support/wire_evaluator.h"

namespace hanas::fault {
namespace {

using ::absl_testing::IsOk;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kTtlSeconds = 1;

SearchJob AnotherJob() {
  SearchJob job = SmallJob();
  job.seed = 8;
  return job;
}

/// What it was stopped in: with its result in hand, or in the middle of the work.
class StoppedWorkerTest : public testing::TestWithParam<const char*> {};

TEST_P(StoppedWorkerTest, FindsItsTaskDoneAndCarriesOn) {
  const std::string behaviour = GetParam();
  Oracle oracle;
  CoordinatorProcess coordinator(kTtlSeconds);
  coordinator.Start();
  ASSERT_TRUE(coordinator.AwaitListening()) << coordinator.output();
  const FakeParty agent(&oracle, coordinator.address(), FakeAgent("local", "agent"));
  Program sleeper(HANAS_FAULT_PARTY, {coordinator.address(), "sleeper", "1", behaviour, absl::StrCat(getpid())});
  FakeUser first(&oracle, coordinator.address(), "first");
  ASSERT_TRUE(sleeper.AwaitOutput("task_begins")) << sleeper.output();
  if (behaviour == "computing") sleeper.Signal(SIGSTOP);
  ASSERT_TRUE(sleeper.AwaitStopped()) << sleeper.output();

  // Whoever comes gets the task when the lease has run out, and goes on to the end of the search.
  auto other = std::make_unique<FakeParty>(&oracle, coordinator.address(), FakeWorker("other", "1"));
  std::vector<Ended> ended = first.Finish();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].phase, v1::PHASE_SUCCEEDED) << ended[0].error;
  other.reset();

  const size_t before = sleeper.output().size();
  EXPECT_FALSE(absl::StrContains(sleeper.output(), "STALE_LEASE"));
  sleeper.Signal(SIGCONT);
  ASSERT_TRUE(sleeper.AwaitOutput("STALE_LEASE", before)) << sleeper.output();
  ASSERT_TRUE(sleeper.AwaitOutput("task_ends", before)) << sleeper.output();
  EXPECT_THAT(sleeper.output().substr(before), HasSubstr("result=\"abandoned\""));

  // Nobody else is there to compute this one.
  ended = FakeUser(&oracle, coordinator.address(), "second", AnotherJob()).Finish();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].phase, v1::PHASE_SUCCEEDED) << ended[0].error;

  coordinator.Kill();
  const absl::StatusOr<coordinator::State> state = coordinator.ReadState();
  ASSERT_THAT(state, IsOk());
  oracle.Check(*state);  // it saw the calls of the other: an outcome of the sleeper in its place would be one that nobody sent
  EXPECT_THAT(oracle.violations(), IsEmpty());
  const coordinator::SearchState& search = state->searches.begin()->second;
  const coordinator::TaskRecord& task = state->tasks.at(search.tasks.at("train/0"));
  EXPECT_EQ(task.state, coordinator::TaskState::kDone);
  EXPECT_EQ(task.attempt, 2);
  EXPECT_EQ(state->parties.at(task.party).name, "other");
  int64_t by_sleeper = 0;
  for (const auto& [id, party] : state->parties) by_sleeper += party.name == "sleeper" ? party.completed_tasks : 0;
  EXPECT_GT(by_sleeper, 0);
}

INSTANTIATE_TEST_SUITE_P(In, StoppedWorkerTest, testing::Values("computed", "computing"),
                         [](const testing::TestParamInfo<const char*>& row) { return std::string(row.param); });

}  // namespace
}  // namespace hanas::fault
