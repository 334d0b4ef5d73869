// SPDX-License-Identifier: Apache-2.0
#include "worker/engine/predictor_trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"
#include "core/base/counter_random.h"
#include "core/statistics/statistics.h"

namespace hanas {
namespace {

constexpr int kFolds = 5;
constexpr int kHidden = 32;
constexpr int kEpochs = 240;
constexpr size_t kBatch = 16;
constexpr std::array<double, 6> kRidgePenalties = {0.3, 1, 3, 10, 30, 100};

/// Normalised targets and the samples they belong to.
struct Problem {
  absl::Span<const PredictorSample> samples;
  std::vector<double> targets;
  size_t num_features = 0;
};

double Predict(const PredictorMember& member, const std::vector<float>& features) {
  std::vector<double> x(features.begin(), features.end());
  for (size_t l = 0; l < member.layers.size(); ++l) {
    const DenseLayer& layer = member.layers[l];
    std::vector<double> y(layer.bias.begin(), layer.bias.end());
    for (size_t o = 0; o < y.size(); ++o) {
      const float* const row = layer.weights.data() + o * x.size();
      for (size_t i = 0; i < x.size(); ++i) y[o] += static_cast<double>(row[i]) * x[i];
      if (l + 1 < member.layers.size()) y[o] = std::max(y[o], 0.0);
    }
    x = std::move(y);
  }
  return x[0];
}

/// Solves the symmetric positive definite system in place by Cholesky decomposition. `a` is row-major.
std::vector<double> SolveCholesky(std::vector<double> a, std::vector<double> b) {
  const size_t n = b.size();
  for (size_t j = 0; j < n; ++j) {
    for (size_t k = 0; k < j; ++k) a[j * n + j] -= a[j * n + k] * a[j * n + k];
    a[j * n + j] = std::sqrt(std::max(a[j * n + j], 1e-12));
    for (size_t i = j + 1; i < n; ++i) {
      for (size_t k = 0; k < j; ++k) a[i * n + j] -= a[i * n + k] * a[j * n + k];
      a[i * n + j] /= a[j * n + j];
    }
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

/// Ridge regression with an unpenalised intercept, in the dual: as many unknowns as samples, which are fewer than features.
PredictorMember FitRidge(const Problem& problem, const std::vector<size_t>& rows, double penalty) {
  const size_t n = rows.size();
  std::vector<double> centre(problem.num_features, 0);
  double mean = 0;
  for (const size_t r : rows) {
    for (size_t f = 0; f < problem.num_features; ++f)
      centre[f] += static_cast<double>(problem.samples[r].features[f]) / static_cast<double>(n);
    mean += problem.targets[r] / static_cast<double>(n);
  }
  std::vector<std::vector<double>> x(n, std::vector<double>(problem.num_features));
  for (size_t i = 0; i < n; ++i) {
    for (size_t f = 0; f < problem.num_features; ++f) x[i][f] = static_cast<double>(problem.samples[rows[i]].features[f]) - centre[f];
  }
  std::vector<double> gram(n * n);
  std::vector<double> residual(n);
  for (size_t i = 0; i < n; ++i) {
    residual[i] = problem.targets[rows[i]] - mean;
    for (size_t j = 0; j <= i; ++j)
      gram[i * n + j] = gram[j * n + i] = std::inner_product(x[i].begin(), x[i].end(), x[j].begin(), i == j ? penalty : 0.0);
  }
  const std::vector<double> dual = SolveCholesky(std::move(gram), std::move(residual));
  DenseLayer layer = {.num_inputs = static_cast<int>(problem.num_features), .num_outputs = 1, .weights = {}, .bias = {}};
  double bias = mean;
  for (size_t f = 0; f < problem.num_features; ++f) {
    double weight = 0;
    for (size_t i = 0; i < n; ++i) weight += dual[i] * x[i][f];
    bias -= weight * centre[f];
    layer.weights.push_back(static_cast<float>(weight));
  }
  layer.bias.push_back(static_cast<float>(bias));
  return {.layers = {std::move(layer)}};
}

/// One parameter tensor with its Adam moments (Kingma and Ba 2015).
class AdamTensor {
 public:
  AdamTensor(std::vector<float>& values, double decay)
      : values_(values), gradient(values.size(), 0), decay_(decay), first_(values.size(), 0), second_(values.size(), 0) {}
  void Step(double rate, int64_t step) {
    const double correction1 = 1 - std::pow(0.9, static_cast<double>(step));
    const double correction2 = 1 - std::pow(0.999, static_cast<double>(step));
    for (size_t i = 0; i < values_.size(); ++i) {
      first_[i] = 0.9 * first_[i] + 0.1 * gradient[i];
      second_[i] = 0.999 * second_[i] + 0.001 * gradient[i] * gradient[i];
      const double update =
          first_[i] / correction1 / (std::sqrt(second_[i] / correction2) + 1e-8) + decay_ * static_cast<double>(values_[i]);
      values_[i] -= static_cast<float>(rate * update);
      gradient[i] = 0;
    }
  }

 private:
  std::vector<float>& values_;

 public:
  std::vector<double> gradient;

 private:
  double decay_;
  std::vector<double> first_;
  std::vector<double> second_;
};

DenseLayer RandomLayer(int inputs, int outputs, double deviation, CounterRandom& random) {
  DenseLayer layer = {
      .num_inputs = inputs, .num_outputs = outputs, .weights = {}, .bias = std::vector<float>(static_cast<size_t>(outputs), 0.0F)};
  for (int i = 0; i < inputs * outputs; ++i) layer.weights.push_back(static_cast<float>(deviation * random.Normal()));
  return layer;
}

/// The positions of the ones of a row: features are one-hot, so most of a dense product would multiply zeros.
std::vector<size_t> NonZeros(const std::vector<float>& features) {
  std::vector<size_t> at;
  for (size_t f = 0; f < features.size(); ++f) {
    if (features[f] != 0) at.push_back(f);
  }
  return at;
}

/// A perceptron of one hidden layer in training: gradients of the squared error are added up until Step applies them.
class Perceptron {
 public:
  Perceptron(size_t num_features, size_t active, CounterRandom& random)
      : num_features_(num_features),
        hidden_(RandomLayer(static_cast<int>(num_features), kHidden, std::sqrt(1.0 / static_cast<double>(std::max<size_t>(active, 1))),
                            random)),
        output_(RandomLayer(kHidden, 1, std::sqrt(1.0 / kHidden), random)) {}

  // The tensors refer to the layers.
  Perceptron(const Perceptron&) = delete;
  Perceptron& operator=(const Perceptron&) = delete;

  /// Adds the gradient of one sample, whose features are zero but at `ones`.
  void AddGradient(const std::vector<float>& features, const std::vector<size_t>& ones, double target) {
    double y = static_cast<double>(output_.bias[0]);
    for (size_t h = 0; h < kHidden; ++h) {
      z_[h] = static_cast<double>(hidden_.bias[h]);
      for (const size_t f : ones) z_[h] += static_cast<double>(hidden_.weights[h * num_features_ + f] * features[f]);
      if (z_[h] > 0) y += z_[h] * static_cast<double>(output_.weights[h]);
    }
    const double error = (y - target) / static_cast<double>(kBatch);
    output_bias_.gradient[0] += error;
    for (size_t h = 0; h < kHidden; ++h) {
      if (z_[h] <= 0) continue;
      output_weights_.gradient[h] += error * z_[h];
      const double back = error * static_cast<double>(output_.weights[h]);
      hidden_bias_.gradient[h] += back;
      for (const size_t f : ones) hidden_weights_.gradient[h * num_features_ + f] += back * static_cast<double>(features[f]);
    }
  }

  void Step(double rate) {
    ++step_;
    for (AdamTensor* tensor : {&hidden_weights_, &hidden_bias_, &output_weights_, &output_bias_}) tensor->Step(rate, step_);
  }

  PredictorMember TakeLayers() && { return {.layers = {std::move(hidden_), std::move(output_)}}; }

 private:
  size_t num_features_;
  DenseLayer hidden_;
  DenseLayer output_;
  AdamTensor hidden_weights_{hidden_.weights, 0.05};
  AdamTensor hidden_bias_{hidden_.bias, 0};
  AdamTensor output_weights_{output_.weights, 0.05};
  AdamTensor output_bias_{output_.bias, 0};
  std::array<double, kHidden> z_{};
  int64_t step_ = 0;
};

PredictorMember FitPerceptron(const Problem& problem, const std::vector<size_t>& rows, uint64_t seed) {
  CounterRandom initial(seed, "predictor/initial");
  Perceptron perceptron(problem.num_features, NonZeros(problem.samples[rows[0]].features).size(), initial);
  std::vector<std::vector<size_t>> ones;
  for (const size_t r : rows) ones.push_back(NonZeros(problem.samples[r].features));
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0);
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    CounterRandom random(seed, "predictor/epoch", static_cast<uint64_t>(epoch));
    random.Shuffle(absl::MakeSpan(order));
    const double rate = 4e-3 * 0.5 * (1 + std::cos(3.14159265358979 * epoch / kEpochs));
    for (size_t i = 0; i < order.size(); ++i) {
      const size_t row = rows[order[i]];
      perceptron.AddGradient(problem.samples[row].features, ones[order[i]], problem.targets[row]);
      if ((i + 1) % kBatch == 0 || i + 1 == order.size()) perceptron.Step(rate);
    }
  }
  return std::move(perceptron).TakeLayers();
}

absl::Status Check(absl::Span<const PredictorSample> samples) {
  if (samples.size() < bounds::kFewestForPredictor)
    return absl::InvalidArgumentError(
        absl::StrCat("predictor: expected at least ", bounds::kFewestForPredictor, " samples, found ", samples.size()));
  for (size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].features.empty() || samples[i].features.size() != samples[0].features.size()) {
      return absl::InvalidArgumentError(absl::StrCat("predictor: expected ", samples[0].features.size(), " features (not 0), found ",
                                                     samples[i].features.size(), " in sample ", i));
    }
    if (!(samples[i].accuracy >= 0 && samples[i].accuracy <= 1)) {
      return absl::InvalidArgumentError(
          absl::StrCat("predictor: expected accuracies of 0 to 1, found ", samples[i].accuracy, " in sample ", i));
    }
    for (const float feature : samples[i].features) {
      if (!std::isfinite(feature))
        return absl::InvalidArgumentError(absl::StrCat("predictor: expected finite features, found ", feature, " in sample ", i));
    }
  }
  return absl::OkStatus();
}

/// One member for each fold, and what they say of the samples they did not see.
struct CrossValidation {
  std::vector<PredictorMember> members;
  std::vector<double> held_out;
  double tau = 0;
  double rmse = 0;
};

template <typename Fit>
CrossValidation CrossValidate(const Problem& problem, const std::vector<size_t>& fold_of, const Fit& fit) {
  CrossValidation result;
  result.held_out.resize(problem.samples.size());
  for (size_t fold = 0; fold < kFolds; ++fold) {
    std::vector<size_t> rows;
    for (size_t i = 0; i < fold_of.size(); ++i) {
      if (fold_of[i] != fold) rows.push_back(i);
    }
    result.members.push_back(fit(rows, fold));
    for (size_t i = 0; i < fold_of.size(); ++i) {
      if (fold_of[i] == fold) result.held_out[i] = Predict(result.members.back(), problem.samples[i].features);
    }
  }
  const double tau = KendallTauB(result.held_out, problem.targets);
  result.tau = std::isfinite(tau) ? tau : 0;
  double squares = 0;
  for (size_t i = 0; i < result.held_out.size(); ++i) squares += std::pow(result.held_out[i] - problem.targets[i], 2);
  result.rmse = std::sqrt(squares / static_cast<double>(result.held_out.size()));
  return result;
}

}  // namespace

absl::StatusOr<FittedPredictor> TrainPredictor(absl::Span<const PredictorSample> samples, const Digest& space_digest, uint64_t seed) {
  if (absl::Status status = Check(samples); !status.ok()) return status;
  std::vector<double> accuracies;
  for (const PredictorSample& sample : samples) accuracies.push_back(sample.accuracy);
  const double mean = Mean(accuracies);
  const double scale = std::max(StandardDeviation(accuracies), 1e-6);
  Problem problem = {.samples = samples, .targets = {}, .num_features = samples[0].features.size()};
  for (const double accuracy : accuracies) problem.targets.push_back((accuracy - mean) / scale);
  std::vector<size_t> fold_of(samples.size());
  for (size_t i = 0; i < fold_of.size(); ++i) fold_of[i] = i % kFolds;
  CounterRandom random(seed, "predictor/folds");
  random.Shuffle(absl::MakeSpan(fold_of));

  CrossValidation best;
  std::string kind;
  for (const double penalty : kRidgePenalties) {
    CrossValidation ridge =
        CrossValidate(problem, fold_of, [&](const std::vector<size_t>& rows, size_t) { return FitRidge(problem, rows, penalty); });
    if (kind.empty() || ridge.rmse < best.rmse) best = std::move(ridge);
    kind = "ridge";
  }
  CrossValidation perceptron = CrossValidate(
      problem, fold_of, [&](const std::vector<size_t>& rows, size_t fold) { return FitPerceptron(problem, rows, seed * kFolds + fold); });
  if (perceptron.tau > best.tau) {
    best = std::move(perceptron);
    kind = "mlp";
  }
  FittedPredictor fitted = {.weights = {.space_digest = space_digest,
                                        .num_features = static_cast<int>(problem.num_features),
                                        .members = std::move(best.members),
                                        .output_mean = mean,
                                        .output_scale = scale,
                                        .held_out_tau = best.tau,
                                        .held_out_rmse = best.rmse * scale,
                                        .num_train = static_cast<int>(samples.size()),
                                        .num_held_out = static_cast<int>(samples.size())},
                            .kind = kind};
  if (absl::Status status = Validate(fitted.weights); !status.ok()) return status;
  return fitted;
}

}  // namespace hanas
