// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_PLAN_OP_KEY_H_
#define HANAS_CORE_PLAN_OP_KEY_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/graph/graph.h"
#include "core/graph/op_schema.h"

namespace hanas {

/// Identity of one executed operator: two steps with equal keys take the same time on the same device. The key of a latency table row.
///
/// `input` is the shape of the first operand; that of the second, if there is one, follows from it.
struct OpKey {
  OpKind kind = OpKind::kConv2d;
  Shape input;
  int64_t output_channels = 0;
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  int dilation = 1;
  int64_t groups = 1;
  FusedActivation activation = FusedActivation::kNone;
  ElementType input_type = ElementType::kFloat32;
  ElementType weight_type = ElementType::kFloat32;  // as executed; equals input_type for operators without weights
  ElementType output_type = ElementType::kFloat32;

  friend bool operator==(const OpKey&, const OpKey&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const OpKey& k) {
    return H::combine(std::move(state), k.kind, k.input, k.output_channels, k.kernel, k.stride, k.padding, k.dilation, k.groups,
                      k.activation, k.input_type, k.weight_type, k.output_type);
  }
};

/// Canonical text, the form in which keys are stored and sent: "conv2d 1x14x14x48 o96 k3 s1 p1 d1 g48 relu i8.i8.i8".
std::string ToString(const OpKey& key);
/// Inverse of ToString. Returns INVALID_ARGUMENT for anything that ToString does not produce of an operator within CheckOpKey's limits.
absl::StatusOr<OpKey> OpKeyFromString(absl::string_view text);

OpGeometry GeometryOf(const OpKey& key);
inline Shape OutputShape(const OpKey& key) { return OutputShape(GeometryOf(key)); }
inline int64_t NumWeights(const OpKey& key) { return NumWeights(GeometryOf(key)); }
inline int64_t Macs(const OpKey& key) { return Macs(GeometryOf(key)); }

}  // namespace hanas

#endif  // HANAS_CORE_PLAN_OP_KEY_H_
