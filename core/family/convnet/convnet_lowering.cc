// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/family/convnet/convnet_space.h"

namespace hanas {
namespace {

/// The chosen one of `answers`; the only one when the question is no gene.
template <typename T>
T Answer(const std::vector<T>& answers, int question, absl::Span<const uint8_t> choices) {
  return answers[question < 0 ? 0 : choices[static_cast<size_t>(question)]];
}

/// What a convolution or an addition can do itself.
FusedActivation Fused(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return FusedActivation::kRelu;
    case Activation::kRelu6:
      return FusedActivation::kRelu6;
    case Activation::kHardSwish:
    case Activation::kSilu:
      break;
  }
  return FusedActivation::kNone;
}

/// What it cannot, as operators behind `x`.
ValueId Behind(NetBuilder& net, ValueId x, Activation activation) {
  const std::string& layer = net.value(x).name;
  if (activation == Activation::kHardSwish) return net.Unary(layer + ".act", x, OpKind::kHardSwish);
  if (activation != Activation::kSilu) return x;
  const std::string name = layer;  // values move when there is one more
  const ValueId gate = net.Unary(name + ".gate", x, OpKind::kSigmoid);
  return net.Binary(name + ".act", OpKind::kProduct, x, gate, net.value(x).type);
}

ValueId ActivatedConv(NetBuilder& net, std::string name, ValueId x, ConvLayer layer, Activation activation) {
  layer.activation = Fused(activation);
  return Behind(net, net.Conv(std::move(name), x, layer), activation);
}

/// Channels of a block's expanded (middle) tensor; exactly the input's when there is no expansion.
int64_t MiddleChannels(int64_t inputs, double expansion) {
  return expansion == 1.0 ? inputs : MakeDivisible(static_cast<double>(inputs) * expansion, 8);
}

/// One block with all its choices.
class BlockWriter {
 public:
  BlockWriter(const StageSpec& stage, const UnitQuestions& at, absl::Span<const uint8_t> choices, const std::string& name, NetBuilder& net)
      : stage_(stage), spec_(stage.blocks[static_cast<size_t>(at.block)]), name_(name + "."), net_(net) {
    kind_ = Answer(stage.kinds, at.kind, choices);
    width_ = Answer(stage.widths, at.width, choices);
    kernel_ = Answer(spec_.kernels, at.kernel, choices);
    expansion_ = Answer(spec_.expansions, at.expansion, choices);
    squeeze_excite_ = Answer(spec_.squeeze_excite, at.squeeze_excite, choices);
    activation_ = Answer(spec_.activations, at.activation, choices);
    expand_ = Answer(spec_.expand_precisions, at.expand_precision, choices);
    depthwise_ = Answer(spec_.depthwise_precisions, at.depthwise_precision, choices);
    project_ = Answer(spec_.project_precisions, at.project_precision, choices);
    if (at.block == 0 && stage.stride > 1) {
      pools_ = Answer(stage.downsamples, at.downsample, choices) == Downsample::kMaxPool;
      if (!pools_) stride_ = stage.stride;
    }
  }

  ValueId Write() {
    const ValueId x = Body();
    return pools_ ? net_.MaxPool(name_ + "pool", x, stage_.stride, stage_.stride, 0) : x;
  }

 private:
  ValueId Body() {
    switch (kind_) {
      case BlockKind::kMbconv:
        return Mbconv();
      case BlockKind::kFusedMbconv:
        return FusedMbconv();
      case BlockKind::kResidual:
        return Residual();
      case BlockKind::kBottleneck:
        return Bottleneck();
      case BlockKind::kConv:
        break;
    }
    return ActivatedConv(net_, name_ + "conv", net_.input(), Spatial(width_, stride_, project_), activation_);
  }

  ConvLayer Spatial(int64_t outputs, int stride, Precision precision) const {
    return {.outputs = outputs, .kernel = kernel_, .kernels = spec_.kernels, .stride = stride, .precision = precision};
  }

  ValueId Mbconv() {
    ValueId x = net_.input();
    const int64_t middle = MiddleChannels(net_.channels(x), expansion_);
    if (expansion_ != 1.0) x = ActivatedConv(net_, name_ + "expand", x, {.outputs = middle, .precision = expand_}, activation_);
    ConvLayer depthwise = Spatial(middle, stride_, depthwise_);
    depthwise.groups = middle;
    x = ActivatedConv(net_, name_ + "depthwise", x, depthwise, activation_);
    if (squeeze_excite_) x = SqueezeExcite(x);
    return Shortcut(net_.Conv(name_ + "project", x, {.outputs = width_, .precision = project_}));
  }

  ValueId FusedMbconv() {
    ValueId x = net_.input();
    if (expansion_ == 1.0) {
      x = ActivatedConv(net_, name_ + "fused", x, Spatial(width_, stride_, project_), activation_);
      return Shortcut(squeeze_excite_ ? SqueezeExcite(x) : x);
    }
    const int64_t middle = MiddleChannels(net_.channels(x), expansion_);
    x = ActivatedConv(net_, name_ + "fused.expand", x, Spatial(middle, stride_, expand_), activation_);
    if (squeeze_excite_) x = SqueezeExcite(x);
    return Shortcut(net_.Conv(name_ + "fused.project", x, {.outputs = width_, .precision = project_}));
  }

  /// Whether the block's input can be added to its output as it is, whatever the resolution.
  bool KeepsShape() const { return stride_ == 1 && net_.channels(net_.input()) == width_; }

  /// Adds the block's input where it has the shape of the output.
  ValueId Shortcut(ValueId x) {
    const ValueId input = net_.input();
    if (!KeepsShape()) return x;
    return net_.Binary(name_ + "residual", OpKind::kAdd, input, x, net_.value(x).type);
  }

  ValueId Residual() {
    ValueId x = ActivatedConv(net_, name_ + "residual.conv1", net_.input(), Spatial(width_, stride_, expand_), activation_);
    x = net_.Conv(name_ + "residual.conv2", x, Spatial(width_, 1, project_));
    return AddActivated(x, "residual.");
  }

  ValueId Bottleneck() {
    const int64_t middle = MakeDivisible(static_cast<double>(width_) * stage_.bottleneck, 8);
    ValueId x = ActivatedConv(net_, name_ + "bottleneck.conv1", net_.input(), {.outputs = middle, .precision = expand_}, activation_);
    ConvLayer spatial = Spatial(middle, stride_, depthwise_);
    spatial.groups = stage_.groups;
    x = ActivatedConv(net_, name_ + "bottleneck.conv2", x, spatial, activation_);
    x = net_.Conv(name_ + "bottleneck.conv3", x, {.outputs = width_, .precision = project_});
    return AddActivated(x, "bottleneck.");
  }

  /// The shortcut of a ResNet: the input, by way of a 1x1 convolution where it has another shape; the activation follows the sum.
  ValueId AddActivated(ValueId x, absl::string_view part) {
    ValueId shortcut = net_.input();
    if (!KeepsShape()) {
      shortcut = net_.Conv(absl::StrCat(name_, part, "shortcut"), shortcut, {.outputs = width_, .stride = stride_, .precision = project_});
    }
    const ElementType type = net_.value(x).type;
    return Behind(net_, net_.Binary(absl::StrCat(name_, part, "add"), OpKind::kAdd, shortcut, x, type, Fused(activation_)), activation_);
  }

  ValueId SqueezeExcite(ValueId features) {
    const ElementType type = net_.value(features).type;
    const int64_t middle = net_.channels(features);
    const bool efficient = stage_.squeeze_style == SqueezeStyle::kEfficientNet;
    // MobileNetV3's implementations round the quarter down before they round it to a multiple of 8.
    const int64_t inner =
        efficient ? std::max<int64_t>(1, net_.channels(net_.input()) / 4) : MakeDivisible(static_cast<double>(middle / 4), 8);
    ValueId x = net_.GlobalPool(name_ + "se.pool", features, OpKind::kGlobalAveragePool);
    const Activation activation = efficient ? activation_ : Activation::kRelu;
    x = net_.Linear(name_ + "se.reduce", x, {.outputs = inner, .compute = type, .weight_type = type, .activation = Fused(activation)});
    x = Behind(net_, x, activation);
    const FusedActivation gate = efficient ? FusedActivation::kNone : FusedActivation::kHardSigmoid;
    x = net_.Linear(name_ + "se.expand", x, {.outputs = middle, .compute = type, .weight_type = type, .activation = gate});
    if (efficient) x = net_.Unary(name_ + "se.gate", x, OpKind::kSigmoid);
    return net_.Binary(name_ + "se.scale", OpKind::kMultiply, features, x, type);
  }

  const StageSpec& stage_;
  const BlockSpec& spec_;
  std::string name_;
  NetBuilder& net_;
  BlockKind kind_;
  int64_t width_;
  int kernel_;
  double expansion_;
  bool squeeze_excite_;
  Activation activation_;
  Precision expand_;
  Precision depthwise_;
  Precision project_;
  int stride_ = 1;
  bool pools_ = false;
};

Fragment LowerStem(const StemSpec& stem, const UnitQuestions& at, absl::Span<const uint8_t> choices, NetBuilder net) {
  const ConvLayer conv = {.outputs = Answer(stem.widths, at.width, choices),
                          .kernel = stem.kernel,
                          .stride = stem.stride,
                          .precision = Answer(stem.precisions, at.precision, choices),
                          .norm = !stem.whitening,
                          .bias = stem.whitening,
                          .whitening = stem.whitening};
  ValueId x = ActivatedConv(net, "stem", net.input(), conv, stem.activation);
  if (stem.max_pool) x = net.MaxPool("stem.pool", x, 3, 2, 1);
  return std::move(net).Finish(x);
}

Fragment LowerHead(const SpaceSpec& spec, const UnitQuestions& at, absl::Span<const uint8_t> choices, NetBuilder net) {
  const HeadSpec& head = spec.head;
  const auto linear = [&](int64_t outputs, Precision precision, bool bias) -> LinearLayer {
    return {.outputs = outputs,
            .compute = TypeOfBits(precision.activation_bits),
            .weight_type = TypeOfBits(precision.weight_bits),
            .bias = bias};
  };
  ValueId x = net.input();
  if (!head.widths.empty()) {
    x = ActivatedConv(net, "head.conv", x,
                      {.outputs = Answer(head.widths, at.width, choices), .precision = Answer(head.precisions, at.precision, choices)},
                      head.activation);
  }
  const bool average = Answer(head.pools, at.pool, choices) == GlobalPool::kAverage;
  x = net.GlobalPool("head.pool", x, average ? OpKind::kGlobalAveragePool : OpKind::kGlobalMaxPool);
  if (head.hidden > 0) {
    LinearLayer hidden = linear(head.hidden, Answer(head.hidden_precisions, at.hidden_precision, choices), head.hidden_bias);
    hidden.activation = Fused(head.activation);
    x = Behind(net, net.Linear("head.hidden", x, hidden), head.activation);
  }
  x = net.Linear("classifier", x,
                 linear(spec.num_classes, Answer(head.classifier_precisions, at.classifier_precision, choices), /*bias=*/true));
  return std::move(net).Finish(x, "logits");
}

}  // namespace

LoweringContext ConvnetSpace::Input(absl::Span<const uint8_t> choices) const {
  const int resolution = Answer(spec_.resolutions, questions_.front().resolution, choices);
  return {.height = resolution, .width = resolution, .channels = spec_.input_channels, .type = ElementType::kFloat32};
}

Fragment ConvnetSpace::Lower(size_t unit, absl::Span<const uint8_t> choices, NetBuilder net) const {
  const UnitQuestions& at = questions_[unit];
  switch (at.part) {
    case UnitQuestions::Part::kStem:
      return LowerStem(spec_.stem, at, choices, std::move(net));
    case UnitQuestions::Part::kHead:
      return LowerHead(spec_, at, choices, std::move(net));
    case UnitQuestions::Part::kBlock:
      break;
  }
  const StageSpec& stage = spec_.stages[static_cast<size_t>(at.stage)];
  const ValueId output = BlockWriter(stage, at, choices, units_[unit].name, net).Write();
  return std::move(net).Finish(output);
}

}  // namespace hanas
