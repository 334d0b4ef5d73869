// SPDX-License-Identifier: Apache-2.0
#include "coordinator/judging/plain_network.h"

#include "core/cost/cost.h"
#include "core/graph/graph.h"
#include "core/plan/exec_plan.h"

namespace hanas::coordinator {

absl::StatusOr<PlainNetwork> PlainNetwork::Define(const SpaceSpec& spec) {
  absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(spec);
  if (!space.ok()) return space.status();
  Lowering lowering(*std::move(space));
  Architecture architecture = lowering.space().Largest({8, 8});
  lowering.space().Canonicalise(architecture);
  return PlainNetwork(std::move(lowering), std::move(architecture));
}

std::string PlainNetwork::GraphDigestText() const { return GraphDigest(lowering_.Lower(architecture_)).ToHex(); }

std::string PlainNetwork::PlanDigestText(const BackendCaps& caps) const {
  return PlanDigest(MakePlan(lowering_.Lower(architecture_), caps)).ToHex();
}

CandidateCost PlainNetwork::CostOn(const BackendCaps& caps) const {
  const Graph graph = lowering_.Lower(architecture_);
  const Cost cost = NetworkCost(graph, MakePlan(graph, caps));
  return {.macs = cost.macs, .parameters = cost.parameters, .size_bytes = cost.size_bytes, .peak_memory_bytes = cost.peak_memory_bytes};
}

}  // namespace hanas::coordinator
