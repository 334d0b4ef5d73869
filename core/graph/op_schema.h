// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_GRAPH_OP_SCHEMA_H_
#define HANAS_CORE_GRAPH_OP_SCHEMA_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/graph/graph.h"

namespace hanas {

/// How the shape of an operator's output follows from that of its first operand.
enum class OutputRule : uint8_t {
  kSame,
  kConvolved,  // [N,H,W,C] -> [N,H',W',output channels]
  kWindowed,   // [N,H,W,C] -> [N,H',W',C]
  kFeatures,   // [N,C] -> [N,output channels]
  kPooled,     // [N,H,W,C] -> [N,C]
};

/// How the shape of an operator's second operand follows from that of its first.
enum class SecondOperand : uint8_t {
  kNone,
  kSame,
  kChannels,  // [N,C]
};

/// All that is said of a kind of operator: graph and model checks, operator keys, costs, files and limits read these rows. What remains to
/// be written for a new kind are its kernels: docs/howto/add-an-operator.md lists them.
struct OpSchema {
  OpKind kind = OpKind::kConvert;
  absl::string_view name;  // in operator keys
  int rank = 0;            // of the first operand; 0: 2 or 4
  SecondOperand second = SecondOperand::kNone;
  OutputRule output = OutputRule::kSame;
  bool has_window = false;        // kernel, stride, padding and dilation mean something
  bool has_weights = false;       // one for each output channel, input channel of its group and position in the window
  bool has_groups = false;        // input and output channels may be divided into groups
  bool keeps_quantizer = false;   // the output has the quantiser of the input
  bool in_graph = true;           // else only in execution plans
  uint32_t activations = 1;       // bit i: the FusedActivation of number i may be part of it
  absl::string_view report_name;  // how reports call it in tables of what a device is good at; empty: it is not listed

  int num_inputs() const { return second == SecondOperand::kNone ? 1 : 2; }
  bool Allows(FusedActivation activation) const { return ((activations >> static_cast<uint32_t>(activation)) & 1U) != 0; }
};

/// One row for each OpKind, in their order.
absl::Span<const OpSchema> OpSchemas();
inline bool IsOpKind(int64_t number) { return number >= 0 && number < static_cast<int64_t>(OpSchemas().size()); }
inline const OpSchema& SchemaOf(OpKind kind) { return OpSchemas()[static_cast<size_t>(kind)]; }
/// As many as FusedActivation has.
inline constexpr int kNumFusedActivations = 4;

/// What the shapes of an operator follow from.
struct OpGeometry {
  OpKind kind = OpKind::kConv2d;
  Shape input;  // of the first operand
  int64_t output_channels = 0;
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  int dilation = 1;
  int64_t groups = 1;
};
/// Of an operator whose operands and output are values of `graph`.
OpGeometry GeometryOf(const Graph& graph, const Operator& op);

/// A rank that the schema does not admit gives an empty shape; a window that does not fit gives an extent of 0.
Shape OutputShape(const OpGeometry& geometry);
/// Of the second operand; empty when there is none.
Shape SecondShape(const OpGeometry& geometry);
/// 0 for operators without weights.
int64_t NumWeights(const OpGeometry& geometry);
/// Multiply-accumulates of one execution; 0 for operators without weights.
int64_t Macs(const OpGeometry& geometry);

}  // namespace hanas

#endif  // HANAS_CORE_GRAPH_OP_SCHEMA_H_
