// SPDX-License-Identifier: Apache-2.0
#include "coordinator/ledger/pending_write.h"

#include <utility>

#include "absl/synchronization/notification.h"

namespace hanas::coordinator {

struct PendingWrite::Ending {
  absl::Notification ended;
  absl::Status status;  // written before `ended`, read after it
};

PendingWrite::PendingWrite(absl::Status ended) {
  if (ended.ok()) return;
  ending_ = std::make_shared<Ending>();
  ending_->status = std::move(ended);
  ending_->ended.Notify();
}

PendingWrite PendingWrite::Open() {
  PendingWrite write;
  write.ending_ = std::make_shared<Ending>();
  return write;
}

void PendingWrite::End(const absl::Status& written) const {
  ending_->status = written;
  ending_->ended.Notify();
}

absl::Status PendingWrite::Await() const {
  if (ending_ == nullptr) return absl::OkStatus();
  ending_->ended.WaitForNotification();
  return ending_->status;
}

}  // namespace hanas::coordinator
