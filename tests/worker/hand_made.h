// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_WORKER_HAND_MADE_H_
#define HANAS_TESTS_WORKER_HAND_MADE_H_

#include <cmath>
#include <functional>
#include <vector>

#include "core/base/counter_random.h"
#include "core/family/net_builder.h"
#include "core/family/slot_table.h"
#include "core/graph/graph.h"

namespace hanas {

/// A network that no space lists, with the slots that it reads and random weights for them.
struct HandMade {
  Graph graph;
  std::vector<Slot> slots;
  std::vector<std::vector<float>> weights;
};

/// `write` names the layers and returns NetBuilder::Finish.
inline HandMade MakeByHand(const LoweringContext& context, const std::function<Fragment(NetBuilder)>& write) {
  SlotTable table;
  write(NetBuilder(context, &table));
  HandMade made = {.graph = write(NetBuilder(context, static_cast<const SlotTable&>(table))).graph, .slots = table.slots(), .weights = {}};
  CounterRandom random(11, "test/hand-made");
  for (const Slot& slot : made.slots) {
    const bool gamma = slot.kind == SlotKind::kNormGamma;
    const double fan_in = static_cast<double>(NumElements(slot.shape)) / static_cast<double>(slot.shape[0]);
    const double spread = slot.shape.size() > 1 ? std::sqrt(2.0 / fan_in) : 0.3;
    std::vector<float>& weights = made.weights.emplace_back();
    for (int64_t i = 0; i < NumElements(slot.shape); ++i)
      weights.push_back(static_cast<float>((gamma ? 1.0 : 0.0) + spread * random.Normal()));
  }
  return made;
}

/// Every kind of operator at `precision`, every way in which a convolution has or lacks bias and normalisation, and every activation.
inline HandMade EveryOperator(Precision precision) {
  const LoweringContext context = {.height = 15, .width = 15, .channels = 3, .type = ElementType::kFloat32};
  const ElementType type = TypeOfBits(precision.activation_bits);
  return MakeByHand(context, [&](NetBuilder net) {
    using Fused = FusedActivation;
    const auto conv = [&](const char* name, ValueId x, ConvLayer layer) {
      layer.precision = precision;
      return net.Conv(name, x, layer);
    };
    ValueId x = conv("whitening", net.input(), {.outputs = 24, .kernel = 2, .norm = false, .bias = true, .whitening = true});
    x = conv("norm", x, {.outputs = 16, .kernel = 3, .activation = Fused::kRelu});
    const ValueId shortcut = net.MaxPool("pool", x, 2, 2, 0);
    x = conv("both", shortcut, {.outputs = 16, .kernel = 3, .activation = Fused::kRelu6, .norm = true, .bias = true});
    x = conv("grouped", x, {.outputs = 16, .kernel = 3, .groups = 4, .norm = false});
    x = net.Binary("residual", OpKind::kAdd, x, shortcut, type, Fused::kRelu);
    x = conv("depthwise", x, {.outputs = 16, .kernel = 5, .groups = 16});
    x = net.Unary("depthwise.act", x, OpKind::kHardSwish);
    const ValueId gated = x;
    ValueId gate = net.GlobalPool("squeeze", x, OpKind::kGlobalAveragePool);
    gate =
        net.Linear("gate", gate,
                   {.outputs = 16, .compute = type, .weight_type = TypeOfBits(precision.weight_bits), .activation = Fused::kHardSigmoid});
    x = net.Binary("scaled", OpKind::kMultiply, gated, gate, type);
    const ValueId before = conv("silu", x, {.outputs = 24, .kernel = 3, .norm = false, .bias = true});
    x = net.Binary("silu.act", OpKind::kProduct, before, net.Unary("silu.sigmoid", before, OpKind::kSigmoid), type);
    const ValueId mask = conv("mask", x, {.outputs = 24, .activation = Fused::kHardSigmoid, .norm = false, .bias = true});
    x = net.Binary("masked", OpKind::kProduct, x, mask, type);
    x = net.Binary("clamped", OpKind::kAdd, x, x, type, Fused::kRelu6);
    x = net.MaxPool("padded", x, 3, 2, 1);
    x = net.GlobalPool("largest", x, OpKind::kGlobalMaxPool);
    x = net.Linear(
        "hidden", x,
        {.outputs = 32, .compute = type, .weight_type = TypeOfBits(precision.weight_bits), .activation = Fused::kRelu6, .bias = false});
    x = net.Linear("classifier", x, {.outputs = 10, .compute = type, .weight_type = TypeOfBits(precision.weight_bits)});
    return std::move(net).Finish(x, "logits");
  });
}

}  // namespace hanas

#endif  // HANAS_TESTS_WORKER_HAND_MADE_H_
