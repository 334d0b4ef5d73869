// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_COST_COST_H_
#define HANAS_CORE_COST_COST_H_

#include <cstdint>

#include "core/graph/graph.h"
#include "core/plan/exec_plan.h"

namespace hanas {

/// What can be computed of a network without running it.
struct Cost {
  int64_t macs = 0;        // multiply-accumulates of convolutions and fully connected layers, one image
  int64_t parameters = 0;  // weights, biases, gamma and beta, as reference implementations count them
  int64_t size_bytes = 0;  // of the model file: weights at their stored bits, per-channel scales, biases (batch normalisation is folded)
  int64_t peak_memory_bytes = 0;  // weights as executed plus the largest sum of live activations
  friend bool operator==(const Cost&, const Cost&) = default;
};

/// MACs, parameters and size of a graph or fragment (peak memory needs a plan and stays 0). Additive over fragments.
Cost GraphCost(const Graph& graph);

/// What one image costs in training, in multiply-accumulates: MACs, and for every element that an operator writes as much as it takes to
/// write, normalise and read it again. Fitted to the training speeds of plain networks (docs/studies/README.md); it only compares networks
/// with one another. Of whole networks, for the same graph the same everywhere.
int64_t TrainingWork(const Graph& graph);

/// Bytes of all weights as the plan executes them: 4-bit weights unpacked where there is no kernel for them. Additive over fragments.
int64_t ExecutedWeightBytes(const ExecPlan& plan);
/// Largest sum of activation bytes alive at one step, in plan order, operands and result of the step included. The peak over a network is
/// the largest peak of its fragments, since nothing but the joining value is alive across a boundary.
int64_t PeakActivationBytes(const ExecPlan& plan);

/// All four.
Cost NetworkCost(const Graph& graph, const ExecPlan& plan);

}  // namespace hanas

#endif  // HANAS_CORE_COST_COST_H_
