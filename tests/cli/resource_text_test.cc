// SPDX-License-Identifier: Apache-2.0
#include "cli/report/resource_text.h"

#include "cli/report/table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(10'000);

v1::Search MakeSearch(v1::Phase phase) {
  v1::Search search;
  search.set_name("searches/7");
  search.mutable_spec()->set_name("shoes");
  search.mutable_spec()->mutable_target()->set_device("local");
  search.mutable_spec()->mutable_target()->set_backend("xnnpack");
  search.set_phase(phase);
  search.mutable_create_time()->set_seconds(10'000 - 95);
  v1::PhaseProgress& progress = *search.add_progress();
  progress.set_phase(v1::PHASE_TRAINING);
  progress.set_done(120);
  progress.set_total(600);
  progress.set_unit("steps");
  progress.set_seconds(42);
  progress.set_note("loss 1.23");
  return search;
}

v1::TaskSummary MakeTask(const std::string& key, v1::TaskSummary::State state, const std::string& holder = "") {
  v1::TaskSummary task;
  task.set_name("tasks/1");
  task.set_key(key);
  task.set_state(state);
  task.set_holder(holder);
  task.set_attempt(1);
  return task;
}

TEST(ResourceTextTest, PhasesInWords) {
  v1::Search search = MakeSearch(v1::PHASE_PAUSED);
  search.set_paused_phase(v1::PHASE_SEARCHING);
  EXPECT_EQ(PhaseInWords(search), "paused in searching");
  search.set_phase(v1::PHASE_SEARCHING);
  search.set_finishing(true);
  EXPECT_EQ(PhaseInWords(search), "searching, finishing");
}

TEST(ResourceTextTest, AListSaysWhatASearchWaitsForBeforeWhatItDoes) {
  v1::ListSearchesResponse list;
  *list.add_searches() = MakeSearch(v1::PHASE_TRAINING);
  *list.add_searches() = MakeSearch(v1::PHASE_PROFILING);
  list.mutable_searches(1)->add_blockers()->set_text("no device called \"board\" is there; start its agent");
  EXPECT_EQ(RenderSearches(list, kNow, Palette()),
            "NAME        JOB    PHASE               DONE         AGE  NOTE\n"
            "searches/7  shoes  training   120/600 steps  1 min 35 s  loss 1.23\n"
            "searches/7  shoes  profiling  120/600 steps  1 min 35 s  no device called \"board\" is there; start its agent\n");
}

TEST(ResourceTextTest, ASearchShowsItsPhasesBudgetAndWhatToTypeNext) {
  v1::Search search = MakeSearch(v1::PHASE_TRAINING);
  search.mutable_spent()->set_wall_seconds(90);
  search.mutable_spec()->mutable_budget()->set_max_wall_seconds(3600);
  search.mutable_forecast()->set_training_steps(5000);
  search.mutable_forecast()->set_basis("counts only");
  const std::string text = RenderSearch(search, kNow, Palette());
  EXPECT_THAT(text, HasSubstr("searches/7 \"shoes\" is training\n"));
  EXPECT_THAT(text, HasSubstr("  spent       1 min 30 s in all of 1 h 00 min\n"));
  EXPECT_THAT(text, HasSubstr("120/600 steps"));
  EXPECT_THAT(text, HasSubstr("5000 steps"));
  EXPECT_THAT(text, HasSubstr("counts only"));
  EXPECT_THAT(text, HasSubstr("hanas watch searches/7"));
  EXPECT_THAT(RenderSearch(MakeSearch(v1::PHASE_FAILED), kNow, Palette()), HasSubstr("hanas resume searches/7"));
}

TEST(ResourceTextTest, AnExplanationNamesBlockersHoldersAndFailures) {
  Explanation explanation{.search = MakeSearch(v1::PHASE_TRAINING)};
  v1::Blocker& blocker = *explanation.search.add_blockers();
  blocker.set_code("HOST_MEASURES");
  blocker.set_text("a device measures on the host of workers/1");
  blocker.set_resource("devices/2");
  explanation.tasks = {MakeTask("train/0", v1::TaskSummary::STATE_LEASED, "workers/1"), MakeTask("sample/0", v1::TaskSummary::STATE_READY),
                       MakeTask("profile/operators/0", v1::TaskSummary::STATE_DONE, "devices/2")};
  explanation.tasks[0].set_done(120);
  explanation.tasks[0].set_total(200);
  explanation.tasks[2].set_failures(2);
  explanation.tasks[2].set_error_code("MEASURE_CRASHED");
  explanation.tasks[2].set_error("the child was killed by signal 9");
  explanation.workers.emplace_back().set_name("workers/1");
  explanation.workers[0].set_display_name("gpu-1");
  explanation.workers[0].set_draining(true);
  const std::string text = RenderExplanation(explanation, kNow, Palette());
  EXPECT_THAT(text, HasSubstr("Blocked on\n  HOST_MEASURES  a device measures on the host of workers/1 (devices/2)\n"));
  EXPECT_THAT(text, HasSubstr("train/0  workers/1 (gpu-1)        1  120/200\n"));
  EXPECT_THAT(text, HasSubstr("profile/operators/0  2 times, last at devices/2\n    MEASURE_CRASHED: the child was killed by signal 9\n"));
  EXPECT_THAT(text, HasSubstr("1 done, 1 running, 1 waiting, 0 failed"));
  EXPECT_THAT(text, HasSubstr("hanas drain workers/1 --undo"));
}

TEST(ResourceTextTest, AnInfeasibleSearchIsNotWorthResuming) {
  Explanation explanation{.search = MakeSearch(v1::PHASE_FAILED), .farm_known = false};
  explanation.search.set_error_code("INFEASIBLE_LIMITS");
  explanation.search.set_error("the fastest network needs 3 ms");
  const std::string text = RenderExplanation(explanation, kNow, Palette());
  EXPECT_THAT(text, HasSubstr("relax the limits"));
  EXPECT_THAT(text, Not(HasSubstr("hanas resume")));
}

TEST(ResourceTextTest, TextOfOthersCannotSteerTheTerminal) {
  EXPECT_EQ(OneLine(" a\x1b[2J\tb\n\nc\x7f "), "a [2J b c");
  EXPECT_EQ(OneLine("a\u009b2J\u202eb"), "a\\x9b2J\\u202eb");
  v1::ListSearchesResponse list;
  *list.add_searches() = MakeSearch(v1::PHASE_FAILED);
  list.mutable_searches(0)->set_error("bad\n\x1b]0;title\x07 end");
  EXPECT_THAT(RenderSearches(list, kNow, Palette()), HasSubstr("bad ]0;title end\n"));
}

TEST(ResourceTextTest, ColoursDoNotWidenColumns) {
  const Palette palette(true);
  EXPECT_EQ(palette.Paint(Tint::kBad, "failed"), "\x1b[31mfailed\x1b[0m");
  EXPECT_EQ(DisplayWidth(palette.Paint(Tint::kBad, "failed")), 6U);
  EXPECT_EQ(Palette().Paint(Tint::kBad, "failed"), "failed");
}

}  // namespace
}  // namespace hanas::cli
