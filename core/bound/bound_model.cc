// SPDX-License-Identifier: Apache-2.0
#include "core/bound/bound_model.h"

#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "core/graph/op_schema.h"

namespace hanas {
namespace {

absl::Status Bad(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("model: ", what, " at ", where));
}

bool AllFinite(const std::vector<float>& values) {
  for (const float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

absl::Status CheckTensor(absl::string_view where, absl::string_view name, size_t found, size_t expected) {
  if (found == expected) return absl::OkStatus();
  return Bad(where, absl::StrCat("expected ", expected, " ", name, ", found ", found));
}

absl::Status CheckWeights(const Graph& graph, const Operator& op, const BoundWeights& weights) {
  const std::string& name = graph.name(op);
  const auto out = static_cast<size_t>(graph.value(op.output).shape.back());
  const auto count = static_cast<size_t>(NumWeights(GeometryOf(graph, op)));
  const bool integer = BitWidth(op.weight_type) <= 8;
  if (absl::Status s = CheckTensor(name, "integer weights", weights.integers.size(), integer ? count : 0); !s.ok()) return s;
  if (absl::Status s = CheckTensor(name, "weight scales", weights.scales.size(), integer ? out : 0); !s.ok()) return s;
  if (absl::Status s = CheckTensor(name, "float weights", weights.floats.size(), integer ? 0 : count); !s.ok()) return s;
  if (absl::Status s = CheckTensor(name, "biases", weights.bias.size(), out); !s.ok()) return s;
  if (!AllFinite(weights.scales) || !AllFinite(weights.floats) || !AllFinite(weights.bias)) {
    return Bad(name, "a tensor is not finite");
  }
  for (const float scale : weights.scales) {
    if (!(scale > 0)) return Bad(name, absl::StrCat("expected positive weight scales, found ", scale));
  }
  if (!integer) return absl::OkStatus();
  const int limit = NarrowRangeLimit(op.weight_type);
  for (const int8_t weight : weights.integers) {
    if (std::abs(weight) > limit) {
      return Bad(name, absl::StrCat("expected weights of magnitude at most ", limit, ", found ", weight));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckQuantizer(const BoundModel& model, ValueId id) {
  const Quantizer& quantizer = model.quantizers[static_cast<size_t>(id)];
  if (std::isfinite(quantizer.scale) && quantizer.scale > 0 && quantizer.zero_point >= -128 && quantizer.zero_point <= 127) {
    return absl::OkStatus();
  }
  return Bad(model.graph.value(id).name, absl::StrCat("expected a positive scale and a zero point in [-128, 127], found ", quantizer.scale,
                                                      " and ", quantizer.zero_point));
}

std::string ToText(const Quantizer& quantizer) { return absl::StrCat(quantizer.scale, " and ", quantizer.zero_point); }

/// The quantisers of what an int8 operator reads and leaves.
absl::Status CheckQuantizers(const BoundModel& model, const Operator& op) {
  for (const ValueId id : op.inputs) {
    if (absl::Status status = CheckQuantizer(model, id); !status.ok()) return status;
  }
  if (absl::Status status = CheckQuantizer(model, op.output); !status.ok()) return status;
  const Quantizer& output = model.quantizers[static_cast<size_t>(op.output)];
  const Quantizer& input = model.quantizers[static_cast<size_t>(op.inputs[0])];
  if (SchemaOf(op.kind).keeps_quantizer && output != input) {
    return Bad(model.graph.name(op),
               absl::StrCat("expected the scale and zero point of its input, ", ToText(input), ", found ", ToText(output)));
  }
  if (op.kind == OpKind::kSigmoid && output != kSigmoidQuantizer) {
    return Bad(model.graph.name(op), absl::StrCat("expected the scale and zero point of every int8 sigmoid, ", ToText(kSigmoidQuantizer),
                                                  ", found ", ToText(output)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckBoundModel(const BoundModel& model) {
  const Graph& graph = model.graph;
  if (absl::Status status = CheckGraph(graph); !status.ok()) return absl::InvalidArgumentError(status.message());
  if (model.weights.size() != graph.operators.size() || model.quantizers.size() != graph.values.size()) {
    return absl::InvalidArgumentError(absl::StrCat("model: expected ", graph.operators.size(), " weight and ", graph.values.size(),
                                                   " quantiser entries, found ", model.weights.size(), " and ", model.quantizers.size()));
  }
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const Operator& op = graph.operators[i];
    if (op.has_weights()) {
      if (absl::Status status = CheckWeights(graph, op, model.weights[i]); !status.ok()) return status;
    }
    if (op.compute != ElementType::kInt8) continue;
    if (absl::Status status = CheckQuantizers(model, op); !status.ok()) return status;
  }
  const auto channels = static_cast<size_t>(graph.value(graph.input).shape.back());
  const Preprocessing& pre = model.preprocessing;
  if (pre.mean.size() != channels || pre.stddev.size() != channels) {
    return absl::InvalidArgumentError(absl::StrCat("model.preprocessing: expected ", channels, " means and standard deviations, found ",
                                                   pre.mean.size(), " and ", pre.stddev.size()));
  }
  return absl::OkStatus();
}

}  // namespace hanas
