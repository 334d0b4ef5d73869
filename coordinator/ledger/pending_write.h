// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_LEDGER_PENDING_WRITE_H_
#define HANAS_COORDINATOR_LEDGER_PENDING_WRITE_H_

#include <memory>

#include "absl/status/status.h"

namespace hanas::coordinator {

/// How a change ends: at once when it is refused, else when it is written. Copies stand for the same change.
///
/// Thread-safe.
class PendingWrite {
 public:
  /// Of a change that has ended, by default well.
  PendingWrite() = default;
  explicit PendingWrite(absl::Status ended);
  /// Of a change that is on its way.
  static PendingWrite Open();

  /// To be called once of an open one: everybody who awaits it goes on.
  void End(const absl::Status& written) const;
  /// Returns how the change ended, when it has. Whoever waits holds no lock that the writing thread takes before it tells the end.
  absl::Status Await() const;

 private:
  struct Ending;
  std::shared_ptr<Ending> ending_;  // null: it has ended well
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_LEDGER_PENDING_WRITE_H_
