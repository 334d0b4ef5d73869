// SPDX-License-Identifier: Apache-2.0
// kill -9 of every process of a run, in training and in searching, each time right after an event that the victim or its work produced.
#include <csignal>
#include <memory>
#include <set>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/local_run.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;

// Of examples/tiny.yaml.
constexpr int kRounds = 1;
constexpr int kSampled = 10;
constexpr int kOfRound = 4;

bool IsAt(const v1::SearchEvent& event, v1::Phase phase) { return event.phase() == phase; }

class KillTest : public testing::Test {
 protected:
  void SetUp() override {
    if (ProgramFolder().empty())
      GTEST_SKIP() << "expected hanas, hanas-coordinator, hanas-worker and hanas-profiler-agent in HANAS_BIN_DIR";
    workspace_ = std::make_unique<Workspace>(600, 200);
    out_ = workspace_->File("out");
  }
  std::vector<std::string> Arguments() const {
    return {"run", std::string(HANAS_SOURCE_DIR) + "/examples/tiny.yaml", "--out", out_, "--data", workspace_->data(), "--plain"};
  }

  /// Kills `victim` as soon as the search shows progress in `phase`. Returns the events seen until then.
  std::vector<v1::SearchEvent> KillIn(v1::Phase phase, const std::string& victim) {
    const absl::StatusOr<RunFile> run = ReadRunFile(out_);
    EXPECT_THAT(run, IsOk());
    if (!run.ok()) return {};
    absl::StatusOr<std::vector<v1::SearchEvent>> events =
        FollowUntil(*run, [&](const v1::SearchEvent& event) { return IsAt(event, phase); });
    EXPECT_THAT(events, IsOk());
    const absl::StatusOr<RunFile> now = ReadRunFile(out_);
    EXPECT_THAT(now, IsOk());
    if (!events.ok() || !now.ok()) return {};
    const pid_t pid = now->pids.at(victim);
    EXPECT_GT(pid, 0);
    if (pid > 0) kill(pid, SIGKILL);
    return *events;
  }

  /// Nothing that was acknowledged is lost, and nothing is there twice.
  void CheckHistory(const std::vector<v1::SearchEvent>& before, const v1::Report& report) {
    std::set<v1::Phase> phases;
    for (const v1::PhaseProgress& phase : report.phases())
      EXPECT_TRUE(phases.insert(phase.phase()).second) << "entered twice: " << phase.phase();
    ASSERT_EQ(report.rounds_size(), kRounds);
    // Beside them one network that is known to keep the limits, unless it was sampled: that depends on what was measured.
    EXPECT_GE(report.rounds(0).evaluations(), kSampled + kOfRound);
    EXPECT_LE(report.rounds(0).evaluations(), kSampled + 1 + kOfRound);
    EXPECT_EQ(report.latency_trust().held_out_networks(), 2);
    std::set<int64_t> sequences;
    for (const v1::SearchEvent& event : before) EXPECT_TRUE(sequences.insert(event.sequence()).second);
    std::set<std::string> pairs;
    for (const v1::LatencyPair& pair : report.latency_trust().pairs())
      EXPECT_TRUE(pairs.insert(pair.architecture_text()).second) << pair.architecture_text();
    EXPECT_GT(report.front_size(), 0);
  }

  std::unique_ptr<Workspace> workspace_;
  std::string out_;
};

class KillVictimTest : public KillTest, public testing::WithParamInterface<const char*> {};

TEST_P(KillVictimTest, TheSearchGoesOn) {
  LocalRun run(Arguments());
  ASSERT_TRUE(run.ReadUntil("Following searches/")) << run.output();
  const std::vector<v1::SearchEvent> in_training = KillIn(v1::TRAINING, GetParam());
  ASSERT_TRUE(run.ReadUntil("started again (start 2)")) << run.output();  // run.json has the new process id from here on
  const std::vector<v1::SearchEvent> in_searching = KillIn(v1::SEARCHING, GetParam());
  ASSERT_EQ(run.Wait(), 0) << run.output();

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
  for (const v1::Phase phase : {v1::TRAINING, v1::SEARCHING}) {
    LocalRun run(Arguments());
    ASSERT_TRUE(run.ReadUntil("Following searches/")) << run.output();
    const absl::StatusOr<RunFile> file = ReadRunFile(out_);
    ASSERT_THAT(file, IsOk());
    ASSERT_THAT(FollowUntil(*file, [&](const v1::SearchEvent& event) { return IsAt(event, phase); }), IsOk());
    run.Signal(SIGKILL);
    EXPECT_EQ(run.Wait(), 128 + SIGKILL);
  }
  LocalRun run(Arguments());
  ASSERT_EQ(run.Wait(), 0) << run.output();
  const absl::StatusOr<v1::Report> report = ReadReport(out_);
  ASSERT_THAT(report, IsOk());
  CheckHistory({}, *report);
}

}  // namespace
}  // namespace hanas
