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

constexpr std::array<OpKind, 7> kKinds = {OpKind::kConv2d, OpKind::kFullyConnected, OpKind::kGlobalAveragePool,
                                          OpKind::kAdd,    OpKind::kMultiply,       OpKind::kHardSwish,
                                          OpKind::kConvert};
constexpr std::array<FusedActivation, 3> kActivations = {FusedActivation::kNone, FusedActivation::kRelu, FusedActivation::kHardSigmoid};

template <typename T, size_t kSize>
bool ParseName(absl::string_view text, const std::array<T, kSize>& all, T& out) {
  for (const T item : all) {
    if (Name(item) == text) {
      out = item;
      return true;
    }
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

int64_t OutputExtent(const OpKey& key, int64_t input) {
  const int64_t reach = int64_t{key.dilation} * (key.kernel - 1) + 1;  // of the dilated kernel; 2^40 at most
  return input + 2 * key.padding < reach ? 0 : (input + 2 * key.padding - reach) / key.stride + 1;
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
  const bool parsed = parts.size() == 10 && ParseName(parts[0], kKinds, key.kind) && ParseShape(parts[1], key.input) &&
                      ParseField(parts[2], 'o', 1, key.output_channels) && ParseField(parts[3], 'k', 1, key.kernel) &&
                      ParseField(parts[4], 's', 1, key.stride) && ParseField(parts[5], 'p', 0, key.padding) &&
                      ParseField(parts[6], 'd', 1, key.dilation) && ParseField(parts[7], 'g', 1, key.groups) &&
                      ParseName(parts[8], kActivations, key.activation) && ParseTypes(parts[9], key);
  // Only in the spelling of ToString: the text is the key of tables.
  if (!parsed || !CheckOpKey(key).ok() || ToString(key) != text) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected an operator key like \"conv2d 1x14x14x48 o96 k3 s1 p1 d1 g48 relu i8.i8.i8\", found \"", text.substr(0, 200), "\""));
  }
  return key;
}

Shape OutputShape(const OpKey& key) {
  switch (key.kind) {
    case OpKind::kConv2d:
      return {key.input[0], OutputExtent(key, key.input[1]), OutputExtent(key, key.input[2]), key.output_channels};
    case OpKind::kFullyConnected:
      return {key.input[0], key.output_channels};
    case OpKind::kGlobalAveragePool:
      return {key.input[0], key.input[3]};
    default:
      return key.input;
  }
}

int64_t Macs(const OpKey& key) {
  if (key.kind == OpKind::kFullyConnected) return key.input[0] * key.input[1] * key.output_channels;
  if (key.kind != OpKind::kConv2d) return 0;
  return NumElements(OutputShape(key)) * key.kernel * key.kernel * (key.input[3] / key.groups);
}

}  // namespace hanas
