// SPDX-License-Identifier: Apache-2.0
// kill -9 of every process of a run, in training and in searching, each time right after an event that the victim or its work produced.
#include <csignal>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/killed_run.h"
#include "tests/integration/local_run.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;

class KillTest : public KilledRunTest {
 protected:
  static auto IsAt(v1::Phase phase) {
    return [phase](const v1::SearchEvent& event) { return event.phase() == phase; };
  }
};

class KillVictimTest : public KillTest, public testing::WithParamInterface<const char*> {};

TEST_P(KillVictimTest, TheSearchGoesOn) {
  LocalRun run(Arguments());
  ASSERT_TRUE(run.ReadUntil("Following searches/")) << run.output();
  const std::vector<v1::SearchEvent> in_training = KillAt(GetParam(), IsAt(v1::PHASE_TRAINING));
  ASSERT_TRUE(run.ReadUntil("started again (start 2)")) << run.output();  // run.json has the new process id from here on
  const std::vector<v1::SearchEvent> in_searching = KillAt(GetParam(), IsAt(v1::PHASE_SEARCHING));
  ASSERT_THAT(run.Wait(), IsDone()) << run.output();

  // What was told before the first kill is told again after it, unchanged.
  ASSERT_GE(in_searching.size(), in_training.size());
  for (size_t i = 0; i < in_training.size(); ++i) EXPECT_EQ(in_training[i].SerializeAsString(), in_searching[i].SerializeAsString());
  const absl::StatusOr<v1::Report> report = ReadReport(out_);
  ASSERT_THAT(report, IsOk());
  CheckHistory(in_searching, *report);
  const absl::StatusOr<RunFile> after = ReadRunFile(out_);
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(after->starts.at(GetParam()), 3);
}

INSTANTIATE_TEST_SUITE_P(Processes, KillVictimTest, testing::Values("coordinator", "worker-1", "agent"),
                         [](const testing::TestParamInfo<const char*>& row) {
                           const std::string name = row.param;
                           return name.substr(0, name.find('-'));
                         });

// The command itself: its children die with it, and the same command goes on.
TEST_F(KillTest, TheCommandItself) {
  for (const v1::Phase phase : {v1::PHASE_TRAINING, v1::PHASE_SEARCHING}) {
    LocalRun run(Arguments());
    ASSERT_TRUE(run.ReadUntil("Following searches/")) << run.output();
    const absl::StatusOr<RunFile> file = ReadRunFile(out_);
    ASSERT_THAT(file, IsOk());
    ASSERT_THAT(FollowUntil(*file, IsAt(phase)), IsOk());
    run.Signal(SIGKILL);
    EXPECT_EQ(run.Wait(), 128 + SIGKILL);
  }
  LocalRun run(Arguments());
  ASSERT_THAT(run.Wait(), IsDone()) << run.output();
  const absl::StatusOr<v1::Report> report = ReadReport(out_);
  ASSERT_THAT(report, IsOk());
  CheckHistory({}, *report);
}

}  // namespace
}  // namespace hanas
