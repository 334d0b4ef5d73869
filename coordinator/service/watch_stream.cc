// SPDX-License-Identifier: Apache-2.0
#include "coordinator/service/watch_stream.h"

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include <grpcpp/alarm.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/service/search_convert.h"
#include "coordinator/service/task_convert.h"
#include "rpc/status.h"

namespace hanas::coordinator {
namespace {

constexpr size_t kEventsPerRead = 16;

class WatchStream final : public grpc::ServerWriteReactor<v1::SearchEvent>, public std::enable_shared_from_this<WatchStream> {
 public:
  WatchStream(App* app, const WatchOptions& options) : app_(app), options_(options) {}

  void Start(const v1::WatchSearchRequest& request) ABSL_LOCKS_EXCLUDED(mutex_) {
    self_ = shared_from_this();
    const absl::StatusOr<uint64_t> search = IdFromName(request.name(), "searches");
    absl::MutexLock lock(&mutex_);
    if (!search.ok()) return End(rpc::ToGrpcStatus(search.status()));
    search_ = *search;
    sequence_ = request.after_sequence();
    watch_ = app_->WatchEvents(search_, [weak = weak_from_this()] {
      if (const std::shared_ptr<WatchStream> stream = weak.lock()) stream->Wake();
    });
    Advance(/*tick=*/true);
    SetAlarm();
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    writing_since_.reset();
    if (!ok) return End(grpc::Status::CANCELLED);
    Advance(/*tick=*/false);
  }
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    End(grpc::Status::CANCELLED);
  }
  void OnDone() override {
    app_->EndWatch(watch_);
    self_.reset();
  }

 private:
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    Advance(/*tick=*/false);
  }

  void Tick() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (writing_since_.has_value() && std::chrono::steady_clock::now() - *writing_since_ >= absl::ToChronoNanoseconds(options_.max_stall)) {
      return End(rpc::ToGrpcStatus(
          WithReason(absl::ResourceExhaustedError(absl::StrCat("the client read nothing for ", absl::FormatDuration(options_.max_stall),
                                                               "; read faster, and watch again from the last sequence that arrived")),
                     kWatchStalled)));
    }
    Advance(/*tick=*/true);
    SetAlarm();
  }

  void SetAlarm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(options_.progress_interval),
                [weak = weak_from_this()](bool elapsed) {
                  const std::shared_ptr<WatchStream> stream = weak.lock();
                  if (elapsed && stream != nullptr) stream->Tick();
                });
  }

  /// Writes what comes next, if anything does: an event, or on a tick what goes on.
  void Advance(bool tick) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_ || writing_since_.has_value()) return;
    if (events_.empty()) {
      absl::StatusOr<WatchedEvents> read = app_->ReadEvents(search_, sequence_, kEventsPerRead);
      if (!read.ok()) return End(rpc::ToGrpcStatus(read.status()));
      events_.assign(std::make_move_iterator(read->events.begin()), std::make_move_iterator(read->events.end()));
      if (events_.empty() && IsTerminal(read->search.record.phase)) return End(grpc::Status::OK);
      if (events_.empty() && read->stopped) {
        return End(rpc::ToGrpcStatus(
            WithReason(absl::UnavailableError("the coordinator is shutting down; watch again from the last sequence"), kStopping)));
      }
      if (events_.empty() && !tick) return;
      if (events_.empty()) return Write(ProgressEvent(read->search));
    }
    sequence_ = events_.front().sequence;
    Write(ToProto(events_.front()));
    events_.pop_front();
  }

  void Write(v1::SearchEvent event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    message_ = std::move(event);
    writing_since_ = std::chrono::steady_clock::now();
    StartWrite(&message_);
  }

  void End(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    finished_ = true;
    Finish(status);
  }

  App* const app_;
  const WatchOptions options_;
  std::shared_ptr<WatchStream> self_;  // until OnDone
  uint64_t search_ = 0;                // these two are set once, by Start
  uint64_t watch_ = 0;

  absl::Mutex mutex_;
  int64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;  // of the last event written
  std::deque<EventRecord> events_ ABSL_GUARDED_BY(mutex_);
  v1::SearchEvent message_ ABSL_GUARDED_BY(mutex_);
  std::optional<std::chrono::steady_clock::time_point> writing_since_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerWriteReactor<v1::SearchEvent>* StartWatch(App* app, const v1::WatchSearchRequest& request, const WatchOptions& options) {
  const auto stream = std::make_shared<WatchStream>(app, options);
  stream->Start(request);
  return stream.get();
}

}  // namespace hanas::coordinator
