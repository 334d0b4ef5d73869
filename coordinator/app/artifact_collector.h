// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_APP_ARTIFACT_COLLECTOR_H_
#define HANAS_COORDINATOR_APP_ARTIFACT_COLLECTOR_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/state/state.h"
#include "coordinator/store/artifact_store.h"

namespace hanas::coordinator {

struct CollectorOptions {
  absl::Duration orphan_grace = absl::Hours(1);   // bytes that no task names: an upload whose completion is still to come, or never comes
  absl::Duration failed_grace = absl::Hours(24);  // what only FAILED searches name, which may be resumed
  // Equal work has equal bytes: a worker may have been told that the checkpoint it brings is stored already, and name it only when a
  // coordinator that was away is back. Longer than workers wait for that (rpc/task_loop.h, max_outage).
  absl::Duration replaced_grace = absl::Minutes(20);
  absl::Duration interval = absl::Minutes(10);  // between looks, when nothing lost a reference
};

/// Who needs an artifact.
enum class ArtifactUse : uint8_t {
  kNeeded = 0,    // a search that goes on, the report of one that succeeded, or a supernet, which the next search shares
  kResuming = 1,  // only searches that failed, and would need it to go on
  kReplaced = 2,  // it was an outcome once: a later checkpoint took its place, or its search was cancelled
};

/// Every artifact that the state knows. Of a chain of training the checkpoints of the last two tasks that are done are needed. Pure.
std::map<std::string, ArtifactUse> ArtifactUses(const State& state);

/// Decides which stored artifacts to remove. Ages count from when this object first saw a file without a need, on the monotonic clock: a
/// restart or a moved wall clock lengthens them and never shortens them.
///
/// Thread-compatible. `artifacts` is borrowed.
class ArtifactCollector {
 public:
  ArtifactCollector(ArtifactStore* artifacts, CollectorOptions options) : artifacts_(artifacts), options_(options) {}

  /// Stored artifacts, whole ones and parts, that may go now. Returns the artifact store's statuses.
  absl::StatusOr<std::vector<std::string>> Candidates(const State& state, absl::Duration now);

  /// Whether it is time to look although nothing lost a reference.
  bool IsDue(absl::Duration now) const { return now >= next_look_; }
  /// After a look: when the next one is due, sooner when something could not be removed.
  void Looked(absl::Duration now, bool failed);

 private:
  ArtifactStore* const artifacts_;
  const CollectorOptions options_;
  std::map<std::string, absl::Duration> unneeded_since_;
  absl::Duration next_look_ = -absl::InfiniteDuration();
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_APP_ARTIFACT_COLLECTOR_H_
