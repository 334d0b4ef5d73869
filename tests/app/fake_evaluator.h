// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_APP_FAKE_EVALUATOR_H_
#define HANAS_TESTS_APP_FAKE_EVALUATOR_H_

#include <algorithm>
#include <cmath>
#include <deque>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/app/app.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"
#include "core/family/convnet/scaled.h"
#include "core/latency/latency_model.h"
#include "core/lowering/lowering.h"
#include "core/predictor/predictor_weights.h"

namespace hanas::coordinator {

/// Answers every kind of task at once, from a table that is a function of the architecture: what a worker and an agent would measure,
/// without them. Equal tasks get equal answers. Stores the artifacts it names.
class FakeEvaluator {
 public:
  FakeEvaluator(ArtifactStore* artifacts, const SearchJob& job)
      : artifacts_(artifacts), lowering_(ConvnetSpace::Define(job.space).value()) {}

  Outcome Answer(const GrantedTask& granted) const {
    return std::visit([&](const auto& work) -> Outcome { return Do(work, granted); }, granted.task.work);
  }

  static BackendCaps Caps() { return {.name = "xnnpack", .version = "1", .isa = "none", .native = {{.compute = ElementType::kInt8}}}; }

  /// Two families of plain networks, and a teacher, that are small enough for the images of tests.
  static PlainNetworks Plain() {
    PlainFamily dense = {.name = "dense", .preset = "test-dense", .space = {.name = "test-dense"}};
    dense.space.stem = {.widths = {16}, .kernel = 3, .stride = 2, .activation = Activation::kRelu};
    dense.space.stages = {{.widths = {24}, .depths = {1}, .stride = 2, .kinds = {BlockKind::kConv}, .blocks = {{}}}};
    dense.space.resolutions = {32};
    PlainFamily mbconv = dense;
    mbconv.name = "mbconv";
    mbconv.preset = "test-mbconv";
    mbconv.space.name = "test-mbconv";
    mbconv.space.stages[0].kinds = {BlockKind::kMbconv};
    mbconv.space.stages[0].blocks = {{.expansions = {2}}};
    return {.families = {dense, mbconv}, .teacher = dense};
  }

  /// Grows with the network's choices and a little with its digest.
  double AccuracyOf(const Architecture& architecture) const {
    double sum = 0;
    const auto& genes = lowering_.space().genes();
    for (size_t i = 0; i < genes.size(); ++i)
      sum += genes[i].num_choices() > 1 ? static_cast<double>(architecture.genes[i]) / (genes[i].num_choices() - 1) : 0;
    const double noise = static_cast<double>(lowering_.space().ArchitectureDigest(architecture).low % 1000) / 1000;
    return 0.5 + 0.4 * sum / static_cast<double>(genes.size()) + 0.01 * noise;
  }

 private:
  /// Of tasks for a target that is called "wide": a device that is faster with floats than with small integers.
  static bool IsWide(const GrantedTask& granted) { return absl::StartsWith(granted.task.key, "targets/wide/"); }

  static double OperatorUs(const OpKey& key, bool wide) {
    const double of_integers = key.groups > 1 ? 3e-3 : 5e-4;
    const double scale = key.input_type == ElementType::kInt8 ? (wide ? 2e-3 : of_integers) : (wide ? 7e-4 : 1.5e-3);
    return 1 + scale * static_cast<double>(Macs(key));
  }

  /// A network of the job's space, or of one of its own.
  struct Network {
    const Lowering& lowering;
    const Architecture& architecture;
    bool plain = false;
  };

  NetworkMeasurement Measured(const Network& network, bool wide) const {
    double sum = 0;
    for (const ExecStep& step : MakePlan(network.lowering.Lower(network.architecture), Caps()).steps) sum += OperatorUs(step.key, wide);
    const double noise = static_cast<double>(network.lowering.space().ArchitectureDigest(network.architecture).high % 1000) / 1000;
    const double p50 = 1.1 * sum + 5 + 0.01 * sum * noise;
    return {.p50_us = p50, .p90_us = 1.05 * p50, .p99_us = 1.2 * p50, .cv = 0.01, .rounds = 5, .samples = 500};
  }

  Score Scored(const Architecture& architecture, int64_t images) const {
    return {.correct = static_cast<int64_t>(AccuracyOf(architecture) * static_cast<double>(images)), .images = images, .loss = 1};
  }
  /// A plain network is the better the more it computes.
  Score Scored(const Network& network, int64_t images) const {
    if (!network.plain) return Scored(network.architecture, images);
    const auto macs = static_cast<double>(GraphCost(network.lowering.Lower(network.architecture)).macs);
    const double accuracy = 0.5 + 0.4 * macs / (macs + 1e5);
    return {.correct = static_cast<int64_t>(accuracy * static_cast<double>(images)), .images = images, .loss = 1};
  }

  /// The number of a space that a task brought along, by which its networks are told apart in files.
  size_t NumberOf(const SpaceSpec& space) const {
    for (size_t i = 0; i < spaces_.size(); ++i) {
      if (spaces_[i].first == space) return i;
    }
    spaces_.emplace_back(space, ConvnetSpace::Define(space).value());
    return spaces_.size() - 1;
  }

  Outcome Do(const TrainWork& work, const GrantedTask&) const {
    const std::string bytes = absl::StrCat("checkpoint ", static_cast<int>(work.kind), " ", work.initial.sha256, " ", work.to_step, " ",
                                           std::string(work.slice.genes.begin(), work.slice.genes.end()));
    return TrainOutcome{.checkpoint = artifacts_->Put(bytes).value(),
                        .step = work.to_step,
                        .loss = 1,
                        .images_per_second = 500,
                        .seconds = 1,
                        .dataset_digest = "data",
                        .dataset_files = "files"};
  }
  Outcome Do(const EvaluateWork& work, const GrantedTask& granted) const {
    EvaluateOutcome outcome = {.seconds = 1, .dataset_digest = "data", .dataset_files = "files"};
    const int images = work.all_validation_images ? granted.job->dataset.validation_images : granted.job->sampling.validation_images;
    for (const Architecture& architecture : work.architectures) outcome.scores.push_back(Scored(architecture, images));
    return outcome;
  }
  /// One linear member: for each feature, how far its rows are above the mean.
  Outcome Do(const FitWork&, const GrantedTask& granted) const {
    const auto count = static_cast<double>(granted.rows.size());
    double mean = 0;
    for (const auto& [features, target] : granted.rows) mean += target / count;
    DenseLayer layer = {.num_inputs = static_cast<int>(granted.rows[0].first.size()), .num_outputs = 1, .weights = {}, .bias = {0}};
    for (size_t i = 0; i < granted.rows[0].first.size(); ++i) {
      double sum = 0;
      double seen = 1;
      for (const auto& [features, target] : granted.rows) {
        sum += features[i] * (target - mean);
        seen += features[i];
      }
      layer.weights.push_back(static_cast<float>(sum / seen));
    }
    PredictorWeights weights = {
        .space_digest = lowering_.space().digest(), .num_features = layer.num_inputs, .members = {{{layer}}}, .output_mean = mean};
    weights.num_train = static_cast<int>(count);
    return FitOutcome{SerialisePredictor(weights), 0.8, 0.01, "ridge"};
  }
  Outcome Do(const BindWork& work, const GrantedTask&) const {
    const std::string genes(work.architecture.genes.begin(), work.architecture.genes.end());
    const std::string name = work.space.has_value() ? absl::StrCat("plain ", NumberOf(*work.space), " ") : "bound ";
    const Lowering& lowering = work.space.has_value() ? spaces_[NumberOf(*work.space)].second : lowering_;
    return BindOutcome{artifacts_->Put(name + genes).value(), artifacts_->Put("onnx " + name + genes).value(),
                       Scored({lowering, work.architecture, work.space.has_value()}, 10000), 1};
  }
  Outcome Do(const PackWork&, const GrantedTask&) const { return PackOutcome{artifacts_->Put("images").value(), 10000}; }
  Outcome Do(const MeasureOperatorsWork& work, const GrantedTask& granted) const {
    MeasureOperatorsOutcome outcome = {.seconds = 1};
    for (const std::string& key : work.keys) {
      const double us = OperatorUs(OpKeyFromString(key).value(), IsWide(granted));
      outcome.rows.push_back({key, us, 0.9 * us, 0.01, 5, false});
    }
    return outcome;
  }
  Outcome Do(const MeasureNetworksWork& work, const GrantedTask& granted) const {
    MeasureNetworksOutcome outcome = {.seconds = 1};
    for (size_t i = 0; i < work.architectures.size(); ++i) {
      const Lowering& lowering = work.spaces.empty() ? lowering_ : spaces_[NumberOf(work.spaces[i])].second;
      outcome.rows.push_back(Measured({lowering, work.architectures[i]}, IsWide(granted)));
    }
    return outcome;
  }
  Outcome Do(const VerifyWork& work, const GrantedTask& granted) const {
    std::string bytes = artifacts_->Read(work.bound_model.sha256, 0, 1 << 20).value();
    const bool plain = absl::StartsWith(bytes, "plain ");
    bytes = bytes.substr(6);  // after either word
    const Lowering* lowering = &lowering_;
    if (plain) {
      lowering = &spaces_.at(std::stoul(bytes)).second;
      bytes = bytes.substr(bytes.find(' ') + 1);
    }
    const Architecture architecture = {.genes = {bytes.begin(), bytes.end()}};
    const Network network = {*lowering, architecture, plain};
    return VerifyOutcome{.device = Measured(network, IsWide(granted)),
                         .exported = Scored(network, 10000),
                         .exported_latency = Measured(network, IsWide(granted)),
                         .exported_runtime = "fake 1",
                         .agreeing = 100,
                         .compared = 100,
                         .reopened = {.score = Scored(network, 10000)},
                         .device_accuracy = {.score = Scored(network, 10000)}};
  }

  ArtifactStore* artifacts_;
  Lowering lowering_;
  mutable std::deque<std::pair<SpaceSpec, Lowering>> spaces_;  // that tasks brought along; what is in it stays where it is
};

}  // namespace hanas::coordinator

#endif  // HANAS_TESTS_APP_FAKE_EVALUATOR_H_
