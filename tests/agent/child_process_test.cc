// SPDX-License-Identifier: Apache-2.0
// Real child processes that succeed, refuse, crash, hang, eat memory and talk nonsense.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "profiler-agent/device/host_probe.h"
#include "profiler-agent/measure/child.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

struct Outcome {
  absl::StatusOr<ChildUsage> usage;
  std::vector<std::string> records;
};

ChildJob JobOf(absl::string_view kind) {
  ChildJob job{.kind = std::string(kind), .name = absl::StrCat("tasks/7 (", kind, ")"), .request = "abc"};
  job.limits.wall = absl::Seconds(60);
  return job;
}

Outcome RunJob(const ChildJob& job, RunChildOptions options = {}) {
  options.program = HANAS_CHILD_PROGRAM;
  Outcome outcome;
  outcome.usage = RunChild(
      job,
      [&](absl::string_view record) {
        outcome.records.emplace_back(record);
        return absl::OkStatus();
      },
      options);
  return outcome;
}

TEST(ChildProcessTest, RecordsArriveInOrder) {
  const Outcome outcome = RunJob(JobOf("echo"));
  EXPECT_THAT(outcome.usage, IsOk());
  EXPECT_THAT(outcome.records, ElementsAre("0:abc", "1:abc", "2:abc"));
  EXPECT_GT(outcome.usage->peak_memory_bytes, 0);
}

TEST(ChildProcessTest, LargeRequestsAndRecordsDoNotBlock) {
  ChildJob job = JobOf("echo");
  job.request = std::string(5 << 20, 'r');
  const Outcome outcome = RunJob(job);
  EXPECT_THAT(outcome.usage, IsOk());
  ASSERT_EQ(outcome.records.size(), 3);
  EXPECT_EQ(outcome.records[2].size(), job.request.size() + 2);
}

TEST(ChildProcessTest, TheHandlersOwnStatusComesBack) {
  const Outcome outcome = RunJob(JobOf("refuse"));
  EXPECT_THAT(outcome.usage, StatusIs(absl::StatusCode::kInvalidArgument, "no such operator"));
  EXPECT_EQ(ReasonOf(outcome.usage.status()), "BAD_KEY");
  EXPECT_EQ(MeasureErrorOf(outcome.usage.status()), std::nullopt);
}

TEST(ChildProcessTest, AChildIsNotToldTheCoordinatorsToken) {
  setenv("HANAS_TOKEN", "0123", 1);
  const Outcome outcome = RunJob(JobOf("token"));
  unsetenv("HANAS_TOKEN");
  EXPECT_THAT(outcome.usage, IsOk());
  EXPECT_THAT(outcome.records, ElementsAre("none"));
}

TEST(ChildProcessTest, UnknownKindIsRefused) {
  EXPECT_THAT(RunJob(JobOf("shell")).usage, StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("\"shell\"")));
}

void ExpectFailure(absl::string_view kind, MeasureError error, absl::StatusCode code, absl::string_view how, ChildJob job) {
  const Outcome outcome = RunJob(job);
  EXPECT_THAT(outcome.usage, StatusIs(code, AllOf(HasSubstr(absl::StrCat("tasks/7 (", kind, ")")), HasSubstr(how))));
  EXPECT_THAT(MeasureErrorOf(outcome.usage.status()), Optional(error));
}
void ExpectFailure(absl::string_view kind, MeasureError error, absl::StatusCode code, absl::string_view how) {
  ExpectFailure(kind, error, code, how, JobOf(kind));
}

TEST(ChildProcessTest, ACrashKeepsWhatWasStreamedAndQuotesTheChild) {
  const Outcome outcome = RunJob(JobOf("crash"));
  EXPECT_THAT(outcome.usage, StatusIs(absl::StatusCode::kInternal, AllOf(HasSubstr("signal 6"), HasSubstr("assertion `x' failed"))));
  EXPECT_THAT(MeasureErrorOf(outcome.usage.status()), Optional(MeasureError::kCrashed));
  EXPECT_THAT(outcome.records, ElementsAre("first"));
}

TEST(ChildProcessTest, ExitStatus) { ExpectFailure("exit", MeasureError::kCrashed, absl::StatusCode::kInternal, "exited with status 9"); }

TEST(ChildProcessTest, HangsEndAtTheWallLimit) {
  for (const absl::string_view kind : {"hang", "hang-closed"}) {
    ChildJob job = JobOf(kind);
    job.limits.wall = absl::Milliseconds(400);
    ExpectFailure(kind, MeasureError::kTimeout, absl::StatusCode::kDeadlineExceeded, "400ms", job);
  }
}

TEST(ChildProcessTest, BurningEndsAtTheProcessorLimit) {
  ChildJob job = JobOf("burn");
  job.limits.cpu = absl::Seconds(1);
  ExpectFailure("burn", MeasureError::kTimeout, absl::StatusCode::kDeadlineExceeded, "processor time", job);
}

TEST(ChildProcessTest, MemoryIsLimited) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer needs more memory than any limit";
#endif
  ChildJob job = JobOf("eat");
  job.limits.memory_bytes = int64_t{256} << 20;
  ExpectFailure("eat", MeasureError::kOutOfMemory, absl::StatusCode::kResourceExhausted, "more memory than its limit", job);
}

TEST(ChildProcessTest, IsPinnedToAsManyProcessorsAsItHasThreads) {
  const size_t here = AllowedCpus().size();
  for (const int threads : {1, 2, 256}) {
    ChildJob job = JobOf("cpus");
    job.limits.threads = threads;
    const Outcome outcome = RunJob(job);
    EXPECT_THAT(outcome.usage, IsOk());
    EXPECT_THAT(outcome.records, ElementsAre(absl::StrCat(std::min(here, static_cast<size_t>(threads)))));
    job.limits.pin = false;
    EXPECT_THAT(RunJob(job).records, ElementsAre(absl::StrCat(here)));
  }
}

TEST(ChildProcessTest, StacksOfItsThreadsAreNoPartOfTheLimitOnMemory) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer needs more memory than any limit";
#endif
  ChildJob job = JobOf("threads");
  job.request = "63";
  job.limits.memory_bytes = int64_t{64} << 20;  // of stacks of 8 MiB, fewer than eight
  EXPECT_NE(RunJob(job).records, std::vector<std::string>{"63"});
  job.limits.threads = 64;
  const Outcome outcome = RunJob(job);
  EXPECT_THAT(outcome.usage, IsOk());
  EXPECT_THAT(outcome.records, ElementsAre("63"));
}

TEST(ChildProcessTest, NumbersOfThreadsThatMakeNoSenseAreRefused) {
  for (const int threads : {-1, 0, 257, 300}) {
    ChildJob job = JobOf("echo");
    job.limits.threads = threads;
    const Outcome outcome = RunJob(job);
    EXPECT_THAT(outcome.usage,
                StatusIs(absl::StatusCode::kInternal, HasSubstr(absl::StrCat("expected 1 to 256 threads, found ", threads))));
    EXPECT_THAT(outcome.records, IsEmpty());
  }
}

TEST(ChildProcessTest, ExhaustionReportedByTheHandlerIsOutOfMemory) {
  const Outcome outcome = RunJob(JobOf("exhausted"));
  EXPECT_THAT(outcome.usage, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("no memory for a tensor")));
  EXPECT_THAT(MeasureErrorOf(outcome.usage.status()), Optional(MeasureError::kOutOfMemory));
}

TEST(ChildProcessTest, KilledByTheSystemIsOutOfMemory) {
  ExpectFailure("killed", MeasureError::kOutOfMemory, absl::StatusCode::kResourceExhausted, "killed by the system");
}

TEST(ChildProcessTest, GarbageIsNeverAResult) {
  ExpectFailure("garbage", MeasureError::kGarbage, absl::StatusCode::kDataLoss, "no frame");
  ExpectFailure("flipped", MeasureError::kGarbage, absl::StatusCode::kDataLoss, "checksum");
  ExpectFailure("quiet", MeasureError::kGarbage, absl::StatusCode::kDataLoss, "without a final record");
  ExpectFailure("cut", MeasureError::kGarbage, absl::StatusCode::kDataLoss, "without a final record");
  ExpectFailure("after-end", MeasureError::kGarbage, absl::StatusCode::kDataLoss, "after its final record");
  ChildJob job = JobOf("huge");
  job.limits.max_record_bytes = 1 << 16;
  ExpectFailure("huge", MeasureError::kGarbage, absl::StatusCode::kDataLoss, "at most 65536", job);
}

TEST(ChildProcessTest, AnErrorOfTheReceiverEndsTheJob) {
  const ChildJob job = JobOf("echo");
  const auto usage =
      RunChild(job, [](absl::string_view) { return absl::DataLossError("unreadable row"); }, {.program = HANAS_CHILD_PROGRAM});
  EXPECT_THAT(usage, StatusIs(absl::StatusCode::kDataLoss, "unreadable row"));
}

TEST(ChildProcessTest, CancellationKills) {
  int asked = 0;
  const Outcome outcome = RunJob(JobOf("hang"), {.cancelled = [&] { return ++asked > 1; }});
  EXPECT_THAT(outcome.usage, StatusIs(absl::StatusCode::kCancelled, HasSubstr("tasks/7")));
  EXPECT_THAT(outcome.records, IsEmpty());
}

TEST(ChildProcessTest, AChildThatDiesBeforeItReadsItsRequestIsACrash) {
  ChildJob job = JobOf("echo");
  job.request = std::string(5 << 20, 'r');  // more than any pipe holds, so that its parent still writes
  const auto usage = RunChild(job, [](absl::string_view) { return absl::OkStatus(); }, {.program = "/bin/false"});
  EXPECT_THAT(usage, StatusIs(absl::StatusCode::kInternal, HasSubstr("exited with status 1")));
  EXPECT_THAT(MeasureErrorOf(usage.status()), Optional(MeasureError::kCrashed));
}

TEST(ChildProcessTest, AMissingProgramIsAnError) {
  const auto usage = RunChild(JobOf("echo"), [](absl::string_view) { return absl::OkStatus(); }, {.program = "/nowhere/agent"});
  EXPECT_FALSE(usage.ok());
  EXPECT_THAT(std::string(usage.status().message()), HasSubstr("tasks/7"));
}

}  // namespace
}  // namespace hanas
