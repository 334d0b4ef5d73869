// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNN_SINGLE_OPERATOR_H_
#define HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNN_SINGLE_OPERATOR_H_

#include <xnnpack.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "profiler-agent/runtime/arena.h"
#include "profiler-agent/runtime/xnnpack/xnn_operator.h"
#include "profiler-agent/runtime/xnnpack/xnn_threads.h"

namespace hanas {

// What the files of this folder that make XNNPACK's operators share. Internal to it.

static_assert(kTensorSlackBytes >= XNN_EXTRA_BYTES, "tensors need XNNPACK's slack");

/// What a call of XNNPACK returned, as a Status that names the call and the key.
absl::Status ToStatus(xnn_status status, absl::string_view call, const OpKey& key);

xnn_datatype DataType(ElementType type);
inline xnn_quantization_params Params(const Quantizer& quantizer) { return {quantizer.zero_point, quantizer.scale}; }
inline size_t Size(int64_t value) { return static_cast<size_t>(value); }
inline uint32_t U32(int64_t value) { return static_cast<uint32_t>(value); }

/// The int8 level of a real number.
int8_t Quantize(float real, const Quantizer& quantizer);

/// The levels between which an int8 output with this fused activation lies: a range, not a point, as XNNPACK wants it.
struct LevelRange {
  int8_t low = -128;
  int8_t high = 127;
};
LevelRange RangeOf(FusedActivation activation, const Quantizer& output);

/// The numbers between which a float output with this fused activation lies.
struct FloatRange {
  float low = 0;
  float high = 0;
};
FloatRange RangeOf(FusedActivation activation);

struct DeleteOperator {
  void operator()(xnn_operator_t op) const { xnn_delete_operator(op); }
};
using OwnedOperator = std::unique_ptr<xnn_operator, DeleteOperator>;

/// One XNNPACK operator; derived classes have the functions that set its shapes and tensors.
class SingleOperator : public XnnOperator {
 public:
  SingleOperator(OpKey key, xnn_operator_t op, XnnThreads* threads) : key_(std::move(key)), op_(op), pool_(PoolOf(threads)) {}

  absl::Status Run() override {
    const xnn_status status = xnn_run_operator(op_.get(), pool_);
    if (status == xnn_status_success) [[likely]]
      return absl::OkStatus();
    return ToStatus(status, "xnn_run_operator", key_);
  }

 protected:
  absl::Status AllocateWorkspace(size_t bytes);

  OpKey key_;
  OwnedOperator op_;
  pthreadpool_t pool_;  // of shapes and runs alike: XNNPACK cuts the work up for its number of threads when it learns the shapes
  AlignedBuffer workspace_;
};

/// Takes the operator that `call` made and sets its shapes.
template <typename T>
absl::StatusOr<std::unique_ptr<XnnOperator>> Finish(const XnnOperatorSpec& spec, xnn_status status, absl::string_view call,
                                                    xnn_operator_t op) {
  if (status != xnn_status_success) return ToStatus(status, call, spec.key);
  auto made = std::make_unique<T>(spec.key, op, spec.threads);
  if (absl::Status reshaped = made->Reshape(); !reshaped.ok()) return reshaped;
  return made;
}

// The operators. All require a spec that XnnOperator::Create has checked, and return what it returns.
absl::StatusOr<std::unique_ptr<XnnOperator>> CreateConvolution(const XnnOperatorSpec& spec);
absl::StatusOr<std::unique_ptr<XnnOperator>> CreateFullyConnected(const XnnOperatorSpec& spec);
absl::StatusOr<std::unique_ptr<XnnOperator>> CreateMean(const XnnOperatorSpec& spec);
absl::StatusOr<std::unique_ptr<XnnOperator>> CreateMaxPool(const XnnOperatorSpec& spec);
absl::StatusOr<std::unique_ptr<XnnOperator>> CreateBinary(const XnnOperatorSpec& spec);
absl::StatusOr<std::unique_ptr<XnnOperator>> CreateUnary(const XnnOperatorSpec& spec);

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_RUNTIME_XNNPACK_XNN_SINGLE_OPERATOR_H_
