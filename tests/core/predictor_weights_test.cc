// SPDX-License-Identifier: Apache-2.0
#include "core/predictor/predictor_weights.h"

#include <limits>
#include <string>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

PredictorWeights TwoMembers() {
  PredictorWeights weights;
  weights.space_digest = DigestBuilder().Add("space").Build();
  weights.num_features = 3;
  weights.members = {{{{3, 2, {1, 2, 3, 4, 5, 6}, {7, 8}}, {2, 1, {-1, 0.5F}, {0.25F}}}}, {{{3, 1, {1, 0, -1}, {0}}}}};
  weights.output_mean = 0.9;
  weights.output_scale = 0.02;
  weights.held_out_tau = 0.7;
  weights.held_out_rmse = 0.004;
  weights.num_train = 80;
  weights.num_held_out = 20;
  return weights;
}

TEST(PredictorWeightsTest, RoundTrips) {
  const PredictorWeights weights = TwoMembers();
  ASSERT_THAT(Validate(weights), IsOk());
  const absl::StatusOr<PredictorWeights> read = ParsePredictor(SerialisePredictor(weights));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(*read, weights);
}

TEST(PredictorWeightsTest, EveryTruncationAndEveryFlippedByteIsRefused) {
  const std::string bytes = SerialisePredictor(TwoMembers());
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(ParsePredictor(bytes.substr(0, size)).ok()) << "length " << size;
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    EXPECT_FALSE(ParsePredictor(damaged).ok()) << "byte " << i;
  }
  EXPECT_THAT(ParsePredictor(bytes + "x"), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(PredictorWeightsTest, ForeignDataAndOtherVersionsAreNamed) {
  EXPECT_THAT(ParsePredictor("{}"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("magic")));
  for (const char version : {'\0', '\1', '\3'}) {
    std::string other = SerialisePredictor(TwoMembers());
    other[4] = version;
    EXPECT_THAT(ParsePredictor(other), StatusIs(absl::StatusCode::kFailedPrecondition,
                                                AllOf(HasSubstr(absl::StrCat("expected format version 2, found ", int{version})),
                                                      HasSubstr("start the search again"))));
  }
}

TEST(PredictorWeightsTest, TheLastFourBytesAreTheCrc32cOfTheOthers) {
  const std::string bytes = SerialisePredictor(TwoMembers());
  uint32_t crc = 0xffffffff;
  for (const char byte : bytes.substr(0, bytes.size() - 4)) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
  }
  std::string last;
  for (int i = 0; i < 4; ++i) last.push_back(static_cast<char>(~crc >> (8 * i)));
  EXPECT_EQ(bytes.substr(bytes.size() - 4), last);
}

TEST(PredictorWeightsTest, ValidateNamesTheField) {
  const auto broken = [](auto change) {
    PredictorWeights weights = TwoMembers();
    change(weights);
    return Validate(weights);
  };
  EXPECT_THAT(broken([](auto& w) { w.members.clear(); }),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("predictor.members: expected")));
  EXPECT_THAT(broken([](auto& w) { w.num_features = 4; }),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("members[0].layers[0].num_inputs")));
  EXPECT_THAT(broken([](auto& w) { w.members[0].layers.pop_back(); }), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 output")));
  EXPECT_THAT(broken([](auto& w) { w.members[1].layers[0].weights.pop_back(); }),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("members[1].layers[0].weights: expected 3 values, found 2")));
  EXPECT_THAT(broken([](auto& w) { w.members[0].layers[0].bias[1] = std::numeric_limits<float>::infinity(); }),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("finite")));
  EXPECT_THAT(broken([](auto& w) { w.output_scale = 0; }), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("output_scale")));
  EXPECT_THAT(broken([](auto& w) { w.held_out_tau = std::numeric_limits<double>::quiet_NaN(); }),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("held_out_tau")));
}

}  // namespace
}  // namespace hanas
