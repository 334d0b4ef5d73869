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
#include "core/plan/backend_caps.h"
#include "core/plan/op_key.h"

namespace hanas {

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
/// type). A conversion is made at most once per (value, type). What the backend has no kernels for, caps.native says: such operators run
/// in float32 between conversions, 16-bit layers as float32, and weights of 4 or 2 bits are unpacked to the layer's compute type.
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
