// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_REFERENCE_INTERPRETER_H_
#define HANAS_TESTS_SUPPORT_REFERENCE_INTERPRETER_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "core/bound/bound_model.h"

namespace hanas {

/// A value of one image in the graph's channel-last order ([H, W, C] or [C]). `integers` where the graph's value is int8, else `floats`.
struct ReferenceTensor {
  std::vector<int8_t> integers;
  std::vector<float> floats;
};

/// The meaning of BoundModel, written down as plainly as possible: nested loops, exact integer sums, double precision elsewhere, round
/// half to even. What ONNX Runtime, XNNPACK and LibTorch are held against. Slow; batch 1.
///
/// Borrows the model. Thread-safe.
class ReferenceInterpreter {
 public:
  /// Requires CheckBoundModel(*model); `model` must outlive this.
  explicit ReferenceInterpreter(const BoundModel* model) : model_(*model) {}

  /// Every value of the graph for a preprocessed image [H, W, C].
  std::vector<ReferenceTensor> Run(absl::Span<const float> image) const;

  /// Runs one operator on given inputs: `values` has one entry for each graph value, those that the operator reads filled.
  ReferenceTensor RunOperator(int op_index, const std::vector<ReferenceTensor>& values) const;

  /// The graph's output as float32: dequantised if it is int8.
  std::vector<float> Logits(const std::vector<ReferenceTensor>& values) const;

  /// A value as real numbers: dequantised if it is int8.
  std::vector<float> Reals(ValueId value, const ReferenceTensor& tensor) const;

 private:
  /// Quantised levels less the zero point; a value that is not int8 is quantised first.
  std::vector<int64_t> ReadLevels(ValueId value, const ReferenceTensor& tensor) const;
  /// An operand as real numbers the way `op` reads it: an int8 operator sees what the quantiser leaves of a wider value.
  std::vector<double> ReadReals(const Operator& op, size_t input, const std::vector<ReferenceTensor>& values) const;
  std::vector<double> RunLayer(int op_index, const std::vector<ReferenceTensor>& values) const;
  /// The operator's result before its output is quantised or rounded.
  std::vector<double> RunReal(int op_index, const std::vector<ReferenceTensor>& values) const;

  const BoundModel& model_;
};

/// Round half to even of real / scale + zero point, clamped to [-128, 127].
int8_t QuantizeValue(double real, const Quantizer& quantizer);

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_REFERENCE_INTERPRETER_H_
