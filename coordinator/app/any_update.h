// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_APP_ANY_UPDATE_H_
#define HANAS_COORDINATOR_APP_ANY_UPDATE_H_

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "coordinator/app/state.h"

namespace hanas::coordinator {

/// One of the updates of updates.h whose type is forgotten, so that it can wait in a queue and be applied to several copies of the state.
/// Empty when default-constructed. Cheap to copy; thread-compatible.
class AnyUpdate {
 public:
  AnyUpdate() = default;
  template <typename Update>
  AnyUpdate(Update update) {  // NOLINT(google-explicit-constructor): an update is an update
    const auto shared = std::make_shared<const Update>(std::move(update));
    check_ = [shared](const State& state) { return shared->Check(state); };
    apply_ = [shared](State& state, Changes& changes) { shared->Apply(state, changes); };
  }

  bool empty() const { return apply_ == nullptr; }
  absl::Status Check(const State& state) const { return check_(state); }
  void Apply(State& state, Changes& changes) const { apply_(state, changes); }

 private:
  std::function<absl::Status(const State&)> check_;
  std::function<void(State&, Changes&)> apply_;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_APP_ANY_UPDATE_H_
