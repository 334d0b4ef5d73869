// SPDX-License-Identifier: Apache-2.0
#include "core/graph/op_schema.h"

#include <array>

namespace hanas {
namespace {

constexpr uint32_t Bit(FusedActivation activation) { return 1U << static_cast<uint32_t>(activation); }
constexpr uint32_t kNothing = Bit(FusedActivation::kNone);
constexpr uint32_t kClamps = kNothing | Bit(FusedActivation::kRelu) | Bit(FusedActivation::kRelu6);
constexpr uint32_t kAll = kClamps | Bit(FusedActivation::kHardSigmoid);

constexpr std::array<OpSchema, 11> kSchemas = {{
    {.kind = OpKind::kConvert, .name = "convert", .in_graph = false},
    {.kind = OpKind::kConv2d,
     .name = "conv2d",
     .rank = 4,
     .output = OutputRule::kConvolved,
     .has_window = true,
     .has_weights = true,
     .has_groups = true,
     .activations = kAll},
    {.kind = OpKind::kFullyConnected,
     .name = "fc",
     .rank = 2,
     .output = OutputRule::kFeatures,
     .has_weights = true,
     .activations = kAll,
     .report_name = "fully connected"},
    {.kind = OpKind::kGlobalAveragePool, .name = "gap", .rank = 4, .output = OutputRule::kPooled},
    {.kind = OpKind::kAdd, .name = "add", .second = SecondOperand::kSame, .activations = kClamps},
    {.kind = OpKind::kMultiply, .name = "mul", .rank = 4, .second = SecondOperand::kChannels},
    {.kind = OpKind::kHardSwish, .name = "hswish", .report_name = "hard-swish"},
    {.kind = OpKind::kMaxPool,
     .name = "maxpool",
     .rank = 4,
     .output = OutputRule::kWindowed,
     .has_window = true,
     .keeps_quantizer = true,
     .report_name = "max-pool"},
    {.kind = OpKind::kGlobalMaxPool, .name = "gmp", .rank = 4, .output = OutputRule::kPooled, .keeps_quantizer = true},
    {.kind = OpKind::kSigmoid, .name = "sigmoid", .report_name = "sigmoid"},
    {.kind = OpKind::kProduct, .name = "product", .second = SecondOperand::kSame},
}};

constexpr bool AreInOrder() {
  for (size_t i = 0; i < kSchemas.size(); ++i) {
    if (static_cast<size_t>(kSchemas[i].kind) != i) return false;
  }
  return true;
}
static_assert(AreInOrder(), "SchemaOf finds a row by its kind");

int64_t Windowed(const OpGeometry& g, int64_t extent) {
  const int64_t reach = int64_t{g.dilation} * (g.kernel - 1) + 1;  // of the dilated kernel
  return extent + 2 * g.padding < reach ? 0 : (extent + 2 * g.padding - reach) / g.stride + 1;
}

}  // namespace

absl::Span<const OpSchema> OpSchemas() { return kSchemas; }

OpGeometry GeometryOf(const Graph& graph, const Operator& op) {
  return {.kind = op.kind,
          .input = graph.value(op.inputs[0]).shape,
          .output_channels = graph.value(op.output).shape.back(),
          .kernel = op.kernel,
          .stride = op.stride,
          .padding = op.padding,
          .dilation = op.dilation,
          .groups = op.groups};
}

Shape OutputShape(const OpGeometry& g) {
  const OpSchema& schema = SchemaOf(g.kind);
  if (schema.rank != 0 && static_cast<int>(g.input.size()) != schema.rank) return {};
  switch (schema.output) {
    case OutputRule::kSame:
      return g.input;
    case OutputRule::kConvolved:
      return {g.input[0], Windowed(g, g.input[1]), Windowed(g, g.input[2]), g.output_channels};
    case OutputRule::kWindowed:
      return {g.input[0], Windowed(g, g.input[1]), Windowed(g, g.input[2]), g.input[3]};
    case OutputRule::kFeatures:
      return {g.input[0], g.output_channels};
    case OutputRule::kPooled:
      return {g.input[0], g.input[3]};
  }
  return {};
}

Shape SecondShape(const OpGeometry& g) {
  switch (SchemaOf(g.kind).second) {
    case SecondOperand::kNone:
      return {};
    case SecondOperand::kSame:
      return g.input;
    case SecondOperand::kChannels:
      return {g.input.front(), g.input.back()};
  }
  return {};
}

int64_t NumWeights(const OpGeometry& g) {
  if (!SchemaOf(g.kind).has_weights) return 0;
  return g.output_channels * (g.input.back() / g.groups) * g.kernel * g.kernel;
}

int64_t Macs(const OpGeometry& g) {
  if (!SchemaOf(g.kind).has_weights) return 0;
  return NumElements(OutputShape(g)) * (g.input.back() / g.groups) * g.kernel * g.kernel;
}

}  // namespace hanas
