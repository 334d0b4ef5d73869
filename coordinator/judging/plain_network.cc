// SPDX-License-Identifier: Apache-2.0
#include "coordinator/judging/plain_network.h"

#include "absl/strings/str_cat.h"
#include "core/base/field_violation.h"
#include "core/cost/cost.h"
#include "core/graph/graph.h"
#include "core/job/job_cost.h"
#include "core/plan/exec_plan.h"

namespace hanas::coordinator {

absl::StatusOr<PlainNetwork> PlainNetwork::Define(const SpaceSpec& spec) {
  absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(spec);
  if (!space.ok()) return space.status();
  Lowering lowering(*std::move(space));
  Architecture architecture = lowering.space().Largest({8, 8});
  lowering.space().Canonicalise(architecture);
  return PlainNetwork(spec, std::move(lowering), std::move(architecture));
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

bool IsWithinBounds(const SearchJob& job, const SpaceSpec& space) {
  SearchJob of_network = job;
  of_network.space = space;
  FieldViolations violations;
  CheckJobCost(of_network, violations);
  return violations.ToStatus().ok();
}

absl::StatusOr<std::optional<PlainNetwork>> DefineTeacher(const SearchJob& job, const PlainNetworks& plain) {
  if (job.teacher.steps == 0) return std::nullopt;
  FieldViolations violations;
  if (!plain.teacher.has_value()) {
    violations.Add("teacher.steps", "expected 0, as this coordinator has no network that teaches");
    return violations.ToStatus();
  }
  const SpaceSpec space = ScaledInWidth(ForImagesOf(job.space, plain.teacher->space), job.teacher.width);
  absl::StatusOr<PlainNetwork> network = PlainNetwork::Define(space);
  if (network.ok() && IsWithinBounds(job, space)) return std::optional(*std::move(network));
  violations.Add("teacher.width", absl::StrCat("expected a teacher that can be trained on these images in batches of ",
                                               job.training.batch_size, ", found ", plain.teacher->preset, " times ", job.teacher.width,
                                               network.ok() ? ", which is too costly; take a smaller one, or none (teacher.steps: 0)"
                                                            : absl::StrCat(": ", network.status().message())));
  return violations.ToStatus();
}

}  // namespace hanas::coordinator
