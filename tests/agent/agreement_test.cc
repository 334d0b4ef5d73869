// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/measure/agreement.h"

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/fake_device.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;

Preprocessing Plain(int64_t height, int64_t width) {
  return {.input_height = height, .input_width = width, .mean = {0.5F}, .stddev = {0.25F}};
}

TEST(PreprocessImageTest, SameSizeIsOnlyNormalised) {
  const std::vector<uint8_t> image = {0, 51, 102, 255};
  const auto result = PreprocessImage(image, 2, 2, 1, Plain(2, 2));
  ASSERT_THAT(result, IsOk());
  EXPECT_THAT(*result, ElementsAre(FloatNear(-2, 1e-6), FloatNear(-1.2, 1e-6), FloatNear(-0.4, 1e-6), FloatNear(2, 1e-6)));
}

TEST(PreprocessImageTest, ResizesBilinearlyWithHalfPixelCentres) {
  const std::vector<uint8_t> image = {0, 255};
  Preprocessing pre = Plain(1, 4);
  pre.mean = {0};
  pre.stddev = {1};
  const auto result = PreprocessImage(image, 1, 2, 1, pre);
  ASSERT_THAT(result, IsOk());
  // Positions -0.25, 0.25, 0.75, 1.25 of the stored row.
  EXPECT_THAT(*result, ElementsAre(FloatNear(0, 1e-6), FloatNear(0.25, 1e-6), FloatNear(0.75, 1e-6), FloatNear(1, 1e-6)));
}

TEST(PreprocessImageTest, RefusesWhatDoesNotFit) {
  const std::vector<uint8_t> image(4);
  EXPECT_THAT(PreprocessImage(image, 2, 3, 1, Plain(2, 2)), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PreprocessImage(image, 2, 2, 3, Plain(2, 2)), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("3 channels")));
}

class AgreementTest : public testing::Test {
 protected:
  FakeNetwork Brightness(float offset) {
    return FakeNetwork(
        clock_, [] { return 1.0; }, [offset](absl::Span<const float> image) { return std::vector<float>{offset, image[0]}; }, 1);
  }
  FakeClock clock_;
  std::vector<uint8_t> pixels_ = {0, 100, 200, 255};
  std::vector<int> labels_ = {0, 0, 1, 0};
  ImageSet images_{.height = 1, .width = 1, .channels = 1, .pixels = pixels_, .labels = labels_};
};

TEST_F(AgreementTest, ScoresTop1) {
  FakeNetwork network = Brightness(0);
  const auto score = ScoreImages(network, Plain(1, 1), images_);
  ASSERT_THAT(score, IsOk());
  EXPECT_THAT(score->top1, ElementsAre(0, 0, 1, 1));
  EXPECT_EQ(score->correct, 3);
  EXPECT_EQ(score->images, 4);
  EXPECT_THAT(score->class_correct, ElementsAre(2, 1));
  EXPECT_EQ(score->among_five, 4) << "of two classes each is among the first five";
  EXPECT_THAT(ScoreImages(network, Plain(1, 1), images_, [](int64_t done) { return done < 2; }), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(AgreementTest, RefusesMissingLabels) {
  FakeNetwork network = Brightness(0);
  images_.labels = images_.labels.subspan(1);
  EXPECT_THAT(ScoreImages(network, Plain(1, 1), images_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("4 labels")));
}

TEST_F(AgreementTest, ComparesTwoNetworks) {
  FakeNetwork a = Brightness(0);
  FakeNetwork b = Brightness(1.5);
  const auto all = CompareNetworks(a, b, Plain(1, 1), images_, 100);
  ASSERT_THAT(all, IsOk());
  EXPECT_EQ(all->compared, 4);
  EXPECT_EQ(all->agreeing, 3) << "200/255 is brighter than 0 but not than 1.5";
  EXPECT_NEAR(all->max_logit_difference, 1.5, 1e-6);
  EXPECT_EQ(CompareNetworks(a, b, Plain(1, 1), images_, 2)->compared, 2);
}

}  // namespace
}  // namespace hanas
