// SPDX-License-Identifier: Apache-2.0
// Exported models on ONNX Runtime, and both runtimes compared by the agent's own helpers.
#include "profiler-agent/runtime/onnxruntime/onnx_network.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "export/onnx_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "profiler-agent/measure/agreement.h"
#include "profiler-agent/measure/measure.h"
#include "profiler-agent/runtime/xnnpack/xnnpack_runtime.h"
#include "tests/core/small_space.h"
#include "tests/export/random_bound_model.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr OnnxNetworkOptions kAsWritten = {.optimization = OnnxOptimization::kDisabled};

BoundModel ModelAt(uint64_t index) {
  const Lowering lowering(SmallConvnet());
  CounterRandom random(5, "onnx-network-test", index);
  return RandomBoundModel(lowering, lowering.space().Random(random), index);
}

std::vector<uint8_t> RandomPixels(int64_t count) {
  CounterRandom random(6, "onnx-network-test/pixels");
  std::vector<uint8_t> pixels(static_cast<size_t>(count));
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random.UniformInt(256));
  return pixels;
}

TEST(OnnxNetworkTest, BytesThatAreNoModelAreRefused) {
  EXPECT_THAT(OnnxNetwork::Create("nonsense"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cannot load")));
  EXPECT_THAT(OnnxNetwork::Create(""), Not(IsOk()));
  const std::string good = WriteOnnx(ModelAt(0)).value();
  EXPECT_THAT(OnnxNetwork::Create(good.substr(0, good.size() / 2)), Not(IsOk()));
  EXPECT_THAT(OnnxNetwork::Create(good, {.num_threads = 0}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("threads")));
}

TEST(OnnxNetworkTest, OptimisedOrNotAndExposedOrNotTheClassesAgree) {
  const BoundModel model = ModelAt(1);
  const auto plain = OnnxNetwork::Create(WriteOnnx(model).value(), kAsWritten);
  const auto optimised = OnnxNetwork::Create(WriteOnnx(model).value());
  ASSERT_THAT(plain, IsOk());
  ASSERT_THAT(optimised, IsOk());
  EXPECT_EQ((*plain)->output_size(), 10);
  EXPECT_EQ((*plain)->num_steps(), 0);
  const std::vector<float> image = RandomImage(model, 3);
  EXPECT_THAT((*plain)->Run({}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected an image")));
  const auto logits = (*plain)->Infer(image);
  ASSERT_THAT(logits, IsOk());
  const auto all = (*plain)->InferAll(image);
  ASSERT_THAT(all, IsOk());
  EXPECT_EQ(all->at(kOnnxOutputName).values, *logits);
  EXPECT_THAT((*optimised)->Infer(image), IsOk());
}

TEST(OnnxNetworkTest, ThreadsChangeNoLogit) {
  for (uint64_t i = 0; i < 4; ++i) {
    const BoundModel model = ModelAt(i);
    const std::string bytes = WriteOnnx(model).value();
    const auto one = OnnxNetwork::Create(bytes, {.num_threads = 1});
    const auto two = OnnxNetwork::Create(bytes, {.num_threads = 2});
    ASSERT_THAT(one, IsOk());
    ASSERT_THAT(two, IsOk());
    const auto expected = (*one)->Infer(RandomImage(model, 3));
    const auto found = (*two)->Infer(RandomImage(model, 3));
    ASSERT_THAT(expected, IsOk());
    ASSERT_THAT(found, IsOk());
    EXPECT_THAT(*found, testing::Pointwise(testing::FloatNear(1e-5F), *expected));
  }
}

TEST(OnnxNetworkTest, OpenedByItsPathInBatchesItGivesTheSameClasses) {
  const BoundModel model = ModelAt(1);
  const std::string bytes = WriteOnnx(model).value();
  const std::string path = absl::StrCat(testing::TempDir(), "/opened-", ::getpid(), ".onnx");
  std::ofstream(path, std::ios::binary) << bytes;
  const auto opened = OnnxNetwork::Open(path);
  std::filesystem::remove(path);
  ASSERT_THAT(opened, IsOk());
  const auto timed = OnnxNetwork::Create(bytes);
  ASSERT_THAT(timed, IsOk());
  const Shape& input = model.graph.value(model.graph.input).shape;
  const std::vector<uint8_t> pixels = RandomPixels(50 * 28 * 28 * input[3]);
  const ImageSet images{.height = 28, .width = 28, .channels = input[3], .pixels = pixels};
  const auto one_by_one = ScoreImages(**timed, model.preprocessing, images);
  const auto in_batches = ScoreInBatches(**opened, model.preprocessing, images, /*batch=*/16);  // the last one has two
  ASSERT_THAT(one_by_one, IsOk());
  ASSERT_THAT(in_batches, IsOk());
  EXPECT_EQ(in_batches->images, 50);
  EXPECT_EQ(CountDiffering(*one_by_one, *in_batches), 0);
}

TEST(OnnxNetworkTest, BatchesThatDoNotFitAreRefused) {
  const BoundModel model = ModelAt(1);
  const auto network = OnnxNetwork::Create(WriteOnnx(model).value());
  ASSERT_THAT(network, IsOk());
  const std::vector<float> image = RandomImage(model, 3);
  EXPECT_THAT((*network)->InferBatch(image, 2), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 2 images")));
  EXPECT_THAT((*network)->InferBatch(image, 0), StatusIs(absl::StatusCode::kInvalidArgument));
  const auto fixed = OnnxNetwork::Create(WriteOnnx(model, {.dynamic_batch = false}).value());
  ASSERT_THAT(fixed, IsOk());
  std::vector<float> two = image;
  two.insert(two.end(), image.begin(), image.end());
  EXPECT_THAT((*fixed)->InferBatch(two, 2), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("symbolic batch")));
  EXPECT_THAT((*fixed)->InferBatch(image, 1), IsOk());
  EXPECT_THAT(OnnxNetwork::Open("/nonexistent.onnx"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cannot open")));
}

TEST(OnnxNetworkTest, RuntimesAgreeByTheAgentsOwnComparison) {
  BackendCaps caps = CreateXnnpackRuntime().value()->caps();
  std::erase(caps.native, OperatorPattern{.compute = ElementType::kFloat16});
  const std::unique_ptr<DeviceRuntime> runtime = CreateXnnpackRuntime(caps).value();
  for (uint64_t i = 0; i < 12; ++i) {
    const BoundModel model = ModelAt(i);
    const ExecPlan plan = MakePlan(model.graph, caps);
    const auto network = runtime->PrepareNetwork(model.graph, plan, &model, {.keep_values = true});
    ASSERT_THAT(network, IsOk());
    const auto reference = OnnxNetwork::Create(WriteOnnx(model, {.expose_values = true}).value(), kAsWritten);
    ASSERT_THAT(reference, IsOk());
    std::vector<std::string> names;
    for (size_t v = 0; v < model.graph.values.size(); ++v) names.push_back(OnnxValueName(model.graph, static_cast<ValueId>(v)));

    const auto operators = CompareOperators(**network, plan, model, **reference, names, RandomImage(model, i));
    ASSERT_THAT(operators, IsOk());
    EXPECT_THAT(*operators, Not(IsEmpty()));
    for (const OperatorDisagreement& disagreement : *operators) {
      EXPECT_LE(disagreement.max_steps, 1.001) << disagreement.key;
      EXPECT_LE(disagreement.max_absolute, 1e-3) << disagreement.key;
    }

    const Shape& input = model.graph.value(model.graph.input).shape;
    const std::vector<uint8_t> pixels = RandomPixels(20 * 28 * 28 * input[3]);
    const ImageSet images{.height = 28, .width = 28, .channels = input[3], .pixels = pixels};
    const auto agreement = CompareNetworks(**network, **reference, model.preprocessing, images, 20);
    ASSERT_THAT(agreement, IsOk());
    EXPECT_GE(agreement->agreeing, 18) << "of random networks on noise";
    EXPECT_EQ(agreement->compared, 20);
  }
}

TEST(OnnxNetworkTest, IsMeasuredLikeAnyNetwork) {
  const std::string bytes = WriteOnnx(ModelAt(2)).value();
  MeasureOptions options;
  options.rounds = options.max_rounds = 2;
  options.network_time = options.network_warm_up = absl::Milliseconds(3);
  const NetworkJob job{.name = "export",
                       .prepare = [&]() -> absl::StatusOr<std::unique_ptr<NetworkInstance>> { return OnnxNetwork::Create(bytes); }};
  const auto measured = MeasureNetworks({job}, options, {}, nullptr);
  ASSERT_THAT(measured, IsOk());
  EXPECT_GT(measured->rows[0].p50_us, 0);
  EXPECT_THAT(measured->rows[0].step_us, IsEmpty());
}

}  // namespace
}  // namespace hanas
