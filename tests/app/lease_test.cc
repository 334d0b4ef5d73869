// SPDX-License-Identifier: Apache-2.0
// Leases: fencing, expiry, attempts, idempotent completion, and measuring alone on a host.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "tests/app/app_fixture.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

/// Up to the moment when training is ready.
class LeaseTest : public testing::Test {
 protected:
  LeaseTest() {
    worker_ = harness_.AddWorker("w", "1", "host");
    agent_ = harness_.AddAgent("1", "host");
    search_ = harness_.Submit();
    for (int i = 0; i < 100; ++i) {
      EXPECT_THAT(app().RunOnce(), IsOk());
      std::optional<GrantedTask> granted = harness_.Lease(agent_, "1");
      if (!granted.has_value()) break;
      EXPECT_THAT(harness_.Complete(*granted), IsOk());
    }
    EXPECT_EQ(app().GetSearch(search_)->record.phase, SearchPhase::kTraining);
  }
  App& app() { return harness_.app(); }
  GrantedTask LeaseTraining() {
    std::optional<GrantedTask> granted = harness_.Lease(worker_, "1");
    EXPECT_TRUE(granted.has_value());
    return *std::move(granted);
  }
  absl::StatusOr<RenewalReply> Renew(const GrantedTask& granted, int64_t done, bool paused = false) {
    return app().Renew({AppHarness::HolderOf(granted), done, 100, "", paused});
  }

  AppHarness harness_;
  uint64_t worker_ = 0;
  uint64_t agent_ = 0;
  uint64_t search_ = 0;
};

TEST_F(LeaseTest, AskingAgainGivesTheSameLease) {
  const GrantedTask first = LeaseTraining();
  const GrantedTask again = LeaseTraining();
  EXPECT_EQ(again.task.id, first.task.id);
  EXPECT_EQ(again.task.fencing_token, first.task.fencing_token);
}

TEST_F(LeaseTest, NewInstanceFencesTheOldOne) {
  const GrantedTask old = LeaseTraining();
  ASSERT_THAT(Renew(old, 1), IsOk());
  harness_.AddWorker("w", "2");
  EXPECT_TRUE(HasReason(harness_.Complete(old), "STALE_LEASE"));
  EXPECT_TRUE(HasReason(Renew(old, 1).status(), "STALE_LEASE"));
  EXPECT_TRUE(HasReason(app().LeaseTask(worker_, "1", absl::ZeroDuration()).status(), "SUPERSEDED"));
  const std::optional<GrantedTask> granted = harness_.Lease(worker_, "2");
  ASSERT_TRUE(granted.has_value());
  EXPECT_EQ(granted->task.id, old.task.id);
  EXPECT_GT(granted->task.fencing_token, old.task.fencing_token);
  EXPECT_EQ(granted->task.failures, 0) << "it had made progress";
  EXPECT_THAT(harness_.Complete(*granted), IsOk());
}

TEST_F(LeaseTest, ATaskThatKillsItsHolderThreeTimesFailsTheSearch) {
  for (int life = 1; life <= kMaxFailures; ++life) {
    harness_.AddWorker("w", absl::StrCat("life-", life));
    EXPECT_EQ(app().GetSearch(search_)->record.phase, SearchPhase::kTraining);
    ASSERT_TRUE(harness_.Lease(worker_, absl::StrCat("life-", life)).has_value());
  }
  harness_.AddWorker("w", "last");
  ASSERT_THAT(app().RunOnce(), IsOk());
  const SearchRecord search = app().GetSearch(search_)->record;
  EXPECT_EQ(search.phase, SearchPhase::kFailed);
  EXPECT_EQ(search.error_code, "HOLDER_RESTARTED");
  EXPECT_THAT(search.error, HasSubstr("the process of w died"));
}

TEST_F(LeaseTest, ATaskThatKillsItsHolderAtTheSamePlaceAgainFailsTheSearchToo) {
  for (int life = 1; life <= 1 + kMaxFailures; ++life) {  // nobody had come so far before the first one
    harness_.AddWorker("w", absl::StrCat("life-", life));
    ASSERT_THAT(app().RunOnce(), IsOk());
    ASSERT_EQ(app().GetSearch(search_)->record.phase, SearchPhase::kTraining) << "life " << life;
    const std::optional<GrantedTask> granted = harness_.Lease(worker_, absl::StrCat("life-", life));
    ASSERT_TRUE(granted.has_value());
    ASSERT_THAT(Renew(*granted, 5), IsOk());
  }
  harness_.AddWorker("w", "last");
  ASSERT_THAT(app().RunOnce(), IsOk());
  EXPECT_EQ(app().GetSearch(search_)->record.error_code, "HOLDER_RESTARTED");
}

TEST_F(LeaseTest, HoldersThatDieEachFurtherOnCountNothing) {
  for (int life = 1; life <= 5; ++life) {
    harness_.AddWorker("w", absl::StrCat("life-", life));
    const std::optional<GrantedTask> granted = harness_.Lease(worker_, absl::StrCat("life-", life));
    ASSERT_TRUE(granted.has_value());
    EXPECT_EQ(granted->task.failures, 0);
    ASSERT_THAT(Renew(*granted, life), IsOk());
  }
}

TEST_F(LeaseTest, HoldersThatDieWithTheCoordinatorCountNothing) {
  for (int outage = 0; outage < 5; ++outage) {
    const std::string instance = absl::StrCat("life-", outage);
    harness_.AddWorker("w", instance);
    ASSERT_EQ(harness_.Lease(worker_, instance)->task.failures, 0);
    harness_.Reopen();
  }
}

TEST_F(LeaseTest, SilentHolderLosesItsLeaseAndAfterThreeTimesTheSearchFails) {
  for (int attempt = 1; attempt <= kMaxFailures; ++attempt) {
    const GrantedTask granted = LeaseTraining();
    EXPECT_EQ(granted.task.attempt, attempt);
    harness_.clock().Advance(absl::Seconds(16));
    ASSERT_THAT(app().RunOnce(), IsOk());
    EXPECT_TRUE(HasReason(harness_.Complete(granted), "STALE_LEASE"));
  }
  EXPECT_EQ(app().GetSearch(search_)->record.phase, SearchPhase::kFailed);
  EXPECT_EQ(app().GetSearch(search_)->record.error_code, "LEASE_EXPIRED");
}

TEST_F(LeaseTest, ExpiryAfterProgressDoesNotCount) {
  for (int i = 0; i < 5; ++i) {
    const GrantedTask granted = LeaseTraining();
    EXPECT_EQ(granted.task.failures, 0);
    ASSERT_THAT(Renew(granted, i + 1), IsOk());
    harness_.clock().Advance(absl::Seconds(16));
    ASSERT_THAT(app().RunOnce(), IsOk());
  }
}

TEST_F(LeaseTest, RestartGivesLiveLeasesAFreshTtl) {
  const GrantedTask granted = LeaseTraining();
  harness_.clock().Advance(absl::Seconds(14));
  harness_.Reopen();
  harness_.clock().Advance(absl::Seconds(14));
  ASSERT_THAT(app().RunOnce(), IsOk());
  EXPECT_THAT(harness_.Complete(granted), IsOk());
}

TEST_F(LeaseTest, ACoordinatorThatStoodStillGivesLiveLeasesAFreshTtl) {
  const GrantedTask granted = LeaseTraining();
  harness_.clock().Advance(absl::Minutes(1));
  app().StoodStill();
  ASSERT_THAT(app().RunOnce(), IsOk());
  harness_.clock().Advance(absl::Seconds(14));
  ASSERT_THAT(app().RunOnce(), IsOk());
  EXPECT_THAT(harness_.Complete(granted), IsOk());
}

TEST_F(LeaseTest, AWallClockThatJumpsMovesNoLease) {
  for (const absl::Duration jump : {absl::Hours(1), absl::Hours(-2)}) {
    const GrantedTask granted = LeaseTraining();
    harness_.clock().SetWall(harness_.clock().Wall() + jump);
    harness_.clock().Advance(absl::Seconds(14));
    ASSERT_THAT(app().RunOnce(), IsOk());
    ASSERT_THAT(Renew(granted, 1), IsOk()) << "it has a second left, after a jump of " << jump;
    harness_.clock().SetWall(harness_.clock().Wall() + jump);
    harness_.clock().Advance(absl::Seconds(16));
    ASSERT_THAT(app().RunOnce(), IsOk());
    EXPECT_TRUE(HasReason(harness_.Complete(granted), "STALE_LEASE")) << "its time is up, after a jump of " << jump;
  }
}

TEST_F(LeaseTest, CompletingTwiceIsOnce) {
  const GrantedTask granted = LeaseTraining();
  ASSERT_THAT(harness_.Complete(granted), IsOk());
  const int64_t writes = harness_.disk().num_writes();
  EXPECT_THAT(harness_.Complete(granted), IsOk());
  EXPECT_EQ(harness_.disk().num_writes(), writes);
}

TEST_F(LeaseTest, LostReplyOfACompletionIsRepeated) {
  const GrantedTask granted = LeaseTraining();
  harness_.disk().FailNextWrite(absl::UnavailableError("the reply was lost"), /*applied=*/true);
  EXPECT_THAT(harness_.Complete(granted), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(harness_.Complete(granted), IsOk());
}

TEST_F(LeaseTest, FullDiskLosesNothingAcknowledged) {
  const GrantedTask granted = LeaseTraining();
  harness_.disk().FailNextWrite(absl::ResourceExhaustedError("the disk is full"));
  EXPECT_THAT(harness_.Complete(granted), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(harness_.Complete(granted), IsOk());
}

TEST_F(LeaseTest, CompletionNamesStoredArtifacts) {
  const GrantedTask granted = LeaseTraining();
  const auto& work = std::get<TrainWork>(granted.task.work);
  const TrainOutcome outcome = {.checkpoint = {std::string(64, 'a'), 10}, .step = work.to_step};
  const absl::Status status = app().Complete(AppHarness::HolderOf(granted), outcome);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_TRUE(HasReason(status, "ARTIFACT_MISSING"));
}

TEST_F(LeaseTest, OutcomeOfOtherWorkIsRefused) {
  const GrantedTask granted = LeaseTraining();
  EXPECT_THAT(app().Complete(AppHarness::HolderOf(granted), EvaluateOutcome{}), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(LeaseTest, TrainingThatIsHandedBackGoesOnFromItsCheckpoint) {
  SearchJob job = TinyJob();
  const GrantedTask granted = LeaseTraining();
  const TrainOutcome part = {.checkpoint = harness_.artifacts().Put("part").value(), .step = 1, .seconds = 1, .reached_end = false};
  ASSERT_EQ(std::get<TrainWork>(granted.task.work).to_step, 2);
  ASSERT_THAT(app().Complete(AppHarness::HolderOf(granted), part), IsOk());
  const GrantedTask rest = LeaseTraining();
  EXPECT_EQ(rest.task.id, granted.task.id);
  EXPECT_EQ(std::get<TrainWork>(rest.task.work).from_step, 1);
  EXPECT_EQ(std::get<TrainWork>(rest.task.work).initial, part.checkpoint);
}

TEST_F(LeaseTest, FailureThatWouldRepeatFailsTheSearchAtOnce) {
  const GrantedTask granted = LeaseTraining();
  ASSERT_THAT(app().Fail(AppHarness::HolderOf(granted), "DATA_MISSING", "no such file", /*retryable=*/false), IsOk());
  ASSERT_THAT(app().RunOnce(), IsOk());
  EXPECT_EQ(app().GetSearch(search_)->record.error_code, "DATA_MISSING");
}

TEST_F(LeaseTest, HandingBackDoesNotCount) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_THAT(app().Fail(AppHarness::HolderOf(LeaseTraining()), "HANDED_BACK", "shutting down", true), IsOk());
  }
  EXPECT_EQ(LeaseTraining().task.failures, 0);
}

TEST_F(LeaseTest, CancelledSearchIsAbandoned) {
  const GrantedTask granted = LeaseTraining();
  ASSERT_THAT(app().CancelSearch(search_), IsOk());
  EXPECT_TRUE(HasReason(Renew(granted, 1).status(), "STALE_LEASE"));
  EXPECT_THAT(app().CancelSearch(search_), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(ExclusiveMeasuringTest, WaitsUntilComputingPauses) {
  // A second search profiles another context while the first one trains on the same host.
  AppHarness harness;
  const uint64_t worker = harness.AddWorker("w", "1", "host");
  const uint64_t agent = harness.AddAgent("1", "host");
  harness.Submit();
  for (int i = 0; i < 100; ++i) {
    ASSERT_THAT(harness.app().RunOnce(), IsOk());
    std::optional<GrantedTask> granted = harness.Lease(agent, "1");
    if (!granted.has_value()) break;
    EXPECT_FALSE(harness.Lease(worker, "1").has_value()) << "nothing computes while the host measures";
    ASSERT_THAT(harness.Complete(*granted), IsOk());
  }
  const std::optional<GrantedTask> training = harness.Lease(worker, "1");
  ASSERT_TRUE(training.has_value());
  SearchJob other = TinyJob();
  other.name = "other";
  other.seed = 99;
  ASSERT_THAT(harness.app().CreateSearch("other", "spec", other), IsOk());
  ASSERT_THAT(harness.app().RunOnce(), IsOk());
  EXPECT_FALSE(harness.Lease(agent, "1").has_value()) << "a compute lease lives on the host";
  const Renewal renewal = {AppHarness::HolderOf(*training), 1, 2, "", false};
  EXPECT_EQ(harness.app().Renew(renewal)->instruction, LeaseInstruction::kPause);
  Renewal paused = renewal;
  paused.paused = true;
  EXPECT_EQ(harness.app().Renew(paused)->instruction, LeaseInstruction::kPause);
  std::vector<GrantedTask> measured;
  while (std::optional<GrantedTask> granted = harness.Lease(agent, "1")) {
    EXPECT_EQ(harness.app().Renew(paused)->instruction, LeaseInstruction::kPause);
    ASSERT_THAT(harness.Complete(*granted), IsOk());
    ASSERT_THAT(harness.app().RunOnce(), IsOk());
    measured.push_back(*granted);
  }
  EXPECT_FALSE(measured.empty());
  EXPECT_EQ(harness.app().Renew(paused)->instruction, LeaseInstruction::kContinue);
}

TEST(ExclusiveMeasuringTest, OtherHostsGoOn) {
  AppHarness harness;
  harness.AddWorker("w", "1", "elsewhere");
  const uint64_t agent = harness.AddAgent("1", "host");
  harness.Submit();
  ASSERT_THAT(harness.app().RunOnce(), IsOk());
  const std::optional<GrantedTask> measuring = harness.Lease(agent, "1");
  ASSERT_TRUE(measuring.has_value());
  EXPECT_TRUE(IsMeasuring(measuring->task.work));
  const RecordedRound round = {.round = 0, .rows = {{.index = 0, .flushed_us = 2, .hot_us = 1}}};
  ASSERT_THAT(harness.app().RecordRound(AppHarness::HolderOf(*measuring), round), IsOk());
  ASSERT_THAT(harness.app().RecordRound(AppHarness::HolderOf(*measuring), round), IsOk());
  harness.AddAgent("2", "host");
  const std::optional<GrantedTask> again = harness.Lease(agent, "2");
  ASSERT_TRUE(again.has_value());
  EXPECT_THAT(again->task.rounds, testing::ElementsAre(round)) << "recorded once, and handed to the next attempt";
}

}  // namespace
}  // namespace hanas::coordinator
