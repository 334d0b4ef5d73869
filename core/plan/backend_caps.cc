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

size_t Index(ElementType type) { return static_cast<size_t>(type); }

absl::Status Mismatch(absl::string_view expected, absl::string_view found) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", expected, ", found \"", found, "\""));
}

bool IsFor(const OperatorPattern& pattern, OpKind kind) { return !pattern.kind || *pattern.kind == kind; }

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
    pattern.weights = *weights;
  }
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
  bool half = false;
  for (const OperatorPattern& pattern : caps.native) {
    half = half || (!pattern.kind && pattern.compute == ElementType::kFloat16 && !pattern.weights);
    for (const OpSchema& schema : OpSchemas()) {
      if (!IsFor(pattern, schema.kind)) continue;
      if (pattern.weights) {
        keeps_[static_cast<size_t>(schema.kind)][Index(pattern.compute)][Index(*pattern.weights)] = true;
      } else {
        has_[static_cast<size_t>(schema.kind)][Index(pattern.compute)] = true;
      }
    }
  }
  for (const OpSchema& schema : OpSchemas()) {
    has_[static_cast<size_t>(schema.kind)][Index(ElementType::kFloat32)] = true;
    has_[static_cast<size_t>(schema.kind)][Index(ElementType::kFloat16)] = half;
  }
}

bool NativeOperators::Has(OpKind kind, ElementType compute) const { return has_[static_cast<size_t>(kind)][Index(compute)]; }

bool NativeOperators::KeepsWeights(OpKind kind, ElementType compute, ElementType weights) const {
  return keeps_[static_cast<size_t>(kind)][Index(compute)][Index(weights)];
}

absl::Span<const absl::string_view> BackendNames() { return kNames; }

}  // namespace hanas
