// SPDX-License-Identifier: Apache-2.0
#include "core/plan/op_key.h"

#include <array>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/bounds.h"
#include "core/plan/op_limits.h"

namespace hanas {
namespace {

bool ParseKind(absl::string_view text, OpKind& out) {
  for (const OpSchema& schema : OpSchemas()) {
    if (schema.name != text) continue;
    out = schema.kind;
    return true;
  }
  return false;
}

bool ParseActivation(absl::string_view text, FusedActivation& out) {
  for (int i = 0; i < kNumFusedActivations; ++i) {
    out = static_cast<FusedActivation>(i);
    if (Name(out) == text) return true;
  }
  return false;
}

bool ParseExtent(absl::string_view text, int64_t low, int64_t& out) {
  return absl::SimpleAtoi(text, &out) && out >= low && out <= bounds::kMaxExtent;
}

bool ParseShape(absl::string_view text, Shape& shape) {
  for (const absl::string_view part : absl::StrSplit(text, 'x')) {
    int64_t extent = 0;
    if (!ParseExtent(part, 1, extent)) return false;
    shape.push_back(extent);
  }
  return shape.size() == 2 || shape.size() == 4;
}

/// "k3" with prefix 'k'.
template <typename T>
bool ParseField(absl::string_view text, char prefix, int64_t low, T& out) {
  int64_t value = 0;
  if (text.empty() || text[0] != prefix || !ParseExtent(text.substr(1), low, value)) return false;
  out = static_cast<T>(value);
  return true;
}

bool ParseTypes(absl::string_view text, OpKey& key) {
  const std::vector<absl::string_view> names = absl::StrSplit(text, '.');
  if (names.size() != 3) return false;
  const std::array<ElementType*, 3> targets = {&key.input_type, &key.weight_type, &key.output_type};
  for (size_t i = 0; i < 3; ++i) {
    const absl::StatusOr<ElementType> type = ElementTypeFromName(names[i]);
    if (!type.ok()) return false;
    *targets[i] = *type;
  }
  return true;
}

}  // namespace

std::string ToString(const OpKey& key) {
  return absl::StrCat(Name(key.kind), " ", ToString(key.input), " o", key.output_channels, " k", key.kernel, " s", key.stride, " p",
                      key.padding, " d", key.dilation, " g", key.groups, " ", Name(key.activation), " ", Name(key.input_type), ".",
                      Name(key.weight_type), ".", Name(key.output_type));
}

absl::StatusOr<OpKey> OpKeyFromString(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ' ');
  OpKey key;
  const bool parsed = parts.size() == 10 && ParseKind(parts[0], key.kind) && ParseShape(parts[1], key.input) &&
                      ParseField(parts[2], 'o', 1, key.output_channels) && ParseField(parts[3], 'k', 1, key.kernel) &&
                      ParseField(parts[4], 's', 1, key.stride) && ParseField(parts[5], 'p', 0, key.padding) &&
                      ParseField(parts[6], 'd', 1, key.dilation) && ParseField(parts[7], 'g', 1, key.groups) &&
                      ParseActivation(parts[8], key.activation) && ParseTypes(parts[9], key);
  // Only in the spelling of ToString: the text is the key of tables.
  if (!parsed || !CheckOpKey(key).ok() || ToString(key) != text) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected an operator key like \"conv2d 1x14x14x48 o96 k3 s1 p1 d1 g48 relu i8.i8.i8\", found \"", text.substr(0, 200), "\""));
  }
  return key;
}

OpGeometry GeometryOf(const OpKey& key) {
  return {.kind = key.kind,
          .input = key.input,
          .output_channels = key.output_channels,
          .kernel = key.kernel,
          .stride = key.stride,
          .padding = key.padding,
          .dilation = key.dilation,
          .groups = key.groups};
}

}  // namespace hanas
