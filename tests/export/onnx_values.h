// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_EXPORT_ONNX_VALUES_H_
#define HANAS_TESTS_EXPORT_ONNX_VALUES_H_

#include <cstddef>
#include <vector>

#include "core/bound/bound_model.h"
#include "tests/export/onnx_session.h"
#include "tests/support/reference_interpreter.h"

namespace hanas {

/// Every value of the graph as ONNX Runtime computes it, in the graph's channel-last order; `session` is of the model written with
/// OnnxOptions::expose_values. `image` is [H, W, C].
std::vector<ReferenceTensor> OnnxValues(const BoundModel& model, OnnxSession& session, const std::vector<float>& image);

/// The logits of an image [H, W, C], or of several one after another.
std::vector<float> OnnxLogits(const BoundModel& model, OnnxSession& session, const std::vector<float>& images);

/// How far a computed value is from the expected one.
struct Deviation {
  int steps = 0;        // largest difference of int8 results
  double share = 0;     // of the int8 results that differ at all
  double relative = 0;  // largest difference of float results, against the largest magnitude of the tensor or 1

  void Include(const Deviation& other);
};

/// Fails the test when the tensors differ in size.
Deviation Compare(const ReferenceTensor& expected, const ReferenceTensor& found);

/// Index of the largest.
size_t Top1(const std::vector<float>& logits);

}  // namespace hanas

#endif  // HANAS_TESTS_EXPORT_ONNX_VALUES_H_
