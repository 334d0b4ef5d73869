// SPDX-License-Identifier: Apache-2.0
#include "core/plan/exec_plan.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

class Planner {
 public:
  Planner(const Graph& graph, const BackendCaps& caps) : graph_(graph), caps_(caps) {}

  ExecPlan Run() && {
    plan_.input = Define(graph_.input, Executed(graph_.value(graph_.input).type));
    for (size_t i = 0; i < graph_.operators.size(); ++i) Step(graph_.operators[i], static_cast<int>(i));
    const bool network = graph_.value(graph_.output).producer.role == LayerRole::kClassifier;
    const ElementType native = Executed(graph_.value(graph_.output).type);
    plan_.output = Read(graph_.output, network ? ElementType::kFloat32 : native);
    return std::move(plan_);
  }

 private:
  /// How a graph's element type exists on the device.
  ElementType Executed(ElementType type) const {
    return type == ElementType::kFloat16 && !caps_.native_float16 ? ElementType::kFloat32 : type;
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
    const bool packed = op.kind == OpKind::kFullyConnected && op.weight_type == ElementType::kInt4 && caps_.int4_fully_connected &&
                        compute == ElementType::kInt8;
    return packed ? ElementType::kInt4 : compute;
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
    if (op.kind == OpKind::kHardSwish && compute == ElementType::kInt8 && !caps_.int8_hard_swish) return ThroughFloat(op, index);
    absl::InlinedVector<int, 2> inputs;
    for (const ValueId id : op.inputs) inputs.push_back(Read(id, compute));
    Emit(KeyOf(op, compute), std::move(inputs), Define(op.output, compute), index);
  }

  /// The float32 result is not offered to other readers: the value is what its quantiser leaves of it.
  void ThroughFloat(const Operator& op, int index) {
    const int input = Read(op.inputs[0], ElementType::kFloat32);
    const int result = AddValue(op.output, graph_.value(op.output).shape, ElementType::kFloat32);
    Emit(KeyOf(op, ElementType::kFloat32), {input}, result, index);
    known_[{op.output, ElementType::kInt8}] = Convert(result, ElementType::kInt8, op.output);
  }

  const Graph& graph_;
  const BackendCaps& caps_;
  ExecPlan plan_;
  std::map<std::pair<ValueId, ElementType>, int> known_;
};

// ---- the choices that operator keys depend on ----
//
// The keys of a network are far fewer than its choices combined: weight bits change no key of a convolution, an operator sees only the
// layers beside it, and blocks that lower alike have the same keys. So the walk visits, for each unit that lowers in a way of its own and
// each context, choices that together show every operator with every neighbour:
//   the entering half: expansion, expand precision, activation, kernel, depthwise precision, with one choice of the rest;
//   the leaving half: width, expansion, squeeze-and-excite, depthwise and project precision, with one choice of the rest.

/// One precision for each element type that layers compute in.
std::vector<Precision> ComputePrecisions(const std::vector<Precision>& precisions) {
  std::vector<Precision> kept;
  for (const Precision precision : precisions) {
    const auto same = [&](Precision other) { return other.activation_bits == precision.activation_bits; };
    if (std::none_of(kept.begin(), kept.end(), same)) kept.push_back(precision);
  }
  return kept;
}

/// The choices of one unit, to be combined with every context that reaches it; the width is that of the context where it is entered.
class UnitChoices {
 public:
  UnitChoices(const ConvnetSpace& space, const ReachedUnit& unit) : spec_(space.spec()), unit_(unit) {}

  /// Calls visit(choice) until it returns false; returns whether it never did.
  bool ForEach(absl::FunctionRef<bool(const UnitChoice&)> visit) const {
    switch (unit_.id.kind) {
      case UnitKind::kStem:
        return ForEachStem(visit);
      case UnitKind::kBlock:
        return ForEachEntering(visit) && ForEachLeaving(visit);
      case UnitKind::kHead:
        return ForEachHead(visit);
    }
    return false;
  }

 private:
  bool ForEachStem(absl::FunctionRef<bool(const UnitChoice&)> visit) const {
    for (const int width : spec_.stem.widths) {
      for (const Precision precision : ComputePrecisions(spec_.stem.precisions)) {
        if (!visit(StemChoice{0, width, precision})) return false;
      }
    }
    return true;
  }

  const StageSpec& stage() const { return spec_.stages[static_cast<size_t>(unit_.id.stage)]; }
  const BlockSpec& block() const { return stage().blocks[static_cast<size_t>(unit_.id.block)]; }
  BlockChoice First() const {
    return {.kernel = block().kernels.front(),
            .expansion = block().expansions.front(),
            .squeeze_excite = block().squeeze_excite.front(),
            .activation = block().activations.front(),
            .expand = block().expand_precisions.front(),
            .depthwise = block().depthwise_precisions.front(),
            .project = block().project_precisions.front(),
            .width = stage().widths.front(),
            .stride = unit_.id.block == 0 ? stage().stride : 1};
  }

  bool ForEachEntering(absl::FunctionRef<bool(const UnitChoice&)> visit) const {
    BlockChoice choice = First();
    for (const double expansion : block().expansions) {
      choice.expansion = expansion;
      for (const Precision expand : ComputePrecisions(block().expand_precisions)) {
        choice.expand = expand;
        for (const Activation activation : block().activations) {
          choice.activation = activation;
          for (const int kernel : block().kernels) {
            choice.kernel = kernel;
            for (const Precision depthwise : ComputePrecisions(block().depthwise_precisions)) {
              choice.depthwise = depthwise;
              if (!visit(choice)) return false;
            }
          }
        }
        if (expansion == 1.0) break;  // there is no such layer
      }
    }
    return true;
  }

  bool ForEachLeaving(absl::FunctionRef<bool(const UnitChoice&)> visit) const {
    BlockChoice choice = First();
    const std::vector<int> entered = {choice.width};
    for (const int width : unit_.width_is_entered ? entered : stage().widths) {
      choice.width = width;
      for (const double expansion : block().expansions) {
        choice.expansion = expansion;
        for (const bool squeeze_excite : block().squeeze_excite) {
          choice.squeeze_excite = squeeze_excite;
          for (const Precision depthwise : ComputePrecisions(block().depthwise_precisions)) {
            choice.depthwise = depthwise;
            for (const Precision project : ComputePrecisions(block().project_precisions)) {
              choice.project = project;
              if (!visit(choice)) return false;
            }
          }
        }
      }
    }
    return true;
  }

  bool ForEachHead(absl::FunctionRef<bool(const UnitChoice&)> visit) const {
    const HeadSpec& head = spec_.head;
    std::vector<Precision> hidden = head.hidden_precisions;
    if (head.hidden == 0) hidden.resize(1);
    for (const int width : head.widths) {
      for (const Precision conv : ComputePrecisions(head.precisions)) {
        for (const Precision in : hidden) {
          for (const Precision out : head.classifier_precisions) {
            if (!visit(HeadChoice{width, conv, in, out})) return false;
          }
        }
      }
    }
    return true;
  }

  const SpaceSpec& spec_;
  const ReachedUnit& unit_;
};

}  // namespace

Digest CapsDigest(const BackendCaps& caps) {
  return DigestBuilder()
      .Add(caps.name)
      .Add(caps.version)
      .Add(caps.isa)
      .Add(caps.native_float16)
      .Add(caps.int8_hard_swish)
      .Add(caps.int4_fully_connected)
      .Build();
}

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
  constexpr int kLookEvery = 256;  // lowerings: about a millisecond
  absl::flat_hash_set<OpKey> keys;
  const std::vector<ReachedUnit> units = lowering.ReachedUnits();
  int looked = 0;
  absl::Status status;
  const auto visit = [&](const ReachedUnit& unit, const LoweringContext& context, UnitChoice choice) {
    if (unit.width_is_entered) std::get<BlockChoice>(choice).width = static_cast<int>(context.channels);
    if (++looked % kLookEvery == 0 && stop()) status = absl::CancelledError("finding the operators of the space was cancelled");
    for (ExecStep& step : MakePlan(lowering.LowerUnit(unit.id, context, choice).graph, caps).steps) keys.insert(std::move(step.key));
    if (static_cast<int64_t>(keys.size()) > most) {
      status = absl::ResourceExhaustedError(absl::StrCat("expected at most ", most, " operators to measure, found at least ", keys.size()));
    }
    return status.ok();
  };
  for (size_t i = 0; i < units.size(); ++i) {
    const ReachedUnit& unit = units[i];
    if (unit.same_as != static_cast<int>(i)) continue;
    UnitChoices(lowering.family(), unit).ForEach([&](const UnitChoice& choice) {
      for (int64_t c = 0; c < unit.contexts.size(); ++c) {
        if (!visit(unit, unit.contexts.at(c), choice)) return false;
      }
      return true;
    });
    if (!status.ok()) return status;
  }
  std::vector<std::pair<std::string, OpKey>> texts;
  texts.reserve(keys.size());
  for (const OpKey& key : keys) texts.emplace_back(ToString(key), key);
  std::sort(texts.begin(), texts.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<OpKey> sorted;
  sorted.reserve(texts.size());
  for (auto& [text, key] : texts) sorted.push_back(std::move(key));
  return sorted;
}

std::vector<OpKey> EnumerateOpKeys(const Lowering& lowering, const BackendCaps& caps) {
  return *EnumerateOpKeys(lowering, caps, NeverStop, std::numeric_limits<int64_t>::max());
}

int64_t NumLowerings(const Lowering& lowering) {
  const std::vector<ReachedUnit> units = lowering.ReachedUnits();
  int64_t count = 0;
  for (size_t i = 0; i < units.size(); ++i) {
    if (units[i].same_as != static_cast<int>(i)) continue;
    int64_t choices = 0;
    UnitChoices(lowering.family(), units[i]).ForEach([&](const UnitChoice&) {
      ++choices;
      return true;
    });
    count += choices * units[i].contexts.size();
  }
  return count;
}

}  // namespace hanas
