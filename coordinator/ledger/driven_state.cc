// SPDX-License-Identifier: Apache-2.0
#include "coordinator/ledger/driven_state.h"

#include <utility>

namespace hanas::coordinator {

void DrivenState::Follow(Lag lag) {
  generation_ = lag.generation;
  if (lag.anew.has_value()) state_ = *std::move(lag.anew);
  for (const AnyUpdate& update : lag.updates) {
    Changes changes;
    update.Apply(state_, changes);
  }
}

}  // namespace hanas::coordinator
