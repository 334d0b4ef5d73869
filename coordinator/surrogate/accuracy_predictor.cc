// SPDX-License-Identifier: Apache-2.0
#include "coordinator/surrogate/accuracy_predictor.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/encoding/encoding.h"

namespace hanas {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic>;  // column-major: one column for each candidate or feature
using Vector = Eigen::VectorXf;

/// Candidates per matrix product: the activations stay in the second-level cache.
constexpr size_t kBlock = 256;

struct Layer {
  Matrix weights;  // [outputs, inputs]
  Vector bias;
};

Layer FromPlain(const DenseLayer& plain) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return {Eigen::Map<const RowMajor>(plain.weights.data(), plain.num_outputs, plain.num_inputs),
          Eigen::Map<const Vector>(plain.bias.data(), plain.num_outputs)};
}

}  // namespace

struct AccuracyPredictor::Rep {
  SearchSpace space;
  std::vector<int> feature_of_gene;  // of choice 0; -1 for a gene without a choice
  int num_features = 0;
  std::vector<std::vector<Layer>> members;
  double output_mean = 0;
  double output_scale = 1;
  double held_out_tau = 0;
  double held_out_rmse = 0;

  /// Outputs of the last layer from the pre-activations of the first. `activations` is overwritten.
  static Eigen::RowVectorXf Finish(const std::vector<Layer>& layers, Matrix& activations) {
    for (size_t i = 1; i < layers.size(); ++i) {
      activations = activations.cwiseMax(0.0F);
      Matrix next = layers[i].weights * activations;
      next.colwise() += layers[i].bias;
      activations = std::move(next);
    }
    return activations.row(0);
  }

  /// `first(layer, activations)` fills the pre-activations of the first layer, one column for each prediction.
  template <typename First>
  void Predict(First first, absl::Span<AccuracyPrediction> predictions) const {
    const auto n = static_cast<Eigen::Index>(predictions.size());
    Eigen::MatrixXd outputs(static_cast<Eigen::Index>(members.size()), n);
    Matrix activations;
    for (size_t m = 0; m < members.size(); ++m) {
      const Layer& layer = members[m][0];
      activations.resize(layer.weights.rows(), n);
      first(layer, activations);
      outputs.row(static_cast<Eigen::Index>(m)) = Finish(members[m], activations).cast<double>();
    }
    for (Eigen::Index i = 0; i < n; ++i) {
      const double mean = outputs.col(i).mean();
      const double variance = (outputs.col(i).array() - mean).square().mean();
      predictions[static_cast<size_t>(i)] = {output_mean + output_scale * mean, output_scale * std::sqrt(variance)};
    }
  }

  /// Columns of the first layer that the one-hot encoding of `architecture` selects.
  void ActiveFeatures(const Architecture& architecture, std::vector<int>& features) const {
    features.clear();
    for (size_t gene = 0; gene < feature_of_gene.size(); ++gene) {
      if (feature_of_gene[gene] >= 0 && space.IsActive(architecture, static_cast<int>(gene))) {
        features.push_back(feature_of_gene[gene] + architecture.genes[gene]);
      }
    }
  }
};

absl::StatusOr<AccuracyPredictor> AccuracyPredictor::Create(const SearchSpace& space, const PredictorWeights& weights) {
  if (absl::Status status = Validate(weights); !status.ok()) return status;
  if (weights.space_digest != space.digest() || weights.num_features != EncodingSize(space)) {
    return absl::FailedPreconditionError(absl::StrCat("predictor: expected one of space ", space.digest().ToHex(), " with ",
                                                      EncodingSize(space), " features, found one of space ", weights.space_digest.ToHex(),
                                                      " with ", weights.num_features, ": train it again for this space"));
  }
  auto rep = std::make_unique<Rep>(Rep{.space = space});
  int offset = 0;
  for (const Gene& gene : space.genes()) {
    rep->feature_of_gene.push_back(gene.num_choices() > 1 ? offset : -1);
    if (gene.num_choices() > 1) offset += gene.num_choices();
  }
  rep->num_features = weights.num_features;
  for (const PredictorMember& member : weights.members) {
    std::vector<Layer>& layers = rep->members.emplace_back();
    std::transform(member.layers.begin(), member.layers.end(), std::back_inserter(layers), FromPlain);
  }
  rep->output_mean = weights.output_mean;
  rep->output_scale = weights.output_scale;
  rep->held_out_tau = weights.held_out_tau;
  rep->held_out_rmse = weights.held_out_rmse;
  return AccuracyPredictor(std::move(rep));
}

AccuracyPredictor::AccuracyPredictor(std::unique_ptr<const Rep> rep) : rep_(std::move(rep)) {}
AccuracyPredictor::AccuracyPredictor(AccuracyPredictor&&) noexcept = default;
AccuracyPredictor& AccuracyPredictor::operator=(AccuracyPredictor&&) noexcept = default;
AccuracyPredictor::~AccuracyPredictor() = default;

std::vector<AccuracyPrediction> AccuracyPredictor::PredictFeatures(absl::Span<const float> features) const {
  const auto width = static_cast<size_t>(rep_->num_features);
  std::vector<AccuracyPrediction> predictions(features.size() / width);
  for (size_t begin = 0; begin < predictions.size(); begin += kBlock) {
    const size_t count = std::min(kBlock, predictions.size() - begin);
    const Eigen::Map<const Matrix> columns(features.data() + begin * width, static_cast<Eigen::Index>(width),
                                           static_cast<Eigen::Index>(count));
    rep_->Predict(
        [&](const Layer& layer, Matrix& activations) {
          activations.noalias() = layer.weights * columns;
          activations.colwise() += layer.bias;
        },
        absl::MakeSpan(predictions).subspan(begin, count));
  }
  return predictions;
}

void AccuracyPredictor::Predict(absl::Span<const Architecture> architectures, absl::Span<AccuracyPrediction> predictions) const {
  std::vector<std::vector<int>> features(std::min(kBlock, architectures.size()));
  for (size_t begin = 0; begin < architectures.size(); begin += kBlock) {
    const size_t count = std::min(kBlock, architectures.size() - begin);
    for (size_t i = 0; i < count; ++i) rep_->ActiveFeatures(architectures[begin + i], features[i]);
    rep_->Predict(
        [&](const Layer& layer, Matrix& activations) {
          for (size_t i = 0; i < count; ++i) {
            auto column = activations.col(static_cast<Eigen::Index>(i));
            column = layer.bias;
            for (const int feature : features[i]) column += layer.weights.col(feature);
          }
        },
        predictions.subspan(begin, count));
  }
}

AccuracyPrediction AccuracyPredictor::PredictOne(const Architecture& architecture) const {
  AccuracyPrediction prediction;
  Predict(absl::MakeConstSpan(&architecture, 1), absl::MakeSpan(&prediction, 1));
  return prediction;
}

int AccuracyPredictor::num_features() const { return rep_->num_features; }
double AccuracyPredictor::held_out_tau() const { return rep_->held_out_tau; }
double AccuracyPredictor::held_out_rmse() const { return rep_->held_out_rmse; }

}  // namespace hanas
