// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_RAW_STORE_H_
#define HANAS_TESTS_SUPPORT_RAW_STORE_H_

#include <map>
#include <string>

namespace hanas {

/// Every key and value of a RocksDB directory that nobody has open, whatever wrote it. Leaves it as it is. Ends the test program when it
/// cannot be read.
std::map<std::string, std::string> ReadRawStore(const std::string& directory);

/// Puts one value there, synced.
void WriteRawStore(const std::string& directory, const std::string& key, const std::string& value);

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_RAW_STORE_H_
