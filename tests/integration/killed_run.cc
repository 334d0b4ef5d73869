// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/killed_run.h"

#include <csignal>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status_matchers.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;

// Of examples/tiny.yaml.
constexpr int kRounds = 1;
constexpr int kSampled = 10;
constexpr int kOfRound = 4;
constexpr int kCalibration = 5;  // networks, beside those held out

}  // namespace

void KilledRunTest::SetUp() {
  if (ProgramFolder().empty()) GTEST_SKIP() << "expected hanas, hanas-coordinator, hanas-worker and hanas-profiler-agent in HANAS_BIN_DIR";
  workspace_ = std::make_unique<Workspace>(600, 200);
  out_ = workspace_->File("out");
}

std::vector<std::string> KilledRunTest::Arguments() const {
  return {"run", std::string(HANAS_SOURCE_DIR) + "/examples/tiny.yaml", "--out", out_, "--data", workspace_->data(), "--plain"};
}

std::vector<v1::SearchEvent> KilledRunTest::KillAt(const std::string& victim, const std::function<bool(const v1::SearchEvent&)>& holds) {
  const absl::StatusOr<RunFile> run = ReadRunFile(out_);
  EXPECT_THAT(run, IsOk());
  if (!run.ok()) return {};
  absl::StatusOr<std::vector<v1::SearchEvent>> events = FollowUntil(*run, holds);
  EXPECT_THAT(events, IsOk());
  const absl::StatusOr<RunFile> now = ReadRunFile(out_);
  EXPECT_THAT(now, IsOk());
  if (!events.ok() || !now.ok()) return {};
  const pid_t pid = now->pids.at(victim);
  EXPECT_GT(pid, 0);
  if (pid > 0) kill(pid, SIGKILL);
  return *std::move(events);
}

void KilledRunTest::CheckHistory(const std::vector<v1::SearchEvent>& before, const v1::Report& report) {
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
  // Nothing was measured twice. A round may ask for a network that PROFILING had measured already: it is evaluated then, and measured with
  // the others of its round.
  std::set<std::pair<bool, std::string>> pairs;
  int profiled = report.latency_trust().held_out_networks() + kCalibration;
  for (const v1::LatencyPair& pair : report.latency_trust().pairs())
    EXPECT_TRUE(pairs.emplace(profiled-- > 0, pair.architecture_text()).second) << pair.architecture_text();
  EXPECT_GT(report.front_size(), 0);
}

}  // namespace hanas
