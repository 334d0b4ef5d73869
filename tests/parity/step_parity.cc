// SPDX-License-Identifier: Apache-2.0
#include "tests/parity/step_parity.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "profiler-agent/runtime/xnnpack/xnnpack_runtime.h"

namespace hanas {

using ::absl_testing::IsOk;

std::unique_ptr<DeviceRuntime> Float32Xnnpack() {
  BackendCaps caps = CreateXnnpackRuntime().value()->caps();
  std::erase(caps.native, OperatorPattern{.compute = ElementType::kFloat16});
  return CreateXnnpackRuntime(caps).value();
}

StepParity::StepParity(const BoundModel& model, DeviceRuntime& runtime)
    : model_(model),
      plan_(MakePlan(model.graph, runtime.caps())),
      network_(runtime.PrepareNetwork(model.graph, plan_, &model, {.keep_values = true}).value()) {}

Deviation StepParity::Run(const std::vector<ReferenceTensor>& values, double float_tolerance) {
  Deviation worst;
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    const ExecStep& step = plan_.steps[i];
    for (const int input : step.inputs) {
      if (IsIntermediate(input)) continue;
      EXPECT_THAT(network_->WriteValue(input, Reals(input, values)), IsOk());
    }
    EXPECT_THAT(network_->RunStep(static_cast<int>(i)), IsOk());
    if (IsIntermediate(step.output)) continue;
    const std::vector<float> found = network_->ReadValue(step.output).value();
    const Deviation deviation = Compare(AsStored(step.output, Reals(step.output, values)), AsStored(step.output, found));
    EXPECT_LE(deviation.steps, 1) << ToString(step.key) << " at " << SourceOf(step.output).name;
    EXPECT_LE(deviation.relative, float_tolerance) << ToString(step.key) << " at " << SourceOf(step.output).name;
    worst.Include(deviation);
  }
  return worst;
}

bool StepParity::IsIntermediate(int value) const {
  if (At(value).type != ElementType::kFloat32 || SourceOf(value).type != ElementType::kInt8) return false;
  return std::any_of(plan_.steps.begin(), plan_.steps.end(), [&](const ExecStep& step) { return step.output == value && step.op >= 0; });
}

std::vector<float> StepParity::Reals(int value, const std::vector<ReferenceTensor>& values) const {
  const ValueId source = At(value).source;
  return ReferenceInterpreter(&model_).Reals(source, values[static_cast<size_t>(source)]);
}

ReferenceTensor StepParity::AsStored(int value, const std::vector<float>& reals) const {
  ReferenceTensor tensor;
  if (At(value).type != ElementType::kInt8) {
    tensor.floats = reals;
    return tensor;
  }
  for (const float real : reals) {
    tensor.integers.push_back(QuantizeValue(static_cast<double>(real), model_.quantizers[static_cast<size_t>(At(value).source)]));
  }
  return tensor;
}

}  // namespace hanas
