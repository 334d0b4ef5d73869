// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_EVENT_STREAM_H_
#define HANAS_CLI_COMMANDS_EVENT_STREAM_H_

#include <deque>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/hanas/v1/search.pb.h"
#include "rpc/search_client.h"

namespace hanas::cli {

/// The events of a search, each once and in order, over any number of broken connections: a thread watches, and goes on after the last
/// sequence number when the coordinator is back.
///
/// Borrows the client; nobody else may watch through it. Thread-safe. The destructor stops the thread.
class EventStream {
 public:
  EventStream(rpc::SearchClient* client, std::string search);
  ~EventStream();
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  /// The next event; nothing when none came within `timeout` or the stream has ended.
  std::optional<v1::SearchEvent> Next(absl::Duration timeout);

  /// Set once the server has ended the stream (OK) or refused it for good; every event has been taken when Next returns nothing.
  std::optional<absl::Status> ended();

 private:
  void Watch();
  bool HasNews() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !events_.empty() || end_.has_value() || stopping_; }

  rpc::SearchClient* client_;
  const std::string search_;
  absl::Mutex mutex_;
  std::deque<v1::SearchEvent> events_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_EVENT_STREAM_H_
