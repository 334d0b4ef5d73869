// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/shards.h"

#include <stdexcept>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

TEST(ShardGroupTest, EverybodyGetsWhatEachHasBroughtInTheOrderOfShards) {
  constexpr int kMeetings = 1000;
  ShardGroup group(3);
  std::vector<std::vector<int>> last(3);
  group.Run([&](size_t shard) {
    for (int meeting = 0; meeting < kMeetings; ++meeting) last[shard] = group.Exchange(shard, meeting * 10 + static_cast<int>(shard));
  });
  EXPECT_THAT(last, Each(ElementsAre((kMeetings - 1) * 10, (kMeetings - 1) * 10 + 1, (kMeetings - 1) * 10 + 2)));
}

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
