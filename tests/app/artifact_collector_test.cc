// SPDX-License-Identifier: Apache-2.0
// Which stored bytes go, and when: never what somebody still needs.

#include "coordinator/app/artifact_collector.h"

#include <filesystem>
#include <fstream>

#include "tests/app/search_run.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::SizeIs;

class ArtifactCollectorTest : public testing::Test {
 protected:
  std::vector<std::string> Stored() { return run_.harness().artifacts().List().value(); }
  bool IsStored(const ArtifactRef& artifact) { return run_.harness().artifacts().Contains(artifact.sha256); }
  void Let(absl::Duration pass) {
    run_.harness().clock().Advance(pass);
    EXPECT_THAT(run_.app().RunOnce(), IsOk());
  }
  /// Until what has been replaced is gone.
  void LetGraceOfReplacedPass() {
    Let(absl::ZeroDuration());
    Let(CollectorOptions().replaced_grace + absl::Minutes(1));
  }

  SearchRun run_;
};

TEST_F(ArtifactCollectorTest, LastTwoCheckpointsOfAChainStay) {
  ASSERT_TRUE(run_.Until([this](const SearchRecord&) {
    const std::optional<TaskSnapshot> task = run_.Task("train/5");
    return task.has_value() && task->task.state == TaskState::kDone;
  }));
  EXPECT_THAT(Stored(), SizeIs(6)) << "equal work may be about to name the others";
  LetGraceOfReplacedPass();
  EXPECT_THAT(Stored(), SizeIs(2));
}

TEST_F(ArtifactCollectorTest, WhatAReportNamesStays) {
  ASSERT_EQ(run_.Finish().phase, SearchPhase::kSucceeded);
  Let(absl::Hours(1000));
  const absl::StatusOr<ReportData> report = run_.app().GetReport(run_.id());
  ASSERT_THAT(report, IsOk());
  ASSERT_THAT(report->front, Not(IsEmpty()));
  for (const ReportMember& member : report->front) {
    EXPECT_TRUE(IsStored(member.bound.onnx)) << member.record.id;
    EXPECT_TRUE(IsStored(member.bound.bound_model)) << member.record.id;
  }
}

TEST_F(ArtifactCollectorTest, CancelledSearchLeavesItsSupernetOnly) {
  ASSERT_TRUE(run_.UntilPhase(SearchPhase::kSampling));
  LetGraceOfReplacedPass();
  const std::vector<std::string> supernet = Stored();
  ASSERT_THAT(supernet, SizeIs(2));
  ASSERT_TRUE(run_.UntilPhase(SearchPhase::kVerifying));
  ASSERT_THAT(Stored(), Not(IsEmpty()));
  ASSERT_THAT(run_.app().CancelSearch(run_.id()), IsOk());
  LetGraceOfReplacedPass();
  EXPECT_EQ(Stored(), supernet);
}

TEST_F(ArtifactCollectorTest, FailedSearchKeepsWhatItWouldNeedToGoOnForADay) {
  ASSERT_TRUE(run_.UntilPhase(SearchPhase::kSampling));
  LetGraceOfReplacedPass();
  const std::vector<std::string> needed = Stored();
  ASSERT_THAT(needed, Not(IsEmpty()));
  run_.Fail("sample/", "DATA_MISSING", /*retryable=*/false);
  ASSERT_EQ(run_.Finish().phase, SearchPhase::kFailed);
  Let(absl::Hours(23));
  EXPECT_EQ(Stored(), needed);
  run_.Mend();
  ASSERT_THAT(run_.app().ResumeSearch(run_.id()), IsOk());
  Let(absl::Hours(2));
  EXPECT_THAT(Stored(), IsSupersetOf(needed)) << "a search that goes on needs it for as long as it takes";
  run_.Fail("sample/", "DATA_MISSING", /*retryable=*/false);
  run_.Fail("round/", "DATA_MISSING", /*retryable=*/false);
  ASSERT_EQ(run_.Finish().phase, SearchPhase::kFailed);
  LetGraceOfReplacedPass();
  Let(absl::Hours(25));
  EXPECT_EQ(Stored(), needed) << "the supernet outlives it";
}

TEST_F(ArtifactCollectorTest, OrphansStayForAnHourThatARestartBeginsAnew) {
  ArtifactStore& artifacts = run_.harness().artifacts();
  const ArtifactRef whole = artifacts.Put("an upload whose completion never comes").value();
  const ArtifactRef part = {Sha256("another one"), 11};
  ASSERT_THAT((*artifacts.BeginUpload(part, 0))->Write(0, "anoth"), IsOk());
  Let(absl::ZeroDuration());
  Let(absl::Minutes(50));
  EXPECT_THAT(Stored(), SizeIs(2));
  run_.harness().Reopen();
  Let(absl::Minutes(50));
  EXPECT_THAT(Stored(), SizeIs(2));
  Let(absl::Minutes(70));
  EXPECT_THAT(Stored(), IsEmpty());
}

TEST_F(ArtifactCollectorTest, MovedWallClockTakesNothing) {
  const ArtifactRef orphan = run_.harness().artifacts().Put("an upload in progress").value();
  Let(absl::ZeroDuration());
  run_.harness().clock().SetWall(absl::UnixEpoch() + absl::Hours(24 * 365 * 100));
  Let(absl::Minutes(11));
  EXPECT_TRUE(IsStored(orphan));
}

TEST_F(ArtifactCollectorTest, FailedRemovalIsTriedAgain) {
  const ArtifactRef orphan = run_.harness().artifacts().Put("bytes").value();
  Let(absl::ZeroDuration());
  // Something that is no directory stands where removed files go.
  const std::string removed = run_.harness().directory() + "/removed";
  std::filesystem::remove_all(removed);
  std::ofstream(removed) << "no directory";
  Let(absl::Hours(2));
  EXPECT_TRUE(IsStored(orphan));
  std::filesystem::remove(removed);
  std::filesystem::create_directory(removed);
  Let(absl::Minutes(2));
  EXPECT_FALSE(IsStored(orphan));
}

}  // namespace
}  // namespace hanas::coordinator
