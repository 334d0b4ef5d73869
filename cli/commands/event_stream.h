// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_EVENT_STREAM_H_
#define HANAS_CLI_COMMANDS_EVENT_STREAM_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "hanas/v1/search.pb.h"
#include "rpc/search_client.h"

namespace hanas::cli {

struct EventStreamOptions {
  int64_t after_sequence = 0;                               // the first event is the one after it
  absl::Duration give_up_after = absl::InfiniteDuration();  // without an answer of the coordinator
  size_t max_buffered = 1024;                               // events that wait for Next; then no more are read
};

/// The events of a search, each once and in order, over any number of broken connections: a thread watches, and goes on after the last
/// sequence number when the coordinator is back, with a back-off.
///
/// Borrows the client; nobody else may watch through it. Thread-safe. The destructor stops the thread.
class EventStream {
 public:
  EventStream(rpc::SearchClient* client, std::string search, EventStreamOptions options = {});
  ~EventStream();
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  /// The next event; nothing when none came within `timeout` or the stream has ended.
  std::optional<v1::SearchEvent> Next(absl::Duration timeout);

  /// Why there is no connection at the moment; OK while there is one, or none was lost yet.
  absl::Status connection();

  /// Set once the server has ended the stream (OK), refused it for good, or was away for too long (UNAVAILABLE); every event has been taken
  /// when Next returns nothing.
  std::optional<absl::Status> ended();

 private:
  void Watch();
  void Add(const v1::SearchEvent& event);
  bool HasNews() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !events_.empty() || end_.has_value() || stopping_; }
  bool HasRoom() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return events_.size() < options_.max_buffered || stopping_; }

  rpc::SearchClient* client_;
  const std::string search_;
  const EventStreamOptions options_;
  absl::Mutex mutex_;
  std::deque<v1::SearchEvent> events_ ABSL_GUARDED_BY(mutex_);
  int64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t num_received_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status connection_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_EVENT_STREAM_H_
