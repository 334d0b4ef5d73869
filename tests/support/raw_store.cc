// SPDX-License-Identifier: Apache-2.0
#include "tests/support/raw_store.h"

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <memory>

#include "absl/log/check.h"

namespace hanas {

std::map<std::string, std::string> ReadRawStore(const std::string& directory) {
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly({}, directory, &opened);
  CHECK(status.ok()) << status.ToString();
  const std::unique_ptr<rocksdb::DB> db(opened);
  std::map<std::string, std::string> records;
  const std::unique_ptr<rocksdb::Iterator> iterator(db->NewIterator({}));
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) records[iterator->key().ToString()] = iterator->value().ToString();
  CHECK(iterator->status().ok()) << iterator->status().ToString();
  return records;
}

void WriteRawStore(const std::string& directory, const std::string& key, const std::string& value) {
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open({}, directory, &opened);
  CHECK(status.ok()) << status.ToString();
  const std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::WriteOptions options;
  options.sync = true;
  CHECK(db->Put(options, key, value).ok());
}

}  // namespace hanas
