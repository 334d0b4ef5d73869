// SPDX-License-Identifier: Apache-2.0
#include "rpc/process.h"

#include <unistd.h>

#include <csignal>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace hanas::rpc {
namespace {

TEST(StopSignalsTest, TheFirstSignalAsksForAnEnd) {
  absl::Notification asked;
  {
    const StopSignals signals([&] { asked.Notify(); });
    raise(SIGTERM);
    asked.WaitForNotification();
  }
  SUCCEED();
}

TEST(StopSignalsDeathTest, TheSecondEndsAtOnce) {
  const auto twice = [] {
    absl::Notification asked;
    const StopSignals signals([&] { asked.Notify(); });
    raise(SIGINT);
    asked.WaitForNotification();
    raise(SIGINT);
  };
  EXPECT_EXIT(twice(), ::testing::ExitedWithCode(128 + SIGINT), "");
}

TEST(StopSignalsDeathTest, StoppingThatTakesTooLongIsEnded) {
  const auto never = [] {
    const StopSignals signals([] {}, absl::Milliseconds(20), 9);
    raise(SIGTERM);
    while (true) pause();
  };
  EXPECT_EXIT(never(), ::testing::ExitedWithCode(9), "stop_timeout");
}

}  // namespace
}  // namespace hanas::rpc
