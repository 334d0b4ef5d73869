// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/runtime/xnnpack/capabilities.h"

#include <cpuinfo.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_join.h"
#include "profiler-agent/runtime/loaded_library.h"
#include "profiler-agent/runtime/xnnpack/xnnpack_runtime.h"

namespace hanas {
namespace {

/// The instruction sets that decide which kernels XNNPACK picks.
std::string Isa() {
  if (!cpuinfo_initialize()) return "unknown";
  std::vector<std::string> parts;
  const auto add = [&](bool has, const char* name) {
    if (has) parts.emplace_back(name);
  };
#if CPUINFO_ARCH_X86 || CPUINFO_ARCH_X86_64
  if (cpuinfo_has_x86_avx512f()) {
    add(true, "avx512");
    add(cpuinfo_has_x86_avx512vnni(), "vnni");
    add(cpuinfo_has_x86_avx512fp16(), "fp16");
    add(cpuinfo_has_x86_amx_int8(), "amx");
  } else {
    add(cpuinfo_has_x86_avx2(), "avx2");
    add(cpuinfo_has_x86_fma3(), "fma3");
    add(cpuinfo_has_x86_avxvnni(), "vnni");
    if (parts.empty()) add(true, "sse");
  }
#elif CPUINFO_ARCH_ARM || CPUINFO_ARCH_ARM64
  add(true, "neon");
  add(cpuinfo_has_arm_neon_dot(), "dotprod");
  add(cpuinfo_has_arm_neon_fp16_arith(), "fp16");
  add(cpuinfo_has_arm_i8mm(), "i8mm");
#else
  add(true, "generic");
#endif
  return absl::StrJoin(parts, "-");
}

OpKey Convolution(ElementType type, int kernel, int64_t groups) {
  return {.kind = OpKind::kConv2d,
          .input = {1, 14, 14, 96},
          .output_channels = 96,
          .kernel = kernel,
          .padding = kernel / 2,
          .groups = groups,
          .input_type = type,
          .weight_type = type,
          .output_type = type};
}

OpKey Elementwise(OpKind kind, ElementType from, ElementType to) {
  return {.kind = kind, .input = {1, 14, 14, 96}, .output_channels = 96, .input_type = from, .weight_type = from, .output_type = to};
}

OpKey MaxPool(ElementType type) {
  OpKey key = Elementwise(OpKind::kMaxPool, type, type);
  key.kernel = key.stride = 2;
  return key;
}

OpKey ClampedAdd(ElementType type) {
  OpKey key = Elementwise(OpKind::kAdd, type, type);
  key.activation = FusedActivation::kRelu6;
  return key;
}

OpKey PackedFullyConnected() {
  return {.kind = OpKind::kFullyConnected,
          .input = {1, 96},
          .output_channels = 96,
          .input_type = ElementType::kInt8,
          .weight_type = ElementType::kInt4,
          .output_type = ElementType::kInt8};
}

/// Best of a few runs, microseconds; nullopt when the operator cannot be made or run.
std::optional<double> BestMicroseconds(DeviceRuntime& runtime, const OpKey& key) {
  absl::StatusOr<std::unique_ptr<OperatorInstance>> op = runtime.PrepareOperator(key);
  if (!op.ok()) return std::nullopt;
  std::optional<double> best;
  for (int i = 0; i < 12; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    if (!(*op)->Run().ok()) return std::nullopt;
    const double us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    best = best ? std::min(*best, us) : us;
  }
  return best;
}

/// Emulated half (convert, compute in float32, convert) is several times slower than float32; native half is faster in pointwise
/// convolutions, where the work is, and no slower in depthwise ones.
bool NativeHalf(DeviceRuntime& runtime) {
  constexpr ElementType kHalf = ElementType::kFloat16;
  constexpr ElementType kFloat = ElementType::kFloat32;
  for (const OpKey& key :
       {Elementwise(OpKind::kConvert, kFloat, kHalf), Elementwise(OpKind::kConvert, kHalf, kFloat),
        Elementwise(OpKind::kConvert, kHalf, ElementType::kInt8), Elementwise(OpKind::kConvert, ElementType::kInt8, kHalf),
        Elementwise(OpKind::kHardSwish, kHalf, kHalf), Elementwise(OpKind::kAdd, kHalf, kHalf),
        Elementwise(OpKind::kMultiply, kHalf, kHalf), Elementwise(OpKind::kGlobalAveragePool, kHalf, kHalf), MaxPool(kHalf),
        Elementwise(OpKind::kGlobalMaxPool, kHalf, kHalf), Elementwise(OpKind::kSigmoid, kHalf, kHalf),
        Elementwise(OpKind::kProduct, kHalf, kHalf), ClampedAdd(kHalf)}) {
    if (!BestMicroseconds(runtime, key)) return false;
  }
  for (const auto& [kernel, groups, most] : {std::tuple{1, int64_t{1}, 0.9}, std::tuple{3, int64_t{96}, 1.1}}) {
    const std::optional<double> half = BestMicroseconds(runtime, Convolution(kHalf, kernel, groups));
    const std::optional<double> single = BestMicroseconds(runtime, Convolution(kFloat, kernel, groups));
    if (!half || !single || *half > most * *single) return false;
  }
  return true;
}

}  // namespace

BackendCaps ProbeXnnpackCapabilities() {
  BackendCaps caps{.name = "xnnpack", .version = LoadedLibrary("libXNNPACK"), .isa = Isa()};
  BackendCaps everything = caps;
  const OperatorPattern packed = {.kind = OpKind::kFullyConnected, .compute = ElementType::kInt8, .weights = ElementType::kInt4};
  everything.native = {{.compute = ElementType::kFloat16}, {.compute = ElementType::kInt8}, packed};
  const absl::StatusOr<std::unique_ptr<DeviceRuntime>> runtime = CreateXnnpackRuntime(everything);
  if (!runtime.ok()) return caps;
  const bool hard_swish = BestMicroseconds(**runtime, Elementwise(OpKind::kHardSwish, ElementType::kInt8, ElementType::kInt8)).has_value();
  caps.native =
      hard_swish ? std::vector<OperatorPattern>{{.compute = ElementType::kInt8}} : EveryKindBut(OpKind::kHardSwish, ElementType::kInt8);
  if (BestMicroseconds(**runtime, PackedFullyConnected())) caps.native.push_back(packed);
  if (NativeHalf(**runtime)) caps.native.push_back({.compute = ElementType::kFloat16});
  return caps;
}

}  // namespace hanas
