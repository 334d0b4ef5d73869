// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/runtime/xnnpack/xnn_network.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/graph/op_schema.h"
#include "profiler-agent/runtime/arena.h"
#include "profiler-agent/runtime/random_weights.h"
#include "profiler-agent/runtime/xnnpack/xnn_operator.h"
#include "profiler-agent/runtime/xnnpack/xnn_threads.h"

namespace hanas {
namespace {

absl::Status BadStep(size_t step, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("plan: step ", step, ": ", what));
}

/// The step's key is one that CheckOpKey accepts: the runtime looks before.
absl::Status CheckStep(const Graph& graph, const ExecPlan& plan, size_t index, const std::vector<bool>& produced) {
  const ExecStep& step = plan.steps[index];
  const auto in_range = [&](int value) { return value >= 0 && static_cast<size_t>(value) < plan.values.size(); };
  const auto operands = static_cast<size_t>(SchemaOf(step.key.kind).num_inputs());
  if (step.inputs.size() != operands) return BadStep(index, absl::StrCat("expected ", operands, " inputs, found ", step.inputs.size()));
  if (!in_range(step.output) || produced[static_cast<size_t>(step.output)])
    return BadStep(index, "expected an output that no step produced before");
  if (step.op >= static_cast<int>(graph.operators.size())) return BadStep(index, "the operator is out of range");
  const ExecValue& output = plan.values[static_cast<size_t>(step.output)];
  for (size_t i = 0; i < operands; ++i) {
    if (!in_range(step.inputs[i]) || !produced[static_cast<size_t>(step.inputs[i])])
      return BadStep(index, "an input is not produced before");
    const ExecValue& input = plan.values[static_cast<size_t>(step.inputs[i])];
    if (input.shape != (i == 0 ? step.key.input : SecondShape(GeometryOf(step.key))) || input.type != step.key.input_type)
      return BadStep(index, "an input does not fit the key");
  }
  if (output.shape != OutputShape(step.key) || output.type != step.key.output_type)
    return BadStep(index, "the output does not fit the key");
  return absl::OkStatus();
}

absl::Status CheckPlan(const Graph& graph, const ExecPlan& plan) {
  const auto count = static_cast<int>(plan.values.size());
  if (plan.input < 0 || plan.input >= count || plan.output < 0 || plan.output >= count)
    return absl::InvalidArgumentError("plan: input or output out of range");
  for (const ExecValue& value : plan.values) {
    if (value.source < 0 || static_cast<size_t>(value.source) >= graph.values.size())
      return absl::InvalidArgumentError("plan: a value has no source");
  }
  const ElementType in = plan.values[static_cast<size_t>(plan.input)].type;
  const ElementType out = plan.values[static_cast<size_t>(plan.output)].type;
  if (in != ElementType::kFloat32 || out != ElementType::kFloat32)
    return absl::InvalidArgumentError("plan: expected float32 input and output");
  std::vector<bool> produced(plan.values.size());
  produced[static_cast<size_t>(plan.input)] = true;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    if (absl::Status status = CheckStep(graph, plan, i, produced); !status.ok()) return status;
    produced[static_cast<size_t>(plan.steps[i].output)] = true;
  }
  return produced[static_cast<size_t>(plan.output)] ? absl::OkStatus() : absl::InvalidArgumentError("plan: no step produces the output");
}

/// Quantisers for weights that mean nothing; as MakePlan and XnnOperator need them.
std::vector<Quantizer> AnyQuantizers(const Graph& graph) {
  std::vector<Quantizer> quantizers(graph.values.size(), kRandomQuantizer);
  for (const Operator& op : graph.operators) {
    Quantizer& output = quantizers[static_cast<size_t>(op.output)];
    if (SchemaOf(op.kind).keeps_quantizer) output = quantizers[static_cast<size_t>(op.inputs[0])];
    if (op.kind == OpKind::kSigmoid) output = kSigmoidQuantizer;
  }
  return quantizers;
}

class XnnNetwork : public NetworkInstance {
 public:
  XnnNetwork(const ExecPlan& plan, bool keep_values, std::shared_ptr<XnnThreads> threads)
      : plan_(plan), keep_values_(keep_values), layout_(LayOutArena(plan, !keep_values)), threads_(std::move(threads)) {}

  absl::Status Build(const Graph& graph, const BoundModel* model, uint64_t seed) {
    arena_ = AlignedBuffer(layout_.total_bytes);
    if (arena_.data() == nullptr)
      return absl::ResourceExhaustedError(absl::StrCat("xnnpack: no memory for ", layout_.total_bytes, " bytes of activations"));
    const std::vector<Quantizer> of_graph = model == nullptr ? AnyQuantizers(graph) : model->quantizers;
    for (const ExecValue& value : plan_.values) quantizers_.push_back(of_graph[static_cast<size_t>(value.source)]);
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      if (absl::Status status = AddStep(plan_.steps[i], model, seed + i); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  size_t input_size() const override { return Elements(plan_.input); }
  size_t output_size() const override { return Elements(plan_.output); }
  int num_steps() const override { return static_cast<int>(plan_.steps.size()); }

  absl::Status Run(absl::Span<const float> image) override {
    if (absl::Status status = SetImage(image); !status.ok()) return status;
    for (const std::unique_ptr<XnnOperator>& op : operators_) {
      if (absl::Status status = op->Run(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status RunSteps(absl::Span<const float> image, absl::FunctionRef<void(int)> after_step) override {
    if (absl::Status status = SetImage(image); !status.ok()) return status;
    for (size_t i = 0; i < operators_.size(); ++i) {
      if (absl::Status status = operators_[i]->Run(); !status.ok()) return status;
      after_step(static_cast<int>(i));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<float>> Infer(absl::Span<const float> image) override {
    if (absl::Status status = Run(image); !status.ok()) return status;
    const auto* logits = reinterpret_cast<const float*>(At(plan_.output));
    std::vector<float> result(logits, logits + output_size());
    for (const float logit : result) {
      if (!std::isfinite(logit)) return absl::InternalError("xnnpack: a logit is not finite");
    }
    return result;
  }

  absl::Status WriteValue(int value, absl::Span<const float> real) override {
    if (absl::Status status = CheckAccess(value); !status.ok()) return status;
    if (real.size() != Elements(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("network: expected ", Elements(value), " elements for value ", value, ", found ", real.size()));
    }
    const Quantizer& q = quantizers_[static_cast<size_t>(value)];
    switch (Type(value)) {
      case ElementType::kFloat32:
        std::copy(real.begin(), real.end(), reinterpret_cast<float*>(At(value)));
        break;
      case ElementType::kInt8: {
        auto* out = reinterpret_cast<int8_t*>(At(value));
        for (size_t i = 0; i < real.size(); ++i) {
          out[i] = static_cast<int8_t>(std::clamp(std::nearbyint(real[i] / q.scale) + static_cast<float>(q.zero_point), -128.0F, 127.0F));
        }
        break;
      }
      default: {
        auto* out = reinterpret_cast<_Float16*>(At(value));
        for (size_t i = 0; i < real.size(); ++i) out[i] = static_cast<_Float16>(real[i]);
      }
    }
    return absl::OkStatus();
  }

  absl::Status RunStep(int step) override {
    if (!keep_values_) return NotKept();
    if (step < 0 || step >= num_steps()) return absl::InvalidArgumentError(absl::StrCat("network: no step ", step));
    return operators_[static_cast<size_t>(step)]->Run();
  }

  absl::StatusOr<std::vector<float>> ReadValue(int value) const override {
    if (absl::Status status = CheckAccess(value); !status.ok()) return status;
    std::vector<float> real(Elements(value));
    const Quantizer& q = quantizers_[static_cast<size_t>(value)];
    const std::byte* data = arena_.data() + layout_.offsets[static_cast<size_t>(value)];
    switch (Type(value)) {
      case ElementType::kFloat32:
        std::memcpy(real.data(), data, real.size() * sizeof(float));
        break;
      case ElementType::kInt8: {
        const auto* in = reinterpret_cast<const int8_t*>(data);
        for (size_t i = 0; i < real.size(); ++i) real[i] = q.scale * static_cast<float>(in[i] - q.zero_point);
        break;
      }
      default: {
        const auto* in = reinterpret_cast<const _Float16*>(data);
        for (size_t i = 0; i < real.size(); ++i) real[i] = static_cast<float>(in[i]);
      }
    }
    return real;
  }

 private:
  absl::Status AddStep(const ExecStep& step, const BoundModel* model, uint64_t seed) {
    XnnOperatorSpec spec{.key = step.key, .output = quantizers_[static_cast<size_t>(step.output)], .threads = threads_.get()};
    for (size_t i = 0; i < step.inputs.size(); ++i) spec.inputs[i] = quantizers_[static_cast<size_t>(step.inputs[i])];
    BoundWeights random;
    if (model != nullptr && step.op >= 0) {
      spec.weights = &model->weights[static_cast<size_t>(step.op)];
    } else {
      random = RandomWeights(step.key, seed);
      spec.weights = &random;
    }
    absl::StatusOr<std::unique_ptr<XnnOperator>> op = XnnOperator::Create(spec);
    if (!op.ok()) return op.status();
    const void* second = step.inputs.size() > 1 ? At(step.inputs[1]) : nullptr;
    if (absl::Status status = (*op)->Bind(At(step.inputs[0]), second, At(step.output)); !status.ok()) return status;
    operators_.push_back(*std::move(op));
    return absl::OkStatus();
  }

  absl::Status SetImage(absl::Span<const float> image) {
    if (image.size() != input_size()) {
      return absl::InvalidArgumentError(absl::StrCat("network: expected an image of ", input_size(), " elements, found ", image.size()));
    }
    std::memcpy(At(plan_.input), image.data(), image.size() * sizeof(float));
    return absl::OkStatus();
  }

  static absl::Status NotKept() {
    return absl::FailedPreconditionError("network: values are only accessible when prepared with keep_values");
  }
  absl::Status CheckAccess(int value) const {
    if (!keep_values_) return NotKept();
    if (value < 0 || static_cast<size_t>(value) >= plan_.values.size())
      return absl::InvalidArgumentError(absl::StrCat("network: no value ", value));
    return absl::OkStatus();
  }

  size_t Elements(int value) const { return static_cast<size_t>(NumElements(plan_.values[static_cast<size_t>(value)].shape)); }
  ElementType Type(int value) const { return plan_.values[static_cast<size_t>(value)].type; }
  std::byte* At(int value) { return arena_.data() + layout_.offsets[static_cast<size_t>(value)]; }

  const ExecPlan plan_;
  const bool keep_values_;
  const ArenaLayout layout_;
  const std::shared_ptr<XnnThreads> threads_;  // before the operators, which run on them
  AlignedBuffer arena_;
  std::vector<Quantizer> quantizers_;  // of each value of the plan
  std::vector<std::unique_ptr<XnnOperator>> operators_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<NetworkInstance>> CreateXnnNetwork(const Graph& graph, const ExecPlan& plan, const BoundModel* model,
                                                                  const NetworkOptions& options, std::shared_ptr<XnnThreads> threads) {
  if (absl::Status status = CheckPlan(graph, plan); !status.ok()) return status;
  if (model != nullptr && (model->weights.size() != graph.operators.size() || model->quantizers.size() != graph.values.size())) {
    return absl::InvalidArgumentError("network: the model belongs to another graph");
  }
  auto network = std::make_unique<XnnNetwork>(plan, options.keep_values, std::move(threads));
  if (absl::Status status = network->Build(graph, model, options.seed); !status.ok()) return status;
  return network;
}

}  // namespace hanas
