// SPDX-License-Identifier: Apache-2.0
#include "config/spelling.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::config {
namespace {

TEST(WordsTest, EditDistance) {
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
  EXPECT_EQ(EditDistance("width", "widht"), 1);
  EXPECT_EQ(EditDistance("same", "same"), 0);
}

TEST(WordsTest, ClosestWordIsCloseEnoughToBeMeant) {
  const std::vector<std::string> known = {"steps", "batch_size", "learning_rate"};
  EXPECT_EQ(ClosestWord("step", known), "steps");
  EXPECT_EQ(ClosestWord("batchsize", known), "batch_size");
  EXPECT_EQ(ClosestWord("colour", known), "");
}

}  // namespace
}  // namespace hanas::config
