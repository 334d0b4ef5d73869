// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_PLAN_EXEC_PLAN_H_
#define HANAS_CORE_PLAN_EXEC_PLAN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/digest.h"
#include "core/base/stop.h"
#include "core/graph/graph.h"
#include "core/lowering/lowering.h"
#include "core/plan/op_key.h"

namespace hanas {

/// What a device's backend can execute; announced by the agent when it registers. float32 of every operator is always there.
struct BackendCaps {
  std::string name;                   // "xnnpack", "onnxruntime"
  std::string version;                // of the library, with the digest of its file
  std::string isa;                    // "avx512vnni", "neon-dotprod"
  bool native_float16 = false;        // else 16-bit layers execute as float32
  bool int8_hard_swish = false;       // else dequantise, float32, quantise
  bool int4_fully_connected = false;  // 4-bit weights stay packed in memory
  friend bool operator==(const BackendCaps&, const BackendCaps&) = default;
};
Digest CapsDigest(const BackendCaps& caps);

/// A tensor as the device holds it. `source` is the graph value it represents (several may share one, in different types).
struct ExecValue {
  Shape shape;
  ElementType type = ElementType::kFloat32;
  ValueId source = -1;
};

/// One executed operator. `op` indexes Graph::operators; -1 for a conversion that planning inserted.
struct ExecStep {
  OpKey key;
  absl::InlinedVector<int, 2> inputs;  // indices of ExecPlan::values
  int output = -1;
  int op = -1;
};

/// A linear program for one backend. Keys, latency sum and the agent's executor all read this; nothing else decides how to execute.
///
/// Invariant: values are produced before they are read, each once. Thread-compatible.
struct ExecPlan {
  std::vector<ExecValue> values;
  std::vector<ExecStep> steps;
  int input = -1;
  int output = -1;
};
Digest PlanDigest(const ExecPlan& plan);

/// Pure. The plan's input is the float32 image; its output is float32 when `graph` is a network (a fragment's output keeps its
/// type). A conversion is made at most once per (value, type). A 16-bit layer runs as float32 unless caps.native_float16; weights of 4 or
/// 2 bits are unpacked to the layer's compute type unless the backend has a kernel for them.
///
/// Planning a network equals planning its fragments one after another: a fragment's conversions are its own.
ExecPlan MakePlan(const Graph& graph, const BackendCaps& caps);

/// Every operator key that any network of the space can need on this backend, sorted by text, without duplicates: a walk of the space's
/// operators, a microsecond or five for each unit lowered. Returns CANCELLED when `stop` says so, and RESOURCE_EXHAUSTED as soon as there
/// are more than `most`.
absl::StatusOr<std::vector<OpKey>> EnumerateOpKeys(const Lowering& lowering, const BackendCaps& caps, StopCheck stop, int64_t most);
/// The same without bounds, for spaces that are known to be small.
std::vector<OpKey> EnumerateOpKeys(const Lowering& lowering, const BackendCaps& caps);

}  // namespace hanas

#endif  // HANAS_CORE_PLAN_EXEC_PLAN_H_
