// SPDX-License-Identifier: Apache-2.0
// Damaged messages of the wire: what is still a message is converted, as a service would.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <functional>

#include "coordinator/service/task_convert.h"
#include "core/lowering/lowering.h"
#include "core/plan/exec_plan.h"
#include "rpc/convert/device.h"
#include "rpc/convert/job.h"
#include "rpc/convert/space.h"
#include "tests/core/small_space.h"
#include "tests/parsers/damage.h"

namespace hanas {
namespace {

/// Reads bytes as a service does that is called with them: gRPC refuses what is no message, `convert` the rest.
template <typename Message>
std::function<absl::Status(const std::string&)> Reader(std::function<absl::Status(const Message&)> convert) {
  return [convert = std::move(convert)](const std::string& bytes) {
    Message message;
    return message.ParseFromString(bytes) ? convert(message) : absl::InvalidArgumentError("no message");
  };
}

SearchJob Job() {
  SearchJob job;
  job.name = "small";
  job.dataset = {"fashion-mnist", DatasetFormat::kIdx, "fashion_mnist", 5000};
  job.space = SmallSpaceSpec();
  job.training.phases = {{0.25, SamplingKind::kLargest}, {1, SamplingKind::kSandwich}};
  job.limits = {{.of = "latency", .at_most = 1250}, {.of = "size", .at_most = 100000}};
  job.budget = {.max_wall_seconds = 7200, .max_evaluations = 500};
  return job;
}

BackendCaps Caps() { return {.name = "xnnpack", .version = "1", .isa = "avx512", .native = {{.compute = ElementType::kInt8}}}; }

TEST(WireMessagesTest, Jobs) {
  ExpectSurvivesDamage({.name = "jobs",
                        .good = {rpc::ToProto(Job()).SerializeAsString()},
                        .parse = Reader<v1::SearchSpec>([](const v1::SearchSpec& proto) {
                          const absl::StatusOr<SearchJob> job = rpc::SearchJobFromProto(proto);
                          if (!job.ok()) return job.status();
                          // A job that was accepted is one that can be sent on and is the same there.
                          const absl::StatusOr<SearchJob> again = rpc::SearchJobFromProto(rpc::ToProto(*job));
                          EXPECT_EQ(again.status(), absl::OkStatus());
                          if (again.ok()) {
                            EXPECT_EQ(JobDigest(*again), JobDigest(*job));
                          }
                          EXPECT_EQ(ConvnetSpace::Define(job->space).status(), absl::OkStatus());
                          return absl::OkStatus();
                        }),
                        .rounds = 5000});
}

TEST(WireMessagesTest, SpacesAndArchitectures) {
  ExpectSurvivesDamage({.name = "spaces",
                        .good = {rpc::ToProto(SmallSpaceSpec()).SerializeAsString()},
                        .parse = Reader<v1::SpaceSpec>([](const v1::SpaceSpec& proto) {
                          absl::StatusOr<SpaceSpec> spec = rpc::SpaceSpecFromProto(proto);
                          if (!spec.ok()) return spec.status();
                          const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(*std::move(spec));
                          EXPECT_EQ(space.status(), absl::OkStatus());
                          return absl::OkStatus();
                        })});
  const Lowering lowering(SmallConvnet());
  const SearchSpace& space = lowering.space();
  ExpectSurvivesDamage({.name = "architectures",
                        .good = {rpc::ToProto(space.Largest({8, 8})).SerializeAsString()},
                        .parse = Reader<v1::Architecture>([&](const v1::Architecture& proto) {
                          const absl::StatusOr<Architecture> architecture = rpc::ArchitectureFromProto(proto, space);
                          if (!architecture.ok()) return architecture.status();
                          // It can be lowered, and is what it is sent on as.
                          EXPECT_FALSE(lowering.Lower(*architecture).operators.empty());
                          EXPECT_EQ(rpc::ArchitectureFromProto(rpc::ToProto(*architecture), space).value().genes, architecture->genes);
                          return absl::OkStatus();
                        })});
}

TEST(WireMessagesTest, PartsOfTasks) {
  ExpectSurvivesDamage({.name = "data sets",
                        .good = {rpc::ToProto(Job().dataset).SerializeAsString()},
                        .parse = Reader<v1::DatasetSpec>([](const v1::DatasetSpec& proto) {
                          const absl::StatusOr<DatasetSpec> dataset = rpc::DatasetSpecFromProto(proto);
                          if (dataset.ok()) {
                            EXPECT_EQ(dataset->directory.find(".."), std::string::npos) << dataset->directory;
                          }
                          return dataset.status();
                        })});
  ExpectSurvivesDamage({.name = "training",
                        .good = {rpc::ToProto(Job().training).SerializeAsString()},
                        .parse = Reader<v1::TrainingSpec>([](const v1::TrainingSpec& proto) {
                          const absl::StatusOr<TrainingSpec> training = rpc::TrainingSpecFromProto(proto);
                          if (training.ok()) {
                            EXPECT_GT(training->steps, 0);
                            EXPECT_GT(training->batch_size, 0);
                          }
                          return training.status();
                        })});
}

TEST(WireMessagesTest, WhatDevicesSay) {
  ExpectSurvivesDamage({.name = "capabilities",
                        .good = {rpc::ToProto(Caps()).SerializeAsString()},
                        .parse = Reader<v1::BackendCaps>([](const v1::BackendCaps& proto) {
                          const absl::StatusOr<BackendCaps> caps = rpc::BackendCapsFromProto(proto);
                          if (caps.ok()) {
                            EXPECT_FALSE(caps->name.empty());
                          }
                          return caps.status();
                        })});
  const OpKey key = EnumerateOpKeys(Lowering(SmallConvnet()), Caps()).front();
  ExpectSurvivesDamage({.name = "measured operators",
                        .good = {rpc::ToProto(rpc::MeasuredOperator{key, {1.5, 1.25, 0.01, 5, false}}).SerializeAsString()},
                        .parse = Reader<v1::OperatorRow>([](const v1::OperatorRow& proto) {
                          const absl::StatusOr<rpc::MeasuredOperator> measured = rpc::MeasuredOperatorFromProto(proto);
                          if (!measured.ok()) return measured.status();
                          EXPECT_GT(measured->row.flushed_us, 0);
                          EXPECT_GT(measured->row.hot_us, 0);
                          EXPECT_EQ(OpKeyFromString(ToString(measured->key)).value(), measured->key);
                          return absl::OkStatus();
                        })});
}

TEST(WireMessagesTest, Parties) {
  v1::Party worker;
  worker.set_name("worker-1");
  worker.set_instance_id("0123456789abcdef");
  worker.set_key(std::string(32, 'k'));
  worker.set_host_id("host");
  worker.set_version("1.0.0");
  worker.mutable_worker()->set_threads(2);
  for (const char* name : {"drawn", "flowers"}) {
    worker.mutable_worker()->add_datasets(name);
    worker.mutable_worker()->add_dataset_digests(std::string(64, 'a'));
  }
  v1::Party agent = worker;
  agent.clear_worker();
  *agent.mutable_agent()->mutable_caps() = rpc::ToProto(Caps());
  agent.mutable_agent()->mutable_device()->set_device("local");
  ExpectSurvivesDamage({.name = "parties",
                        .good = {worker.SerializeAsString(), agent.SerializeAsString()},
                        .parse = Reader<v1::Party>([](const v1::Party& proto) {
                          const absl::StatusOr<coordinator::PartyRecord> party = coordinator::PartyFromProto(proto);
                          if (!party.ok()) return party.status();
                          EXPECT_FALSE(party->name.empty());
                          EXPECT_TRUE(party->dataset_digests.empty() || party->dataset_digests.size() == party->datasets.size());
                          return absl::OkStatus();
                        })});
}

TEST(WireMessagesTest, Outcomes) {
  v1::CompleteTaskRequest train;
  train.mutable_train()->mutable_checkpoint()->set_sha256(std::string(64, 'a'));
  train.mutable_train()->set_step(5);
  v1::CompleteTaskRequest measured;
  v1::OperatorRow& row = *measured.mutable_measure_operators()->add_rows();
  row.set_key("key");
  row.set_flushed_us(1.5);
  v1::CompleteTaskRequest evaluated;
  evaluated.mutable_evaluate()->add_accuracies()->set_correct(5);
  ExpectSurvivesDamage({.name = "outcomes",
                        .good = {train.SerializeAsString(), measured.SerializeAsString(), evaluated.SerializeAsString()},
                        .parse = Reader<v1::CompleteTaskRequest>(
                            [](const v1::CompleteTaskRequest& r) { return coordinator::OutcomeFromProto(r).status(); })});
}

TEST(WireMessagesTest, EveryResultIsTheOutcomeOfItsKind) {
  const google::protobuf::OneofDescriptor& results = *v1::CompleteTaskRequest::descriptor()->FindOneofByName("result");
  for (int i = 0; i < results.field_count(); ++i) {
    v1::CompleteTaskRequest request;
    request.GetReflection()->MutableMessage(&request, results.field(i));
    const absl::StatusOr<coordinator::Outcome> outcome = coordinator::OutcomeFromProto(request);
    ASSERT_EQ(outcome.status(), absl::OkStatus()) << results.field(i)->name();
    EXPECT_EQ(coordinator::KindOf(*outcome).name, results.field(i)->name());
  }
}

}  // namespace
}  // namespace hanas
