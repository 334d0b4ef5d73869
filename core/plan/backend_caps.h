// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_PLAN_BACKEND_CAPS_H_
#define HANAS_CORE_PLAN_BACKEND_CAPS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/digest.h"
#include "core/graph/element_type.h"
#include "core/graph/graph.h"

namespace hanas {

/// A class of operators that a backend has kernels for.
struct OperatorPattern {
  std::optional<OpKind> kind;                   // none: every kind
  ElementType compute = ElementType::kFloat32;  // of activations
  std::optional<ElementType> weights = {};      // as they lie in memory, where they are smaller than `compute`; none: as `compute`
  friend bool operator==(const OperatorPattern&, const OperatorPattern&) = default;
};

/// "* i8", "hard_swish i8", "fully_connected i8 i4": kind, compute type, weights' type.
std::string ToString(const OperatorPattern& pattern);
/// Inverse. Returns INVALID_ARGUMENT with what was expected and found.
absl::StatusOr<OperatorPattern> OperatorPatternFromString(absl::string_view text);

/// What a device's backend can execute; announced by the agent when it registers. float32 of every operator is always there; what else is
/// native the patterns say. An operator in a type that is not native is computed as float32 between conversions, and weights in a type that
/// is not are unpacked to that of the activations.
struct BackendCaps {
  std::string name;                     // "xnnpack", "onnxruntime"
  std::string version;                  // of the library, with the digest of its file
  std::string isa;                      // "avx512vnni", "neon-dotprod"
  std::vector<OperatorPattern> native;  // beside float32
  friend bool operator==(const BackendCaps&, const BackendCaps&) = default;
};
Digest CapsDigest(const BackendCaps& caps);

/// One pattern for every kind but `kind`: of a backend that lacks a kernel.
std::vector<OperatorPattern> EveryKindBut(OpKind kind, ElementType compute);

/// `caps` as answers: what planning asks for every operator of a network. Thread-compatible; copies nothing of `caps`.
class NativeOperators {
 public:
  explicit NativeOperators(const BackendCaps& caps);

  /// Whether an operator of this kind runs in `compute`. kFloat16 is all or nothing: values would be converted at every second operator.
  bool Has(OpKind kind, ElementType compute) const;
  /// Whether weights of `weights` stay as they are beside activations of `compute`.
  bool KeepsWeights(OpKind kind, ElementType compute, ElementType weights) const;

 private:
  static constexpr size_t kTypes = 6;
  using Kinds = uint32_t;  // bit i: the OpKind of number i

  Kinds has_[kTypes] = {};
  Kinds keeps_[kTypes][kTypes] = {};  // by compute type and weights' type
};

/// The backends that jobs may name. One more is a name here, a folder of profiler-agent/runtime, and a row of profiler-agent/backends.
absl::Span<const absl::string_view> BackendNames();

}  // namespace hanas

#endif  // HANAS_CORE_PLAN_BACKEND_CAPS_H_
