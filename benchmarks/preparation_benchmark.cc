// SPDX-License-Identifier: Apache-2.0
// How long others wait while the largest job that is accepted is prepared, and how long that takes.
//
//   preparation_benchmark [DIRECTORY]     a directory for the coordinator's state; the default is below TMPDIR or /tmp

#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "absl/base/log_severity.h"
#include "absl/log/check.h"
#include "absl/log/globals.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "benchmarks/service_harness.h"
#include "coordinator/surrogate/candidate_scorer.h"
#include "core/family/convnet/convnet_space.h"
#include "core/job/job_cost.h"
#include "rpc/convert/job.h"
#include "telemetry/event_log.h"

namespace hanas::coordinator {
namespace {

constexpr double kLongestWaitMs = 250;

/// As many stages as are accepted, each with as many choices as a user could want.
SearchJob LargestJob() {
  SearchJob job = {.name = "largest", .seed = 7};
  job.dataset = {.name = "none", .format = DatasetFormat::kImageFolder, .directory = "none"};
  job.space = {.name = "largest", .resolutions = {128, 160, 192, 224}, .input_channels = 3, .num_classes = 1000};
  const std::vector<Precision> some = {{8, 8}, {4, 8}, {16, 16}};
  const BlockSpec block = {.kernels = {3, 5, 7},
                           .expansions = {2, 3, 4, 6},
                           .squeeze_excite = {false, true},
                           .activations = {Activation::kRelu, Activation::kHardSwish},
                           .expand_precisions = some,
                           .depthwise_precisions = {{8, 8}, {16, 16}},
                           .project_precisions = some};
  job.space.stem = {.widths = {16}, .precisions = {{8, 8}}};
  job.space.head = {.widths = {512}};
  int width = 16;
  while (true) {
    SearchJob larger = job;
    larger.space.stages.push_back({.widths = {width, width + 8},
                                   .depths = {1, 2, 3},
                                   .stride = larger.space.stages.size() < 4 ? 2 : 1,
                                   .blocks = {block, block, block}});
    FieldViolations violations;
    ValidateSearchJob(larger, violations);
    if (!violations.empty()) return job;
    if (!CheckOperatorCount(Lowering(ConvnetSpace::Define(larger.space).value()), NeverStop).ok()) return job;
    job = std::move(larger);
    width += 8;
  }
}

double SecondsOf(const auto& work) {
  const absl::Time begin = absl::Now();
  work();
  return absl::ToDoubleSeconds(absl::Now() - begin);
}

void CostAlone(const SearchJob& job) {
  const Lowering lowering(ConvnetSpace::Define(job.space).value());
  const JobCost cost = CostOf(job, lowering);
  Print("stages", static_cast<double>(job.space.stages.size()), "");
  Print("combinations looked through for operators", static_cast<double>(cost.lowerings), "");
  Print("entries of the cost tables", static_cast<double>(cost.table_entries), "");
  Print("bytes of the specification", static_cast<double>(rpc::ToProto(job).ByteSizeLong()), "B");
  Print("costing the job", 1e3 * SecondsOf([&] {
                             FieldViolations violations;
                             ValidateSearchJob(job, violations);
                           }),
        "ms");
  Print("validating it, its operators enumerated", SecondsOf([&] { CHECK_OK(CheckOperatorCount(lowering, NeverStop)); }), "s");
  Print("compiling its cost tables", SecondsOf([&] { CHECK_OK(CandidateScorer::Create(lowering, {}, nullptr, {}).status()); }), "s");
}

void Prepare(const SearchJob& job, const std::string& directory) {
  const Coordinator coordinator(directory);
  Client owner(coordinator.address());
  owner.Register("local", /*agent=*/true);
  std::atomic<bool> prepared = false;
  Latencies lists;
  Latencies leases;
  std::thread others([&] {
    Client other(coordinator.address());
    const std::string worker = other.Register("other", /*agent=*/false);
    while (!prepared) {
      absl::Time begin = absl::Now();
      v1::ListSearchesResponse found;
      grpc::ClientContext context;
      CHECK(other.searches->ListSearches(&context, {}, &found).ok());
      lists.Add(absl::Now() - begin);
      begin = absl::Now();
      other.Lease(worker, /*wait_seconds=*/0);
      leases.Add(absl::Now() - begin);
    }
  });
  const double seconds = SecondsOf([&] {
    v1::CreateSearchRequest request;
    *request.mutable_spec() = rpc::ToProto(job);
    request.set_request_id("largest");
    v1::Search search;
    grpc::ClientContext context;
    const grpc::Status status = owner.searches->CreateSearch(&context, request, &search);
    CHECK(status.ok()) << status.error_message();
    v1::ListTasksRequest list;
    list.set_parent(search.name());
    list.set_page_size(1);
    v1::ListTasksResponse tasks;
    while (tasks.tasks_size() == 0) {
      grpc::ClientContext of_list;
      CHECK(owner.searches->ListTasks(&of_list, list, &tasks).ok());
    }
  });
  prepared = true;
  others.join();
  Print("from submitting it to its first task", seconds, "s");
  Print("longest list of another client meanwhile", lists.Quantile(1), "ms", kLongestWaitMs);
  Print("longest lease of another party meanwhile", leases.Quantile(1), "ms", kLongestWaitMs);
}

int Main(int argc, char** argv) {
  absl::SetStderrThreshold(absl::LogSeverityAtLeast::kFatal);
  std::string pattern = (argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::temp_directory_path()) / "hanas-prepare-XXXXXX";
  const std::string directory = mkdtemp(pattern.data());
  const SearchJob job = LargestJob();
  CostAlone(job);
  Prepare(job, directory);
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace hanas::coordinator

int main(int argc, char** argv) { return hanas::coordinator::Main(argc, argv); }
