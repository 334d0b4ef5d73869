// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_GRAPH_GRAPH_H_
#define HANAS_CORE_GRAPH_GRAPH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "core/base/digest.h"
#include "core/graph/element_type.h"

namespace hanas {

// The one intermediate representation of a network. Lowering writes it; cost, planning, training, export and measurement only read it.
//
// Semantics that every reader must share:
//  * Shapes are channel-last ([N, H, W, C] for images, [N, C] after pooling), rank-generic, batch 1 as lowered.
//  * A value has one native element type, that of its producer. An operator with `compute` type kInt8 reads each of its inputs *as int8*:
//    an input whose native type is wider is quantised with the scale of that value's quantiser site. An operator with `compute` kFloat16
//    reads an int8 input dequantised. MakePlan makes these conversions explicit; training applies the same fake quantisation.
//  * Every value owns one quantiser site (scale, zero point), which has the value's name; it matters wherever the value exists as int8.
//    What a max-pool leaves has the quantiser of what it reads: it moves numbers and makes none. A sigmoid's output
//    always has kSigmoidQuantizer
//    (core/bound/bound_model.h).
//  * Weights are views of full-size slots (see WeightView). A convolution adds its bias, if it has one, and then applies its batch
//    normalisation, if it has one, before the fused activation; there are no separate normalisation operators.
//  * Max-pools see nothing beyond the border: padding never wins.

using ValueId = int32_t;
using SlotId = int32_t;
using Shape = absl::InlinedVector<int64_t, 4>;

int64_t NumElements(const Shape& shape);
/// "1x28x28x16".
std::string ToString(const Shape& shape);

struct Value {
  Shape shape;
  ElementType type = ElementType::kFloat32;
  /// Unique within a graph: that of the layer that produces it, "stages.1.blocks.0.depthwise", with ".act" when an activation operator
  /// follows the layer and produces it; "input" for the image. Also the name of the value's quantiser site; the slots of a layer start
  /// with the layer's name.
  std::string name;
};

/// What each kind reads, computes and leaves is a row of core/graph/op_schema.h. Model files hold these numbers: new kinds go to the end,
/// and none is ever given to another.
enum class OpKind : uint8_t {
  kConvert = 0,  // element type conversion; only in an ExecPlan
  kConv2d = 1,   // groups == channels makes it depthwise, kernel 1 pointwise
  kFullyConnected = 2,
  kGlobalAveragePool = 3,  // [N,H,W,C] -> [N,C]
  kAdd = 4,                // same shapes
  kMultiply = 5,           // [N,H,W,C] * [N,C] broadcast over space
  kHardSwish = 6,          // x * relu6(x + 3) / 6
  kMaxPool = 7,            // over windows of kernel x kernel
  kGlobalMaxPool = 8,      // [N,H,W,C] -> [N,C]
  kSigmoid = 9,            // 1 / (1 + exp(-x))
  kProduct = 10,           // same shapes; x * sigmoid(x) is SiLU
};
absl::string_view Name(OpKind kind);

/// Piecewise linear, so that it can be part of the convolution (a clamp of the output). kHardSigmoid is relu6(x + 3) / 6: a backend
/// folds the sixth and the half into scale and bias and clamps to [0, 1]. Model files hold these numbers too.
enum class FusedActivation : uint8_t { kNone = 0, kRelu = 1, kHardSigmoid = 2, kRelu6 = 3 };
absl::string_view Name(FusedActivation activation);

/// A run of positions along one axis of a slot.
struct AxisSlice {
  int64_t begin = 0;
  int64_t count = 0;
  friend bool operator==(const AxisSlice&, const AxisSlice&) = default;
};

/// One step of a kernel transform chain (Once-for-All, Cai et al. 2020): the centre `to`x`to` crop of a `from`x`from` kernel, flattened,
/// times the [to*to, to*to] matrix in `matrix`.
struct KernelTransform {
  int from = 0;
  int to = 0;
  SlotId matrix = -1;
  friend bool operator==(const KernelTransform&, const KernelTransform&) = default;
};

/// What an operand reads: a slice of every axis of a slot, then the transform chain in order (each step crops the centre and transforms).
/// Invariant: slices lie inside the slot's shape, one for each axis.
struct WeightView {
  SlotId slot = -1;
  absl::InlinedVector<AxisSlice, 4> slices;
  absl::InlinedVector<KernelTransform, 1> transforms;

  bool present() const { return slot >= 0; }
  friend bool operator==(const WeightView&, const WeightView&) = default;
};

/// Affine parameters of a batch normalisation. Running statistics belong to an evaluation, never to a slot.
struct NormView {
  WeightView gamma;
  WeightView beta;
  friend bool operator==(const NormView&, const NormView&) = default;
};

/// One operator. Convolution weights are [out, in/groups, kh, kw] (OIHW), fully connected ones [out, in], bias [out].
struct Operator {
  OpKind kind = OpKind::kConv2d;
  absl::InlinedVector<ValueId, 2> inputs;
  ValueId output = -1;
  ElementType compute = ElementType::kFloat16;      // how inputs are read: kInt8, kFloat16 or kFloat32
  ElementType weight_type = ElementType::kFloat16;  // storage of the weights; only for kConv2d and kFullyConnected
  int kernel = 1;
  int stride = 1;
  int padding = 0;  // each side
  int dilation = 1;
  int64_t groups = 1;
  FusedActivation activation = FusedActivation::kNone;
  WeightView weight;
  WeightView bias;  // often absent when a normalisation follows
  NormView norm;    // gamma.present() says whether there is one

  bool has_weights() const { return kind == OpKind::kConv2d || kind == OpKind::kFullyConnected; }
  bool has_norm() const { return norm.gamma.present(); }
};

/// A directed acyclic graph; operators are in topological order. A fragment (the lowering of one unit) is a Graph too.
///
/// Thread-compatible; a built graph is only read.
struct Graph {
  std::vector<Value> values;
  std::vector<Operator> operators;
  ValueId input = -1;
  ValueId output = -1;
  /// What `output` means to users of the network, "logits"; it is then float32 for whoever runs it. Empty in a fragment.
  std::string output_name;

  const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }
  /// The name of the value that `op` produces, which is how an operator is told of.
  const std::string& name(const Operator& op) const { return value(op.output).name; }
};

/// Returns INTERNAL naming the first broken invariant: ids out of range, an input used before it is produced, a value produced twice,
/// shapes that do not fit the operator.
absl::Status CheckGraph(const Graph& graph);

/// Everything in the graph, weight views included; equal graphs have equal digests on every machine.
Digest GraphDigest(const Graph& graph);

/// kPatchWhitening is a convolution's weights that are computed from the training images and never trained.
enum class SlotKind : uint8_t { kConvWeight, kLinearWeight, kBias, kNormGamma, kNormBeta, kKernelTransform, kPatchWhitening };

/// A full-size weight tensor of the supernet.
struct Slot {
  std::string name;
  SlotKind kind = SlotKind::kConvWeight;
  Shape shape;

  bool frozen() const { return kind == SlotKind::kPatchWhitening; }
};

}  // namespace hanas

#endif  // HANAS_CORE_GRAPH_GRAPH_H_
