// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_LEDGER_DRIVEN_STATE_H_
#define HANAS_COORDINATOR_LEDGER_DRIVEN_STATE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "coordinator/state/any_update.h"
#include "coordinator/state/state.h"

namespace hanas::coordinator {

/// What the driven copy lacks, as Ledger::TakeLag tells it.
struct Lag {
  int64_t generation = 0;
  std::vector<AnyUpdate> updates;  // synced since the last time, in order
  std::optional<State> anew;       // the state was read back meanwhile: this one takes the copy's place, and there are no updates
};

/// The copy of the state that steps of searches are computed on, without the ledger's lock, while the other two copies go on.
///
/// Thread-compatible.
class DrivenState {
 public:
  const State& state() const { return state_; }
  /// Of the ledger, when this copy followed it last.
  int64_t generation() const { return generation_; }

  void Follow(Lag lag);

 private:
  State state_;
  int64_t generation_ = 0;  // the ledger's first one is 1
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_LEDGER_DRIVEN_STATE_H_
