// SPDX-License-Identifier: Apache-2.0
#include "cli/supervise/supervisor.h"

#include <csignal>
#include <map>
#include <vector>

#include "absl/status/status_matchers.h"
#include "config/process/exit_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;

class FakeSpawner : public Spawner {
 public:
  absl::StatusOr<pid_t> Spawn(const ChildSpec& spec) override {
    commands.push_back(spec.command.back());
    if (!spawn_error.ok()) return spawn_error;
    return next_pid++;
  }
  std::optional<ChildExit> Poll(pid_t pid) override {
    const auto found = exits.find(pid);
    if (found == exits.end()) return std::nullopt;
    return found->second;
  }
  void Signal(pid_t pid, int signal) override { signals.emplace_back(pid, signal); }

  pid_t next_pid = 100;
  absl::Status spawn_error;
  std::map<pid_t, ChildExit> exits;
  std::vector<std::pair<pid_t, int>> signals;
  std::vector<std::string> commands;
};

absl::Duration At(double seconds) { return absl::Seconds(seconds); }

TEST(SupervisorTest, StartsWhatIsAddedAtTheNextTick) {
  FakeSpawner spawner;
  Supervisor supervisor(&spawner);
  supervisor.Add({"coordinator", {"c"}, "c.log"});
  EXPECT_THAT(supervisor.Tick(At(0)), IsOk());
  supervisor.Add({"worker", {"w"}, "w.log"});
  EXPECT_THAT(supervisor.Tick(At(1)), IsOk());
  EXPECT_THAT(spawner.commands, ElementsAre("c", "w"));
  EXPECT_EQ(supervisor.children()[1].pid, 101);
}

TEST(SupervisorTest, RestartsAfterABackoffThatDoubles) {
  FakeSpawner spawner;
  Supervisor supervisor(&spawner, {.initial_backoff = absl::Seconds(1), .max_backoff = absl::Seconds(3), .max_failures = 10});
  supervisor.Add({"worker", {"w"}, "w.log"});
  ASSERT_THAT(supervisor.Tick(At(0)), IsOk());
  // Every start dies at once: the next ones come 1, 2, 3 and 3 seconds later.
  std::vector<double> starts;
  int seen = 1;
  for (double now = 0; now <= 10; now += 0.5) {
    if (supervisor.children()[0].state == Supervisor::State::kRunning) spawner.exits[supervisor.children()[0].pid] = {.signal = SIGKILL};
    ASSERT_THAT(supervisor.Tick(At(now)), IsOk());
    if (supervisor.total_starts() > seen) {
      starts.push_back(now);
      seen = supervisor.total_starts();
    }
  }
  // A death is seen by the tick that follows a start, half a second later.
  EXPECT_THAT(starts, ElementsAre(1, 3.5, 7));
}

TEST(SupervisorTest, AChildThatRanLongIsForgiven) {
  FakeSpawner spawner;
  Supervisor supervisor(&spawner, {.initial_backoff = absl::Seconds(1), .stable_after = absl::Seconds(20), .max_failures = 2});
  supervisor.Add({"worker", {"w"}, "w.log"});
  double now = 0;
  for (int life = 0; life < 5; ++life) {
    ASSERT_THAT(supervisor.Tick(At(now)), IsOk());
    ASSERT_EQ(supervisor.children()[0].state, Supervisor::State::kRunning);
    spawner.exits[supervisor.children()[0].pid] = {.code = 1};
    now += 21;
    ASSERT_THAT(supervisor.Tick(At(now)), IsOk());
    now += 1;
  }
  EXPECT_EQ(supervisor.children()[0].starts, 5);
}

TEST(SupervisorTest, GivesUpAndSaysWhoAndHowAndWhere) {
  FakeSpawner spawner;
  Supervisor supervisor(&spawner, {.initial_backoff = absl::Seconds(1), .max_failures = 2});
  supervisor.Add({"worker-1", {"w"}, "/out/logs/worker-1.log"});
  ASSERT_THAT(supervisor.Tick(At(0)), IsOk());
  spawner.exits[100] = {.signal = SIGSEGV};
  spawner.exits[101] = {.code = 4};
  ASSERT_THAT(supervisor.Tick(At(1)), IsOk());
  ASSERT_THAT(supervisor.Tick(At(2)), IsOk());
  EXPECT_THAT(supervisor.Tick(At(3)),
              StatusIs(absl::StatusCode::kAborted,
                       "worker-1 keeps failing (2 in a row): it exited with status 4 (cannot listen: the port is taken, or the "
                       "address is not of this machine); its log is /out/logs/worker-1.log"));
}

TEST(SupervisorTest, APermanentStatusIsNotRetried) {
  FakeSpawner spawner;
  Supervisor supervisor(&spawner);
  supervisor.Add({"agent", {"a"}, "a.log"});
  ASSERT_THAT(supervisor.Tick(At(0)), IsOk());
  spawner.exits[100] = {.code = static_cast<int>(config::ProcessExit::kUsage)};
  EXPECT_THAT(supervisor.Tick(At(1)), StatusIs(absl::StatusCode::kAborted,
                                               "agent cannot go on: it exited with status 2 (the command line, the environment or the "
                                               "configuration file is wrong); its log is a.log"));
  EXPECT_EQ(supervisor.total_starts(), 1);
}

TEST(SupervisorTest, WhatAnotherStartDoesNotChangeIsInTheTableOfExits) {
  EXPECT_TRUE(IsPermanent({.code = static_cast<int>(config::ProcessExit::kRefused)}));
  EXPECT_FALSE(IsPermanent({.code = static_cast<int>(config::ProcessExit::kFailed)}));
  EXPECT_FALSE(IsPermanent({.code = 2, .signal = SIGKILL}));
  EXPECT_FALSE(IsPermanent({.code = 77}));  // not one of ours
}

TEST(SupervisorTest, AProgramThatCannotBeStartedIsGivenUpToo) {
  FakeSpawner spawner;
  spawner.spawn_error = absl::NotFoundError("cannot start /no/such");
  Supervisor supervisor(&spawner, {.max_failures = 1});
  supervisor.Add({"agent", {"/no/such"}, "a.log"});
  EXPECT_THAT(supervisor.Tick(At(0)),
              StatusIs(absl::StatusCode::kAborted, "agent keeps failing (1 in a row): it cannot start /no/such; its log is a.log"));
}

TEST(SupervisorTest, AChangedCommandCountsFromTheNextStart) {
  FakeSpawner spawner;
  Supervisor supervisor(&spawner, {.initial_backoff = absl::Seconds(1)});
  supervisor.Add({"coordinator", {"port 0"}, "c.log"});
  ASSERT_THAT(supervisor.Tick(At(0)), IsOk());
  supervisor.SetCommand("coordinator", {"port 7700"});
  spawner.exits[100] = {.signal = SIGKILL};
  ASSERT_THAT(supervisor.Tick(At(1)), IsOk());
  ASSERT_THAT(supervisor.Tick(At(2)), IsOk());
  EXPECT_THAT(spawner.commands, ElementsAre("port 0", "port 7700"));
}

TEST(SupervisorTest, StoppingStartsNothingAnyMore) {
  FakeSpawner spawner;
  Supervisor supervisor(&spawner, {.initial_backoff = absl::Seconds(1)});
  supervisor.Add({"coordinator", {"c"}, "c.log"});
  supervisor.Add({"worker", {"w"}, "w.log"});
  ASSERT_THAT(supervisor.Tick(At(0)), IsOk());
  spawner.exits[101] = {.code = 1};
  ASSERT_THAT(supervisor.Tick(At(1)), IsOk());
  supervisor.Stop(SIGTERM);
  EXPECT_THAT(spawner.signals, ElementsAre(std::pair<pid_t, int>(100, SIGTERM)));
  EXPECT_FALSE(supervisor.AllStopped());
  spawner.exits[100] = {.code = 0};
  ASSERT_THAT(supervisor.Tick(At(100)), IsOk());
  EXPECT_TRUE(supervisor.AllStopped());
  EXPECT_EQ(supervisor.total_starts(), 2);
}

TEST(SupervisorTest, OneChildMayOutliveTheOthers) {
  FakeSpawner spawner;
  Supervisor supervisor(&spawner, {.initial_backoff = absl::Seconds(1)});
  supervisor.Add({"coordinator", {"c"}, "c.log"});
  supervisor.Add({"worker", {"w"}, "w.log"});
  ASSERT_THAT(supervisor.Tick(At(0)), IsOk());
  supervisor.Stop(SIGTERM, "coordinator");
  EXPECT_THAT(spawner.signals, ElementsAre(std::pair<pid_t, int>(101, SIGTERM)));
  spawner.exits[101] = {.code = 0};
  ASSERT_THAT(supervisor.Tick(At(1)), IsOk());
  EXPECT_TRUE(supervisor.AllStopped("coordinator"));
  EXPECT_FALSE(supervisor.AllStopped());
}

}  // namespace
}  // namespace hanas::cli
