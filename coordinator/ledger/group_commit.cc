// SPDX-License-Identifier: Apache-2.0
#include "coordinator/ledger/group_commit.h"

#include <iterator>
#include <utility>

namespace hanas::coordinator {
namespace {

/// Moved out of the group: the published changes do not need their bytes.
std::vector<StoreChange> OneBatch(std::vector<PendingChange>& group) {
  std::vector<StoreChange> batch = std::move(group.front().batch);
  for (size_t i = 1; i < group.size(); ++i) {
    std::move(group[i].batch.begin(), group[i].batch.end(), std::back_inserter(batch));
    group[i].batch.clear();
  }
  return batch;
}

}  // namespace

GroupCommit::GroupCommit(Store* store, Publish publish) : store_(store), publish_(std::move(publish)), thread_([this] { Run(); }) {}

void GroupCommit::Close() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void GroupCommit::Enqueue(PendingChange change) {
  absl::MutexLock lock(&mutex_);
  queue_.push_back(std::move(change));
}

std::vector<PendingChange> GroupCommit::TakeQueued() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(queue_, {});
}

void GroupCommit::Run() {
  while (true) {
    std::vector<PendingChange> group;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &GroupCommit::HasWork));
      group = std::exchange(queue_, {});
    }
    if (group.empty()) return;  // stopping, and nothing is left
    const std::vector<StoreChange> batch = OneBatch(group);
    publish_(group, batch.empty() ? absl::OkStatus() : store_->Write(batch));
  }
}

}  // namespace hanas::coordinator
