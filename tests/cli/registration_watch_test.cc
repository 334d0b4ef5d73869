// SPDX-License-Identifier: Apache-2.0
#include "cli/supervise/registration_watch.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

using ::testing::ElementsAre;
using Verdict = RegistrationWatch::Verdict;

constexpr RegistrationWatch::Options kOptions = {.say_after = absl::Seconds(3), .give_up_after = absl::Seconds(6)};

TEST(RegistrationWatchTest, AProcessThatNeverRegistersIsSaidAndGivenUp) {
  RegistrationWatch watch(kOptions);
  std::vector<Verdict> verdicts;
  for (int second = 0; second <= 6; ++second) verdicts.push_back(watch.Observe("worker-1", 1, false, absl::Seconds(second)));
  EXPECT_THAT(verdicts, ElementsAre(Verdict::kFine, Verdict::kFine, Verdict::kFine, Verdict::kLate, Verdict::kFine, Verdict::kFine,
                                    Verdict::kGivenUp));
}

TEST(RegistrationWatchTest, OneThatRegisteredIsNotAwaitedAnyMore) {
  RegistrationWatch watch(kOptions);
  EXPECT_TRUE(watch.Awaits("worker-1", 1));
  EXPECT_EQ(watch.Observe("worker-1", 1, true, absl::Seconds(1)), Verdict::kFine);
  EXPECT_FALSE(watch.Awaits("worker-1", 1));
  EXPECT_EQ(watch.Observe("worker-1", 1, false, absl::Seconds(100)), Verdict::kFine);
  EXPECT_TRUE(watch.Awaits("agent", 1));
}

TEST(RegistrationWatchTest, EveryStartHasItsOwnTime) {
  RegistrationWatch watch(kOptions);
  for (int second = 0; second < 6; ++second) watch.Observe("worker-1", 1, false, absl::Seconds(second));
  EXPECT_TRUE(watch.Awaits("worker-1", 2));
  EXPECT_EQ(watch.Observe("worker-1", 2, false, absl::Seconds(6)), Verdict::kFine);
  EXPECT_EQ(watch.Observe("worker-1", 2, false, absl::Seconds(8)), Verdict::kFine);
  EXPECT_EQ(watch.Observe("worker-1", 2, false, absl::Seconds(9)), Verdict::kLate);
}

TEST(RegistrationWatchTest, ABreakCountsLittle) {
  RegistrationWatch watch(kOptions);
  watch.Observe("worker-1", 1, false, absl::Seconds(0));
  EXPECT_EQ(watch.Observe("worker-1", 1, false, absl::Hours(8)), Verdict::kFine);
  EXPECT_EQ(watch.Observe("worker-1", 1, false, absl::Hours(8) + absl::Seconds(1)), Verdict::kLate);
}

}  // namespace
}  // namespace hanas::cli
