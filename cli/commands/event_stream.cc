// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/event_stream.h"

#include <utility>

namespace hanas::cli {
namespace {

constexpr absl::Duration kReconnectAfter = absl::Milliseconds(200);

/// Statuses that trying again does not change.
bool IsFinal(const absl::Status& status) {
  return status.ok() || absl::IsNotFound(status) || absl::IsInvalidArgument(status) || absl::IsUnimplemented(status) ||
         absl::IsPermissionDenied(status);
}

}  // namespace

EventStream::EventStream(rpc::SearchClient* client, std::string search)
    : client_(client), search_(std::move(search)), thread_([this] { Watch(); }) {}

EventStream::~EventStream() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  client_->StopWatching();
  thread_.join();
}

std::optional<v1::SearchEvent> EventStream::Next(absl::Duration timeout) {
  const absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(this, &EventStream::HasNews), timeout);
  if (events_.empty()) return std::nullopt;
  v1::SearchEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<absl::Status> EventStream::ended() {
  const absl::MutexLock lock(&mutex_);
  return end_;
}

void EventStream::Watch() {
  int64_t last_sequence = 0;
  while (true) {
    const absl::Status status = client_->WatchSearch(search_, last_sequence, [&](const v1::SearchEvent& event) {
      // Progress is a view of the moment and carries the number of the last event.
      if (event.kind() != "progress") {
        if (event.sequence() <= last_sequence) return;
        last_sequence = event.sequence();
      }
      const absl::MutexLock lock(&mutex_);
      events_.push_back(event);
    });
    const absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    if (IsFinal(status)) {
      end_ = status;
      return;
    }
    mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kReconnectAfter);
    if (stopping_) return;
  }
}

}  // namespace hanas::cli
