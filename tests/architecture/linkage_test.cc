// SPDX-License-Identifier: Apache-2.0
// Which shared libraries each program may load: a board's agent without LibTorch and RocksDB, a worker without RocksDB, and so on.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::map<std::string, std::vector<std::string>>& ForbiddenLibraries() {
  static const auto* const kForbidden = new std::map<std::string, std::vector<std::string>>{
      {"hanas", {"libtorch", "libc10", "librocksdb", "libXNNPACK", "libonnxruntime", "libprometheus", "libmicrohttpd"}},
      {"hanas-coordinator", {"libtorch", "libc10", "libXNNPACK", "libonnxruntime"}},
      {"hanas-worker", {"librocksdb"}},
      {"hanas-profiler-agent", {"libtorch", "libc10", "librocksdb"}},
  };
  return *kForbidden;
}

// Lines of `ldd_output` that name one of `forbidden`, compared without case.
std::vector<std::string> FindForbidden(absl::string_view ldd_output, const std::vector<std::string>& forbidden) {
  std::vector<std::string> found;
  for (absl::string_view line : absl::StrSplit(ldd_output, '\n')) {
    for (const std::string& library : forbidden) {
      if (absl::StrContainsIgnoreCase(line, library)) found.emplace_back(absl::StripAsciiWhitespace(line));
    }
  }
  return found;
}

std::string RunLdd(const std::filesystem::path& program) {
  std::string output;
  FILE* pipe = popen(absl::StrCat("ldd '", program.string(), "' 2>&1").c_str(), "r");
  if (pipe == nullptr) return "ldd could not be started: not found";
  char buffer[4096];
  for (size_t n = 0; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) output.append(buffer, n);
  return pclose(pipe) == 0 ? output : absl::StrCat(output, "\nldd failed: not found");
}

TEST(LinkageTest, FindsAForbiddenLibrary) {
  const std::string output = "\tlibtorch_cpu.so.2.6 => /usr/lib/libtorch_cpu.so.2.6 (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n";
  EXPECT_THAT(FindForbidden(output, {"librocksdb"}), IsEmpty());
  EXPECT_THAT(FindForbidden(output, {"libtorch"}), ElementsAre("libtorch_cpu.so.2.6 => /usr/lib/libtorch_cpu.so.2.6 (0x1)"));
}

TEST(LinkageTest, ProgramsLoadOnlyWhatTheyMay) {
  const char* const bin = std::getenv("HANAS_BIN_DIR");
  if (bin == nullptr || !std::filesystem::is_directory(bin)) GTEST_SKIP() << "no programs are built: expected them in HANAS_BIN_DIR";
  for (const auto& entry : std::filesystem::directory_iterator(bin)) {
    const std::string name = entry.path().filename();
    SCOPED_TRACE(name);
    const auto rule = ForbiddenLibraries().find(name);
    ASSERT_NE(rule, ForbiddenLibraries().end()) << "expected a row for this program in ForbiddenLibraries()";
    const std::string output = RunLdd(entry.path());
    EXPECT_THAT(FindForbidden(output, {"not found"}), IsEmpty());
    EXPECT_THAT(FindForbidden(output, rule->second), IsEmpty());
  }
}

}  // namespace
}  // namespace hanas
