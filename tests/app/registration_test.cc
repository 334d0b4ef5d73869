// SPDX-License-Identifier: Apache-2.0
// Whose a name is: the key that registered it, for as long as its party is heard of.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "tests/app/app_fixture.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

const absl::Duration kTtl = AppOptions{}.lease_ttl;

class RegistrationTest : public testing::Test {
 protected:
  absl::StatusOr<PartyRecord> Register(const std::string& name, const std::string& instance, const std::string& key, bool agent = false) {
    return app().Register({.agent = agent, .name = name, .instance = instance, .host = "host", .key = key, .datasets = {"fake"}});
  }
  App& app() { return harness_.app(); }
  size_t NumWorkers() { return app().ListParties(/*agents=*/false, 0, 10 * kMaxParties)->size(); }

  AppHarness harness_;
};

TEST_F(RegistrationTest, TheSameKeyTakesOverAtOnce) {
  const absl::StatusOr<PartyRecord> first = Register("w", "1", "key");
  const absl::StatusOr<PartyRecord> again = Register("w", "2", "key");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->id, first->id);
  EXPECT_THAT(app().LeaseTask(first->id, "1", absl::ZeroDuration()), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(app().LeaseTask(first->id, "2", absl::ZeroDuration()), IsOk());
}

TEST_F(RegistrationTest, NumericsAreThoseOfAllWorkersThatGetWork) {
  EXPECT_EQ(app().BestNumerics(), Numerics::kF32) << "nobody is there to tell";
  const auto add = [&](const std::string& name, bool multiplies_bf16) {
    return app().Register({.name = name, .instance = "1", .host = "host", .key = "key", .multiplies_bf16 = multiplies_bf16})->id;
  };
  ASSERT_THAT(Register("device", "1", "key", /*agent=*/true), IsOk());
  add("new", true);
  EXPECT_EQ(app().BestNumerics(), Numerics::kBf16);
  const uint64_t old = add("old", false);
  EXPECT_EQ(app().BestNumerics(), Numerics::kF32);
  ASSERT_THAT(app().SetDrain(/*agent=*/false, old, true), IsOk());
  EXPECT_EQ(app().BestNumerics(), Numerics::kBf16);
}

TEST_F(RegistrationTest, ASearchKeepsTheNumericsThatItWasSubmittedWith) {
  SearchJob job = TinyJob();
  job.training.numerics = Numerics::kBf16;
  const uint64_t id = app().CreateSearch("request", "spec", job)->record.id;
  job.training.numerics = Numerics::kF32;  // what `auto` stands for by now
  EXPECT_EQ(app().CreateSearch("request", "spec", job)->record.id, id);
  job.seed = 99;
  EXPECT_EQ(ReasonOf(app().CreateSearch("request", "spec", job).status()), "REQUEST_ID_REUSED");
}

TEST_F(RegistrationTest, AnotherKeyIsRefusedUntilTheNameIsSilent) {
  const uint64_t id = Register("w", "1", "key")->id;
  harness_.clock().Advance(kTtl - absl::Seconds(1));
  const absl::Status refused = Register("w", "evil", "another").status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kAlreadyExists, AllOf(HasSubstr("\"w\""), HasSubstr("--name"))));
  EXPECT_EQ(ReasonOf(refused), "NAME_IN_USE");
  EXPECT_THAT(app().LeaseTask(id, "1", absl::ZeroDuration()), IsOk()) << "its owner is not disturbed, and was heard of now";
  harness_.clock().Advance(kTtl - absl::Seconds(1));
  EXPECT_EQ(ReasonOf(Register("w", "evil", "another").status()), "NAME_IN_USE");
  harness_.clock().Advance(absl::Seconds(1));
  ASSERT_THAT(Register("w", "3", "another"), IsOk());
  EXPECT_EQ(ReasonOf(Register("w", "1", "key").status()), "NAME_IN_USE") << "it is the other one's now";
  EXPECT_THAT(Register("w", "1", "key", /*agent=*/true), IsOk()) << "a device has names of its own";
}

TEST_F(RegistrationTest, ANameIsHeldOverARestartOfTheCoordinator) {
  ASSERT_THAT(Register("w", "1", "key"), IsOk());
  harness_.Reopen();
  EXPECT_EQ(ReasonOf(Register("w", "evil", "another").status()), "NAME_IN_USE");
  EXPECT_THAT(Register("w", "2", "key"), IsOk());
}

TEST_F(RegistrationTest, AnOlderRecordHasNoKeyAndTakesTheFirstThatComes) {
  ASSERT_THAT(Register("w", "1", ""), IsOk());
  EXPECT_THAT(Register("w", "2", "key"), IsOk());
  EXPECT_EQ(ReasonOf(Register("w", "3", "another").status()), "NAME_IN_USE");
}

TEST_F(RegistrationTest, AFloodIsBoundedAndForgotten) {
  const uint64_t useful = Register("useful", "1", "key")->id;
  const uint64_t agent = harness_.AddAgent("1", "host");
  const uint64_t search = harness_.Submit();
  for (int i = 0; i < 100 && app().GetSearch(search)->record.phase != SearchPhase::kTraining; ++i) {
    ASSERT_THAT(app().RunOnce(), IsOk());
    const std::optional<GrantedTask> granted = harness_.Lease(agent, "1");
    if (granted.has_value()) {
      ASSERT_THAT(harness_.Complete(*granted), IsOk());
    }
  }
  ASSERT_TRUE(harness_.Lease(useful, "1").has_value());
  for (size_t i = 2; i < kMaxParties; ++i) ASSERT_THAT(Register(absl::StrCat("flood-", i), "1", "key"), IsOk());
  const absl::Status full = Register("one-more", "1", "key").status();
  EXPECT_THAT(full, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("one-more")));
  EXPECT_EQ(ReasonOf(full), "TOO_MANY_PARTIES");
  EXPECT_THAT(Register("useful", "2", "key"), IsOk()) << "who is known may come back";

  harness_.clock().Advance(kTtl);
  ASSERT_THAT(Register("one-more", "1", "key"), IsOk());
  EXPECT_EQ(NumWorkers(), kMaxParties - 1) << "one of the flood made room, and the device is the last of them";
  harness_.Reopen();
  EXPECT_EQ(NumWorkers(), kMaxParties - 1);
  EXPECT_EQ(app().ListParties(false, 0, 1)->front().record.name, "useful");
  EXPECT_THAT(app().RunOnce(), IsOk());
}

}  // namespace
}  // namespace hanas::coordinator
