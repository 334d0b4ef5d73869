// SPDX-License-Identifier: Apache-2.0
#include "daemon/party_state.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_directory.h"

namespace hanas::daemon {
namespace {

namespace fs = std::filesystem;

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class PartyStateTest : public testing::Test {
 protected:
  std::string Directory() const { return root_ + "/agents/local"; }
  static fs::perms ModeOf(const std::string& path) { return fs::status(path).permissions(); }

  const ScratchDirectory scratch_;
  const std::string root_ = scratch_.path().string();
};

TEST_F(PartyStateTest, KeepsOneKeyOverRestarts) {
  const mode_t before = ::umask(0);
  std::string key;
  {
    const absl::StatusOr<PartyState> first = PartyState::Open(Directory());
    ASSERT_THAT(first, IsOk());
    key = first->key().bytes();
    EXPECT_THAT(key, SizeIs(32));
    EXPECT_FALSE(first->tightened());
  }
  ::umask(before);
  EXPECT_EQ(PartyState::Open(Directory())->key().bytes(), key);
  EXPECT_NE(PartyState::Open(root_ + "/another")->key().bytes(), key);
  EXPECT_EQ(ModeOf(Directory()), fs::perms::owner_all);
  for (const char* file : {"/key", "/lock"}) EXPECT_EQ(ModeOf(Directory() + file), fs::perms::owner_read | fs::perms::owner_write) << file;
}

TEST_F(PartyStateTest, BelongsToOneProcess) {
  std::optional<PartyState> first = *PartyState::Open(Directory());
  EXPECT_THAT(PartyState::Open(Directory()),
              StatusIs(absl::StatusCode::kAborted,
                       AllOf(HasSubstr(Directory()), HasSubstr(absl::StrCat("pid ", ::getpid())), HasSubstr("--state-dir"))));
  first.reset();
  EXPECT_THAT(PartyState::Open(Directory()), IsOk());
}

TEST_F(PartyStateTest, WhatOthersMayReadIsNoKey) {
  ASSERT_THAT(PartyState::Open(Directory()), IsOk());
  fs::permissions(Directory(), static_cast<fs::perms>(0755));
  EXPECT_TRUE(PartyState::Open(Directory())->tightened());
  fs::permissions(Directory() + "/key", static_cast<fs::perms>(0644));
  EXPECT_THAT(PartyState::Open(Directory()), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("found mode 0644")));
  fs::permissions(Directory() + "/key", static_cast<fs::perms>(0600));
  std::ofstream(Directory() + "/key") << "cut";
  EXPECT_THAT(PartyState::Open(Directory()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(Directory() + "/key")));
}

}  // namespace
}  // namespace hanas::daemon
