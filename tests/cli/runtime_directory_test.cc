// SPDX-License-Identifier: Apache-2.0
#include "cli/supervise/runtime_directory.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/files.h"
#include "tests/support/scratch_directory.h"

namespace hanas::cli {
namespace {

namespace fs = std::filesystem;

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class RuntimeDirectoryTest : public testing::Test {
 protected:
  RuntimeDirectoryTest() {
    fs::create_directory(root_ + "/run");
    fs::permissions(root_ + "/run", fs::perms::owner_all);
    fs::create_directory(root_ + "/tmp");
    ::setenv("XDG_RUNTIME_DIR", (root_ + "/run").c_str(), 1);
    ::setenv("TMPDIR", (root_ + "/tmp").c_str(), 1);
  }
  ~RuntimeDirectoryTest() override {
    ::unsetenv("TMPDIR");  // where the next test's root goes
  }

  const ScratchDirectory scratch_;
  const std::string root_ = scratch_.path().string();
};

TEST_F(RuntimeDirectoryTest, IsPrivateAndGoneAfterwards) {
  std::string path;
  {
    const absl::StatusOr<RuntimeDirectory> directory = RuntimeDirectory::Make();
    ASSERT_THAT(directory, IsOk());
    path = directory->path();
    EXPECT_THAT(path, StartsWith(root_ + "/run/hanas-run-"));
    EXPECT_TRUE(rpc::IsPrivateDirectory(path));
    EXPECT_TRUE(fs::is_empty(path)) << "the socket that was tried is gone";
    EXPECT_EQ(directory->address(), "unix:" + path + "/socket");
    std::ofstream(path + "/socket") << "";
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(RuntimeDirectoryTest, ARuntimeDirectoryThatOthersEnterIsNotTrusted) {
  fs::permissions(root_ + "/run", static_cast<fs::perms>(0755));
  EXPECT_THAT(RuntimeDirectory::Make()->path(), StartsWith(root_ + "/tmp/hanas-run-"));
  ::unsetenv("XDG_RUNTIME_DIR");
  EXPECT_THAT(RuntimeDirectory::Make()->path(), StartsWith(root_ + "/tmp/hanas-run-"));
  ::unsetenv("TMPDIR");
  EXPECT_THAT(RuntimeDirectory::Make()->path(), StartsWith("/tmp/hanas-run-"));
}

TEST_F(RuntimeDirectoryTest, SaysWhyThereCanBeNone) {
  const std::string deep = root_ + "/" + std::string(100, 'd');
  fs::create_directory(deep);
  ::setenv("TMPDIR", deep.c_str(), 1);
  EXPECT_THAT(RuntimeDirectory::Make()->path(), StartsWith(root_ + "/run/")) << "the first place that will do";
  ::setenv("XDG_RUNTIME_DIR", (root_ + "/none").c_str(), 1);
  EXPECT_THAT(RuntimeDirectory::Make(),
              StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr(deep), HasSubstr("longer than 107 bytes"))));
  EXPECT_TRUE(fs::is_empty(deep));
  ::setenv("TMPDIR", (root_ + "/missing").c_str(), 1);
  EXPECT_THAT(RuntimeDirectory::Make(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("/missing")));
}

TEST_F(RuntimeDirectoryTest, WhatAKilledRunLeftIsRemovedAndNothingElse) {
  const std::string left = root_ + "/run/hanas-run-abc123";
  const std::string foreign = root_ + "/run/somebody-else";
  for (const std::string& path : {left, foreign}) {
    ASSERT_THAT(rpc::MakePrivateDirectory(path), IsOk());
    std::ofstream(path + "/socket") << "";
  }
  RuntimeDirectory::RemoveLeftover("unix:" + foreign + "/socket");
  RuntimeDirectory::RemoveLeftover("unix:" + left + "/another");
  RuntimeDirectory::RemoveLeftover("127.0.0.1:7700");
  RuntimeDirectory::RemoveLeftover("");
  EXPECT_TRUE(fs::exists(foreign + "/socket"));
  EXPECT_TRUE(fs::exists(left + "/socket"));
  RuntimeDirectory::RemoveLeftover("unix:" + left + "/socket");
  EXPECT_FALSE(fs::exists(left));
  RuntimeDirectory::RemoveLeftover("unix:" + left + "/socket");
}

}  // namespace
}  // namespace hanas::cli
