// SPDX-License-Identifier: Apache-2.0
#include "cli/supervise/run_directory.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/status/status_matchers.h"
#include "core/base/error_reason.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

class RunDirectoryTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(path_); }
  const std::string path_ = testing::TempDir() + "/hanas_run_directory_test." + std::to_string(getpid());
};

TEST_F(RunDirectoryTest, TheSameJobResumes) {
  {
    const absl::StatusOr<RunDirectory> first = RunDirectory::Open(path_, "job", "aa");
    ASSERT_THAT(first, IsOk());
    EXPECT_FALSE(first->resumes());
    EXPECT_TRUE(std::filesystem::is_directory(first->File("logs")));
  }
  const absl::StatusOr<RunDirectory> second = RunDirectory::Open(path_, "job", "aa");
  ASSERT_THAT(second, IsOk());
  EXPECT_TRUE(second->resumes());
}

TEST_F(RunDirectoryTest, AnotherJobIsRefused) {
  ASSERT_THAT(RunDirectory::Open(path_, "first job", "aa"), IsOk());
  const absl::Status status = RunDirectory::Open(path_, "job", "bb").status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("holds the search of another job (\"first job\"")));
  EXPECT_EQ(ReasonOf(status), "OTHER_JOB");
}

TEST_F(RunDirectoryTest, TwoRunsAtOnceAreRefused) {
  const absl::StatusOr<RunDirectory> first = RunDirectory::Open(path_, "job", "aa");
  ASSERT_THAT(first, IsOk());
  const absl::Status status = RunDirectory::Open(path_, "job", "aa").status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another run is using")));
  EXPECT_EQ(ReasonOf(status), "DIRECTORY_IN_USE");
}

TEST_F(RunDirectoryTest, SomebodyElsesFilesAreLeftAlone) {
  std::filesystem::create_directories(path_);
  std::ofstream(path_ + "/thesis.txt") << "years of work";
  const absl::Status status = RunDirectory::Open(path_, "job", "aa").status();
  EXPECT_EQ(ReasonOf(status), "NOT_A_RUN_DIRECTORY");
  EXPECT_FALSE(std::filesystem::exists(path_ + "/state"));
}

TEST_F(RunDirectoryTest, APathThatCannotBeMadeIsNamed) {
  EXPECT_THAT(RunDirectory::Open("/dev/null/out", "job", "aa").status().message(),
              HasSubstr("cannot make the output directory /dev/null/out"));
}

TEST_F(RunDirectoryTest, LastLinesOfALog) {
  std::filesystem::create_directories(path_);
  std::ofstream(path_ + "/x.log") << std::string(20000, 'x') << "\none\ntwo\n\nthree\n";
  EXPECT_EQ(LastLines(path_ + "/x.log", 2), "two\nthree");
  EXPECT_EQ(LastLines(path_ + "/none.log", 2), "");
}

}  // namespace
}  // namespace hanas::cli
