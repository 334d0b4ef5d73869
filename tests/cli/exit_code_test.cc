// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/exit_code.h"

#include <cerrno>

#include "core/base/error_reason.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

TEST(ExitCodeTest, ReasonsComeBeforeCodes) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("x")), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("x")), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("x")), ExitCode::kNotFound);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("x")), ExitCode::kUnreachable);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("x")), ExitCode::kUnreachable);
  EXPECT_EQ(ExitCodeOf(WithReason(absl::FailedPreconditionError("x"), "OTHER_JOB")), ExitCode::kDirectory);
  EXPECT_EQ(ExitCodeOf(WithReason(absl::FailedPreconditionError("x"), "INFEASIBLE_LIMITS")), ExitCode::kInfeasible);
  EXPECT_EQ(ExitCodeOf(WithReason(absl::InvalidArgumentError("x"), "SOMETHING_ELSE")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("Received message larger than max")), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeOf(WithReason(absl::ResourceExhaustedError("x"), kReplyTooLarge)), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeOf(WithReason(absl::ResourceExhaustedError("x"), kDiskFull)), ExitCode::kDiskFull);
  EXPECT_EQ(ExitCodeOf(ErrnoStatus(ENOSPC, "cannot write")), ExitCode::kDiskFull);
  EXPECT_EQ(ExitCodeOf(ErrnoStatus(EMFILE, "cannot open")), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeOf(absl::AbortedError("x")), ExitCode::kComponent);
}

TEST(ExitCodeTest, ErrorsOfASearch) {
  EXPECT_EQ(ExitCodeOfSearchError("INFEASIBLE_LIMITS"), ExitCode::kInfeasible);
  EXPECT_EQ(ExitCodeOfSearchError("DATA_MISSING"), ExitCode::kData);
  EXPECT_EQ(ExitCodeOfSearchError("DISK_FULL"), ExitCode::kDiskFull);
  EXPECT_EQ(ExitCodeOfSearchError("WORKER_FAILED"), ExitCode::kSearchFailed);
}

}  // namespace
}  // namespace hanas::cli
