// SPDX-License-Identifier: Apache-2.0
// Number, type and name of every field on disk, against tests/store/stored_fields.txt: whatever changes there is read wrongly from the
// stores that exist. Values that the wire has too are among them.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "hanas/store/v1/records.pb.h"

namespace hanas {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;

/// Adds the fields of `message`, and of the messages in it, as lines in the order of the first mention.
void AddFields(const Descriptor& message, std::set<std::string>& seen, std::string& lines) {
  if (!seen.insert(std::string(message.full_name())).second) return;
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    const std::string type(field.message_type() != nullptr ? field.message_type()->full_name() : field.type_name());
    absl::StrAppend(&lines, message.full_name(), " ", field.number(), " ", field.is_repeated() ? "repeated " : "", type, " ", field.name(),
                    "\n");
  }
  for (int i = 0; i < message.field_count(); ++i) {
    if (message.field(i)->message_type() != nullptr) AddFields(*message.field(i)->message_type(), seen, lines);
  }
}

TEST(StoredFieldsTest, KeepNumberAndType) {
  std::set<std::string> seen;
  std::string found;
  AddFields(*store::v1::Record::descriptor(), seen, found);
  const std::string path = absl::StrCat(HANAS_SOURCE_DIR, "/tests/store/stored_fields.txt");
  const char* const write = std::getenv("HANAS_WRITE_DOCS");
  if (write != nullptr && std::string(write) == "1") std::ofstream(path) << found;
  std::ifstream file(path);
  ASSERT_TRUE(file.is_open()) << path;
  const std::string expected{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_EQ(found, expected) << "A line that is new is added with HANAS_WRITE_DOCS=1; one that changed or went needs a new "
                                "kStoreFormatVersion, unless no release has it yet.";
}

}  // namespace
}  // namespace hanas
