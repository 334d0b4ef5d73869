// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_STORE_H_
#define HANAS_COORDINATOR_STORE_STORE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hanas::coordinator {

struct StoreRecord {
  std::string key;
  std::string value;
  friend bool operator==(const StoreRecord&, const StoreRecord&) = default;
};

/// A put, or a deletion when there is no value.
struct StoreChange {
  std::string key;
  std::optional<std::string> value;
};

/// Durable bytes under ordered keys: all that the coordinator must not lose. Values are opaque here.
///
/// Invariants: a batch is there whole or not at all; a batch whose Write returned OK survives a crash of the process and of the machine.
/// After a Write that failed the batch may or may not be there: the caller finds out by Load.
/// Owned by one process at a time; a second opening of the same place is refused. Thread-safe.
class Store {
 public:
  virtual ~Store() = default;

  /// Every record, ascending by key bytes. Returns FAILED_PRECONDITION after Close, DATA_LOSS when stored bytes are damaged.
  virtual absl::StatusOr<std::vector<StoreRecord>> Load() = 0;

  /// Applies `batch` atomically, in order, and returns when it is synced. Returns FAILED_PRECONDITION after Close, RESOURCE_EXHAUSTED when
  /// the disk is full, UNAVAILABLE for another input or output error.
  virtual absl::Status Write(const std::vector<StoreChange>& batch) = 0;

  /// Releases the place; a later opening may take it. Closing twice is fine.
  virtual absl::Status Close() = 0;
};

/// The layout that this build reads and writes. A store of another one is refused as it is: 1 held jobs without the fields that were
/// unset, which are now read as their defaults; 2 knows graphs by digests that are no longer made; 3 has
/// limits among the fields of a job's target; 4 knows one target of a search; 5 says of a job's references only whether there are any.
inline constexpr int kStoreFormatVersion = 6;

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_STORE_H_
