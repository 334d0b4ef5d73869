// SPDX-License-Identifier: Apache-2.0
// What a measuring child refuses of its request before it measures.
#include "profiler-agent/service/child_jobs.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "profiler-agent/backends/backends.h"
#include "profiler-agent/device/host_probe.h"
#include "profiler-agent/service/child_job.pb.h"
#include "rpc/convert/device.h"

namespace hanas {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What becomes of one operator to measure with `threads`; nothing may be measured.
absl::Status Refusal(int threads) {
  agent::ChildRequest request;
  *request.mutable_caps() = rpc::ToProto((*Backends().front().probe())->caps());
  request.set_threads(threads);
  v1::MeasureOperatorsTask& task = *request.mutable_task()->mutable_measure_operators();
  task.add_keys(ToString(OpKey{.kind = OpKind::kFullyConnected, .input = {1, 8}, .output_channels = 4}));
  task.set_rounds(1);
  task.set_max_rounds(1);
  std::vector<std::string> records;
  absl::Status status = AgentChildHandlers().at(kMeasureJob)(request.SerializeAsString(), [&records](absl::string_view record) {
    records.emplace_back(record);
    return absl::OkStatus();
  });
  EXPECT_THAT(records, IsEmpty());
  return status;
}

TEST(ChildJobsTest, NumbersOfThreadsThatMakeNoSenseAreRefused) {
  for (const int threads : {std::numeric_limits<int>::min(), -1, 0, 257, 300}) {
    EXPECT_THAT(Refusal(threads),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(absl::StrCat("expected 1 to 256 threads, found ", threads))));
  }
}

TEST(ChildJobsTest, MoreThreadsThanProcessorsAreRefused) {
  const size_t cpus = AllowedCpus().size();
  if (cpus >= 256) GTEST_SKIP() << "as many threads as are possible have a processor each here";
  EXPECT_THAT(Refusal(256), StatusIs(absl::StatusCode::kFailedPrecondition,
                                     HasSubstr(absl::StrCat("expected a processor for each of 256 threads, found ", cpus))));
}

}  // namespace
}  // namespace hanas
