// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_JUDGING_PLAIN_NETWORK_H_
#define HANAS_COORDINATOR_JUDGING_PLAIN_NETWORK_H_

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "coordinator/surrogate/candidate_scorer.h"
#include "core/family/convnet/convnet_space.h"
#include "core/family/convnet/scaled.h"
#include "core/job/search_job.h"
#include "core/lowering/lowering.h"
#include "core/plan/backend_caps.h"

namespace hanas::coordinator {

/// The largest network of a space at 8 bits, of which no table of a search knows anything: it is lowered when something is asked of it.
///
/// Immutable, hence thread-safe. Copyable.
class PlainNetwork {
 public:
  /// Returns INVALID_ARGUMENT for a space that is not valid.
  static absl::StatusOr<PlainNetwork> Define(const SpaceSpec& spec);

  const SearchSpace& space() const { return lowering_.space(); }
  const Architecture& architecture() const { return architecture_; }
  const SpaceSpec& spec() const { return spec_; }
  /// The precisions of its layers, as reports have them.
  std::string Summary() const { return lowering_.family().Summary(architecture_); }

  std::string GraphDigestText() const;
  std::string PlanDigestText(const BackendCaps& caps) const;
  /// What is known of it without running it: its times are 0.
  CandidateCost CostOn(const BackendCaps& caps) const;

 private:
  PlainNetwork(SpaceSpec spec, Lowering lowering, Architecture architecture)
      : spec_(std::move(spec)), lowering_(std::move(lowering)), architecture_(std::move(architecture)) {}

  SpaceSpec spec_;
  Lowering lowering_;
  Architecture architecture_;
};

/// Whether a worker can train the largest network of `space` with the job's batches, and an agent execute it: what the job's own space is
/// held to.
bool IsWithinBounds(const SearchJob& job, const SpaceSpec& space);

/// The network that a job's others learn from, for its images and classes; none for a job without a teacher. Returns INVALID_ARGUMENT, with
/// the field, for one that is too costly, not valid for these images, or when `plain` has none.
absl::StatusOr<std::optional<PlainNetwork>> DefineTeacher(const SearchJob& job, const PlainNetworks& plain);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_JUDGING_PLAIN_NETWORK_H_
