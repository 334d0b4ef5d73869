// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "core/cost/cost.h"
#include "core/encoding/encoding.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"
#include "tests/worker/drawn_data.h"
#include "worker/engine/checkpoint.h"
#include "worker/engine/patch_whitening.h"
#include "worker/engine/quantize.h"
#include "worker/torch/create_engine.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

class TorchEngineTest : public ::testing::Test {
 protected:
  TorchEngineTest() : engine_(CreateTorchEngine({.num_threads = 1})) {}

  static const Lowering& lowering() {
    static const Lowering* const kLowering = new Lowering(SmallConvnet());
    return *kLowering;
  }
  static const Dataset& data() {
    static const Dataset* const kData = new Dataset(DrawnData(1200, 300, 200));
    return *kData;
  }
  static const SearchSpace& space() { return lowering().space(); }

  static TrainRequest Request(int64_t steps) {
    TrainRequest request = {.lowering = &lowering(), .dataset = &data(), .from_step = 0, .to_step = steps, .seed = 5};
    request.training = {
        .steps = steps,
        .batch_size = 32,
        .learning_rate = 0.2,
        .phases = {{0.4, SamplingKind::kLargestAndRandom}, {0.6, SamplingKind::kSandwich}, {1.0, SamplingKind::kRandomPath}}};
    return request;
  }
  /// A supernet trained a little, once for all tests.
  const std::string& Trained() {
    static std::string* checkpoint = nullptr;
    if (checkpoint == nullptr) {
      TrainRequest request = Request(60);
      request.training.phases = {{1.0, SamplingKind::kRandomPath}};
      checkpoint = new std::string(engine_->Train(request, {}).value().checkpoint);
    }
    return *checkpoint;
  }
  EvaluateRequest ClassificationScore(const std::string& checkpoint) {
    return {.lowering = &lowering(),
            .dataset = &data(),
            .checkpoint = checkpoint,
            .split = Split::kValidation,
            .calibration = {.images = 128, .batch_size = 64}};
  }
  BindRequest Binding(const std::string& checkpoint, const Architecture& architecture) {
    return {.lowering = &lowering(),
            .dataset = &data(),
            .checkpoint = checkpoint,
            .checkpoint_sha256 = "",
            .architecture = architecture,
            .calibration = {.images = 128, .batch_size = 64}};
  }

  std::unique_ptr<TrainingEngine> engine_;
};

TEST_F(TorchEngineTest, ChunksGiveTheBytesOfOneRun) {
  for (const double muon : {0.0, 0.05}) {
    TrainRequest request = Request(10);
    request.training.muon_learning_rate = muon;
    const absl::StatusOr<TrainResult> whole = engine_->Train(request, {});
    ASSERT_THAT(whole, IsOk());
    request.to_step = 4;
    const absl::StatusOr<TrainResult> first = engine_->Train(request, {});
    ASSERT_THAT(first, IsOk());
    request.from_step = 4;
    request.to_step = 10;
    request.checkpoint = first->checkpoint;
    const absl::StatusOr<TrainResult> second = engine_->Train(request, {});
    ASSERT_THAT(second, IsOk());
    EXPECT_EQ(second->checkpoint, whole->checkpoint) << muon;
  }
}

/// What is computed on a GPU, computed here: another way to the same networks.
TEST_F(TorchEngineTest, AnAcceleratorLearnsWhatTheCpuLearns) {
  const std::unique_ptr<TrainingEngine> accelerator = CreateTorchEngine({.num_threads = 1, .cpu_as_accelerator = true});
  const auto weights = [](const std::string& checkpoint) { return ParseCheckpoint(checkpoint, lowering()).value().weights; };
  const auto distance = [](const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
    double squares = 0;
    for (size_t s = 0; s < a.size(); ++s) {
      for (size_t i = 0; i < a[s].size(); ++i) squares += std::pow(a[s][i] - b[s][i], 2);
    }
    return std::sqrt(squares);
  };
  std::vector<float> answers(static_cast<size_t>(data().size(Split::kTrain) * data().num_classes()));
  for (size_t i = 0; i < answers.size(); ++i) answers[i] = static_cast<float>(i % 7) - 3;
  for (const bool muon : {false, true}) {
    for (const bool taught : {false, true}) {
      SCOPED_TRACE(absl::StrCat(muon ? "Muon" : "descent", taught ? ", taught" : ""));
      TrainRequest request = Request(4);  // distils in the first steps, takes a sandwich then
      request.training.muon_learning_rate = muon ? 0.02 : 0;
      request.training.shards = 3;  // which an accelerator takes together
      if (taught) request.teacher = TeacherAnswers{answers, "digest", 0.5, 2};
      const TrainResult here = engine_->Train(request, {}).value();
      const TrainResult there = accelerator->Train(request, {}).value();
      EXPECT_NEAR(there.loss, here.loss, 2e-3);
      const std::vector<std::vector<float>> start = InitialCheckpoint(lowering(), request.seed, data()).weights;
      EXPECT_LT(distance(weights(there.checkpoint), weights(here.checkpoint)), 0.2 * distance(weights(here.checkpoint), start));
      // What one has begun the other can go on with.
      request.to_step = 2;
      const TrainResult begun = accelerator->Train(request, {}).value();
      request.from_step = 2;
      request.to_step = 4;
      request.checkpoint = begun.checkpoint;
      EXPECT_EQ(accelerator->Train(request, {}).value().checkpoint, there.checkpoint) << "chunks give the bytes of one run";
      EXPECT_THAT(engine_->Train(request, {}), IsOk());
    }
  }
}

TEST_F(TorchEngineTest, AnAcceleratorScoresAsTheCpuDoes) {
  const std::unique_ptr<TrainingEngine> accelerator = CreateTorchEngine({.num_threads = 1, .cpu_as_accelerator = true});
  const EvaluateRequest request = ClassificationScore(Trained());
  const std::vector<Architecture> networks = {space().Largest({8, 8}), space().Smallest({4, 8}), space().Middle({16, 16})};
  const auto here = engine_->Evaluate(request, networks, {});
  const auto there = accelerator->Evaluate(request, networks, {});
  ASSERT_THAT(here, IsOk());
  ASSERT_THAT(there, IsOk());
  for (size_t i = 0; i < networks.size(); ++i) {
    EXPECT_NEAR(static_cast<double>((*there)[i].correct), static_cast<double>((*here)[i].correct), 3) << i;
    EXPECT_NEAR((*there)[i].loss, (*here)[i].loss, 0.02) << i;
  }
}

TEST_F(TorchEngineTest, ADeviceIsOneThatIsThere) {
  EXPECT_THAT(ResolveTorchDevice("cpu"), absl_testing::IsOkAndHolds("cpu"));
  EXPECT_THAT(ResolveTorchDevice("auto"), IsOk());
  for (const char* const none : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:4096", "mps"})
    EXPECT_THAT(ResolveTorchDevice(none), StatusIs(absl::StatusCode::kInvalidArgument)) << none;
}

TEST_F(TorchEngineTest, ShardsOfABatchLearnWhatTheWholeBatchTeaches) {
  const auto trained_in = [&](int shards) {
    TrainRequest request = Request(4);  // distils in the first steps, takes a sandwich then
    request.training.batch_size = 30;   // which four shards cannot share equally
    request.training.shards = shards;
    return engine_->Train(request, {}).value();
  };
  const TrainResult whole = trained_in(1);
  const std::vector<std::vector<float>> expected = ParseCheckpoint(whole.checkpoint, lowering()).value().weights;
  const std::vector<std::vector<float>> start = InitialCheckpoint(lowering(), Request(4).seed, data()).weights;
  const auto distance = [](const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
    double squares = 0;
    for (size_t s = 0; s < a.size(); ++s) {
      for (size_t i = 0; i < a[s].size(); ++i) squares += std::pow(a[s][i] - b[s][i], 2);
    }
    return std::sqrt(squares);
  };
  for (const int shards : {2, 4}) {
    const TrainResult parts = trained_in(shards);
    EXPECT_NEAR(parts.loss, whole.loss, 1e-3);
    const std::vector<std::vector<float>> weights = ParseCheckpoint(parts.checkpoint, lowering()).value().weights;
    // Sums are in another order, and now and then a value is on the other side of a rounding of a quantiser.
    EXPECT_LT(distance(weights, expected), 0.1 * distance(expected, start)) << shards;
  }
}

TEST_F(TorchEngineTest, ShardsGiveTheSameBytesOnOneCoreAndOnMany) {
  TrainRequest request = Request(3);
  request.training.shards = 3;
  const std::string on_many = engine_->Train(request, {}).value().checkpoint;
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++core) {
    if (CPU_ISSET(core, &before)) CPU_SET(core, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);  // new threads inherit it
  const std::string on_one = engine_->Train(request, {}).value().checkpoint;
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
  EXPECT_EQ(on_one, on_many);
}

TEST_F(TorchEngineTest, LearnsWhatATeacherSaysInsteadOfTheLabels) {
  constexpr size_t kTaught = 3;
  const auto images = static_cast<size_t>(data().size(Split::kTrain));
  const auto classes = static_cast<size_t>(data().num_classes());
  std::vector<float> logits(images * classes, 0.0F);
  for (size_t i = 0; i < images; ++i) logits[i * classes + kTaught] = 20.0F;  // it sees the same class everywhere
  const auto share_of_taught = [&](double weight) {
    TrainRequest request = Request(40);
    request.architecture = lowering().space().Largest({8, 8});
    request.teacher = TeacherAnswers{logits, "one class", weight, /*temperature=*/2};
    const std::string checkpoint = engine_->Train(request, {}).value().checkpoint;
    const AnswersRequest asked = {.lowering = &lowering(),
                                  .dataset = &data(),
                                  .checkpoint = checkpoint,
                                  .architecture = *request.architecture,
                                  .calibration = {.images = 128, .batch_size = 64}};
    const std::vector<float> answers = engine_->Answers(asked, {}).value();
    size_t taught = 0;
    for (size_t i = 0; i < images; ++i) {
      const auto row = answers.begin() + static_cast<std::ptrdiff_t>(i * classes);
      taught += std::max_element(row, row + static_cast<std::ptrdiff_t>(classes)) - row == kTaught ? 1 : 0;
    }
    return static_cast<double>(taught) / static_cast<double>(images);
  };
  EXPECT_GT(share_of_taught(1), 0.95);
  EXPECT_LT(share_of_taught(0), 0.6);
}

TEST_F(TorchEngineTest, ATeacherWithoutWeightTeachesNothingAndEachOneIsAnotherChain) {
  const std::vector<float> logits(static_cast<size_t>(data().size(Split::kTrain) * data().num_classes()), 1.0F);
  const auto trained_with = [&](std::optional<TeacherAnswers> teacher) {
    TrainRequest request = Request(3);
    request.teacher = std::move(teacher);
    return ParseCheckpoint(engine_->Train(request, {}).value().checkpoint, lowering()).value();
  };
  const Checkpoint alone = trained_with(std::nullopt);
  const Checkpoint ignored = trained_with(TeacherAnswers{logits, "a", 0, 1});
  EXPECT_EQ(ignored.weights, alone.weights);
  EXPECT_NE(ignored.chain, alone.chain);
  EXPECT_NE(trained_with(TeacherAnswers{logits, "b", 0, 1}).chain, ignored.chain);
  TrainRequest request = Request(3);
  request.teacher = TeacherAnswers{absl::MakeConstSpan(logits).subspan(1), "a", 0.5, 1};
  EXPECT_THAT(engine_->Train(request, {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("training images times classes")));
}

TEST_F(TorchEngineTest, AnswersAreTheLogitsOfAllTrainingImages) {
  const Architecture network = lowering().space().Largest({8, 8});
  const AnswersRequest request = {.lowering = &lowering(),
                                  .dataset = &data(),
                                  .checkpoint = Trained(),
                                  .architecture = network,
                                  .calibration = {.images = 128, .batch_size = 64}};
  const absl::StatusOr<std::vector<float>> answers = engine_->Answers(request, {});
  ASSERT_THAT(answers, IsOk());
  const auto classes = static_cast<size_t>(data().num_classes());
  ASSERT_EQ(answers->size(), static_cast<size_t>(data().size(Split::kTrain)) * classes);
  int64_t right = 0;
  for (int64_t i = 0; i < data().size(Split::kTrain); ++i) {
    const auto row = answers->begin() + i * static_cast<int64_t>(classes);
    right += std::max_element(row, row + static_cast<int64_t>(classes)) - row == data().label(Split::kTrain, i) ? 1 : 0;
  }
  EvaluateRequest evaluation = ClassificationScore(Trained());
  evaluation.split = Split::kTrain;
  EXPECT_EQ(right, engine_->Evaluate(evaluation, {network}, nullptr).value().front().correct);
  EXPECT_THAT(engine_->Answers(request, [](int64_t) { return Continue::kNo; }), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(TorchEngineTest, TrainsOnImagesThatAreAugmentedAsTheJobSays) {
  const auto trained_with = [&](const Augmentation& augmentation) {
    TrainRequest request = Request(1);
    request.training.augmentation = augmentation;
    return ParseCheckpoint(engine_->Train(request, {}).value().checkpoint, lowering()).value().weights;
  };
  const auto plain = trained_with({.flip = false, .shift = 0});
  EXPECT_EQ(trained_with({.flip = false, .shift = 0}), plain);
  EXPECT_NE(trained_with({.flip = true, .shift = 0}), plain);
  EXPECT_NE(trained_with({.flip = false, .shift = 1}), plain);
}

TEST_F(TorchEngineTest, AThousandClassesAreTrainedEvaluatedAndBound) {
  constexpr int kClasses = 1000;
  Dataset::Images images;
  std::vector<std::string> names;
  CounterRandom random(1, "test/classes");
  for (int i = 0; i < kClasses; ++i) {
    images.labels.push_back(i);
    names.push_back(absl::StrCat("class ", i));
  }
  for (int i = 0; i < kClasses * 16 * 16; ++i) images.pixels.push_back(static_cast<uint8_t>(random.UniformInt(256)));
  const Dataset many =
      Dataset::Create({.name = "many", .directory = "many", .validation_images = 100}, 0, {16, 16, 1}, names, images, images, {}).value();
  SpaceSpec spec = SmallSpaceSpec();
  spec.num_classes = kClasses;
  const Lowering lowering(ConvnetSpace::Define(spec).value());
  TrainRequest training = Request(2);
  training.lowering = &lowering;
  training.dataset = &many;
  const absl::StatusOr<TrainResult> trained = engine_->Train(training, {});
  ASSERT_THAT(trained, IsOk());
  EvaluateRequest evaluation = ClassificationScore(trained->checkpoint);
  evaluation.lowering = &lowering;
  evaluation.dataset = &many;
  const Architecture smallest = lowering.space().Smallest({8, 8});
  EXPECT_THAT(engine_->Evaluate(evaluation, {smallest}, nullptr), IsOk());
  BindRequest binding = Binding(trained->checkpoint, smallest);
  binding.lowering = &lowering;
  binding.dataset = &many;
  const absl::StatusOr<BoundModel> model = engine_->Bind(binding);
  ASSERT_THAT(model, IsOk());
  EXPECT_EQ(model->labels.size(), static_cast<size_t>(kClasses));
  EXPECT_EQ(model->labels.back(), "class 999");
}

TEST_F(TorchEngineTest, StoppingAtAStepBoundaryResumesExactly) {
  TrainRequest request = Request(8);
  const absl::StatusOr<TrainResult> whole = engine_->Train(request, {});
  const absl::StatusOr<TrainResult> part =
      engine_->Train(request, [](const TrainProgress& p) { return p.step < 3 ? Continue::kYes : Continue::kNo; });
  ASSERT_THAT(part, IsOk());
  EXPECT_TRUE(part->stopped);
  EXPECT_EQ(part->step, 3);
  request.from_step = 3;
  request.checkpoint = part->checkpoint;
  const absl::StatusOr<TrainResult> rest = engine_->Train(request, {});
  ASSERT_THAT(rest, IsOk());
  EXPECT_EQ(rest->checkpoint, whole->checkpoint);
}

TEST_F(TorchEngineTest, AnotherChainIsRefused) {
  TrainRequest request = Request(8);
  request.to_step = 2;
  const absl::StatusOr<TrainResult> part = engine_->Train(request, {});
  ASSERT_THAT(part, IsOk());
  request.checkpoint = part->checkpoint;
  request.from_step = 2;
  request.to_step = 4;
  request.seed = 6;
  EXPECT_THAT(engine_->Train(request, {}).status(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("of another")));
  request.seed = 5;
  request.from_step = 3;
  EXPECT_THAT(engine_->Train(request, {}).status(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("expected step 3")));
  request.checkpoint = {};
  EXPECT_THAT(engine_->Train(request, {}).status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found none")));
}

TEST_F(TorchEngineTest, BadRequestsAreNamed) {
  TrainRequest request = Request(8);
  request.to_step = 9;
  EXPECT_THAT(engine_->Train(request, {}).status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("to_step <= 8, found 0 and 9")));
  request = Request(8);
  request.architecture = Architecture{{1, 2}};
  EXPECT_THAT(engine_->Train(request, {}).status(), StatusIs(absl::StatusCode::kInvalidArgument));
  SpaceSpec colour = SmallSpaceSpec();
  colour.input_channels = 3;
  const Lowering other(ConvnetSpace::Define(colour).value());
  request = Request(8);
  request.lowering = &other;
  EXPECT_THAT(engine_->Train(request, {}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("space.input_channels: expected 1")));
  EvaluateRequest evaluation = ClassificationScore("junk, no file of ours");
  EXPECT_THAT(engine_->Evaluate(evaluation, {space().Largest({8, 8})}, {}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("checkpoint: safetensors: file: expected a JSON header")));
}

TEST_F(TorchEngineTest, EvaluationIsPure) {
  const Architecture one = space().Largest({8, 8});
  const Architecture two = space().Smallest({2, 8});
  const auto alone = engine_->Evaluate(ClassificationScore(Trained()), {one}, {});
  const auto both = engine_->Evaluate(ClassificationScore(Trained()), {two, one}, {});
  ASSERT_THAT(alone, IsOk());
  ASSERT_THAT(both, IsOk());
  EXPECT_EQ((*alone)[0].correct, (*both)[1].correct);
  EXPECT_EQ((*alone)[0].loss, (*both)[1].loss);
  EXPECT_EQ((*alone)[0].total, 200);
}

TEST_F(TorchEngineTest, TrainingLearns) {
  const Architecture architecture = space().Largest({8, 8});
  TrainRequest request = Request(150);
  request.architecture = architecture;
  const absl::StatusOr<TrainResult> result = engine_->Train(request, {});
  ASSERT_THAT(result, IsOk());
  EXPECT_LT(result->loss, 2.1);  // ln 10 = 2.30 is knowing nothing
  const auto scored = engine_->Evaluate(ClassificationScore(result->checkpoint), {architecture}, {});
  EXPECT_GT((*scored)[0].accuracy(), 0.2);
}

/// Eight bits to two in one layer must be seen by everybody.
TEST_F(TorchEngineTest, OneLayerFromEightToTwoBitsIsSeenEverywhere) {
  const Architecture eight = space().Largest({8, 8});
  Architecture two = eight;
  two.genes[GeneNamed(space(), "stages[0].blocks[0].project_precision")] = 0;  // of {2,8}, {8,8}, {16,16}
  EXPECT_NE(Encode(space(), eight), Encode(space(), two));
  EXPECT_GT(GraphCost(lowering().Lower(eight)).size_bytes, GraphCost(lowering().Lower(two)).size_bytes);
  const auto scores = engine_->Evaluate(ClassificationScore(Trained()), {eight, two}, {});
  ASSERT_THAT(scores, IsOk());
  EXPECT_NE((*scores)[0].loss, (*scores)[1].loss);
  const absl::StatusOr<BoundModel> bound_eight = engine_->Bind(Binding(Trained(), eight));
  const absl::StatusOr<BoundModel> bound_two = engine_->Bind(Binding(Trained(), two));
  ASSERT_THAT(bound_eight, IsOk());
  ASSERT_THAT(bound_two, IsOk());
  int changed = 0;
  for (size_t i = 0; i < bound_two->weights.size(); ++i)
    changed += bound_eight->weights[i].integers != bound_two->weights[i].integers ? 1 : 0;
  EXPECT_EQ(changed, 1);
}

TEST_F(TorchEngineTest, BoundIntegersAreThoseOfTrainingUpToTheSignOfGamma) {
  // Negative and zero gammas, so that folding meets both.
  absl::StatusOr<Checkpoint> checkpoint = ParseCheckpoint(Trained(), lowering());
  ASSERT_THAT(checkpoint, IsOk());
  const std::vector<Slot>& slots = lowering().slots().slots();
  CounterRandom random(9, "test/gamma");
  for (size_t s = 0; s < slots.size(); ++s) {
    if (slots[s].kind != SlotKind::kNormGamma) continue;
    for (float& gamma : checkpoint->weights[s]) gamma *= random.Bernoulli(0.5) ? -1.0F : 1.0F;
    checkpoint->weights[s][0] = 0;
  }
  const std::string bytes = SerializeCheckpoint(*checkpoint, slots);
  const Architecture architecture = space().Smallest({8, 8});
  const absl::StatusOr<BoundModel> model = engine_->Bind(Binding(bytes, architecture));
  ASSERT_THAT(model, IsOk());
  EXPECT_THAT(CheckBoundModel(*model), IsOk());
  int compared = 0;
  for (size_t i = 0; i < model->graph.operators.size(); ++i) {
    const Operator& op = model->graph.operators[i];
    if (op.kind != OpKind::kConv2d || op.kernel != 1) continue;
    const auto in = static_cast<size_t>(op.weight.slices[1].count);
    const auto full_in = static_cast<size_t>(slots[static_cast<size_t>(op.weight.slot)].shape[1]);
    for (size_t out = 0; out < static_cast<size_t>(op.weight.slices[0].count); ++out) {
      const std::vector<float>& all = checkpoint->weights[static_cast<size_t>(op.weight.slot)];
      const std::vector<float> row(all.begin() + static_cast<std::ptrdiff_t>(out * full_in),
                                   all.begin() + static_cast<std::ptrdiff_t>(out * full_in + in));
      const float gamma = checkpoint->weights[static_cast<size_t>(op.norm.gamma.slot)][out];
      const float step = WeightStep(row, op.weight_type);
      for (size_t k = 0; k < in; ++k) {
        const int expected = gamma == 0 ? 0 : (gamma < 0 ? -1 : 1) * QuantizeWeight(row[k], step, op.weight_type);
        EXPECT_EQ(model->weights[i].integers[out * in + k], expected) << model->graph.name(op) << " " << out << " " << k;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 500);
  // And the folded model still is the network.
  const auto scored = engine_->Evaluate(ClassificationScore(bytes), {architecture}, {});
  const auto bound = engine_->EvaluateBound({.model = &*model, .dataset = &data(), .split = Split::kValidation}, {});
  ASSERT_THAT(bound, IsOk());
  EXPECT_NEAR((*scored)[0].loss, bound->evaluation.loss, 0.03);
}

TEST_F(TorchEngineTest, BoundModelsScoreWhatWasEvaluated) {
  CounterRandom random(10, "test/architectures");
  for (int trial = 0; trial < 8; ++trial) {
    const Architecture architecture = trial == 0 ? space().Largest({16, 16}) : space().Random(random);
    SCOPED_TRACE(space().ToReadable(architecture));
    const auto scored = engine_->Evaluate(ClassificationScore(Trained()), {architecture}, {});
    const absl::StatusOr<BoundModel> model = engine_->Bind(Binding(Trained(), architecture));
    ASSERT_THAT(scored, IsOk());
    ASSERT_THAT(model, IsOk());
    const auto bound = engine_->EvaluateBound({.model = &*model, .dataset = &data(), .split = Split::kValidation, .keep_logits = true}, {});
    ASSERT_THAT(bound, IsOk());
    EXPECT_EQ(bound->evaluation.total, 200);
    EXPECT_EQ(bound->logits.size(), 2000U);
    EXPECT_NEAR(bound->evaluation.loss, (*scored)[0].loss, 0.03);
    EXPECT_NEAR(static_cast<double>(bound->evaluation.correct), static_cast<double>((*scored)[0].correct), 8);
    const absl::StatusOr<BoundTrace> trace = engine_->TraceBound(*model, data(), Split::kValidation, 0);
    ASSERT_THAT(trace, IsOk());
    EXPECT_EQ(trace->values.size(), model->graph.values.size());
  }
}

/// Dense blocks of all kinds behind a stem of patch whitening.
Lowering DenseLowering() {
  const std::vector<Precision> any = {{4, 8}, {8, 8}, {16, 16}};
  const BlockSpec block = {.kernels = {3},
                           .expansions = {2},
                           .squeeze_excite = {false, true},
                           .activations = {Activation::kRelu, Activation::kRelu6, Activation::kSilu},
                           .expand_precisions = any,
                           .depthwise_precisions = any,
                           .project_precisions = any};
  SpaceSpec spec = {.name = "dense", .resolutions = {16, 20}, .input_channels = 1, .num_classes = 10};
  spec.stem = {
      .widths = {8}, .kernel = 2, .stride = 1, .whitening = true, .activation = Activation::kRelu, .precisions = {{8, 8}, {16, 16}}};
  StageSpec stage = {.widths = {16},
                     .depths = {1, 2},
                     .stride = 2,
                     .kinds = {BlockKind::kConv, BlockKind::kResidual, BlockKind::kFusedMbconv},
                     .downsamples = {Downsample::kStride, Downsample::kMaxPool},
                     .bottleneck = 0.5,
                     .squeeze_style = SqueezeStyle::kEfficientNet,
                     .blocks = {block, block}};
  spec.stages = {stage, stage};
  spec.stages[1].widths = {16, 32};
  spec.stages[1].kinds = {BlockKind::kBottleneck};
  spec.stages[1].groups = 2;
  spec.head = {.widths = {},
               .pools = {GlobalPool::kAverage, GlobalPool::kMax},
               .hidden = 24,
               .hidden_bias = false,
               .hidden_precisions = {{8, 8}},
               .classifier_precisions = {{8, 8}}};
  return Lowering(ConvnetSpace::Define(spec).value());
}

TEST_F(TorchEngineTest, DenseNetworksAreTrainedEvaluatedAndBound) {
  const Lowering dense = DenseLowering();
  TrainRequest training = Request(40);
  training.lowering = &dense;
  training.training.learning_rate = 0.05;
  training.training.phases = {{1.0, SamplingKind::kRandomPath}};
  const absl::StatusOr<TrainResult> trained = engine_->Train(training, {});
  ASSERT_THAT(trained, IsOk());
  EvaluateRequest evaluation = ClassificationScore(trained->checkpoint);
  evaluation.lowering = &dense;
  CounterRandom random(12, "test/architectures");
  for (int trial = 0; trial < 12; ++trial) {
    const Architecture architecture = trial == 0 ? dense.space().Largest({8, 8}) : dense.space().Random(random);
    SCOPED_TRACE(dense.space().ToReadable(architecture));
    const auto scored = engine_->Evaluate(evaluation, {architecture}, {});
    BindRequest binding = Binding(trained->checkpoint, architecture);
    binding.lowering = &dense;
    const absl::StatusOr<BoundModel> model = engine_->Bind(binding);
    ASSERT_THAT(scored, IsOk());
    ASSERT_THAT(model, IsOk());
    const auto bound = engine_->EvaluateBound({.model = &*model, .dataset = &data(), .split = Split::kValidation}, {});
    ASSERT_THAT(bound, IsOk());
    EXPECT_NEAR(bound->evaluation.loss, (*scored)[0].loss, 0.03);
    EXPECT_NEAR(static_cast<double>(bound->evaluation.correct), static_cast<double>((*scored)[0].correct), 10);
  }
}

TEST_F(TorchEngineTest, FrozenWeightsStayAsTheyWereComputed) {
  const Lowering dense = DenseLowering();
  const std::vector<float> computed = PatchWhitening(data(), {8, 1, 2, 2});
  TrainRequest request = Request(6);
  request.lowering = &dense;
  const absl::StatusOr<TrainResult> whole = engine_->Train(request, {});
  ASSERT_THAT(whole, IsOk());
  request.to_step = 3;
  const absl::StatusOr<TrainResult> part = engine_->Train(request, {});
  ASSERT_THAT(part, IsOk());
  request.from_step = 3;
  request.to_step = 6;
  request.checkpoint = part->checkpoint;
  const absl::StatusOr<TrainResult> rest = engine_->Train(request, {});
  ASSERT_THAT(rest, IsOk());
  EXPECT_EQ(rest->checkpoint, whole->checkpoint);
  const Checkpoint end = ParseCheckpoint(whole->checkpoint, dense).value();
  const Checkpoint middle = ParseCheckpoint(part->checkpoint, dense).value();
  const auto stem = static_cast<size_t>(dense.slots().Find("stem")->weight);
  ASSERT_TRUE(dense.slots().slots()[stem].frozen());
  EXPECT_EQ(end.weights[stem], computed);
  EXPECT_EQ(middle.momentum[stem], std::vector<float>(computed.size(), 0.0F));
  const auto bias = static_cast<size_t>(dense.slots().Find("stem")->bias);
  EXPECT_NE(end.weights[bias], std::vector<float>(8, 0.0F)) << "its bias is trained";
}

TEST_F(TorchEngineTest, ALossThatIsNotFiniteIsAnError) {
  Checkpoint checkpoint = InitialCheckpoint(lowering(), 1, data());
  for (float& weight : checkpoint.weights[static_cast<size_t>(lowering().slots().Find("classifier")->weight)])
    weight = weight < 0 ? -3e38F : 3e38F;
  const std::string bytes = SerializeCheckpoint(checkpoint, lowering().slots().slots());
  TrainRequest request = Request(4);
  request.checkpoint = bytes;
  EXPECT_THAT(engine_->Train(request, {}).status(),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("at step 0; lower training.learning_rate (0.2)")));
}

}  // namespace
}  // namespace hanas
