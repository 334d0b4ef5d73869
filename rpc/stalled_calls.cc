// SPDX-License-Identifier: Apache-2.0
#include "rpc/stalled_calls.h"

#include <grpc/grpc.h>
#include <grpcpp/server_context.h>

#include <algorithm>
#include <map>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rpc/clock.h"
#include "telemetry/event_log.h"

namespace hanas::rpc {
namespace {

using grpc::experimental::InterceptionHookPoints;

/// The calls that have something on its way, and a thread that cancels those of which it waits for too long. Thread-safe.
class Watchdog {
 public:
  explicit Watchdog(absl::Duration max_stall) : max_stall_(max_stall), thread_([this] { Run(); }) {}
  ~Watchdog() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    thread_.join();
  }

  /// Something of `call` goes out from now on, unless something does already.
  void Begin(grpc_call* call) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    sending_.try_emplace(call, SystemClock().Now());
  }
  /// It has gone out, or `call` is over: it is not touched any more.
  void End(grpc_call* call) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    sending_.erase(call);
  }

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (true) {
      std::vector<grpc_call*> stalled;
      {
        absl::MutexLock lock(&mutex_);
        if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), std::min(absl::Seconds(1), max_stall_ / 4))) return;
        const absl::Duration now = SystemClock().Now();
        for (auto& [call, since] : sending_) {
          if (now - since < max_stall_) continue;
          // Kept alive, since cancelling, without the lock, may end it.
          grpc_call_ref(call);
          stalled.push_back(call);
          since = absl::InfiniteDuration();
        }
      }
      for (grpc_call* call : stalled) {
        telemetry::LogEvent(telemetry::Severity::kWarning, "call_stalled", {{"after", absl::FormatDuration(max_stall_)}});
        grpc_call_cancel_with_status(call, GRPC_STATUS_CANCELLED, "the client did not take what was sent", nullptr);
        grpc_call_unref(call);
      }
    }
  }

  const absl::Duration max_stall_;
  absl::Mutex mutex_;
  std::map<grpc_call*, absl::Duration> sending_ ABSL_GUARDED_BY(mutex_);  // since when
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

/// One call. gRPC calls it from one thread at a time, and destroys it with the call.
class StallGuard final : public grpc::experimental::Interceptor {
 public:
  StallGuard(Watchdog* watchdog, grpc::ServerContextBase* context) : watchdog_(watchdog), context_(context) {}
  ~StallGuard() override {
    if (call_ == nullptr) return;
    watchdog_->End(call_);
    grpc_call_unref(call_);
  }

  void Intercept(grpc::experimental::InterceptorBatchMethods* batch) override {
    if (batch->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE) ||
        batch->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      if (call_ == nullptr) Find();
      if (call_ != nullptr) watchdog_->Begin(call_);
    } else if (batch->QueryInterceptionHookPoint(InterceptionHookPoints::POST_SEND_MESSAGE) && call_ != nullptr) {
      watchdog_->End(call_);
    }
    batch->Proceed();
  }

 private:
  /// gRPC's own handle of the call, kept so that no other call has the same one meanwhile.
  void Find() {
    if (auto* const waiting = dynamic_cast<grpc::ServerContext*>(context_)) call_ = waiting->c_call();
    if (auto* const called_back = dynamic_cast<grpc::CallbackServerContext*>(context_)) call_ = called_back->c_call();
    if (call_ != nullptr) grpc_call_ref(call_);
  }

  Watchdog* const watchdog_;
  grpc::ServerContextBase* const context_;
  grpc_call* call_ = nullptr;
};

class StallGuardFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit StallGuardFactory(absl::Duration max_stall) : watchdog_(max_stall) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    return new StallGuard(&watchdog_, info->server_context());
  }

 private:
  Watchdog watchdog_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> EndStalledCalls(absl::Duration max_stall) {
  return std::make_unique<StallGuardFactory>(max_stall);
}

}  // namespace hanas::rpc
