// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/rocksdb/rocksdb_store.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "core/base/error_reason.h"
#include "rocksdb/db.h"
#include "rocksdb/options.h"
#include "rocksdb/version.h"
#include "rocksdb/write_batch.h"

namespace hanas::coordinator {
namespace {

// Below every record key, whose first byte is a letter.
constexpr absl::string_view kFormatKey("\0format", 7);

constexpr size_t kWriteBufferBytes = size_t{16} << 20;
// After a full disk the engine goes on once a write buffer fits; it looks every few seconds.
constexpr size_t kRoomToGoOn = 2 * kWriteBufferBytes;

rocksdb::Slice AsSlice(absl::string_view bytes) { return {bytes.data(), bytes.size()}; }

absl::Status MapStatus(const rocksdb::Status& status, absl::string_view doing, const std::string& directory) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = absl::StrCat(doing, " the store in ", directory, ": ", status.ToString());
  if (status.IsNoSpace()) {
    return WithReason(
        absl::ResourceExhaustedError(absl::StrCat(text, ". The disk is full: free at least ", kRoomToGoOn >> 20,
                                                  " MiB there, then writing goes on by itself; nothing acknowledged is lost")),
        kDiskFull);
  }
  if (status.IsCorruption()) {
    return absl::DataLossError(absl::StrCat(text, ". Stored bytes are damaged: restore the directory from a backup, or use a new one"));
  }
  if (status.IsIOError() && (absl::StrContains(text, "Permission denied") || absl::StrContains(text, "Read-only file system"))) {
    return absl::PermissionDeniedError(absl::StrCat(text, ". The coordinator needs to write there: run it as the owner of the directory"));
  }
  if (status.IsIOError() && absl::StrContains(text, "lock")) {
    return absl::AbortedError(absl::StrCat(text, ". Another coordinator uses this directory: stop it, or use another directory"));
  }
  return absl::UnavailableError(text);
}

rocksdb::Options MakeOptions() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.recycle_log_file_num = 0;
  // The state is small and read once, at start.
  options.write_buffer_size = kWriteBufferBytes;
  options.max_background_jobs = 2;
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  return options;
}

absl::Status MakeDirectory(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  const std::string text = absl::StrCat("expected to make the directory ", directory, ": ", std::strerror(errno));
  return errno == EACCES ? absl::PermissionDeniedError(text) : absl::UnavailableError(text);
}

class RocksDbStore : public Store {
 public:
  RocksDbStore(std::unique_ptr<rocksdb::DB> db, std::string directory) : directory_(std::move(directory)), db_(std::move(db)) {}
  ~RocksDbStore() override { Close().IgnoreError(); }

  absl::StatusOr<std::vector<StoreRecord>> Load() override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::ReaderMutexLock lock(&mutex_);
    if (db_ == nullptr) return Closed();
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    std::vector<StoreRecord> records;
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(options));
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      if (iterator->key() == AsSlice(kFormatKey)) continue;
      records.push_back({iterator->key().ToString(), iterator->value().ToString()});
    }
    if (absl::Status status = MapStatus(iterator->status(), "reading", directory_); !status.ok()) return status;
    return records;
  }

  absl::Status Write(const std::vector<StoreChange>& batch) override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::ReaderMutexLock lock(&mutex_);
    if (db_ == nullptr) return Closed();
    rocksdb::WriteBatch writes;
    for (const StoreChange& change : batch) {
      const rocksdb::Status status = change.value.has_value() ? writes.Put(change.key, *change.value) : writes.Delete(change.key);
      if (!status.ok()) return MapStatus(status, "writing", directory_);
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    rocksdb::Status status = db_->Write(options, &writes);
    // After an error (a full disk) the engine refuses writes until it is told to go on.
    if (!status.ok() && db_->Resume().ok()) status = db_->Write(options, &writes);
    return MapStatus(status, "writing", directory_);
  }

  absl::Status Close() override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (db_ == nullptr) return absl::OkStatus();
    const rocksdb::Status status = db_->Close();
    db_.reset();
    return MapStatus(status, "closing", directory_);
  }

  /// Marks a new store with the format; refuses one of another format.
  absl::Status CheckFormat() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::ReaderMutexLock lock(&mutex_);
    std::string text;
    const rocksdb::Status found = db_->Get(rocksdb::ReadOptions(), AsSlice(kFormatKey), &text);
    if (found.IsNotFound()) {
      rocksdb::WriteOptions options;
      options.sync = true;
      return MapStatus(db_->Put(options, AsSlice(kFormatKey), absl::StrCat(kStoreFormatVersion)), "marking", directory_);
    }
    if (!found.ok()) return MapStatus(found, "reading the format of", directory_);
    int version = 0;
    if (!absl::SimpleAtoi(text, &version) || version < 1) {
      return absl::DataLossError(absl::StrCat("expected a format version in the store in ", directory_, ", found \"", text, "\""));
    }
    if (version == kStoreFormatVersion) return absl::OkStatus();
    const absl::string_view remedy = version > kStoreFormatVersion
                                         ? "install the newer HA-NAS that wrote it, or use a new directory"
                                         : "let the older HA-NAS that wrote it finish its searches and export them, or use a new directory";
    return absl::FailedPreconditionError(
        absl::StrCat("expected a store of format ", kStoreFormatVersion, " in ", directory_, ", found format ", version, ": ", remedy));
  }

 private:
  absl::Status Closed() const {
    return absl::FailedPreconditionError(absl::StrCat("the store in ", directory_, " is closed; open it again to use it"));
  }

  const std::string directory_;
  absl::Mutex mutex_;  // readers use the engine, which has locks of its own; the writer closes it
  std::unique_ptr<rocksdb::DB> db_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenRocksDbStore(const std::string& directory) {
  if (absl::Status status = MakeDirectory(directory); !status.ok()) return status;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(MakeOptions(), directory, &db);
  if (!opened.ok()) return MapStatus(opened, "opening", directory);
  auto store = std::make_unique<RocksDbStore>(std::unique_ptr<rocksdb::DB>(db), directory);
  if (absl::Status status = store->CheckFormat(); !status.ok()) return status;
  return store;
}

std::string RocksDbVersion() { return rocksdb::GetRocksVersionAsString(); }

}  // namespace hanas::coordinator
