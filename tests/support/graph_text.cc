// SPDX-License-Identifier: Apache-2.0
#include "tests/support/graph_text.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "core/graph/op_schema.h"

namespace hanas::testing {
namespace {

/// "stem.weight[0:16,0:3,0:3,0:3]", then "|7>5:stem.transform" for each step of a transform chain.
std::string ViewText(const WeightView& view, const std::vector<Slot>& slots) {
  const auto name = [&](SlotId slot) -> const std::string& { return slots.at(static_cast<size_t>(slot)).name; };
  std::string text = absl::StrCat(
      name(view.slot), "[",
      absl::StrJoin(view.slices, ",",
                    [](std::string* out, const AxisSlice& slice) { absl::StrAppend(out, slice.begin, ":", slice.begin + slice.count); }),
      "]");
  for (const KernelTransform& step : view.transforms) absl::StrAppend(&text, "|", step.from, ">", step.to, ":", name(step.matrix));
  return text;
}

}  // namespace

std::string GraphText(const Graph& graph, const std::vector<Slot>& slots) {
  std::map<ValueId, std::string> names = {{graph.input, "image"}};
  const auto typed = [&](ValueId id) { return absl::StrCat(ToString(graph.value(id).shape), " ", Name(graph.value(id).type)); };
  std::string text = absl::StrCat("image: ", typed(graph.input), "\n");
  for (const Operator& op : graph.operators) {
    const std::string name = absl::StrCat("v", names.size());
    absl::StrAppend(&text, name, " = ", SchemaOf(op.kind).name, "(",
                    absl::StrJoin(op.inputs, ", ", [&](std::string* out, ValueId id) { out->append(names.at(id)); }), ") as ",
                    Name(op.compute));
    if (SchemaOf(op.kind).has_window) {
      absl::StrAppend(&text, " k", op.kernel, " s", op.stride, " p", op.padding, " d", op.dilation, " g", op.groups);
    }
    if (op.activation != FusedActivation::kNone) absl::StrAppend(&text, " then ", Name(op.activation));
    if (op.has_weights()) absl::StrAppend(&text, " weight ", Name(op.weight_type), " ", ViewText(op.weight, slots));
    if (op.bias.present()) absl::StrAppend(&text, " bias ", ViewText(op.bias, slots));
    if (op.has_norm()) {
      absl::StrAppend(&text, " norm ", ViewText(op.norm.gamma, slots));
      if (op.norm.beta.present()) absl::StrAppend(&text, " ", ViewText(op.norm.beta, slots));
    }
    absl::StrAppend(&text, ": ", typed(op.output), "\n");
    names.emplace(op.output, name);
  }
  absl::StrAppend(&text, "output: ", names.at(graph.output), "\n");
  return text;
}

}  // namespace hanas::testing
