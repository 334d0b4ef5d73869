// SPDX-License-Identifier: Apache-2.0
// Every operator kind against the reference, over random shapes, quantisers and weights.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "core/graph/op_schema.h"
#include "core/plan/op_limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "profiler-agent/runtime/arena.h"
#include "profiler-agent/runtime/xnnpack/xnn_operator.h"
#include "profiler-agent/runtime/xnnpack/xnn_threads.h"
#include "profiler-agent/runtime/xnnpack/xnnpack_runtime.h"
#include "tests/agent/reference_operator.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr uint64_t kSeed = 20261120;
constexpr int kCasesPerKind = 60;
constexpr ElementType kFloat = ElementType::kFloat32;
constexpr ElementType kInt8 = ElementType::kInt8;

DeviceRuntime& Runtime() {
  static DeviceRuntime* const kRuntime = CreateXnnpackRuntime().value().release();
  return *kRuntime;
}

int64_t Between(CounterRandom& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random.UniformInt(static_cast<uint64_t>(high - low + 1)));
}

float Uniform(CounterRandom& random, double low, double high) { return static_cast<float>(low + (high - low) * random.UniformDouble()); }

Quantizer RandomQuantizer(CounterRandom& random) {
  // The ends too: nothing below zero is said, or nothing above.
  if (random.Bernoulli(0.1)) return {.scale = 0.05F, .zero_point = random.Bernoulli(0.5) ? -128 : 127};
  return {.scale = Uniform(random, 0.02, 0.09), .zero_point = static_cast<int32_t>(Between(random, -60, 60))};
}

std::vector<float> RandomTensor(CounterRandom& random, int64_t elements, ElementType type, const Quantizer& q) {
  std::vector<float> values(static_cast<size_t>(elements));
  for (float& value : values) {
    value = type == kInt8 ? q.scale * static_cast<float>(Between(random, -128, 127) - q.zero_point) : Uniform(random, -4, 4);
  }
  return values;
}

BoundWeights WeightsFor(CounterRandom& random, const OpKey& key) {
  BoundWeights weights;
  const int64_t count = NumWeights(key);
  if (count == 0) return weights;
  const double reach = std::sqrt(3.0 * static_cast<double>(key.output_channels) / static_cast<double>(count));
  const bool integers = BitWidth(key.weight_type) <= 8;
  const int limit = integers ? NarrowRangeLimit(key.weight_type) : 0;
  for (int64_t i = 0; i < count; ++i) {
    if (integers) {
      weights.integers.push_back(static_cast<int8_t>(Between(random, -limit, limit)));
    } else {
      weights.floats.push_back(Uniform(random, -reach, reach));
    }
  }
  for (int64_t o = 0; o < key.output_channels; ++o) {
    if (integers) weights.scales.push_back(Uniform(random, 0.3, 1) * static_cast<float>(reach / limit));
    weights.bias.push_back(Uniform(random, -1, 1));
  }
  return weights;
}

ReferenceCase MakeCase(CounterRandom& random, const OpKey& key) {
  ReferenceCase c{
      .key = key, .input_quantizers = {RandomQuantizer(random), RandomQuantizer(random)}, .output_quantizer = RandomQuantizer(random)};
  c.weights = WeightsFor(random, key);
  c.inputs[0] = RandomTensor(random, NumElements(key.input), key.input_type, c.input_quantizers[0]);
  if (SchemaOf(key.kind).keeps_quantizer) c.output_quantizer = c.input_quantizers[0];
  if (key.kind == OpKind::kSigmoid) c.output_quantizer = kSigmoidQuantizer;
  const Shape second = SecondShape(GeometryOf(key));
  c.inputs[1] = RandomTensor(random, second.empty() ? 0 : NumElements(second), key.input_type, c.input_quantizers[1]);
  return c;
}

void Store(const std::vector<float>& values, ElementType type, const Quantizer& q, AlignedBuffer& buffer) {
  buffer = AlignedBuffer(values.size() * 4);
  for (size_t i = 0; i < values.size(); ++i) {
    if (type == kInt8) {
      reinterpret_cast<int8_t*>(buffer.data())[i] = static_cast<int8_t>(std::lround(values[i] / q.scale) + q.zero_point);
    } else if (type == kFloat) {
      reinterpret_cast<float*>(buffer.data())[i] = values[i];
    } else {
      reinterpret_cast<_Float16*>(buffer.data())[i] = static_cast<_Float16>(values[i]);
    }
  }
}

std::vector<double> Load(const AlignedBuffer& buffer, size_t count, ElementType type, const Quantizer& q) {
  std::vector<double> values(count);
  for (size_t i = 0; i < count; ++i) {
    if (type == kInt8) {
      values[i] = (reinterpret_cast<const int8_t*>(buffer.data())[i] - q.zero_point) * static_cast<double>(q.scale);
    } else if (type == kFloat) {
      values[i] = reinterpret_cast<const float*>(buffer.data())[i];
    } else {
      values[i] = static_cast<float>(reinterpret_cast<const _Float16*>(buffer.data())[i]);
    }
  }
  return values;
}

/// What the operator makes of the inputs on `threads`; nothing when it cannot be made.
std::vector<double> Execute(const ReferenceCase& c, XnnThreads* threads = nullptr) {
  Runtime();  // starts XNNPACK
  auto op = XnnOperator::Create(
      {.key = c.key, .inputs = c.input_quantizers, .output = c.output_quantizer, .weights = &c.weights, .threads = threads});
  EXPECT_THAT(op, IsOk()) << ToString(c.key);
  if (!op.ok()) return {};
  std::array<AlignedBuffer, 2> inputs;
  for (size_t i = 0; i < 2; ++i) Store(c.inputs[i], c.key.input_type, c.input_quantizers[i], inputs[i]);
  const auto count = static_cast<size_t>(NumElements(OutputShape(c.key)));
  AlignedBuffer output(count * 4);
  EXPECT_THAT((*op)->Bind(inputs[0].data(), inputs[1].data(), output.data()), IsOk());
  EXPECT_THAT((*op)->Run(), IsOk());
  return Load(output, count, c.key.output_type, c.output_quantizer);
}

/// Largest difference from the reference: in quantiser steps for int8 outputs, else relative to the largest value.
double WorstDifference(const ReferenceCase& c) {
  const std::vector<double> found = Execute(c);
  const std::vector<double> expected = ReferenceOutput(c);
  if (found.size() != expected.size()) return 1e9;
  double worst = 0;
  double largest = 1;
  for (size_t i = 0; i < found.size(); ++i) {
    worst = std::max(worst, std::abs(found[i] - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return c.key.output_type == kInt8 ? worst / c.output_quantizer.scale : worst / largest;
}

void ExpectAgrees(const ReferenceCase& c) {
  const bool half = c.key.input_type == ElementType::kFloat16 || c.key.output_type == ElementType::kFloat16;
  const bool moved = SchemaOf(c.key.kind).keeps_quantizer && !half;  // numbers that are there already, not new ones
  const double tolerance = moved ? 1e-6 : c.key.output_type == kInt8 ? 1.001 : half ? 1e-2 : 1e-5;
  EXPECT_LE(WorstDifference(c), tolerance) << ToString(c.key) << " seed " << kSeed;
}

/// Two threads share the work and change nothing: integers are equal, floats up to the order of sums.
void ExpectThreadsAgree(const ReferenceCase& c) {
  static const auto* const kThreads = new std::shared_ptr<XnnThreads>(XnnThreads::Create(2).value());
  const std::vector<double> alone = Execute(c);
  const std::vector<double> shared = Execute(c, kThreads->get());
  ASSERT_EQ(shared.size(), alone.size());
  const double tolerance = c.key.output_type == kInt8 ? 0 : 1e-6;
  for (size_t i = 0; i < alone.size(); ++i)
    ASSERT_NEAR(shared[i], alone[i], tolerance * std::max(1.0, std::abs(alone[i]))) << ToString(c.key) << " at " << i << " seed " << kSeed;
}

FusedActivation RandomActivation(CounterRandom& random) { return static_cast<FusedActivation>(random.UniformInt(kNumFusedActivations)); }

/// Channels around every tile size, odd ones included.
int64_t RandomChannels(CounterRandom& random) { return Between(random, 1, 70); }

OpKey RandomConvolution(CounterRandom& random, ElementType type, bool depthwise) {
  const int kernel = static_cast<int>(1 + random.UniformInt(depthwise ? 7 : 5));
  const int64_t channels = RandomChannels(random);
  OpKey key{.kind = OpKind::kConv2d,
            .input = {Between(random, 1, 2), Between(random, 1, 15), Between(random, 1, 15), channels},
            .output_channels = depthwise ? channels : RandomChannels(random),
            .kernel = kernel,
            .stride = static_cast<int>(Between(random, 1, 2)),
            .padding = kernel / 2,  // of even kernels too
            .dilation = 1,
            .groups = depthwise ? channels : 1,
            .activation = RandomActivation(random),
            .input_type = type,
            .weight_type = type,
            .output_type = type};
  return key;
}

OpKey RandomFullyConnected(CounterRandom& random, ElementType type, ElementType weights) {
  return {.kind = OpKind::kFullyConnected,
          .input = {Between(random, 1, 3), RandomChannels(random)},
          .output_channels = RandomChannels(random),
          .activation = RandomActivation(random),
          .input_type = type,
          .weight_type = weights,
          .output_type = type};
}

OpKey RandomElementwise(CounterRandom& random, OpKind kind, ElementType from, ElementType to) {
  const int64_t channels = RandomChannels(random);
  OpKey key{.kind = kind,
            .input = {Between(random, 1, 2), Between(random, 1, 9), Between(random, 1, 9), channels},
            .output_channels = channels,
            .input_type = from,
            .weight_type = from,
            .output_type = to};
  if (SchemaOf(kind).rank == 0 && random.Bernoulli(0.3)) key.input = {key.input[0], channels};
  return key;
}

/// Windows of one pixel, and those further apart than they are wide, included.
OpKey RandomMaxPool(CounterRandom& random, ElementType type) {
  OpKey key = RandomElementwise(random, OpKind::kMaxPool, type, type);
  key.kernel = static_cast<int>(Between(random, 1, 5));
  key.stride = static_cast<int>(Between(random, 1, 4));
  key.padding = static_cast<int>(Between(random, 0, (key.kernel - 1) / 2));
  key.dilation = static_cast<int>(Between(random, 1, 2));
  const int reach = key.dilation * (key.kernel - 1) + 1;
  for (const size_t axis : {1, 2}) key.input[axis] = std::max<int64_t>(key.input[axis], reach - 2 * key.padding);
  return key;
}

OpKey RandomAddition(CounterRandom& random, ElementType type, FusedActivation activation) {
  OpKey key = RandomElementwise(random, OpKind::kAdd, type, type);
  key.activation = activation;
  return key;
}

template <typename MakeKey>
void CheckMany(absl::string_view purpose, MakeKey make_key) {
  ASSERT_THAT(Runtime().caps().name, "xnnpack");
  for (int i = 0; i < kCasesPerKind && !testing::Test::HasFailure(); ++i) {
    CounterRandom random(kSeed, purpose, static_cast<uint64_t>(i));
    const OpKey key = make_key(random);
    ASSERT_THAT(CheckOpKey(key), IsOk());
    const ReferenceCase c = MakeCase(random, key);
    ExpectAgrees(c);
    if (i % 4 == 0) ExpectThreadsAgree(c);  // of some: on a busy machine threads wait long for each other
  }
}

TEST(XnnpackOperatorTest, Float32Convolution) {
  CheckMany("conv f32", [](CounterRandom& r) { return RandomConvolution(r, kFloat, false); });
}
TEST(XnnpackOperatorTest, Float32Depthwise) {
  CheckMany("dw f32", [](CounterRandom& r) { return RandomConvolution(r, kFloat, true); });
}
TEST(XnnpackOperatorTest, Int8Convolution) {
  CheckMany("conv i8", [](CounterRandom& r) { return RandomConvolution(r, kInt8, false); });
}
TEST(XnnpackOperatorTest, Int8Depthwise) {
  CheckMany("dw i8", [](CounterRandom& r) { return RandomConvolution(r, kInt8, true); });
}
TEST(XnnpackOperatorTest, GroupedAndDilatedConvolution) {
  CheckMany("grouped", [](CounterRandom& r) {
    OpKey key = RandomConvolution(r, r.Bernoulli(0.5) ? kFloat : kInt8, false);
    const int64_t groups = Between(r, 1, 4);
    key.groups = groups;
    key.input[3] = groups * Between(r, 1, 9);
    key.output_channels = groups * Between(r, 1, 9);
    key.dilation = static_cast<int>(Between(r, 1, 2));
    key.padding = key.dilation * (key.kernel - 1) / 2;
    return key;
  });
}
TEST(XnnpackOperatorTest, FullyConnected) {
  CheckMany("fc f32", [](CounterRandom& r) { return RandomFullyConnected(r, kFloat, kFloat); });
  CheckMany("fc i8", [](CounterRandom& r) { return RandomFullyConnected(r, kInt8, kInt8); });
}
TEST(XnnpackOperatorTest, FullyConnectedWithPackedWeights) {
  if (!NativeOperators(Runtime().caps()).KeepsWeights(OpKind::kFullyConnected, kInt8, ElementType::kInt4))
    GTEST_SKIP() << "no 4-bit kernel here";
  CheckMany("fc i4", [](CounterRandom& r) { return RandomFullyConnected(r, kInt8, ElementType::kInt4); });
}
TEST(XnnpackOperatorTest, GlobalAveragePool) {
  CheckMany("gap f32", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kGlobalAveragePool, kFloat, kFloat); });
  CheckMany("gap i8", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kGlobalAveragePool, kInt8, kInt8); });
}
TEST(XnnpackOperatorTest, Add) {
  CheckMany("add f32", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kAdd, kFloat, kFloat); });
  CheckMany("add i8", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kAdd, kInt8, kInt8); });
}
TEST(XnnpackOperatorTest, MultiplyBroadcasts) {
  CheckMany("mul f32", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kMultiply, kFloat, kFloat); });
  CheckMany("mul i8", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kMultiply, kInt8, kInt8); });
}
TEST(XnnpackOperatorTest, AddWithFusedActivation) {
  for (const FusedActivation activation : {FusedActivation::kRelu, FusedActivation::kRelu6}) {
    CheckMany("add f32 then", [&](CounterRandom& r) { return RandomAddition(r, kFloat, activation); });
    CheckMany("add i8 then", [&](CounterRandom& r) { return RandomAddition(r, kInt8, activation); });
  }
}

/// To the step: a sum far below zero is zero, one far above six the level nearest to six.
TEST(XnnpackOperatorTest, SumsAreClampedAtTheLevelsOfZeroAndSix) {
  for (const int zero_point : {-128, -127, -60, 0, 40, 126}) {
    for (const FusedActivation activation : {FusedActivation::kRelu, FusedActivation::kRelu6}) {
      const Quantizer output = {.scale = 0.11F, .zero_point = zero_point};
      const OpKey key{.kind = OpKind::kAdd,
                      .input = {1, 200},
                      .output_channels = 200,
                      .activation = activation,
                      .input_type = kInt8,
                      .weight_type = kInt8,
                      .output_type = kInt8};
      ReferenceCase c{.key = key, .input_quantizers = {Quantizer{0.25F, 3}, Quantizer{0.25F, 3}}, .output_quantizer = output};
      for (auto& input : c.inputs) input.assign(200, -20);
      for (auto& input : c.inputs) std::fill(input.begin() + 100, input.end(), 20.0F);
      EXPECT_EQ(Execute(c), ReferenceOutput(c)) << zero_point;
    }
  }
}
TEST(XnnpackOperatorTest, Product) {
  CheckMany("product f32", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kProduct, kFloat, kFloat); });
  CheckMany("product i8", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kProduct, kInt8, kInt8); });
}
TEST(XnnpackOperatorTest, MaxPool) {
  CheckMany("maxpool f32", [](CounterRandom& r) { return RandomMaxPool(r, kFloat); });
  CheckMany("maxpool i8", [](CounterRandom& r) { return RandomMaxPool(r, kInt8); });
}
TEST(XnnpackOperatorTest, GlobalMaxPool) {
  CheckMany("gmp f32", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kGlobalMaxPool, kFloat, kFloat); });
  CheckMany("gmp i8", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kGlobalMaxPool, kInt8, kInt8); });
  for (const ElementType type : {kFloat, kInt8}) {
    CounterRandom random(kSeed, "gmp of a pixel");
    OpKey key = RandomElementwise(random, OpKind::kGlobalMaxPool, type, type);
    key.input = {2, 1, 1, key.input[3]};
    ExpectAgrees(MakeCase(random, key));
  }
}
TEST(XnnpackOperatorTest, Sigmoid) {
  CheckMany("sigmoid f32", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kSigmoid, kFloat, kFloat); });
  CheckMany("sigmoid i8", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kSigmoid, kInt8, kInt8); });
}
TEST(XnnpackOperatorTest, HardSwish) {
  CheckMany("hs f32", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kHardSwish, kFloat, kFloat); });
  if (NativeOperators(Runtime().caps()).Has(OpKind::kHardSwish, kInt8))
    CheckMany("hs i8", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kHardSwish, kInt8, kInt8); });
}
TEST(XnnpackOperatorTest, Convert) {
  CheckMany("quantize", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kConvert, kFloat, kInt8); });
  CheckMany("dequantize", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kConvert, kInt8, kFloat); });
  CheckMany("requantize", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kConvert, kInt8, kInt8); });
}
TEST(XnnpackOperatorTest, Float16WhereNative) {
  if (!NativeOperators(Runtime().caps()).Has(OpKind::kConv2d, ElementType::kFloat16)) GTEST_SKIP() << "half is not native here";
  constexpr ElementType kHalf = ElementType::kFloat16;
  CheckMany("conv f16", [](CounterRandom& r) { return RandomConvolution(r, kHalf, r.Bernoulli(0.5)); });
  CheckMany("fc f16", [](CounterRandom& r) { return RandomFullyConnected(r, kHalf, kHalf); });
  CheckMany("add f16", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kAdd, kHalf, kHalf); });
  CheckMany("to f16", [](CounterRandom& r) { return RandomElementwise(r, OpKind::kConvert, kFloat, kHalf); });
}

/// These have half kernels on more processors than those where half is worth it.
TEST(XnnpackOperatorTest, Float16WithoutWeights) {
  constexpr ElementType kHalf = ElementType::kFloat16;
  Runtime();
  const auto made = XnnOperator::Create({.key = {.kind = OpKind::kGlobalMaxPool,
                                                 .input = {1, 2, 2, 8},
                                                 .output_channels = 8,
                                                 .input_type = kHalf,
                                                 .weight_type = kHalf,
                                                 .output_type = kHalf}});
  if (absl::IsUnimplemented(made.status())) GTEST_SKIP() << "no half kernels here";
  CheckMany("maxpool f16", [](CounterRandom& r) { return RandomMaxPool(r, kHalf); });
  for (const OpKind kind : {OpKind::kGlobalMaxPool, OpKind::kSigmoid, OpKind::kProduct})
    CheckMany("plain f16", [kind](CounterRandom& r) { return RandomElementwise(r, kind, kHalf, kHalf); });
  CheckMany("add f16 then", [](CounterRandom& r) { return RandomAddition(r, kHalf, FusedActivation::kRelu6); });
  CheckMany("add f16 then relu", [](CounterRandom& r) { return RandomAddition(r, kHalf, FusedActivation::kRelu); });
}

TEST(XnnpackOperatorTest, RefusesQuantizersThatDoNotFit) {
  CounterRandom random(kSeed, "quantizers");
  ReferenceCase pool = MakeCase(random, RandomMaxPool(random, kInt8));
  ReferenceCase sigmoid = MakeCase(random, RandomElementwise(random, OpKind::kSigmoid, kInt8, kInt8));
  for (ReferenceCase* c : {&pool, &sigmoid}) {
    c->output_quantizer.scale *= 2;
    EXPECT_THAT(XnnOperator::Create({.key = c->key, .inputs = c->input_quantizers, .output = c->output_quantizer}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("operator: expected")));
  }
}

TEST(XnnpackOperatorTest, IntegersOfAFloatLayerAreScaled) {
  CounterRandom random(kSeed, "scaled");
  OpKey key = RandomConvolution(random, kFloat, false);
  ReferenceCase c = MakeCase(random, key);
  key.weight_type = kInt8;
  c.weights = WeightsFor(random, key);
  EXPECT_LE(WorstDifference(c), 1e-5);
}

TEST(XnnpackOperatorTest, RefusesHostileKeys) {
  OpKey valid{.kind = OpKind::kConv2d, .input = {1, 8, 8, 16}, .output_channels = 16, .kernel = 3, .padding = 1};
  ASSERT_THAT(Runtime().PrepareOperator(valid), IsOk());
  const auto refused = [&](absl::string_view why, auto change) {
    OpKey key = valid;
    change(key);
    EXPECT_THAT(Runtime().PrepareOperator(key), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)));
  };
  refused("unknown enumerator", [](OpKey& k) { k.kind = static_cast<OpKind>(77); });
  refused("unknown enumerator", [](OpKey& k) { k.input_type = static_cast<ElementType>(99); });
  refused("unknown enumerator", [](OpKey& k) { k.activation = static_cast<FusedActivation>(9); });
  refused("rank 2 or 4", [](OpKey& k) { k.input = {}; });
  refused("an image", [](OpKey& k) { k.input = {1, 16}; });
  refused("extents", [](OpKey& k) { k.input = {1, 8, -8, 16}; });
  refused("2^26 elements", [](OpKey& k) { k.input = {1, 1 << 19, 1 << 19, 16}; });
  refused("output channels", [](OpKey& k) { k.output_channels = 0; });
  refused("groups", [](OpKey& k) { k.groups = 0; });
  refused("divide", [](OpKey& k) { k.groups = 3; });
  refused("kernel", [](OpKey& k) { k.kernel = 1 << 20; });
  refused("kernel", [](OpKey& k) { k.kernel = 0; });
  refused("stride", [](OpKey& k) { k.stride = 0; });
  refused("dilation", [](OpKey& k) { k.dilation = 1 << 20; });
  refused("padding", [](OpKey& k) { k.padding = 3; });
  refused("fits", [](OpKey& k) { k.kernel = 11; });
  refused("f32, f16 or i8", [](OpKey& k) { k.input_type = ElementType::kInt4; });
  refused("one type", [](OpKey& k) { k.output_type = kInt8; });
  refused("i4 for", [](OpKey& k) { k.weight_type = ElementType::kInt4; });
  refused("2^26 weights", [](OpKey& k) {
    k.input = {1, 8, 8, 1 << 14};
    k.output_channels = 1 << 14;
  });
  refused("an activation that", [](OpKey& k) {
    k = {.kind = OpKind::kAdd, .input = {1, 8, 8, 16}, .output_channels = 16, .activation = FusedActivation::kHardSigmoid};
  });
  refused("an activation that", [](OpKey& k) {
    k = {.kind = OpKind::kProduct, .input = {1, 8, 8, 16}, .output_channels = 16, .activation = FusedActivation::kRelu};
  });
  refused("as many output", [](OpKey& k) { k = {.kind = OpKind::kAdd, .input = {1, 8, 8, 16}, .output_channels = 8}; });
}

TEST(XnnpackOperatorTest, RefusesWhatTheDeviceDoesNotHave) {
  BackendCaps caps = Runtime().caps();
  caps.native = EveryKindBut(OpKind::kHardSwish, kInt8);
  const std::unique_ptr<DeviceRuntime> poor = CreateXnnpackRuntime(caps).value();
  const auto status = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not have"));
  CounterRandom random(kSeed, "poor");
  EXPECT_THAT(poor->PrepareOperator(RandomElementwise(random, OpKind::kHardSwish, kInt8, kInt8)), status);
  EXPECT_THAT(poor->PrepareOperator(RandomFullyConnected(random, kInt8, ElementType::kInt4)), status);
  EXPECT_THAT(poor->PrepareOperator(RandomConvolution(random, ElementType::kFloat16, false)), status);
}

TEST(XnnpackOperatorTest, RefusesWeightsThatDoNotFit) {
  Runtime();
  const OpKey key{.kind = OpKind::kFullyConnected, .input = {1, 8}, .output_channels = 4};
  BoundWeights weights{.floats = std::vector<float>(31), .bias = std::vector<float>(4)};
  EXPECT_THAT(XnnOperator::Create({.key = key, .weights = &weights}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("do not fit")));
  EXPECT_THAT(XnnOperator::Create({.key = key}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("do not fit")));
}

TEST(XnnpackOperatorTest, CapabilitiesNameTheLibrary) {
  const BackendCaps& caps = Runtime().caps();
  RecordProperty("caps", caps.version);
  std::string native;
  for (const OperatorPattern& pattern : caps.native) absl::StrAppend(&native, ", ", ToString(pattern));
  std::printf("xnnpack: %s, isa %s%s\n", caps.version.c_str(), caps.isa.c_str(), native.c_str());
  EXPECT_THAT(caps.version, HasSubstr("libXNNPACK.so"));
  EXPECT_FALSE(caps.isa.empty());
}

}  // namespace
}  // namespace hanas
