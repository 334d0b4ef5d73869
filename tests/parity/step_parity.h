// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_PARITY_STEP_PARITY_H_
#define HANAS_TESTS_PARITY_STEP_PARITY_H_

#include <memory>
#include <vector>

#include "core/bound/bound_model.h"
#include "core/plan/exec_plan.h"
#include "profiler-agent/runtime/runtime.h"
#include "tests/export/onnx_values.h"
#include "tests/support/reference_interpreter.h"

namespace hanas {

/// XNNPACK with the kernels that it has here, but 16-bit layers as float32: so ONNX Runtime computes them with an exported file, and the
/// worker.
std::unique_ptr<DeviceRuntime> Float32Xnnpack();

/// Runs every step of a model's plan alone, on the values that another reader of the model computed, and compares what it makes of them
/// with what the other made.
///
/// Borrows the model. Not thread-safe.
class StepParity {
 public:
  StepParity(const BoundModel& model, DeviceRuntime& runtime);

  /// `values` has one entry for each value of the graph. Fails the test for a step that is more than one quantiser step off, or more than
  /// `float_tolerance` of the tensor's largest magnitude (or of 1).
  Deviation Run(const std::vector<ReferenceTensor>& values, double float_tolerance);

 private:
  const ExecValue& At(int value) const { return plan_.values[static_cast<size_t>(value)]; }
  const Value& SourceOf(int value) const { return model_.graph.value(At(value).source); }
  /// The float32 result of an operator whose graph value is int8: it exists in the plan only, and the step after it quantises it.
  bool IsIntermediate(int value) const;
  /// A value of the plan as real numbers.
  std::vector<float> Reals(int value, const std::vector<ReferenceTensor>& values) const;
  /// Real numbers in the element type that the plan gives the value: int8 levels or floats.
  ReferenceTensor AsStored(int value, const std::vector<float>& reals) const;

  const BoundModel& model_;
  const ExecPlan plan_;
  std::unique_ptr<NetworkInstance> network_;
};

}  // namespace hanas

#endif  // HANAS_TESTS_PARITY_STEP_PARITY_H_
