// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNN_OPERATOR_H_
#define HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNN_OPERATOR_H_

#include <array>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/bound/bound_model.h"
#include "core/plan/op_key.h"

namespace hanas {

class XnnThreads;

/// What an executed operator is made from. Quantisers matter for int8 tensors only; `weights` (borrowed during Create) for convolutions
/// and fully connected operators. `threads` (borrowed as long as the operator lives) execute it; null: the calling thread alone.
struct XnnOperatorSpec {
  OpKey key;
  std::array<Quantizer, 2> inputs;
  Quantizer output;
  const BoundWeights* weights = nullptr;
  XnnThreads* threads = nullptr;
};

/// One executed operator. The only place that calls XNNPACK's operators, whether they are timed alone or in a network.
///
/// Hard-sigmoid is folded into its operator: scales and weights times 1/6, bias/6 + 1/2, output clamped to [0, 1]; integers stay the same.
/// An addition with a fused activation is a sum and a clamp in place, where saturation does not clamp already: two kernels, one operator.
/// A fully connected operator with 4-bit weights computes float32 from int8 and quantises: two kernels, one operator.
///
/// Weights are packed by Create. Thread-compatible.
class XnnOperator {
 public:
  /// Returns INVALID_ARGUMENT for a key that CheckOpKey refuses or weights and quantisers that do not fit it (a max-pool has one
  /// quantiser, an int8 sigmoid leaves kSigmoidQuantizer); RESOURCE_EXHAUSTED;
  /// UNIMPLEMENTED where this processor has no kernel; INTERNAL when XNNPACK refuses otherwise. All name the key.
  static absl::StatusOr<std::unique_ptr<XnnOperator>> Create(const XnnOperatorSpec& spec);

  virtual ~XnnOperator() = default;
  /// Sets the tensors: aligned, with slack, alive as long as Run is called. `second` is null for operators with one input.
  virtual absl::Status Bind(const void* first, const void* second, void* output) = 0;
  virtual absl::Status Run() = 0;
};

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNN_OPERATOR_H_
