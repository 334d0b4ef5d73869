// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "config/presets.h"
#include "core/lowering/lowering.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "rpc/convert/device.h"
#include "rpc/convert/job.h"
#include "rpc/convert/space.h"
#include "tests/core/small_space.h"

namespace hanas::rpc {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::google::protobuf::util::MessageDifferencer;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

SearchJob MakeJob() {
  SearchJob job;
  job.name = "small";
  job.seed = 0xFFFFFFFFFFFFFFFFULL;
  job.dataset = {"fashion-mnist", DatasetFormat::kImageFolder, "fashion_mnist", 5000};
  job.space = SmallSpaceSpec();
  job.training.phases = {{0.25, SamplingKind::kLargest},
                         {0.5, SamplingKind::kSandwich},
                         {0.75, SamplingKind::kRandomPath},
                         {1, SamplingKind::kLargestAndRandom}};
  job.target.statistic = LatencyStatistic::kP90;
  job.objectives = {{"accuracy"}, {"size"}, {"latency"}};
  job.limits = {{.of = "latency", .at_most = 1250, .confidence = 0.9},
                {.of = "size", .at_most = 0.5, .than = "middle-8bit"},
                {.of = "accuracy", .at_least = 0.8}};
  job.references = ReferencesKind::kFamily;
  job.budget = {.max_wall_seconds = 7200, .max_device_seconds = 5400, .max_evaluations = 500};
  return job;
}

std::vector<std::string> PathsOf(const absl::Status& status) {
  std::vector<std::string> paths;
  for (const FieldViolation& violation : ViolationsOf(status)) paths.push_back(violation.path);
  return paths;
}

TEST(ConvertSpace, RoundTrips) {
  for (const SpaceSpec& spec : {SmallSpaceSpec(), config::SpecOf(config::FindPreset("mobilenet-v3-large").value())}) {
    const v1::SpaceSpec proto = ToProto(spec);
    const absl::StatusOr<SpaceSpec> back = SpaceSpecFromProto(proto);
    ASSERT_THAT(back, IsOk());
    EXPECT_TRUE(MessageDifferencer::Equals(ToProto(*back), proto));
    EXPECT_EQ(ConvnetSpace::Define(*back)->space().digest(), ConvnetSpace::Define(spec)->space().digest());
    EXPECT_EQ(back->name, spec.name);
  }
}

TEST(ConvertSpace, Rejects) {
  struct Case {
    const char* name;
    std::function<void(v1::SpaceSpec&)> change;
    const char* path;
    const char* message;
  };
  const std::vector<Case> cases = {
      {"activation unspecified", [](auto& s) { s.mutable_stem()->set_activation(v1::ACTIVATION_UNSPECIFIED); }, "space.stem.activation",
       "expected one of RELU, HARD_SWISH"},
      {"activation unknown", [](auto& s) { s.mutable_head()->set_activation(static_cast<v1::Activation>(77)); }, "space.head.activation",
       "RELU"},
      {"activation in a list", [](auto& s) { s.mutable_stages(0)->mutable_blocks(0)->set_activations(0, v1::ACTIVATION_UNSPECIFIED); },
       "space.stages[0].blocks[0].activations[0]", "RELU"},
      // 264 is 8 in a byte: checked before it is narrowed.
      {"bits beyond a byte", [](auto& s) { s.mutable_stem()->mutable_precisions(0)->set_weight_bits(264); },
       "space.stem.precisions[0].weight_bits", "from 0 to 255, found 264"},
      {"negative bits", [](auto& s) { s.mutable_stem()->mutable_precisions(0)->set_activation_bits(-8); },
       "space.stem.precisions[0].activation_bits", "found -8"},
      {"illegal precision", [](auto& s) { s.mutable_stem()->mutable_precisions(0)->set_weight_bits(3); }, "space.stem.precisions[0]",
       "w3a8"},
      {"empty choice", [](auto& s) { s.clear_resolutions(); }, "space.resolutions", "at least one choice"},
      {"kernel", [](auto& s) { s.mutable_stem()->set_kernel(8); }, "space.stem.kernel", "found 8"},
      {"kind unspecified", [](auto& s) { s.mutable_stages(0)->add_kinds(v1::BLOCK_KIND_UNSPECIFIED); }, "space.stages[0].kinds[1]",
       "expected one of MBCONV, FUSED_MBCONV"},
      {"groups", [](auto& s) { s.mutable_stages(0)->set_groups(0); }, "space.stages[0].groups", "found 0"},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.name);
    v1::SpaceSpec proto = ToProto(SmallSpaceSpec());
    test.change(proto);
    const absl::Status status = SpaceSpecFromProto(proto).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(test.message)));
    EXPECT_THAT(PathsOf(status), Contains(test.path));
  }
}

TEST(ConvertSpace, WhatIsLeftOutHasTheDefaultsOfJobFiles) {
  v1::SpaceSpec proto = ToProto(SmallSpaceSpec());
  proto.mutable_stem()->Clear();
  proto.mutable_stem()->set_whitening(true);
  proto.mutable_stages(0)->clear_stride();
  proto.mutable_stages(0)->clear_kinds();
  const absl::StatusOr<SpaceSpec> spec = SpaceSpecFromProto(proto);
  ASSERT_THAT(spec, IsOk());
  EXPECT_EQ(spec->stem.kernel, 2);
  EXPECT_EQ(spec->stem.stride, 1);
  EXPECT_EQ(spec->stem.activation, Activation::kRelu);
  EXPECT_EQ(spec->stem.widths, std::vector<int>{8});
  EXPECT_EQ(spec->stages[0].stride, 1);
  EXPECT_EQ(spec->stages[0].kinds, std::vector<BlockKind>{BlockKind::kMbconv});
}

TEST(ConvertSpace, SaysNothingTwiceAboutAFieldItCouldNotConvert) {
  v1::SpaceSpec proto = ToProto(SmallSpaceSpec());
  proto.mutable_stem()->mutable_precisions(0)->set_weight_bits(300);
  EXPECT_THAT(PathsOf(SpaceSpecFromProto(proto).status()), ElementsAre("space.stem.precisions[0].weight_bits"));
}

TEST(ConvertPrecision, RoundTripsAndRejects) {
  for (const Precision precision : {Precision{16, 16}, Precision{8, 8}, Precision{2, 8}, Precision{4, 16}}) {
    EXPECT_EQ(*PrecisionFromProto(ToProto(precision)), precision);
  }
  v1::Precision proto;
  EXPECT_THAT(PrecisionFromProto(proto), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("w0a0")));
  proto.set_weight_bits(16);
  proto.set_activation_bits(8);
  EXPECT_THAT(PrecisionFromProto(proto), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("w16a8")));
}

TEST(ConvertArchitecture, RoundTripsAndRejects) {
  const SearchSpace space = SmallSpace();
  CounterRandom random(1, "convert");
  for (int i = 0; i < 20; ++i) {
    const Architecture architecture = space.Random(random);
    EXPECT_EQ(*ArchitectureFromProto(ToProto(architecture), space), architecture);
  }
  v1::Architecture proto = ToProto(space.Random(random));
  proto.mutable_genes()->push_back(0);
  EXPECT_THAT(PathsOf(ArchitectureFromProto(proto, space, "architectures[3]").status()), ElementsAre("architectures[3].genes"));
  proto = ToProto(space.Random(random));
  (*proto.mutable_genes())[0] = '\xff';
  EXPECT_THAT(ArchitectureFromProto(proto, space), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ArchitectureFromProto(v1::Architecture(), space), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ConvertJob, RoundTrips) {
  const SearchJob job = MakeJob();
  const v1::SearchSpec proto = ToProto(job);
  const absl::StatusOr<SearchJob> back = SearchJobFromProto(proto);
  ASSERT_THAT(back, IsOk());
  EXPECT_TRUE(MessageDifferencer::Equals(ToProto(*back), proto));
  EXPECT_EQ(JobDigest(*back), JobDigest(job));
  EXPECT_EQ(back->seed, job.seed);
  EXPECT_EQ(back->references, job.references);
  EXPECT_EQ(back->budget, job.budget);
}

TEST(ConvertJob, Rejects) {
  struct Case {
    const char* name;
    std::function<void(v1::SearchSpec&)> change;
    const char* path;
  };
  const std::vector<Case> cases = {
      {"unspecified format", [](auto& s) { s.mutable_dataset()->set_format(v1::DatasetSpec::FORMAT_UNSPECIFIED); }, "dataset.format"},
      {"unknown format", [](auto& s) { s.mutable_dataset()->set_format(static_cast<v1::DatasetSpec::Format>(9)); }, "dataset.format"},
      {"directory leaves the root", [](auto& s) { s.mutable_dataset()->set_directory("a/../../etc"); }, "dataset.directory"},
      {"no dataset", [](auto& s) { s.clear_dataset(); }, "dataset.name"},
      {"no sampling", [](auto& s) { s.mutable_training()->mutable_phases(2)->clear_sampling(); }, "training.phases[2].sampling"},
      {"not a number", [](auto& s) { s.mutable_training()->set_learning_rate(std::nan("")); }, "training.learning_rate"},
      {"a target and targets", [](auto& s) { s.add_targets()->set_name("a"); }, "targets"},
      {"unspecified statistic", [](auto& s) { s.mutable_target()->set_statistic(v1::LATENCY_STATISTIC_UNSPECIFIED); }, "target.statistic"},
      {"negative limit", [](auto& s) { s.mutable_limits(1)->set_at_most(-1); }, "limits[1].at_most"},
      {"infinite limit", [](auto& s) { s.mutable_limits(0)->set_at_most(INFINITY); }, "limits[0].at_most"},
      {"unknown quantity", [](auto& s) { s.mutable_limits(0)->set_of("colour"); }, "limits[0].of"},
      {"no objective of that name", [](auto& s) { s.mutable_objectives(1)->set_of(""); }, "objectives[1].of"},
      {"bad space", [](auto& s) { s.mutable_space()->clear_stages(); }, "space.stages"},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.name);
    v1::SearchSpec proto = ToProto(MakeJob());
    test.change(proto);
    const absl::Status status = SearchJobFromProto(proto).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(PathsOf(status), Contains(test.path));
  }
}

TEST(ConvertJob, ReportsEveryMistakeAtOnce) {
  v1::SearchSpec proto = ToProto(MakeJob());
  proto.set_name("no spaces please");
  proto.mutable_dataset()->set_format(v1::DatasetSpec::FORMAT_UNSPECIFIED);
  proto.mutable_target()->set_statistic(v1::LATENCY_STATISTIC_UNSPECIFIED);
  EXPECT_THAT(PathsOf(SearchJobFromProto(proto).status()), ElementsAre("dataset.format", "target.statistic", "name"));
}

TEST(ConvertParts, RoundTripAndReject) {
  const SearchJob job = MakeJob();
  EXPECT_TRUE(MessageDifferencer::Equals(ToProto(*DatasetSpecFromProto(ToProto(job.dataset))), ToProto(job.dataset)));
  EXPECT_TRUE(MessageDifferencer::Equals(ToProto(*TrainingSpecFromProto(ToProto(job.training))), ToProto(job.training)));
  EXPECT_TRUE(MessageDifferencer::Equals(ToProto(job.limits[0]), ToProto(job).limits(0)));
  for (const LatencyStatistic statistic : {LatencyStatistic::kP50, LatencyStatistic::kP90, LatencyStatistic::kP99}) {
    EXPECT_EQ(ToProto(statistic), ToProto(TargetSpec{.statistic = statistic}).statistic());
  }
  EXPECT_THAT(DatasetSpecFromProto(v1::DatasetSpec()), StatusIs(absl::StatusCode::kInvalidArgument));
  v1::TrainingSpec training;
  training.set_steps(0);
  EXPECT_THAT(PathsOf(TrainingSpecFromProto(training).status()), ElementsAre("training.steps"));
}

TEST(ConvertDevice, RoundTripsAndRejects) {
  BackendCaps caps = {.name = "xnnpack", .version = "2024-11 build 1a2b", .isa = "avx512vnni"};
  caps.native = {{.compute = ElementType::kInt8},
                 {.kind = OpKind::kFullyConnected, .compute = ElementType::kInt8, .weights = ElementType::kInt4}};
  EXPECT_EQ(*BackendCapsFromProto(ToProto(caps)), caps);
  EXPECT_THAT(PathsOf(BackendCapsFromProto(v1::BackendCaps()).status()), ElementsAre("caps.name"));
  v1::BackendCaps large = ToProto(caps);
  large.set_isa(std::string(10000, 'x'));
  EXPECT_THAT(PathsOf(BackendCapsFromProto(large).status()), ElementsAre("caps.isa"));

  const Lowering lowering(*ConvnetSpace::Define(SmallSpaceSpec()));
  const MeasuredOperator measured{EnumerateOpKeys(lowering, caps).front(), {12.5, 11.25, 0.01, 5, true}};
  const absl::StatusOr<MeasuredOperator> back = MeasuredOperatorFromProto(ToProto(measured));
  ASSERT_THAT(back, IsOk());
  EXPECT_EQ(back->key, measured.key);
  EXPECT_TRUE(MessageDifferencer::Equals(ToProto(*back), ToProto(measured)));

  struct Case {
    const char* path;
    std::function<void(v1::OperatorRow&)> change;
  };
  const std::vector<Case> cases = {
      {"key", [](auto& r) { r.set_key("conv9d"); }},
      {"flushed_us", [](auto& r) { r.set_flushed_us(0); }},
      {"hot_us", [](auto& r) { r.set_hot_us(std::nan("")); }},
      {"cv", [](auto& r) { r.set_cv(-1); }},
      {"rounds", [](auto& r) { r.set_rounds(0); }},
  };
  for (const Case& test : cases) {
    v1::OperatorRow row = ToProto(measured);
    test.change(row);
    EXPECT_THAT(PathsOf(MeasuredOperatorFromProto(row).status()), ElementsAre(test.path));
  }
}

}  // namespace
}  // namespace hanas::rpc
