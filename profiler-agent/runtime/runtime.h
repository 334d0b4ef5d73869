// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_RUNTIME_RUNTIME_H_
#define HANAS_PROFILER_AGENT_RUNTIME_RUNTIME_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/bound/bound_model.h"
#include "core/graph/graph.h"
#include "core/plan/exec_plan.h"
#include "core/plan/op_key.h"

namespace hanas {

// What a backend on a board offers to the measuring code. A runtime executes plans and decides nothing: conversions, element types and
// expansions are in the ExecPlan already. Implementations sit in folders beside this header, with their Create functions.

/// One prepared operator with random bounded weights and inputs.
///
/// Thread-compatible. Owns its weights and buffers.
class OperatorInstance {
 public:
  virtual ~OperatorInstance() = default;
  /// Executes once, on the runtime's threads, the calling one among them. Returns INTERNAL when the backend reports an error.
  virtual absl::Status Run() = 0;
  /// Weights and activations that one run touches.
  virtual int64_t working_set_bytes() const = 0;
};

/// One prepared network, batch 1.
///
/// The image is preprocessed float32, channel-last [H, W, C], of input_size() elements; logits have output_size() elements.
/// Thread-compatible. Owns its weights and buffers.
class NetworkInstance {
 public:
  virtual ~NetworkInstance() = default;

  virtual size_t input_size() const = 0;
  virtual size_t output_size() const = 0;

  /// Copies the image in and executes: what a network latency times. Allocates nothing. Returns INVALID_ARGUMENT for an image of another
  /// size, INTERNAL when the backend reports an error.
  virtual absl::Status Run(absl::Span<const float> image) = 0;
  /// Run, then the logits. Statuses of Run; INTERNAL when a logit is not finite.
  virtual absl::StatusOr<std::vector<float>> Infer(absl::Span<const float> image) = 0;

  /// Steps that RunSteps reports; 0 for a runtime that executes networks only as a whole.
  virtual int num_steps() const { return 0; }
  /// Run, calling `after_step(i)` when step i of the plan is done, in order. The in-situ view: diagnosis, never the headline number.
  /// Returns UNIMPLEMENTED when num_steps() is 0; else as Run.
  virtual absl::Status RunSteps(absl::Span<const float> image, absl::FunctionRef<void(int step)> after_step);

  /// Overwrites a value of the plan (index into ExecPlan::values) with real numbers, quantised when the value is int8; executes one step
  /// alone; reads a value, dequantised. For parity tests, on instances prepared with `keep_values`. Return FAILED_PRECONDITION without
  /// it, INVALID_ARGUMENT for an index or size out of range.
  virtual absl::Status WriteValue(int value, absl::Span<const float> real);
  virtual absl::Status RunStep(int step);
  virtual absl::StatusOr<std::vector<float>> ReadValue(int value) const;
};

struct NetworkOptions {
  /// Every value keeps its own memory, so that WriteValue, RunStep and ReadValue work; false: memory is shared by liveness.
  bool keep_values = false;
  /// Of the random weights, when there is no BoundModel.
  uint64_t seed = 1;
};

struct RuntimeOptions {
  int num_threads = 1;  // that execute each operator and each network together, the calling one among them; 1 to bounds::kMaxDeviceThreads

  /// Returns INVALID_ARGUMENT with the number that was found.
  absl::Status Validate() const;
};

/// A backend on this machine, with the threads of its RuntimeOptions. Results do not depend on their number: integers are the same, floats
/// are up to the order of sums.
///
/// Thread-compatible; instances of one runtime may be used by different threads, of which one at a time executes where there are several
/// threads to execute with. Instances may outlive their runtime.
class DeviceRuntime {
 public:
  virtual ~DeviceRuntime() = default;

  virtual const BackendCaps& caps() const = 0;

  /// Returns INVALID_ARGUMENT naming the key when it is not an operator this backend has (any key may be passed: nothing is trusted),
  /// RESOURCE_EXHAUSTED when memory is short, INTERNAL when the backend refuses for another reason.
  virtual absl::StatusOr<std::unique_ptr<OperatorInstance>> PrepareOperator(const OpKey& key) = 0;

  /// `plan` must be MakePlan(graph, caps()). `model` (borrowed during the call) gives weights and quantisers and its graph must be
  /// `graph`; null: random bounded ones, same speed. Returns INVALID_ARGUMENT naming the step or operator, else as PrepareOperator.
  virtual absl::StatusOr<std::unique_ptr<NetworkInstance>> PrepareNetwork(const Graph& graph, const ExecPlan& plan, const BoundModel* model,
                                                                          const NetworkOptions& options) = 0;
  absl::StatusOr<std::unique_ptr<NetworkInstance>> PrepareNetwork(const Graph& graph, const ExecPlan& plan,
                                                                  const BoundModel* model = nullptr) {
    return PrepareNetwork(graph, plan, model, NetworkOptions{});
  }
  /// A bound model on this backend: checks it, plans it, prepares it.
  absl::StatusOr<std::unique_ptr<NetworkInstance>> PrepareBoundModel(const BoundModel& model, const NetworkOptions& options = {});
};

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_RUNTIME_RUNTIME_H_
