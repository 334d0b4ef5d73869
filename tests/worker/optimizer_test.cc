// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/optimizer.h"

#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::testing::Each;

/// Four slots with one tensor of threes each, and gradients of ones times `gradient`.
class OptimizerTest : public ::testing::Test {
 protected:
  static constexpr float kWeight = 3;

  OptimizerTest() {
    for (const Slot& slot : slots_) {
      tensors_.push_back(torch::full(std::vector<int64_t>(slot.shape.begin(), slot.shape.end()), kWeight, torch::requires_grad()));
      momentum_.push_back(torch::zeros({tensors_.back().numel()}));
    }
  }

  /// The first step, of all slots.
  static void Step(const Optimizer& optimizer, std::vector<torch::Tensor>& tensors, std::vector<torch::Tensor>& momentum) {
    const Optimizer::Update update = optimizer.Begin(0, tensors);
    for (size_t slot = 0; slot < tensors.size(); ++slot) optimizer.Change(update, slot, tensors[slot], momentum[slot]);
  }
  void SetGradients(float value) {
    for (torch::Tensor& tensor : tensors_) tensor.mutable_grad() = torch::full_like(tensor, value);
  }
  static std::vector<torch::Tensor> Copies(const std::vector<torch::Tensor>& tensors) {
    std::vector<torch::Tensor> copies;
    for (const torch::Tensor& tensor : tensors) copies.push_back(tensor.clone());
    return copies;
  }
  std::vector<float> Momentum(size_t slot) const {
    return {momentum_[slot].const_data_ptr<float>(), momentum_[slot].const_data_ptr<float>() + momentum_[slot].numel()};
  }
  float First(size_t slot) const { return tensors_[slot].flatten()[0].item<float>(); }

  // Without a warm-up and after one of a thousand steps the rates are at their peaks, but for a thousandth.
  TrainingSpec training_ = {
      .steps = 1000, .learning_rate = 0.5, .schedule = RateSchedule::kLinear, .weight_decay = 0.1, .warmup = 0, .clip_norm = 0};
  std::vector<Slot> slots_ = {{.name = "convolution", .kind = SlotKind::kConvWeight, .shape = {4, 2, 3, 3}},
                              {.name = "depthwise", .kind = SlotKind::kConvWeight, .shape = {4, 1, 3, 3}},
                              {.name = "classifier", .kind = SlotKind::kLinearWeight, .shape = {3, 4}},
                              {.name = "beta", .kind = SlotKind::kNormBeta, .shape = {4}}};
  std::vector<torch::Tensor> tensors_;
  std::vector<torch::Tensor> momentum_;
};

TEST_F(OptimizerTest, WeightsDescendWithNesterovMomentumAndDecayAndNormalisationsDoNotDecay) {
  const Optimizer optimizer(training_, slots_);
  SetGradients(0.2F);
  Step(optimizer, tensors_, momentum_);
  // gradient + decay * weight = 0.5 is the first momentum; Nesterov looks ahead by 0.9 of it.
  EXPECT_NEAR(First(0), kWeight - 0.5 * 0.5 * 1.9, 2e-3);
  EXPECT_NEAR(First(2), kWeight - 0.5 * 0.5 * 1.9, 2e-3);
  EXPECT_NEAR(First(3), kWeight - 0.5 * 0.2 * 1.9, 2e-3);
  EXPECT_THAT(Momentum(0), Each(::testing::FloatNear(0.5F, 1e-6F)));
  EXPECT_THAT(Momentum(3), Each(::testing::FloatNear(0.2F, 1e-6F)));
  for (const torch::Tensor& tensor : tensors_) EXPECT_FALSE(tensor.grad().defined());
}

TEST_F(OptimizerTest, WhatHasNoGradientRestsWithItsMomentum) {
  training_.muon_learning_rate = 0.1;
  const Optimizer optimizer(training_, slots_);
  SetGradients(1);
  tensors_[0].mutable_grad() = torch::Tensor();
  tensors_[2].mutable_grad() = torch::Tensor();
  Step(optimizer, tensors_, momentum_);
  EXPECT_EQ(First(0), kWeight);
  EXPECT_EQ(First(2), kWeight);
  EXPECT_NE(First(1), kWeight);
  EXPECT_THAT(Momentum(0), Each(0));
}

TEST_F(OptimizerTest, GradientsAreClippedTogether) {
  training_.clip_norm = 1;
  training_.weight_decay = 0;
  const Optimizer optimizer(training_, slots_);
  SetGradients(5);
  int64_t weights = 0;
  for (const torch::Tensor& tensor : tensors_) weights += tensor.numel();
  Step(optimizer, tensors_, momentum_);
  EXPECT_NEAR(Momentum(3)[0], 1 / std::sqrt(static_cast<double>(weights)), 1e-5);
}

TEST_F(OptimizerTest, MuonTakesConvolutionsThatMixChannelsAndLeavesTheRest) {
  std::vector<torch::Tensor> with_descent = tensors_;
  for (torch::Tensor& tensor : with_descent) tensor = tensor.detach().clone().requires_grad_();
  std::vector<torch::Tensor> momentum = Copies(momentum_);
  SetGradients(0.3F);
  for (size_t s = 0; s < tensors_.size(); ++s) with_descent[s].mutable_grad() = tensors_[s].grad().clone();
  Step(Optimizer(training_, slots_), with_descent, momentum);
  training_.muon_learning_rate = 0.1;
  Step(Optimizer(training_, slots_), tensors_, momentum_);
  EXPECT_FALSE(torch::equal(tensors_[0], with_descent[0]));
  for (const size_t s : {1, 2, 3}) EXPECT_TRUE(torch::equal(tensors_[s], with_descent[s])) << slots_[s].name;
}

TEST_F(OptimizerTest, MuonStepsEquallyFarWhateverTheGradientsAre) {
  training_.muon_learning_rate = 0.1;
  torch::manual_seed(1);
  const torch::Tensor gradient = torch::randn({4, 2, 3, 3});
  std::vector<torch::Tensor> ends;
  for (const float scale : {1e-3F, 1e3F}) {
    std::vector<torch::Tensor> tensors = tensors_;
    tensors[0] = tensors_[0].detach().clone().requires_grad_();
    tensors[0].mutable_grad() = scale * gradient;
    std::vector<torch::Tensor> momentum = Copies(momentum_);
    Step(Optimizer(training_, slots_), tensors, momentum);
    ends.push_back(tensors[0].detach());
  }
  EXPECT_TRUE(torch::allclose(ends[0], ends[1], 1e-4, 1e-5));
  // The weight had the length sqrt(rows) = 2 before its update, which has singular values of about 0.1.
  EXPECT_NEAR(ends[0].norm().item<double>(), 2, 0.3);
}

TEST(OrthogonalisedTest, SingularValuesAreAboutOne) {
  torch::manual_seed(2);
  for (const auto& [rows, columns] : {std::pair{8, 40}, std::pair{40, 8}, std::pair{16, 16}}) {
    const torch::Tensor result = Orthogonalised(torch::randn({rows, columns}));
    ASSERT_EQ(result.size(0), rows);
    ASSERT_EQ(result.size(1), columns);
    const torch::Tensor singular = std::get<1>(torch::linalg_svd(result));
    EXPECT_LT(singular.max().item<double>(), 1.3);
    // Of a square matrix the smallest are tiny beside the largest, and stay so.
    const double least = rows == columns ? 0.0 : 0.4;
    EXPECT_GE(singular.min().item<double>(), least);
  }
  EXPECT_TRUE(torch::equal(Orthogonalised(torch::zeros({3, 4})), torch::zeros({3, 4})));
}

TEST_F(OptimizerTest, AnAcceleratorIsLedTheSameWay) {
  for (const double muon : {0.0, 0.1}) {
    for (const double clip : {0.0, 0.7}) {
      SCOPED_TRACE(testing::Message() << "Muon " << muon << ", clipping " << clip);
      training_.muon_learning_rate = muon;
      training_.clip_norm = clip;
      torch::manual_seed(2);
      std::vector<std::vector<torch::Tensor>> gradients(3);
      for (std::vector<torch::Tensor>& of_step : gradients) {
        for (const torch::Tensor& tensor : tensors_) of_step.push_back(torch::randn(tensor.sizes()));
      }
      std::vector<std::vector<torch::Tensor>> ends;
      for (const bool on_accelerator : {false, true}) {
        const Optimizer optimizer(training_, slots_, on_accelerator);
        std::vector<torch::Tensor> tensors;
        for (const torch::Tensor& tensor : tensors_) tensors.push_back(tensor.detach().clone().requires_grad_());
        std::vector<torch::Tensor> momentum = Copies(momentum_);
        for (const std::vector<torch::Tensor>& of_step : gradients) {
          for (size_t slot = 0; slot < tensors.size(); ++slot) tensors[slot].mutable_grad() = of_step[slot].clone();
          Step(optimizer, tensors, momentum);
        }
        ends.push_back(tensors);
      }
      for (size_t slot = 0; slot < tensors_.size(); ++slot)
        EXPECT_TRUE(torch::allclose(ends[0][slot], ends[1][slot], 1e-4, 1e-5)) << slots_[slot].name;
    }
  }
}

}  // namespace
}  // namespace hanas
