// SPDX-License-Identifier: Apache-2.0
// Every space that ships with the program is trained, bound, written and read: the worker, ONNX Runtime and the agent's XNNPACK give the
// same answers for networks of all of them, operator by operator and whole.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "config/presets.h"
#include "core/bound/preprocess.h"
#include "core/family/convnet/convnet_space.h"
#include "core/lowering/lowering.h"
#include "export/bound_model_file.h"
#include "export/onnx_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/export/onnx_session.h"
#include "tests/export/onnx_values.h"
#include "tests/parity/preset_space.h"
#include "tests/parity/step_parity.h"
#include "tests/worker/drawn_data.h"
#include "worker/torch/create_engine.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;

// A preset that reads larger images than this is made for images of this size, as any job may do: its layers are the same, and a network
// of 4 billion multiply-accumulates takes a twelfth of them.
constexpr int kLargestResolution = 64;
constexpr int64_t kImages = 4;
constexpr double kFloatTolerance = 1e-5;
constexpr double kFloatLogitTolerance = 1e-4;
// A rounding that goes the other way, once in thousands, is amplified by every layer after it while the weights are as good as random: by
// 50 layers to a tenth of the logits. That each layer alone is right, the comparison of steps says.
constexpr double kMixedLogitTolerance = 0.3;

constexpr const char* kReaders[] = {"worker", "ONNX Runtime, as written", "ONNX Runtime, optimised", "XNNPACK"};

void Append(const std::vector<float>& more, std::vector<float>& all) { all.insert(all.end(), more.begin(), more.end()); }

/// The root mean square of the differences, over that of what is expected.
double RelativeDifference(const std::vector<float>& expected, const std::vector<float>& found) {
  double difference = 0;
  double magnitude = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - expected[i], 2);
    magnitude += std::pow(expected[i], 2);
  }
  return std::sqrt(difference / magnitude);
}

/// A space and what it takes to make networks of it: 64 pixels at most, 10 classes, every precision.
class PresetsParityTest : public testing::TestWithParam<std::string> {
 protected:
  PresetsParityTest()
      : lowering_(ConvnetSpace::Define(Space(GetParam())).value()),
        data_(DrawnData(40, kImages, 8, {.channels = static_cast<int>(lowering_.family().input_channels())})),
        engine_(CreateTorchEngine({.num_threads = 1})),
        device_(Float32Xnnpack()) {}

  static SpaceSpec Space(const std::string& preset) {
    std::string changes = "num_classes: 10, precisions: [w16a16, w8a16, w4a16, w2a16, w8a8, w4a8, w2a8]";
    const std::vector<int> resolutions = config::SpecOf(*config::FindPreset(preset)).resolutions;
    if (*std::min_element(resolutions.begin(), resolutions.end()) > kLargestResolution) {
      absl::StrAppend(&changes, ", resolutions: [", kLargestResolution, "]");
    }
    return PresetSpace(preset, changes);
  }

  /// The largest network and a random one, trained for a step.
  std::string Train() {
    TrainRequest request = {.lowering = &lowering_, .dataset = &data_, .from_step = 0, .to_step = 1, .seed = 5};
    request.training = {.steps = 1, .batch_size = 4, .learning_rate = 0.05, .phases = {{1.0, SamplingKind::kLargestAndRandom}}};
    const absl::StatusOr<TrainResult> trained = engine_->Train(request, {});
    EXPECT_THAT(trained, IsOk());
    if (!trained.ok()) return "";
    EXPECT_EQ(trained->step, 1);
    EXPECT_LE(trained->loss, 3 * std::log(10)) << "with random weights about the entropy of 10 classes";
    return trained->checkpoint;
  }

  /// What an agent gets: a model that went through its file.
  BoundModel Bind(const std::string& checkpoint, const Architecture& architecture) {
    const absl::StatusOr<BoundModel> bound = engine_->Bind({.lowering = &lowering_,
                                                            .dataset = &data_,
                                                            .checkpoint = checkpoint,
                                                            .checkpoint_sha256 = "",
                                                            .architecture = architecture,
                                                            .calibration = {.images = 16, .batch_size = 8}});
    EXPECT_THAT(bound, IsOk());
    return ParseBoundModel(SerializeBoundModel(*bound)).value();
  }

  std::vector<float> Image(const BoundModel& model, int64_t index) const {
    return PreprocessImage(data_.image(Split::kTest, index), data_.height(), data_.width(), data_.channels(), model.preprocessing).value();
  }

  /// Every value of the graph as the worker computes it.
  std::vector<ReferenceTensor> WorkerValues(const BoundModel& model, int64_t index) {
    const BoundTrace trace = engine_->TraceBound(model, data_, Split::kTest, index).value();
    std::vector<ReferenceTensor> values(trace.values.size());
    for (size_t v = 0; v < values.size(); ++v) {
      if (model.graph.values[v].type == ElementType::kInt8) {
        values[v].integers.assign(trace.values[v].begin(), trace.values[v].end());
      } else {
        values[v].floats = trace.values[v];
      }
    }
    return values;
  }

  /// Steps alone, so that what one rounds otherwise does not reach the next.
  Deviation CompareSteps(const BoundModel& model) {
    OnnxSession session(WriteOnnx(model, {.expose_values = true}).value(), /*optimise=*/false);
    StepParity parity(model, *device_);
    Deviation worst = parity.Run(OnnxValues(model, session, Image(model, 0)), kFloatTolerance);
    worst.Include(parity.Run(WorkerValues(model, 0), kFloatTolerance));
    return worst;
  }

  /// What each of kReaders makes of the test images, one after another.
  std::vector<std::vector<float>> LogitsOfAll(const BoundModel& model) {
    const EvaluateBoundRequest request = {.model = &model, .dataset = &data_, .split = Split::kTest, .keep_logits = true};
    const std::string file = WriteOnnx(model).value();
    OnnxSession written(file, /*optimise=*/false);
    OnnxSession shipped(file, /*optimise=*/true);
    const std::unique_ptr<NetworkInstance> network = device_->PrepareBoundModel(model).value();
    std::vector<std::vector<float>> logits = {engine_->EvaluateBound(request, {}).value().logits, {}, {}, {}};
    for (int64_t i = 0; i < kImages; ++i) {
      const std::vector<float> image = Image(model, i);
      Append(OnnxLogits(model, written, image), logits[1]);
      Append(OnnxLogits(model, shipped, image), logits[2]);
      Append(network->Infer(image).value(), logits[3]);
    }
    return logits;
  }

  const Lowering lowering_;
  const Dataset data_;
  const std::unique_ptr<TrainingEngine> engine_;
  const std::unique_ptr<DeviceRuntime> device_;
};

TEST_P(PresetsParityTest, NetworksAreTrainedAndReadAlike) {
  const std::string checkpoint = Train();
  ASSERT_NE(checkpoint, "");
  const SearchSpace& space = lowering_.space();
  CounterRandom random(3, "preset-parity");
  Deviation steps;
  double float_difference = 0;
  double mixed_difference = 0;
  for (const auto& [architecture, tolerance] : {std::pair{space.Middle({16, 16}), kFloatLogitTolerance},
                                                {space.Middle({8, 8}), kMixedLogitTolerance},
                                                {space.Random(random), kMixedLogitTolerance}}) {
    SCOPED_TRACE(space.ToReadable(architecture));
    const BoundModel model = Bind(checkpoint, architecture);
    steps.Include(CompareSteps(model));
    const std::vector<std::vector<float>> logits = LogitsOfAll(model);
    double& worst = tolerance == kFloatLogitTolerance ? float_difference : mixed_difference;
    for (size_t reader = 1; reader < logits.size(); ++reader) {
      const double difference = RelativeDifference(logits[0], logits[reader]);
      EXPECT_LE(difference, tolerance) << kReaders[reader];
      worst = std::max(worst, difference);
    }
  }
  RecordProperty("largest_step_difference", steps.steps);
  RecordProperty("largest_share_off_by_one", absl::StrCat(steps.share));
  RecordProperty("largest_relative_float_difference", absl::StrCat(steps.relative));
  RecordProperty("largest_difference_of_float_logits", absl::StrCat(float_difference));
  RecordProperty("largest_difference_of_mixed_logits", absl::StrCat(mixed_difference));
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const config::Preset& preset : config::Presets()) names.emplace_back(preset.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Presets, PresetsParityTest, testing::ValuesIn(Names()),
                         [](const auto& preset) { return absl::StrReplaceAll(preset.param, {{"-", "_"}}); });

}  // namespace
}  // namespace hanas
