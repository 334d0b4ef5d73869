// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/event_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "rpc/clock.h"
#include "rpc/retry.h"

namespace hanas::cli {
namespace {

/// Statuses that trying again does not change.
bool IsFinal(const absl::Status& status) {
  return status.ok() || absl::IsNotFound(status) || absl::IsInvalidArgument(status) || absl::IsUnimplemented(status) ||
         absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status) || absl::IsOutOfRange(status);
}

}  // namespace

EventStream::EventStream(rpc::SearchClient* client, std::string search, EventStreamOptions options)
    : client_(client), search_(std::move(search)), options_(options), last_sequence_(options.after_sequence), thread_([this] {
        Watch();
      }) {}

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

absl::Status EventStream::connection() {
  const absl::MutexLock lock(&mutex_);
  return connection_;
}

std::optional<absl::Status> EventStream::ended() {
  const absl::MutexLock lock(&mutex_);
  return end_;
}

void EventStream::Add(const v1::SearchEvent& event) {
  const absl::MutexLock lock(&mutex_);
  ++num_received_;
  connection_ = absl::OkStatus();
  const bool progress = event.kind() == "progress";
  // Progress is a view of the moment and carries the number of the last event: only the newest is worth keeping.
  if (!progress && event.sequence() <= last_sequence_) return;
  if (!progress) last_sequence_ = event.sequence();
  if (progress && !events_.empty() && events_.back().kind() == "progress") {
    events_.back() = event;
    return;
  }
  mutex_.Await(absl::Condition(this, &EventStream::HasRoom));
  if (!stopping_) events_.push_back(event);
}

void EventStream::Watch() {
  rpc::Backoff backoff{rpc::RetryPolicy{}};
  absl::Duration last_contact = rpc::SystemClock().Now();
  int64_t received_before = 0;
  while (true) {
    int64_t after = 0;
    {
      const absl::MutexLock lock(&mutex_);
      after = last_sequence_;
    }
    const absl::Status status = client_->WatchSearch(search_, after, [&](const v1::SearchEvent& event) { Add(event); });
    const absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    if (IsFinal(status)) {
      end_ = status;
      return;
    }
    const absl::Duration now = rpc::SystemClock().Now();
    if (num_received_ > received_before) {
      received_before = num_received_;
      last_contact = now;
      backoff.Reset();
    }
    connection_ = status;
    if (now - last_contact >= options_.give_up_after) {
      end_ = absl::UnavailableError(absl::StrCat("gave up after ", absl::FormatDuration(absl::Trunc(now - last_contact, absl::Seconds(1))),
                                                 " without an answer: ", status.message()));
      return;
    }
    mutex_.AwaitWithTimeout(absl::Condition(&stopping_), backoff.Next());
    if (stopping_) return;
  }
}

}  // namespace hanas::cli
