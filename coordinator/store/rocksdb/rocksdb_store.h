// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_ROCKSDB_ROCKSDB_STORE_H_
#define HANAS_COORDINATOR_STORE_ROCKSDB_ROCKSDB_STORE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/store/store.h"

namespace hanas::coordinator {

/// Opens the store in `directory`, made when missing. Every write is synced (concurrent writers share one sync); a torn tail of the log,
/// which only unacknowledged writes can leave, is dropped, and damage elsewhere is an error.
///
/// Returns ABORTED when another process has it open, FAILED_PRECONDITION when a newer build wrote it, DATA_LOSS when it is damaged,
/// RESOURCE_EXHAUSTED when the disk is full, PERMISSION_DENIED or UNAVAILABLE for other input and output errors.
absl::StatusOr<std::unique_ptr<Store>> OpenRocksDbStore(const std::string& directory);

/// "9.10.0".
std::string RocksDbVersion();

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_ROCKSDB_ROCKSDB_STORE_H_
