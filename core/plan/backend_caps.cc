// SPDX-License-Identifier: Apache-2.0
#include "core/plan/backend_caps.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/graph/op_schema.h"

namespace hanas {
namespace {

constexpr std::array<absl::string_view, 1> kNames = {"xnnpack"};
constexpr absl::string_view kEveryKind = "*";
static_assert(static_cast<int>(ElementType::kInt32) == 5, "NativeOperators has an entry for each type");
static_assert(static_cast<int>(OpKind::kProduct) < 32, "NativeOperators has a bit for each kind");

size_t Index(ElementType type) { return static_cast<size_t>(type); }

absl::Status Mismatch(absl::string_view expected, absl::string_view found) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", expected, ", found \"", found, "\""));
}

uint32_t Bit(OpKind kind) { return uint32_t{1} << static_cast<uint32_t>(kind); }

}  // namespace

std::string ToString(const OperatorPattern& pattern) {
  return absl::StrCat(pattern.kind ? Name(*pattern.kind) : kEveryKind, " ", Name(pattern.compute), pattern.weights ? " " : "",
                      pattern.weights ? Name(*pattern.weights) : "");
}

absl::StatusOr<OperatorPattern> OperatorPatternFromString(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  if (words.size() != 2 && words.size() != 3) return Mismatch("a kind of operator and one or two types, such as \"fc i8 i4\"", text);
  OperatorPattern pattern;
  if (words[0] != kEveryKind) {
    const absl::Span<const OpSchema> schemas = OpSchemas();
    const auto schema = std::find_if(schemas.begin(), schemas.end(), [&](const OpSchema& row) { return row.name == words[0]; });
    if (schema == schemas.end()) return Mismatch("a kind of operator or \"*\"", words[0]);
    pattern.kind = schema->kind;
  }
  const absl::StatusOr<ElementType> compute = ElementTypeFromName(words[1]);
  if (!compute.ok()) return compute.status();
  pattern.compute = *compute;
  if (words.size() == 3) {
    const absl::StatusOr<ElementType> weights = ElementTypeFromName(words[2]);
    if (!weights.ok()) return weights.status();
    if (BitWidth(*weights) >= BitWidth(*compute)) return Mismatch("weights of fewer bits than the activations", text);
    pattern.weights = *weights;
  }
  if (*compute != ElementType::kFloat16 && *compute != ElementType::kInt8) return Mismatch("activations of type f16 or i8", text);
  return pattern;
}

Digest CapsDigest(const BackendCaps& caps) {
  DigestBuilder digest;
  digest.Add(caps.name).Add(caps.version).Add(caps.isa);
  for (const OperatorPattern& pattern : caps.native) digest.Add(ToString(pattern));
  return digest.Build();
}

std::vector<OperatorPattern> EveryKindBut(OpKind kind, ElementType compute) {
  std::vector<OperatorPattern> patterns;
  for (const OpSchema& schema : OpSchemas()) {
    if (schema.kind != kind) patterns.push_back({.kind = schema.kind, .compute = compute});
  }
  return patterns;
}

NativeOperators::NativeOperators(const BackendCaps& caps) {
  constexpr Kinds kEvery = ~Kinds{0};
  bool half = false;
  for (const OperatorPattern& pattern : caps.native) {
    half = half || (!pattern.kind && pattern.compute == ElementType::kFloat16 && !pattern.weights);
    const Kinds kinds = pattern.kind ? Bit(*pattern.kind) : kEvery;
    (pattern.weights ? keeps_[Index(pattern.compute)][Index(*pattern.weights)] : has_[Index(pattern.compute)]) |= kinds;
  }
  has_[Index(ElementType::kFloat32)] = kEvery;
  has_[Index(ElementType::kFloat16)] = half ? kEvery : 0;
}

bool NativeOperators::Has(OpKind kind, ElementType compute) const { return (has_[Index(compute)] & Bit(kind)) != 0; }

bool NativeOperators::KeepsWeights(OpKind kind, ElementType compute, ElementType weights) const {
  return (keeps_[Index(compute)][Index(weights)] & Bit(kind)) != 0;
}

absl::Span<const absl::string_view> BackendNames() { return kNames; }

}  // namespace hanas
