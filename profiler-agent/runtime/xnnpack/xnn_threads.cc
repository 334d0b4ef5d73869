// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/runtime/xnnpack/xnn_threads.h"

#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"

namespace hanas {
namespace {

/// pthreadpool does not notice that a thread could not be started and would wait for it for ever. So as many are started before it, all
/// alive at the same time.
absl::Status TryThreads(int count) {
  absl::Notification all_started;
  std::vector<std::thread> threads;
  absl::Status status;
  try {
    for (int i = 1; i < count; ++i) threads.emplace_back([&all_started] { all_started.WaitForNotification(); });
  } catch (const std::system_error& error) {
    status = absl::ResourceExhaustedError(
        absl::StrCat("xnnpack: expected to start ", count, " threads, stopped at ", threads.size() + 1, ": ", error.what()));
  }
  all_started.Notify();
  for (std::thread& thread : threads) thread.join();
  return status;
}

}  // namespace

absl::StatusOr<std::shared_ptr<XnnThreads>> XnnThreads::Create(int count) {
  if (count == 1) return nullptr;
  if (absl::Status status = TryThreads(count); !status.ok()) return status;
  const pthreadpool_t pool = pthreadpool_create(static_cast<size_t>(count));
  if (pool == nullptr) return absl::ResourceExhaustedError(absl::StrCat("xnnpack: no memory for ", count, " threads"));
  return std::shared_ptr<XnnThreads>(new XnnThreads(pool));
}

}  // namespace hanas
