// SPDX-License-Identifier: Apache-2.0
// Each process of a run is killed in each phase, in the middle of it: the run succeeds all the same. Takes minutes, so only in the long
// form of the fault tests; it prints what it did as a table.
#include <cstdio>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/enum_word.h"
#include "rpc/search_client.h"
#include "tests/fault/fault_form.h"
#include "tests/integration/killed_run.h"
#include "tests/integration/local_run.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;

struct Cell {
  std::string victim;
  std::string phase;
  std::string moment;  // the task that was under way
  double seconds = 0;  // of the whole run
  bool succeeded = false;
};

class KillMatrixTest : public KilledRunTest, public testing::WithParamInterface<std::tuple<const char*, v1::Phase>> {
 protected:
  static void TearDownTestSuite() {
    if (cells_.empty()) return;
    std::printf("%-12s %-10s %-10s %8s  killed during\n", "victim", "phase", "the run", "seconds");
    for (const Cell& cell : cells_) {
      absl::PrintF("%-12s %-10s %-10s %8.1f  %s\n", cell.victim, cell.phase, cell.succeeded ? "succeeded" : "FAILED", cell.seconds,
                   cell.moment);
    }
  }
  void SetUp() override {
    if (!fault::IsLongForm()) GTEST_SKIP() << "only in the long form of the fault tests (HANAS_FAULT_LONG)";
    KilledRunTest::SetUp();
  }

  /// Whose tasks the victim is to be killed in: its own, in a phase that has some for it.
  static std::string HolderFor(const std::string& victim, v1::Phase phase) {
    if (victim == "worker-1" && phase != v1::PHASE_PROFILING) return "workers/";
    if (victim == "agent" && phase != v1::PHASE_TRAINING && phase != v1::PHASE_SAMPLING) return "devices/";
    return "";
  }
  /// Waits until such a task is leased in this phase. "train/0 by workers/2"; empty when the phase is over.
  std::string TaskUnderWay(v1::Phase phase, const std::string& holder) const {
    const absl::StatusOr<RunFile> run = ReadRunFile(out_);
    EXPECT_THAT(run, IsOk());
    const auto client = rpc::SearchClient::Create(run->address);
    while (true) {
      const auto tasks = (*client)->ListTasks(run->search, 1000, "");
      for (const v1::TaskSummary& task : tasks->tasks()) {
        if (task.state() == v1::TaskSummary::STATE_LEASED && absl::StartsWith(task.holder(), holder))
          return absl::StrCat(task.key(), " by ", task.holder());
      }
      if ((*client)->GetSearch(run->search)->phase() != phase) return "";
    }
  }

  static inline std::vector<Cell> cells_;
};

TEST_P(KillMatrixTest, TheRunSucceeds) {
  const auto& [victim, phase] = GetParam();
  Cell cell = {.victim = victim, .phase = rpc::EnumWord(phase)};
  const absl::Time begin = absl::Now();
  std::vector<std::string> arguments = Arguments();
  for (const char* const word : {"--references", "none"}) arguments.emplace_back(word);
  LocalRun run(arguments);
  ASSERT_TRUE(run.ReadUntil("Following searches/")) << run.output();
  const std::vector<v1::SearchEvent> before = KillAt(victim, [&](const v1::SearchEvent& event) {
    if (event.phase() == phase) cell.moment = TaskUnderWay(phase, HolderFor(victim, phase));
    return !cell.moment.empty();
  });
  const int status = run.Wait();
  cell.seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  cell.succeeded = status == 0;
  cells_.push_back(cell);
  ASSERT_THAT(status, IsDone()) << run.output();
  EXPECT_THAT(run.output(), testing::HasSubstr(absl::StrCat(victim, " was killed by signal 9")));
  const absl::StatusOr<v1::Report> report = ReadReport(out_);
  ASSERT_THAT(report, IsOk());
  CheckHistory(before, *report);
  const absl::StatusOr<RunFile> after = ReadRunFile(out_);
  ASSERT_THAT(after, IsOk());
  for (const auto& [process, starts] : after->starts) EXPECT_EQ(starts, process == victim ? 2 : 1) << process;
}

INSTANTIATE_TEST_SUITE_P(Cells, KillMatrixTest,
                         testing::Combine(testing::Values("coordinator", "worker-1", "agent"),
                                          testing::Values(v1::PHASE_PROFILING, v1::PHASE_TRAINING, v1::PHASE_SAMPLING, v1::PHASE_SEARCHING,
                                                          v1::PHASE_VERIFYING)),
                         [](const testing::TestParamInfo<KillMatrixTest::ParamType>& row) {
                           const std::string victim = std::get<0>(row.param);
                           return absl::StrCat(victim.substr(0, victim.find('-')), "_",
                                               absl::AsciiStrToLower(rpc::EnumWord(std::get<1>(row.param))));
                         });

}  // namespace
}  // namespace hanas
