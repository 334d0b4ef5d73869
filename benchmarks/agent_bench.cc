// SPDX-License-Identifier: Apache-2.0
// XNNPACK operators in the element types that a search chooses between: what decides where 8 bits pay.
#include <memory>

#include "benchmark/benchmark.h"
#include "profiler-agent/runtime/xnnpack/xnnpack_runtime.h"

namespace hanas {
namespace {

DeviceRuntime& Runtime() {
  static DeviceRuntime* const kRuntime = CreateXnnpackRuntime().value().release();
  return *kRuntime;
}

OpKey Typed(OpKey key, ElementType type) {
  key.input_type = key.weight_type = key.output_type = type;
  return key;
}

void RunOperator(benchmark::State& state, const OpKey& key) {
  const absl::StatusOr<std::unique_ptr<OperatorInstance>> op = Runtime().PrepareOperator(key);
  if (!op.ok()) {
    state.SkipWithError(std::string(op.status().message()).c_str());
    return;
  }
  for (auto _ : state) {
    if (!(*op)->Run().ok()) state.SkipWithError("the operator failed");
  }
  state.counters["MAC/s"] = benchmark::Counter(static_cast<double>(Macs(key) * state.iterations()), benchmark::Counter::kIsRate);
}

const OpKey kPointwise = {.kind = OpKind::kConv2d, .input = {1, 14, 14, 480}, .output_channels = 80};
const OpKey kDepthwise3 = {
    .kind = OpKind::kConv2d, .input = {1, 56, 56, 72}, .output_channels = 72, .kernel = 3, .padding = 1, .groups = 72};
const OpKey kDepthwise5 = {
    .kind = OpKind::kConv2d, .input = {1, 28, 28, 120}, .output_channels = 120, .kernel = 5, .padding = 2, .groups = 120};
const OpKey kFullyConnected = {.kind = OpKind::kFullyConnected, .input = {1, 960}, .output_channels = 1280};
const OpKey kHardSwish = {.kind = OpKind::kHardSwish, .input = {1, 14, 14, 480}, .output_channels = 480};
const OpKey kDense3 = {.kind = OpKind::kConv2d, .input = {1, 32, 32, 64}, .output_channels = 64, .kernel = 3, .padding = 1};
const OpKey kGrouped3 = {.kind = OpKind::kConv2d, .input = {1, 32, 32, 64}, .output_channels = 64, .kernel = 3, .padding = 1, .groups = 8};
const OpKey kMaxPool = {.kind = OpKind::kMaxPool, .input = {1, 32, 32, 64}, .output_channels = 64, .kernel = 2, .stride = 2};
const OpKey kAddRelu = {.kind = OpKind::kAdd, .input = {1, 32, 32, 64}, .output_channels = 64, .activation = FusedActivation::kRelu};
const OpKey kSigmoid = {.kind = OpKind::kSigmoid, .input = {1, 32, 32, 64}, .output_channels = 64};
const OpKey kProduct = {.kind = OpKind::kProduct, .input = {1, 32, 32, 64}, .output_channels = 64};

BENCHMARK_CAPTURE(RunOperator, pointwise_f32, Typed(kPointwise, ElementType::kFloat32));
BENCHMARK_CAPTURE(RunOperator, pointwise_i8, Typed(kPointwise, ElementType::kInt8));
BENCHMARK_CAPTURE(RunOperator, depthwise3_f32, Typed(kDepthwise3, ElementType::kFloat32));
BENCHMARK_CAPTURE(RunOperator, depthwise3_i8, Typed(kDepthwise3, ElementType::kInt8));
BENCHMARK_CAPTURE(RunOperator, depthwise5_f32, Typed(kDepthwise5, ElementType::kFloat32));
BENCHMARK_CAPTURE(RunOperator, depthwise5_i8, Typed(kDepthwise5, ElementType::kInt8));
BENCHMARK_CAPTURE(RunOperator, fully_connected_f32, Typed(kFullyConnected, ElementType::kFloat32));
BENCHMARK_CAPTURE(RunOperator, fully_connected_i8, Typed(kFullyConnected, ElementType::kInt8));
BENCHMARK_CAPTURE(RunOperator, hard_swish_f32, Typed(kHardSwish, ElementType::kFloat32));
BENCHMARK_CAPTURE(RunOperator, hard_swish_i8, Typed(kHardSwish, ElementType::kInt8));
BENCHMARK_CAPTURE(RunOperator, dense3_f32, Typed(kDense3, ElementType::kFloat32));
BENCHMARK_CAPTURE(RunOperator, dense3_i8, Typed(kDense3, ElementType::kInt8));
BENCHMARK_CAPTURE(RunOperator, grouped3_f32, Typed(kGrouped3, ElementType::kFloat32));
BENCHMARK_CAPTURE(RunOperator, grouped3_i8, Typed(kGrouped3, ElementType::kInt8));
BENCHMARK_CAPTURE(RunOperator, max_pool_f32, Typed(kMaxPool, ElementType::kFloat32));
BENCHMARK_CAPTURE(RunOperator, max_pool_i8, Typed(kMaxPool, ElementType::kInt8));
BENCHMARK_CAPTURE(RunOperator, add_relu_f32, Typed(kAddRelu, ElementType::kFloat32));
BENCHMARK_CAPTURE(RunOperator, add_relu_i8, Typed(kAddRelu, ElementType::kInt8));
BENCHMARK_CAPTURE(RunOperator, sigmoid_f32, Typed(kSigmoid, ElementType::kFloat32));
BENCHMARK_CAPTURE(RunOperator, sigmoid_i8, Typed(kSigmoid, ElementType::kInt8));
BENCHMARK_CAPTURE(RunOperator, product_f32, Typed(kProduct, ElementType::kFloat32));
BENCHMARK_CAPTURE(RunOperator, product_i8, Typed(kProduct, ElementType::kInt8));

}  // namespace
}  // namespace hanas
