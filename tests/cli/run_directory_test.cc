// SPDX-License-Identifier: Apache-2.0
#include "cli/supervise/run_directory.h"

#include <sys/stat.h>
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
  {
    const absl::StatusOr<RunDirectory> first = RunDirectory::Open(path_, "first job", "aa");
    ASSERT_THAT(first, IsOk());
    ASSERT_THAT(first->WriteRunFile({}), IsOk());  // it started something
  }
  const absl::Status status = RunDirectory::Open(path_, "job", "bb").status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("holds the search of another job (\"first job\"")));
  EXPECT_EQ(ReasonOf(status), "OTHER_JOB");
}

TEST_F(RunDirectoryTest, ARunThatEndedBeforeItBeganIsInNobodysWay) {
  ASSERT_THAT(RunDirectory::Open(path_, "job without data", "aa"), IsOk());
  const absl::StatusOr<RunDirectory> mended = RunDirectory::Open(path_, "job", "bb");
  ASSERT_THAT(mended, IsOk());
  EXPECT_FALSE(mended->resumes());
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
  std::ofstream(path_ + "/report.json") << "years of work";
  std::filesystem::create_directories(path_ + "/data");
  std::ofstream(path_ + "/data/measurements") << "of a summer";
  const absl::Status status = RunDirectory::Open(path_, "job", "aa").status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("found data, report.json of somebody else in ")));
  EXPECT_EQ(ReasonOf(status), "NOT_A_RUN_DIRECTORY");
  EXPECT_FALSE(std::filesystem::exists(path_ + "/state"));
}

TEST_F(RunDirectoryTest, WhatARunDoesNotWriteDoesNotMatter) {
  std::filesystem::create_directories(path_ + "/lost+found");
  std::filesystem::permissions(path_ + "/lost+found", std::filesystem::perms::none);
  std::filesystem::create_directories(path_ + "/.snapshot");
  std::filesystem::create_directories(path_ + "/logs");  // with nothing in it
  std::ofstream(path_ + "/.DS_Store") << "x";
  std::ofstream(path_ + "/notes.txt") << "of mine";
  EXPECT_THAT(RunDirectory::Open(path_, "job", "aa"), IsOk());
  EXPECT_TRUE(std::filesystem::exists(path_ + "/notes.txt"));
}

TEST_F(RunDirectoryTest, APathThatCannotBeMadeIsNamed) {
  EXPECT_THAT(RunDirectory::Open("/dev/null/out", "job", "aa").status().message(),
              HasSubstr("cannot make the output directory /dev/null/out"));
}

TEST_F(RunDirectoryTest, AllButTheResultsIsItsUsersAlone) {
  const mode_t before = ::umask(0);
  const absl::StatusOr<RunDirectory> directory = RunDirectory::Open(path_, "job", "aa");
  ASSERT_THAT(directory, IsOk());
  ASSERT_THAT(directory->WriteRunFile({}), IsOk());
  ::umask(before);
  const auto mode = [&](const std::string& name) {
    return static_cast<int>(std::filesystem::status(directory->File(name)).permissions() & std::filesystem::perms::mask);
  };
  for (const char* folder : {".", "state", "parties", "cache", "logs"}) EXPECT_EQ(mode(folder), 0700) << folder;
  for (const char* file : {"lock", "job.digest", "run.json"}) EXPECT_EQ(mode(file), 0600) << file;
  EXPECT_EQ(mode("models"), 0777) << "as the umask has it: results are there to be shared";
  EXPECT_THAT(directory->tightened(), testing::IsEmpty());
}

TEST_F(RunDirectoryTest, LooserFoldersOfAnEarlierRunAreTightenedAndNamed) {
  ASSERT_THAT(RunDirectory::Open(path_, "job", "aa"), IsOk());
  for (const char* folder : {"/", "/logs", "/state"})
    std::filesystem::permissions(path_ + folder, static_cast<std::filesystem::perms>(0755));
  const absl::StatusOr<RunDirectory> again = RunDirectory::Open(path_, "job", "aa");
  ASSERT_THAT(again, IsOk());
  EXPECT_THAT(again->tightened(), testing::ElementsAre("logs", "state"));
  EXPECT_EQ(std::filesystem::status(path_ + "/logs").permissions(), std::filesystem::perms::owner_all);
  EXPECT_NE(std::filesystem::status(path_).permissions(), std::filesystem::perms::owner_all) << "its user chose to share the results";
}

TEST_F(RunDirectoryTest, TheRunFileRoundTripsWhateverIsInIt) {
  const absl::StatusOr<RunDirectory> directory = RunDirectory::Open(path_, "job", "aa");
  ASSERT_THAT(directory, IsOk());
  EXPECT_THAT(directory->ReadRunFile(), StatusIs(absl::StatusCode::kNotFound));
  const RunFile run = {.address = "unix:/run/a \"b\\\n\xc3\xa4/socket", .search = "searches/1", .processes = {{"worker-1", 12, 3}}};
  ASSERT_THAT(directory->WriteRunFile(run), IsOk());
  const absl::StatusOr<RunFile> read = directory->ReadRunFile();
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->address, run.address);
  EXPECT_EQ(read->search, run.search);
  ASSERT_EQ(read->processes.size(), 1u);
  EXPECT_EQ(read->processes[0].name, "worker-1");
  EXPECT_EQ(read->processes[0].pid, 12);
  EXPECT_EQ(read->processes[0].starts, 3);
  for (const char* damaged : {"", "{", "[]", "{\"address\": 7, \"processes\": [1, {\"pid\": \"x\"}]}", "\xff"}) {
    std::ofstream(directory->File("run.json")) << damaged;
    const absl::StatusOr<RunFile> other = directory->ReadRunFile();
    if (other.ok()) {
      EXPECT_EQ(other->address, "") << damaged;
    } else {
      EXPECT_THAT(other, StatusIs(absl::StatusCode::kDataLoss)) << damaged;
    }
  }
}

TEST_F(RunDirectoryTest, LastLinesOfALog) {
  std::filesystem::create_directories(path_);
  std::ofstream(path_ + "/x.log") << std::string(20000, 'x') << "\none\ntwo\n\nthree\n";
  EXPECT_EQ(LastLines(path_ + "/x.log", 2), "two\nthree");
  EXPECT_EQ(LastLines(path_ + "/none.log", 2), "");
}

}  // namespace
}  // namespace hanas::cli
