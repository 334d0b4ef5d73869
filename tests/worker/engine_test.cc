// SPDX-License-Identifier: Apache-2.0
// The part of the worker that needs no tensor library: quantisers, checkpoints, schedule, predictor training.
#include <cmath>
#include <limits>
#include <set>

#include "absl/status/status_matchers.h"
#include "core/base/counter_random.h"
#include "core/base/field_violation.h"
#include "core/encoding/encoding.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"
#include "tests/worker/drawn_data.h"
#include "worker/engine/checkpoint.h"
#include "worker/engine/kernels.h"
#include "worker/engine/predictor_trainer.h"
#include "worker/engine/quantize.h"
#include "worker/engine/schedule.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

TEST(QuantizeTest, WeightStepsArePositiveAndIntegersStayInTheNarrowRange) {
  CounterRandom random(1, "test/weights");
  for (const ElementType type : {ElementType::kInt8, ElementType::kInt4, ElementType::kInt2}) {
    for (const double spread : {0.0, 1e-20, 0.05, 30.0}) {
      std::vector<float> channel(64);
      for (float& w : channel) w = static_cast<float>(spread * random.Normal());
      const float step = WeightStep(channel, type);
      EXPECT_GT(step, 0);
      EXPECT_TRUE(std::isfinite(step));
      for (const float w : channel) EXPECT_LE(std::abs(QuantizeWeight(w, step, type)), NarrowRangeLimit(type));
    }
  }
}

TEST(QuantizeTest, ClosedFormIsNearTheBestStepForNormalWeights) {
  CounterRandom random(2, "test/weights");
  std::vector<float> channel(4096);
  for (float& w : channel) w = static_cast<float>(0.1 * random.Normal());
  const auto error = [&](float step, ElementType type) {
    double sum = 0;
    for (const float w : channel) sum += std::pow(static_cast<double>(w - step * static_cast<float>(QuantizeWeight(w, step, type))), 2);
    return sum;
  };
  for (const ElementType type : {ElementType::kInt4, ElementType::kInt2}) {
    double best = std::numeric_limits<double>::max();
    for (float step = 0.005F; step < 0.3F; step *= 1.02F) best = std::min(best, error(step, type));
    EXPECT_LT(error(WeightStep(channel, type), type), 1.05 * best) << Name(type);
  }
}

TEST(QuantizeTest, RangeQuantiserHoldsZeroExactlyAndBothEnds) {
  for (const auto& [low, high] : {std::pair<float, float>{0, 6}, {-1, 3}, {2, 5}, {-4, -1}, {0, 0}, {-0.375F, 8}}) {
    const Quantizer q = QuantizerForRange(low, high);
    EXPECT_GT(q.scale, 0);
    EXPECT_GE(q.zero_point, -128);
    EXPECT_LE(q.zero_point, 127);
    for (const float end : {std::min(low, 0.0F), std::max(high, 0.0F)}) {
      const float integer = std::clamp(std::nearbyint(end / q.scale) + static_cast<float>(q.zero_point), -128.0F, 127.0F);
      EXPECT_NEAR((integer - static_cast<float>(q.zero_point)) * q.scale, end, 0.51F * q.scale);
    }
  }
  EXPECT_EQ(QuantizerForRange(0, 6).zero_point, -128);
  EXPECT_GT(QuantizerForRange(0, 0).scale, 1e-4) << "a value that is always 0: kernels must be able to rescale to its step";
}

TEST(QuantizeTest, RoundToHalfKnownAnswers) {
  EXPECT_EQ(RoundToHalf(1.0F), 1.0F);
  EXPECT_EQ(RoundToHalf(1.0F + 0x1p-11F), 1.0F);              // a tie goes to even
  EXPECT_EQ(RoundToHalf(1.0F + 0x1.8p-10F), 1.0F + 0x1p-9F);  // and up when that is even
  EXPECT_EQ(RoundToHalf(-0.1F), -0.0999755859375F);
  EXPECT_EQ(RoundToHalf(1e9F), 65504.0F);
  EXPECT_EQ(RoundToHalf(0x1p-25F), 0.0F);
  EXPECT_EQ(RoundToHalf(0x1.8p-24F), 0x1p-23F);
}

class CheckpointTest : public ::testing::Test {
 protected:
  const Lowering lowering_{SmallConvnet()};
  const Dataset data_ = DrawnData(20, 10, 10);
  const std::vector<Slot>& slots() const { return lowering_.slots().slots(); }
};

TEST_F(CheckpointTest, RoundTripsWithAndWithoutMomentum) {
  Checkpoint checkpoint = InitialCheckpoint(lowering_, 7, data_);
  checkpoint.step = 42;
  checkpoint.chain = {1, 2};
  for (const bool momentum : {false, true}) {
    if (momentum) checkpoint.momentum = checkpoint.weights;
    const absl::StatusOr<Checkpoint> back = ParseCheckpoint(SerializeCheckpoint(checkpoint, slots()), lowering_);
    ASSERT_THAT(back, IsOk());
    EXPECT_EQ(back->weights, checkpoint.weights);
    EXPECT_EQ(back->momentum, checkpoint.momentum);
    EXPECT_EQ(back->step, 42);
    EXPECT_EQ(back->chain, checkpoint.chain);
  }
}

TEST_F(CheckpointTest, InitialWeightsArePureInTheSeed) {
  EXPECT_EQ(InitialCheckpoint(lowering_, 7, data_).weights, InitialCheckpoint(lowering_, 7, data_).weights);
  EXPECT_NE(InitialCheckpoint(lowering_, 7, data_).weights, InitialCheckpoint(lowering_, 8, data_).weights);
}

TEST_F(CheckpointTest, EveryDamageIsRefused) {
  const std::string good = SerializeCheckpoint(InitialCheckpoint(lowering_, 7, data_), slots());
  CounterRandom random(3, "test/damage");
  for (int i = 0; i < 300; ++i) {
    std::string bad = good;
    if (i % 3 == 0) {
      bad.resize(random.UniformInt(good.size()));
    } else {
      const size_t at = i % 3 == 1 ? random.UniformInt(200) : random.UniformInt(good.size());
      bad[at] = static_cast<char>(bad[at] ^ static_cast<char>(1 + random.UniformInt(255)));
    }
    EXPECT_FALSE(ParseCheckpoint(bad, lowering_).ok()) << "case " << i;
  }
  EXPECT_THAT(ParseCheckpoint(good + "x", lowering_).status(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ParseCheckpoint("PK\3\4, an archive", lowering_).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("checkpoint: safetensors: file: expected a JSON header")));
}

TEST_F(CheckpointTest, OtherSpaceIsRefused) {
  SpaceSpec other = SmallSpaceSpec();
  other.stages[1].widths = {24, 40};
  const Lowering lowering(ConvnetSpace::Define(other).value());
  EXPECT_THAT(ParseCheckpoint(SerializeCheckpoint(InitialCheckpoint(lowering_, 7, data_), slots()), lowering).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("expected one of the space")));
}

TEST(ScheduleTest, RatesWarmUpThenFallToNothing) {
  for (const RateSchedule schedule : {RateSchedule::kCosine, RateSchedule::kLinear}) {
    const TrainingSpec training = {.steps = 100, .schedule = schedule, .warmup = 0.1};
    EXPECT_LT(RateShare(training, 0), RateShare(training, 5));
    EXPECT_NEAR(RateShare(training, 9), 1, 1e-3);
    for (int64_t step = 10; step < 99; ++step) EXPECT_GT(RateShare(training, step), RateShare(training, step + 1));
    EXPECT_LT(RateShare(training, 99), 0.02);
  }
}

TEST(ScheduleTest, ALinearRateFallsByEqualSteps) {
  const TrainingSpec training = {.steps = 100, .schedule = RateSchedule::kLinear, .warmup = 0.1};
  EXPECT_NEAR(RateShare(training, 20) - RateShare(training, 40), RateShare(training, 60) - RateShare(training, 80), 1e-12);
  const TrainingSpec cosine = {.steps = 100, .schedule = RateSchedule::kCosine, .warmup = 0.1};
  EXPECT_GT(RateShare(cosine, 20), RateShare(training, 20));
  EXPECT_LT(RateShare(cosine, 90), RateShare(training, 90));
}

TEST(ScheduleTest, PhasesFollowTheirFractions) {
  const TrainingSpec training = {.steps = 10, .phases = {{0.3, SamplingKind::kLargest}, {1.0, SamplingKind::kRandomPath}}};
  for (int64_t step = 0; step < 10; ++step) {
    EXPECT_EQ(SamplingAt(training, step), step < 3 ? SamplingKind::kLargest : SamplingKind::kRandomPath) << step;
  }
}

TEST(ScheduleTest, TwoEpochsInARowShowEachImageBothWays) {
  constexpr int kImages = 60;
  BatchOrder order(kImages, /*batch_size=*/20, /*seed=*/7);
  std::vector<std::set<bool>> seen(kImages);
  int mirrored_in_first = 0;
  for (int64_t step = 0; step < 6; ++step) {
    const DrawnBatch batch = order.Batch(step);
    ASSERT_EQ(batch.mirrored.size(), batch.images.size());
    for (size_t i = 0; i < batch.images.size(); ++i) {
      seen[static_cast<size_t>(batch.images[i])].insert(batch.mirrored[i]);
      mirrored_in_first += step < 3 && batch.mirrored[i] ? 1 : 0;
    }
  }
  for (const std::set<bool>& ways : seen) EXPECT_EQ(ways.size(), 2);
  EXPECT_GT(mirrored_in_first, kImages / 4);
  EXPECT_LT(mirrored_in_first, 3 * kImages / 4);
}

TEST(ScheduleTest, AnEpochVisitsEveryImageOnceAndAnyStepCanBeAskedFirst) {
  BatchOrder order(40, 8, 5);
  std::vector<std::vector<int64_t>> batches;
  std::multiset<int64_t> seen;
  for (int64_t step = 0; step < 5; ++step) {
    batches.push_back(order.Batch(step).images);
    seen.insert(batches.back().begin(), batches.back().end());
  }
  EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), 40U);
  BatchOrder later(40, 8, 5);
  EXPECT_EQ(later.Batch(4).images, batches[4]);
  EXPECT_EQ(later.Batch(1).images, batches[1]);
}

TEST(KernelsTest, MomentsMatchTwoPasses) {
  CounterRandom random(4, "test/moments");
  for (const int64_t channels : {1, 3, 8, 24, 40, 96}) {
    const int64_t rows = 777;
    std::vector<float> data(static_cast<size_t>(rows * channels));
    for (float& x : data) x = static_cast<float>(50 + random.Normal());
    const kernels::Moments moments = kernels::ComputeMoments(data.data(), rows, channels);
    for (int64_t c = 0; c < channels; ++c) {
      double mean = 0;
      double variance = 0;
      for (int64_t r = 0; r < rows; ++r) mean += static_cast<double>(data[static_cast<size_t>(r * channels + c)]) / rows;
      for (int64_t r = 0; r < rows; ++r)
        variance += std::pow(static_cast<double>(data[static_cast<size_t>(r * channels + c)]) - mean, 2) / rows;
      EXPECT_NEAR(moments.mean[static_cast<size_t>(c)], mean, 1e-4);
      EXPECT_NEAR(moments.variance[static_cast<size_t>(c)], variance, 1e-4);
      EXPECT_LE(moments.minimum[static_cast<size_t>(c)], moments.maximum[static_cast<size_t>(c)]);
    }
  }
}

std::vector<PredictorSample> Samples(const SearchSpace& space, int count) {
  CounterRandom random(6, "test/samples");
  std::vector<double> worth;
  for (int i = 0; i < EncodingSize(space); ++i) worth.push_back(0.02 * random.Normal());
  std::vector<PredictorSample> samples;
  for (int i = 0; i < count; ++i) {
    PredictorSample sample = {.features = Encode(space, space.Random(random)), .accuracy = 0.6};
    for (size_t f = 0; f < worth.size(); ++f) sample.accuracy += worth[f] * static_cast<double>(sample.features[f]);
    sample.accuracy = std::clamp(sample.accuracy + 0.005 * random.Normal(), 0.0, 1.0);
    samples.push_back(std::move(sample));
  }
  return samples;
}

TEST(PredictorTrainerTest, LearnsAnAdditiveTableAndRepeats) {
  const SearchSpace space = SmallSpace();
  const std::vector<PredictorSample> samples = Samples(space, 120);
  const absl::StatusOr<FittedPredictor> fitted = TrainPredictor(samples, space.digest(), 3);
  ASSERT_THAT(fitted, IsOk());
  EXPECT_GT(fitted->weights.held_out_tau, 0.7);
  EXPECT_LT(fitted->weights.held_out_rmse, 0.03);
  EXPECT_EQ(fitted->weights.members.size(), 5U);
  EXPECT_EQ(SerialisePredictor(fitted->weights), SerialisePredictor(TrainPredictor(samples, space.digest(), 3)->weights));
}

TEST(PredictorTrainerTest, DegenerateInputs) {
  const SearchSpace space = SmallSpace();
  std::vector<PredictorSample> samples = Samples(space, 12);
  EXPECT_THAT(TrainPredictor(absl::MakeSpan(samples).subspan(0, 9), {}, 1).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found 9")));
  for (PredictorSample& sample : samples) sample.accuracy = 0.5;
  const absl::StatusOr<FittedPredictor> constant = TrainPredictor(samples, {}, 1);
  ASSERT_THAT(constant, IsOk());
  EXPECT_EQ(constant->weights.held_out_tau, 0);
  samples[3].accuracy = 1.5;
  EXPECT_THAT(TrainPredictor(samples, {}, 1).status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found 1.5 in sample 3")));
  samples[3].accuracy = 0.5;
  samples[4].features.pop_back();
  EXPECT_THAT(TrainPredictor(samples, {}, 1).status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("in sample 4")));
}

}  // namespace
}  // namespace hanas
