// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_GENERATED_SECTION_H_
#define HANAS_TESTS_SUPPORT_GENERATED_SECTION_H_

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace hanas {

/// Expects that a page (its path from the repository's root) has `text` between the lines "<!-- generated: NAME -->" and
/// "<!-- end of generated: NAME -->". With HANAS_WRITE_DOCS=1 in the environment it writes it there instead.
inline void ExpectGeneratedSection(const std::string& page, const std::string& name, const std::string& text) {
  const std::string path = absl::StrCat(HANAS_SOURCE_DIR, "/", page);
  std::ifstream file(path);
  ASSERT_TRUE(file.is_open()) << path;
  std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const std::string first = absl::StrCat("<!-- generated: ", name, " -->\n");
  const std::string last = absl::StrCat("<!-- end of generated: ", name, " -->\n");
  const size_t begin = content.find(first);
  const size_t end = content.find(last);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos && begin < end) << page << ": expected the lines " << first << last;
  const size_t from = begin + first.size();
  const char* const write = std::getenv("HANAS_WRITE_DOCS");
  if (write != nullptr && std::string(write) == "1") {
    content.replace(from, end - from, text);
    std::ofstream(path) << content;
    return;
  }
  EXPECT_EQ(content.substr(from, end - from), text) << page << " is out of date; run this test with HANAS_WRITE_DOCS=1 to write it";
}

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_GENERATED_SECTION_H_
