// SPDX-License-Identifier: Apache-2.0
// Tasks and candidates of a search by pages, and its front, against everything looked at one by one.

#include "coordinator/judging/candidates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "tests/app/search_run.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::Each;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::vector<CandidateRow> All(SearchRun& run, int page_size) {
  std::vector<CandidateRow> all;
  while (true) {
    const absl::StatusOr<CandidatePage> page = run.app().ListCandidates(run.id(), all.empty() ? 0 : all.back().sequence, page_size);
    EXPECT_THAT(page, IsOk());
    EXPECT_LE(page->candidates.size(), static_cast<size_t>(page_size));
    all.insert(all.end(), page->candidates.begin(), page->candidates.end());
    if (!page->more) return all;
  }
}

/// By comparing all with all.
std::vector<int64_t> FrontOf(const std::vector<CandidateRow>& candidates, double limit_us) {
  std::vector<CandidateRow> front;
  for (const CandidateRow& candidate : candidates) {
    const auto beats = [&](const CandidateRow& other) {
      const double a = other.score.fraction();
      const double b = candidate.score.fraction();
      const bool equal = a == b && other.latency_us == candidate.latency_us;
      return other.latency_us <= limit_us && a >= b && other.latency_us <= candidate.latency_us && !equal;
    };
    if (candidate.latency_us <= limit_us && std::none_of(candidates.begin(), candidates.end(), beats)) front.push_back(candidate);
  }
  std::sort(front.begin(), front.end(), [](const CandidateRow& a, const CandidateRow& b) { return a.latency_us < b.latency_us; });
  std::vector<int64_t> sequences;
  for (const CandidateRow& candidate : front) sequences.push_back(candidate.sequence);
  return sequences;
}

std::vector<int64_t> SequencesOf(const std::vector<CandidateRow>& candidates) {
  std::vector<int64_t> sequences;
  for (const CandidateRow& candidate : candidates) sequences.push_back(candidate.sequence);
  return sequences;
}

TEST(CandidatesTest, NoneBeforeSampling) {
  SearchRun run;
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kTraining));
  EXPECT_THAT(All(run, 10), IsEmpty());
  EXPECT_THAT(run.app().GetFront(run.id()).value(), IsEmpty());
  EXPECT_THAT(run.app().ListCandidates(99, 0, 1), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(run.app().GetFront(99), StatusIs(absl::StatusCode::kNotFound));
}

TEST(CandidatesTest, PagesHoldEachOnceInTheOrderAsked) {
  SearchRun run;
  run.Finish();
  const std::vector<CandidateRow> all = All(run, 7);
  ASSERT_THAT(all, SizeIs(16 + 2 * 10));
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].sequence, static_cast<int64_t>(i) + 1);
    EXPECT_EQ(all[i].latency_measured, i >= 16) << i;  // rounds are measured, samples estimated
    EXPECT_GT(all[i].latency_us, 0);
    EXPECT_GT(all[i].size_bytes, 0);
    EXPECT_EQ(all[i].worker, run.worker());
    EXPECT_NEAR(all[i].score.fraction(), run.harness().evaluator().AccuracyOf(all[i].architecture), 1e-3);
  }
}

TEST(CandidatesTest, TheFrontIsRightAfterEveryTurn) {
  SearchRun run;
  size_t largest = 0;
  while (!IsTerminal(run.Record().phase)) {
    const std::vector<CandidateRow> front = run.app().GetFront(run.id()).value();
    EXPECT_EQ(SequencesOf(front), FrontOf(All(run, 1000), 1e9));
    largest = std::max(largest, front.size());
    run.Turn();
  }
  EXPECT_GT(largest, 3U);
}

TEST(CandidatesTest, TheFrontKeepsTheLimits) {
  SearchRun free;
  const RangeRecord latency = free.Finish().targets[0].profile->ranges[IndexOf(Quantity::kLatency)];
  SearchJob job = TinyJob();
  const double limit_us = latency.low + 0.3 * (latency.high - latency.low);
  job.limits = {{.of = "latency", .at_most = limit_us}};
  SearchRun run(job);
  run.Finish();
  const std::vector<CandidateRow> front = run.app().GetFront(run.id()).value();
  ASSERT_FALSE(front.empty());
  for (const CandidateRow& candidate : front) EXPECT_LE(candidate.latency_us, limit_us);
  EXPECT_LT(front.size(), All(run, 1000).size());
}

TEST(CandidatesTest, OutliveARestart) {
  SearchRun run;
  run.Finish();
  const std::vector<int64_t> front = SequencesOf(run.app().GetFront(run.id()).value());
  run.harness().Reopen();
  EXPECT_EQ(SequencesOf(run.app().GetFront(run.id()).value()), front);
  EXPECT_THAT(All(run, 1000), SizeIs(36));
}

TEST(CandidatesTest, AreThereOfEverySearchThatIsOver) {
  SearchRun run;
  run.Finish();
  const std::vector<int64_t> first = SequencesOf(All(run, 100));
  ASSERT_THAT(first, Not(IsEmpty()));
  // Many more than are kept in memory, each asked about when it is over.
  std::vector<uint64_t> others;
  for (int i = 0; i < 12; ++i) {
    others.push_back(run.app().CreateSearch(absl::StrCat("other-", i), "spec", TinyJob())->record.id);
    while (run.Turn()) continue;
    EXPECT_EQ(run.app().GetSearch(others.back())->record.phase, SearchPhase::kSucceeded);
    EXPECT_THAT(run.app().GetFront(others.back()), IsOk());
  }
  for (const uint64_t id : others) {
    EXPECT_THAT(run.app().ListCandidates(id, 0, 1000)->candidates, SizeIs(first.size()));
    EXPECT_THAT(run.app().GetReport(id), IsOk());
  }
  EXPECT_EQ(SequencesOf(All(run, 100)), first);
}

TEST(TasksTest, PagesHoldEachOnceInTheOrderOfCreation) {
  SearchRun run;
  run.Finish();
  std::vector<uint64_t> ids;
  bool more = true;
  while (more) {
    const absl::StatusOr<TaskPage> page = run.app().ListTasks(run.id(), ids.empty() ? 0 : ids.back(), 5);
    ASSERT_THAT(page, IsOk());
    for (const TaskSnapshot& task : page->tasks) {
      ids.push_back(task.task.id);
      EXPECT_EQ(task.task.state, TaskState::kDone) << task.task.key;
      EXPECT_FALSE(task.task.outcome.has_value());
      EXPECT_EQ(task.agent, IsMeasuring(task.task.work)) << task.task.key;
    }
    more = page->more;
  }
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_EQ(ids.size(), run.app().ListTasks(run.id(), 0, 100000)->tasks.size());
  EXPECT_THAT(run.app().ListTasks(99, 0, 5), StatusIs(absl::StatusCode::kNotFound));
}

TEST(TasksTest, ALeasedOneHasItsProgress) {
  SearchRun run;
  ASSERT_TRUE(run.UntilPhase(SearchPhase::kTraining));
  const GrantedTask granted = *run.harness().Lease(run.worker(), "1");
  ASSERT_THAT(run.app().Renew({AppHarness::HolderOf(granted), 1, 2, "loss 2.1"}), IsOk());
  const TaskSnapshot task = *run.Task("train/0");
  EXPECT_EQ(task.task.party, run.worker());
  EXPECT_EQ(task.live.done, 1);
  EXPECT_EQ(task.live.total, 2);
  EXPECT_EQ(task.live.note, "loss 2.1");
}

}  // namespace
}  // namespace hanas::coordinator
