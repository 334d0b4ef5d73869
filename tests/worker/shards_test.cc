// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/shards.h"

#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST(ShardGroupTest, EverybodyGetsWhatEachHasBroughtInTheOrderOfShards) {
  constexpr int kMeetings = 1000;
  ShardGroup group(3);
  std::vector<std::vector<int>> last(3);
  group.Run([&](size_t shard) {
    for (int meeting = 0; meeting < kMeetings; ++meeting) last[shard] = group.Exchange(shard, meeting * 10 + static_cast<int>(shard));
  });
  EXPECT_THAT(last, Each(ElementsAre((kMeetings - 1) * 10, (kMeetings - 1) * 10 + 1, (kMeetings - 1) * 10 + 2)));
}

TEST(ShardGroupTest, RunsAsOftenAsItIsAskedToWithTheSameThreads) {
  ShardGroup group(3);
  std::vector<std::set<std::thread::id>> ran_in(3);
  for (int run = 0; run < 50; ++run) {
    std::vector<std::vector<int>> seen(3);
    group.Run([&](size_t shard) {
      ran_in[shard].insert(std::this_thread::get_id());
      // An odd number of meetings, so that runs begin with either of the two places for values.
      for (int meeting = 0; meeting < 3; ++meeting) seen[shard] = group.Exchange(shard, 100 * run + 10 * meeting + static_cast<int>(shard));
    });
    EXPECT_THAT(seen, Each(ElementsAre(100 * run + 20, 100 * run + 21, 100 * run + 22)));
  }
  EXPECT_THAT(ran_in, Each(SizeIs(1)));
}

TEST(ShardGroupTest, WaitsForAShardThatComesLate) {
  ShardGroup group(2);
  std::atomic<bool> waits = false;
  group.Run([&](size_t shard) {
    if (shard == 0) {
      waits = true;
    } else {
      // Longer than the other one looks before it sleeps.
      const auto begin = std::chrono::steady_clock::now();
      while (!waits || std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(5)) std::this_thread::yield();
    }
    EXPECT_THAT(group.Exchange(shard, shard), ElementsAre(0, 1));
  });
}

TEST(ShardGroupTest, MayGoWithoutEverRunning) { ShardGroup group(4); }

TEST(ShardGroupTest, OneShardMeetsNobodyAndRunsInTheCallersThread) {
  ShardGroup group(1);
  std::thread::id ran_in;
  group.Run([&](size_t shard) {
    EXPECT_THAT(group.Exchange(shard, 7), ElementsAre(7));
    ran_in = std::this_thread::get_id();
  });
  EXPECT_EQ(ran_in, std::this_thread::get_id());
}

TEST(ShardGroupTest, AFailureEndsTheOthersWaitingAndIsTheOneThatIsThrown) {
  for (const size_t failing : {0, 1, 2}) {
    ShardGroup group(3);
    const auto run = [&] {
      group.Run([&](size_t shard) {
        group.Exchange(shard, shard);
        if (shard == failing) throw std::runtime_error("no memory is left");
        group.Exchange(shard, shard);  // would wait for ever
        ADD_FAILURE() << "shard " << shard << " met one that had failed";
      });
    };
    EXPECT_THAT(run, testing::ThrowsMessage<std::runtime_error>("no memory is left")) << failing;
  }
}

}  // namespace
}  // namespace hanas
