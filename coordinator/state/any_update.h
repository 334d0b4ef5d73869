// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STATE_ANY_UPDATE_H_
#define HANAS_COORDINATOR_STATE_ANY_UPDATE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "coordinator/state/state.h"

namespace hanas::coordinator {

/// One of the updates of updates.h whose type is forgotten, so that it can wait in a queue and be applied to several copies of the state.
/// It carries the time at which it was decided: the `now_us` of an update that has one, and the time of the last change of the searches and
/// parties that it touches. Empty when default-constructed. Cheap to copy; thread-compatible.
class AnyUpdate {
 public:
  AnyUpdate() = default;
  template <typename Update>
  AnyUpdate(Update update) {  // NOLINT(google-explicit-constructor): an update is an update
    const auto shared = std::make_shared<Update>(std::move(update));
    if constexpr (requires { shared->now_us; }) set_time_ = [shared](int64_t now_us) { shared->now_us = now_us; };
    check_ = [shared](const State& state) { return shared->Check(state); };
    apply_ = [shared](State& state, Changes& changes) { shared->Apply(state, changes); };
  }

  bool empty() const { return apply_ == nullptr; }
  /// Before the first Apply. Copies made before share it in part: who decides an update sets its time, and copies it then.
  void SetTime(int64_t now_us) {
    now_us_ = now_us;
    if (set_time_ != nullptr) set_time_(now_us);
  }
  absl::Status Check(const State& state) const { return check_(state); }
  /// `changes` are empty before.
  void Apply(State& state, Changes& changes) const {
    apply_(state, changes);
    for (const uint64_t id : changes.searches) {
      if (const auto found = state.searches.find(id); found != state.searches.end()) found->second.record.update_time_us = now_us_;
    }
    for (const uint64_t id : changes.parties) {
      if (const auto found = state.parties.find(id); found != state.parties.end()) found->second.update_time_us = now_us_;
    }
  }

 private:
  std::function<absl::Status(const State&)> check_;
  std::function<void(State&, Changes&)> apply_;
  std::function<void(int64_t)> set_time_;  // null: the update has no use for the time
  int64_t now_us_ = 0;                     // wall clock, as data
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_ANY_UPDATE_H_
