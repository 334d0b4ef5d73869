// SPDX-License-Identifier: Apache-2.0
#include "core/plan/exec_plan.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/lowering/unit_walk.h"

namespace hanas {
namespace {

class Planner {
 public:
  Planner(const Graph& graph, const BackendCaps& caps) : graph_(graph), native_(caps) {}

  ExecPlan Run() && {
    plan_.input = Define(graph_.input, Executed(graph_.value(graph_.input).type));
    for (size_t i = 0; i < graph_.operators.size(); ++i) Step(graph_.operators[i], static_cast<int>(i));
    const bool network = !graph_.output_name.empty();
    const ElementType native = Executed(graph_.value(graph_.output).type);
    plan_.output = Read(graph_.output, network ? ElementType::kFloat32 : native);
    return std::move(plan_);
  }

 private:
  /// How a graph's element type exists on the device.
  ElementType Executed(ElementType type) const {
    return type == ElementType::kFloat16 && !native_.Has(OpKind::kConvert, type) ? ElementType::kFloat32 : type;
  }

  int AddValue(ValueId source, const Shape& shape, ElementType type) {
    plan_.values.push_back({shape, type, source});
    return static_cast<int>(plan_.values.size()) - 1;
  }

  /// The value in its native type.
  int Define(ValueId id, ElementType type) {
    const int value = AddValue(id, graph_.value(id).shape, type);
    known_[{id, type}] = value;
    return value;
  }

  /// The value as `type`, converted at most once.
  int Read(ValueId id, ElementType type) {
    if (const auto found = known_.find({id, type}); found != known_.end()) return found->second;
    const ElementType native = Executed(graph_.value(id).type);
    const int converted = Convert(known_.at({id, native}), type, id);
    known_[{id, type}] = converted;
    return converted;
  }

  int Convert(int from, ElementType type, ValueId source) {
    const ExecValue value = plan_.values[static_cast<size_t>(from)];
    const int to = AddValue(source, value.shape, type);
    Emit({.kind = OpKind::kConvert,
          .input = value.shape,
          .output_channels = value.shape.back(),
          .input_type = value.type,
          .weight_type = value.type,
          .output_type = type},
         {from}, to, -1);
    return to;
  }

  void Emit(OpKey key, absl::InlinedVector<int, 2> inputs, int output, int op) {
    plan_.steps.push_back({std::move(key), std::move(inputs), output, op});
  }

  ElementType WeightType(const Operator& op, ElementType compute) const {
    return native_.KeepsWeights(op.kind, compute, op.weight_type) ? op.weight_type : compute;
  }

  OpKey KeyOf(const Operator& op, ElementType compute) const {
    const Shape& in = graph_.value(op.inputs[0]).shape;
    return {.kind = op.kind,
            .input = in,
            .output_channels = graph_.value(op.output).shape.back(),
            .kernel = op.kernel,
            .stride = op.stride,
            .padding = op.padding,
            .dilation = op.dilation,
            .groups = op.groups,
            .activation = op.activation,
            .input_type = compute,
            .weight_type = op.has_weights() ? WeightType(op, compute) : compute,
            .output_type = compute};
  }

  void Step(const Operator& op, int index) {
    const ElementType compute = Executed(op.compute);
    if (!native_.Has(op.kind, compute)) return ThroughFloat(op, compute, index);
    absl::InlinedVector<int, 2> inputs;
    for (const ValueId id : op.inputs) inputs.push_back(Read(id, compute));
    Emit(KeyOf(op, compute), std::move(inputs), Define(op.output, compute), index);
  }

  /// The float32 result is not offered to other readers: the value is what its quantiser leaves of it.
  void ThroughFloat(const Operator& op, ElementType compute, int index) {
    absl::InlinedVector<int, 2> inputs;
    for (const ValueId id : op.inputs) inputs.push_back(Read(id, ElementType::kFloat32));
    const int result = AddValue(op.output, graph_.value(op.output).shape, ElementType::kFloat32);
    Emit(KeyOf(op, ElementType::kFloat32), std::move(inputs), result, index);
    known_[{op.output, compute}] = Convert(result, compute, op.output);
  }

  const Graph& graph_;
  const NativeOperators native_;
  ExecPlan plan_;
  std::map<std::pair<ValueId, ElementType>, int> known_;
};

/// Collects the operator keys of all units.
class KeyCollector : public UnitVisitor {
 public:
  KeyCollector(const BackendCaps& caps, StopCheck stop, int64_t most) : caps_(caps), stop_(stop), most_(most) {}

  bool Enter(const UnitMeetings&) override { return true; }
  bool Repeat(size_t) override { return true; }
  bool Visit(const LoweredUnit& lowered) override {
    constexpr int kLookEvery = 256;  // lowerings: about a millisecond
    if (++looked_ % kLookEvery == 0 && stop_()) status_ = absl::CancelledError("finding the operators of the space was cancelled");
    for (ExecStep& step : MakePlan(lowered.fragment.graph, caps_).steps) keys_.insert(std::move(step.key));
    if (static_cast<int64_t>(keys_.size()) > most_) {
      status_ =
          absl::ResourceExhaustedError(absl::StrCat("expected at most ", most_, " operators to measure, found at least ", keys_.size()));
    }
    return status_.ok();
  }

  absl::StatusOr<std::vector<OpKey>> Sorted() && {
    if (!status_.ok()) return status_;
    std::vector<std::pair<std::string, OpKey>> texts;
    texts.reserve(keys_.size());
    for (const OpKey& key : keys_) texts.emplace_back(ToString(key), key);
    std::sort(texts.begin(), texts.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<OpKey> sorted;
    sorted.reserve(texts.size());
    for (auto& [text, key] : texts) sorted.push_back(std::move(key));
    return sorted;
  }

 private:
  const BackendCaps& caps_;
  StopCheck stop_;
  int64_t most_;
  absl::flat_hash_set<OpKey> keys_;
  int looked_ = 0;
  absl::Status status_;
};

}  // namespace

Digest PlanDigest(const ExecPlan& plan) {
  DigestBuilder digest;
  digest.Add(plan.input).Add(plan.output);
  for (const ExecStep& step : plan.steps) {
    digest.Add(ToString(step.key)).Add(step.output).Add(step.op);
    for (const int input : step.inputs) digest.Add(input);
  }
  return digest.Build();
}

ExecPlan MakePlan(const Graph& graph, const BackendCaps& caps) { return Planner(graph, caps).Run(); }

absl::StatusOr<std::vector<OpKey>> EnumerateOpKeys(const Lowering& lowering, const BackendCaps& caps, StopCheck stop, int64_t most) {
  KeyCollector collector(caps, stop, most);
  WalkUnits(lowering, WalkOf::kOperators, collector);
  return std::move(collector).Sorted();
}

std::vector<OpKey> EnumerateOpKeys(const Lowering& lowering, const BackendCaps& caps) {
  return *EnumerateOpKeys(lowering, caps, NeverStop, std::numeric_limits<int64_t>::max());
}

}  // namespace hanas
