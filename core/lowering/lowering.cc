// SPDX-License-Identifier: Apache-2.0
#include "core/lowering/lowering.h"

#include <algorithm>
#include <utility>

#include "absl/log/check.h"

namespace hanas {
namespace {

WeightView View(SlotId slot, std::initializer_list<int64_t> counts) {
  WeightView view = {.slot = slot, .slices = {}, .transforms = {}};
  for (const int64_t count : counts) view.slices.push_back({.begin = 0, .count = count});
  return view;
}

/// Behind a convolution that pads by half of its kernel.
int64_t ConvExtent(int64_t size, int kernel, int stride) { return (size + 2 * (kernel / 2) - kernel) / stride + 1; }

/// What distinguishes one convolution from another.
struct ConvShape {
  int64_t out_channels = 0;
  int kernel = 1;
  int stride = 1;
  bool depthwise = false;
};

/// Grows a fragment operator by operator. `current` is the value that the next layer reads.
class FragmentBuilder {
 public:
  FragmentBuilder(const UnitId& unit, const LoweringContext& context) : unit_(unit) {
    const Provenance input = {
        .unit = unit.kind, .role = LayerRole::kInput, .stage = static_cast<int16_t>(unit.stage), .block = static_cast<int16_t>(unit.block)};
    graph_.values.push_back({{1, context.height, context.width, context.channels}, context.type, input});
    graph_.input = 0;
    current_ = 0;
  }

  ValueId current() const { return current_; }
  const Value& current_value() const { return graph_.value(current_); }

  void Conv(LayerRole role, const LayerSlots& slots, const ConvShape& shape, Precision precision,
            absl::Span<const KernelTransform> transforms, int full_kernel) {
    const Shape in = current_value().shape;
    Operator op = Start(role, OpKind::kConv2d, TypeOfBits(precision.activation_bits));
    op.weight_type = TypeOfBits(precision.weight_bits);
    op.kernel = shape.kernel;
    op.stride = shape.stride;
    op.padding = shape.kernel / 2;
    op.groups = shape.depthwise ? in[3] : 1;
    op.weight = View(slots.weight, {shape.out_channels, in[3] / op.groups, full_kernel, full_kernel});
    for (const KernelTransform& step : transforms) {
      if (step.to >= shape.kernel) op.weight.transforms.push_back(step);
    }
    op.norm = {View(slots.gamma, {shape.out_channels}), View(slots.beta, {shape.out_channels})};
    Finish(std::move(op),
           {in[0], ConvExtent(in[1], shape.kernel, shape.stride), ConvExtent(in[2], shape.kernel, shape.stride), shape.out_channels});
  }

  void Linear(LayerRole role, const LayerSlots& slots, int64_t features, ElementType compute, ElementType weight_type,
              FusedActivation activation) {
    const Shape in = current_value().shape;
    Operator op = Start(role, OpKind::kFullyConnected, compute);
    op.weight_type = weight_type;
    op.activation = activation;
    op.weight = View(slots.weight, {features, in[1]});
    op.bias = View(slots.bias, {features});
    Finish(std::move(op), {in[0], features});
  }

  /// A ReLU is part of the layer before it; a hard-swish is an operator of its own.
  void Activate(Activation activation) {
    if (activation == Activation::kRelu) {
      graph_.operators.back().activation = FusedActivation::kRelu;
      return;
    }
    Operator op = Start(current_value().producer.role, OpKind::kHardSwish, current_value().type);
    op.provenance.activation_op = true;
    Finish(std::move(op), current_value().shape);
  }

  void Pool(LayerRole role) {
    const Shape in = current_value().shape;
    Finish(Start(role, OpKind::kGlobalAveragePool, current_value().type), {in[0], in[3]});
  }

  /// `kind` of `left` and the current value, written in the element type of `type`.
  void Combine(LayerRole role, OpKind kind, ValueId left, ElementType type) {
    Operator op = Start(role, kind, type);
    op.inputs = {left, current_};
    if (role == LayerRole::kResidual) op.train_only = TrainOnlySite::kDropPath;
    Finish(std::move(op), graph_.value(left).shape);
  }

  Fragment Take() && {
    graph_.output = current_;
    const Value& last = current_value();
    Fragment fragment = {.graph = {}, .next = {.height = 1, .width = 1, .channels = last.shape.back(), .type = last.type}};
    if (last.shape.size() == 4) {
      fragment.next.height = last.shape[1];
      fragment.next.width = last.shape[2];
    }
    fragment.graph = std::move(graph_);
    return fragment;
  }

 private:
  Operator Start(LayerRole role, OpKind kind, ElementType compute) const {
    Operator op;
    op.kind = kind;
    op.inputs = {current_};
    op.compute = compute;
    op.weight_type = compute;
    op.provenance = {
        .unit = unit_.kind, .role = role, .stage = static_cast<int16_t>(unit_.stage), .block = static_cast<int16_t>(unit_.block)};
    return op;
  }

  void Finish(Operator op, Shape shape) {
    current_ = static_cast<ValueId>(graph_.values.size());
    op.output = current_;
    graph_.values.push_back({std::move(shape), op.compute, op.provenance});
    graph_.operators.push_back(std::move(op));
  }

  UnitId unit_;
  Graph graph_;
  ValueId current_ = -1;
};

Fragment LowerStem(const ConvnetSpace& space, const SlotTable& slots, const LoweringContext& context, const StemChoice& choice) {
  const StemSpec& spec = space.spec().stem;
  FragmentBuilder builder({.kind = UnitKind::kStem}, context);
  builder.Conv(LayerRole::kStem, slots.stem(), {choice.width, spec.kernel, spec.stride}, choice.precision, {}, spec.kernel);
  builder.Activate(spec.activation);
  return std::move(builder).Take();
}

void SqueezeExcite(FragmentBuilder& builder, const BlockSlots& slots) {
  const ValueId features = builder.current();
  const ElementType type = builder.current_value().type;
  const int64_t middle = builder.current_value().shape.back();
  builder.Pool(LayerRole::kSqueezePool);
  builder.Linear(LayerRole::kSqueezeReduce, slots.squeeze_reduce, SqueezeChannels(middle), type, type, FusedActivation::kRelu);
  builder.Linear(LayerRole::kSqueezeExpand, slots.squeeze_expand, middle, type, type, FusedActivation::kHardSigmoid);
  builder.Combine(LayerRole::kSqueezeScale, OpKind::kMultiply, features, type);
}

Fragment LowerBlock(const ConvnetSpace& space, const SlotTable& table, const UnitId& unit, const LoweringContext& context,
                    const BlockChoice& choice) {
  const BlockSlots& slots = table.block(unit.stage, unit.block);
  const int full_kernel = space.spec().stages[static_cast<size_t>(unit.stage)].blocks[static_cast<size_t>(unit.block)].kernels.back();
  FragmentBuilder builder(unit, context);
  const ValueId input = builder.current();
  const int64_t middle = MiddleChannels(context.channels, choice.expansion);
  if (choice.expansion != 1.0) {
    builder.Conv(LayerRole::kExpand, slots.expand, {.out_channels = middle}, choice.expand, {}, 1);
    builder.Activate(choice.activation);
  }
  builder.Conv(LayerRole::kDepthwise, slots.depthwise, {middle, choice.kernel, choice.stride, /*depthwise=*/true}, choice.depthwise,
               slots.transforms, full_kernel);
  builder.Activate(choice.activation);
  if (choice.squeeze_excite) SqueezeExcite(builder, slots);
  builder.Conv(LayerRole::kProject, slots.project, {.out_channels = choice.width}, choice.project, {}, 1);
  if (choice.stride == 1 && context.channels == choice.width) {
    builder.Combine(LayerRole::kResidual, OpKind::kAdd, input, builder.current_value().type);
  }
  return std::move(builder).Take();
}

Fragment LowerHead(const ConvnetSpace& space, const SlotTable& slots, const LoweringContext& context, const HeadChoice& choice) {
  const SpaceSpec& spec = space.spec();
  FragmentBuilder builder({.kind = UnitKind::kHead}, context);
  builder.Conv(LayerRole::kHeadConv, slots.head_conv(), {.out_channels = choice.width}, choice.conv, {}, 1);
  builder.Activate(spec.head.activation);
  builder.Pool(LayerRole::kPool);
  const auto linear = [&](LayerRole role, const LayerSlots& layer, int64_t features, Precision precision) {
    builder.Linear(role, layer, features, TypeOfBits(precision.activation_bits), TypeOfBits(precision.weight_bits), FusedActivation::kNone);
  };
  if (spec.head.hidden > 0) {
    linear(LayerRole::kHidden, slots.hidden(), spec.head.hidden, choice.hidden);
    builder.Activate(spec.head.activation);
  }
  linear(LayerRole::kClassifier, slots.classifier(), spec.num_classes, choice.classifier);
  return std::move(builder).Take();
}

template <typename T>
void SortUnique(std::vector<T>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

/// The extents behind a convolution. Odd kernels of every size leave the same.
std::vector<int64_t> Behind(std::vector<int64_t> extents, int kernel, int stride) {
  for (int64_t& extent : extents) extent = ConvExtent(extent, kernel, stride);
  SortUnique(extents);
  return extents;
}

void AddTypes(const std::vector<Precision>& precisions, std::vector<ElementType>& types) {
  for (const Precision precision : precisions) types.push_back(TypeOfBits(precision.activation_bits));
  SortUnique(types);
}

}  // namespace

void AppendFragment(const Graph& fragment, Graph& graph) {
  std::vector<ValueId> renamed(fragment.values.size());
  for (size_t i = 0; i < fragment.values.size(); ++i) {
    if (static_cast<ValueId>(i) == fragment.input) {
      renamed[i] = graph.output;
      continue;
    }
    renamed[i] = static_cast<ValueId>(graph.values.size());
    graph.values.push_back(fragment.values[i]);
  }
  for (Operator op : fragment.operators) {
    for (ValueId& id : op.inputs) id = renamed[static_cast<size_t>(id)];
    op.output = renamed[static_cast<size_t>(op.output)];
    graph.operators.push_back(std::move(op));
  }
  graph.output = renamed[static_cast<size_t>(fragment.output)];
}

Lowering::Lowering(ConvnetSpace space) : family_(std::move(space)), slots_(family_) {}

LoweringContext Lowering::InputContext(int resolution) const {
  return {.height = resolution, .width = resolution, .channels = family_.spec().input_channels, .type = ElementType::kFloat32};
}

Fragment Lowering::LowerUnit(const UnitId& unit, const LoweringContext& context, const UnitChoice& choice) const {
  switch (unit.kind) {
    case UnitKind::kStem:
      return LowerStem(family_, slots_, context, std::get<StemChoice>(choice));
    case UnitKind::kBlock:
      return LowerBlock(family_, slots_, unit, context, std::get<BlockChoice>(choice));
    case UnitKind::kHead:
      return LowerHead(family_, slots_, context, std::get<HeadChoice>(choice));
  }
  CHECK(false) << "no such unit";
}

Graph Lowering::Lower(const Architecture& architecture) const {
  LoweringContext context = InputContext(family_.ResolutionOf(architecture));
  Graph graph;
  graph.values.push_back({{1, context.height, context.width, context.channels}, context.type, {}});
  graph.input = 0;
  graph.output = 0;
  for (const auto& [unit, choice] : family_.UnitsOf(architecture)) {
    const Fragment fragment = LowerUnit(unit, context, choice);
    AppendFragment(fragment.graph, graph);
    context = fragment.next;
  }
  return graph;
}

LoweringContext ReachingContexts::at(int64_t index) const {
  const auto per_extent = static_cast<int64_t>(channels.size() * types.size());
  const auto num_types = static_cast<int64_t>(types.size());
  const int64_t extent = extents[static_cast<size_t>(index / per_extent)];
  return {extent, extent, channels[static_cast<size_t>(index % per_extent / num_types)], types[static_cast<size_t>(index % num_types)]};
}

std::vector<ReachedUnit> Lowering::ReachedUnits() const {
  const SpaceSpec& spec = family_.spec();
  std::vector<ReachedUnit> units;
  const auto add = [&](const UnitId& id, const ReachingContexts& contexts) -> ReachedUnit& {
    const auto index = static_cast<int>(units.size());
    return units.emplace_back(ReachedUnit{.id = id, .contexts = contexts, .same_as = index});
  };
  const LoweringContext image = InputContext(spec.resolutions.front());
  ReachingContexts contexts = {.extents = {}, .channels = {image.channels}, .types = {image.type}};
  for (const int resolution : spec.resolutions) contexts.extents.push_back(InputContext(resolution).height);
  add({.kind = UnitKind::kStem}, contexts);
  contexts.extents = Behind(std::move(contexts.extents), spec.stem.kernel, spec.stem.stride);
  contexts.channels.assign(spec.stem.widths.begin(), spec.stem.widths.end());
  contexts.types.clear();
  AddTypes(spec.stem.precisions, contexts.types);
  for (int s = 0; s < family_.num_stages(); ++s) {
    const StageSpec& stage = spec.stages[static_cast<size_t>(s)];
    std::vector<ElementType> leaving;  // of the blocks that are the last one at some depth
    for (int b = 0; b < family_.max_depth(s); ++b) {
      const BlockSpec& block = stage.blocks[static_cast<size_t>(b)];
      ReachedUnit& unit = add({UnitKind::kBlock, s, b}, contexts);
      unit.width_is_entered = b > 0;
      const ReachedUnit& before = units[units.size() - 2];
      const int like = family_.units()[units.size() - 1].lowers_like;
      if (before.contexts == contexts && family_.units()[units.size() - 2].lowers_like == like) unit.same_as = before.same_as;
      contexts.extents = Behind(std::move(contexts.extents), block.kernels.front(), b == 0 ? stage.stride : 1);
      contexts.channels.assign(stage.widths.begin(), stage.widths.end());
      contexts.types.clear();
      AddTypes(block.project_precisions, contexts.types);
      if (std::find(stage.depths.begin(), stage.depths.end(), b + 1) != stage.depths.end()) AddTypes(block.project_precisions, leaving);
    }
    contexts.types = leaving;
  }
  add({.kind = UnitKind::kHead}, contexts);
  return units;
}

}  // namespace hanas
