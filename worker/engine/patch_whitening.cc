// SPDX-License-Identifier: Apache-2.0
#include "worker/engine/patch_whitening.h"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>

namespace hanas {
namespace {

using Eigen::Index;

/// The patches of one image, one a row, their numbers in the order of OIHW weights.
class PatchRows {
 public:
  PatchRows(const Dataset& dataset, int64_t kernel)
      : dataset_(dataset),
        kernel_(kernel),
        height_(std::max<int64_t>(dataset.height() - kernel + 1, 0)),
        width_(std::max<int64_t>(dataset.width() - kernel + 1, 0)),
        rows_(height_ * width_, dataset.channels() * kernel * kernel) {}

  const Eigen::MatrixXd& Of(int64_t index) {
    const absl::Span<const uint8_t> pixels = dataset_.image(Split::kTrain, index);
    for (int64_t y = 0; y < height_; ++y) {
      for (int64_t x = 0; x < width_; ++x) Fill(pixels, y, x);
    }
    return rows_;
  }

 private:
  void Fill(absl::Span<const uint8_t> pixels, int64_t y, int64_t x) {
    const int64_t channels = dataset_.channels();
    Index column = 0;
    for (int64_t c = 0; c < channels; ++c) {
      const auto mean = static_cast<double>(dataset_.mean()[static_cast<size_t>(c)]);
      const auto stddev = static_cast<double>(dataset_.stddev()[static_cast<size_t>(c)]);
      for (int64_t ky = 0; ky < kernel_; ++ky) {
        for (int64_t kx = 0; kx < kernel_; ++kx) {
          const uint8_t byte = pixels[static_cast<size_t>(((y + ky) * dataset_.width() + x + kx) * channels + c)];
          rows_(y * width_ + x, column++) = (static_cast<double>(byte) / 255.0 - mean) / stddev;
        }
      }
    }
  }

  const Dataset& dataset_;
  int64_t kernel_;
  int64_t height_;
  int64_t width_;
  Eigen::MatrixXd rows_;
};

Eigen::MatrixXd PatchCovariance(const Dataset& dataset, int64_t kernel) {
  PatchRows patches(dataset, kernel);
  const Index size = dataset.channels() * kernel * kernel;
  Eigen::MatrixXd products = Eigen::MatrixXd::Zero(size, size);  // the lower half
  Eigen::VectorXd sums = Eigen::VectorXd::Zero(size);
  double count = 0;
  // Of large pictures a few have patches enough, and more would take minutes.
  constexpr int64_t kEnoughPatches = 4'000'000;
  const int64_t patches_each = std::max<int64_t>(1, (dataset.height() - kernel + 1) * (dataset.width() - kernel + 1));
  const int64_t images = std::clamp<int64_t>(kEnoughPatches / patches_each, 1, kWhiteningImages);
  for (int64_t i = 0; i < std::min(images, dataset.size(Split::kTrain)); ++i) {
    const Eigen::MatrixXd& rows = patches.Of(i);
    products.selfadjointView<Eigen::Lower>().rankUpdate(rows.transpose());
    sums += rows.colwise().sum().transpose();
    count += static_cast<double>(rows.rows());
  }
  if (count == 0) return products;  // images smaller than the kernel
  const Eigen::VectorXd mean = sums / count;
  const Eigen::MatrixXd full = products.selfadjointView<Eigen::Lower>();
  return full / count - mean * mean.transpose();
}

}  // namespace

std::vector<float> PatchWhitening(const Dataset& dataset, const Shape& shape) {
  // Keeps the division finite when all images are of one colour.
  constexpr double kSmallest = 1e-12;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(PatchCovariance(dataset, shape[2]));
  const Eigen::VectorXd& values = solver.eigenvalues();  // rising
  const double floor = kWhiteningFloor * std::max(values.mean(), 0.0) + kSmallest;
  std::vector<float> weights;
  weights.reserve(static_cast<size_t>(NumElements(shape)));
  for (Index i = values.size() - 1; i >= 0; --i) {
    const Eigen::VectorXd direction = solver.eigenvectors().col(i);
    Index largest = 0;
    direction.cwiseAbs().maxCoeff(&largest);
    const double scale = (direction[largest] < 0 ? -1.0 : 1.0) / std::sqrt(std::max(values[i], 0.0) + floor);
    for (const double component : direction) weights.push_back(static_cast<float>(scale * component));
  }
  const size_t half = weights.size();
  for (size_t i = 0; i < half; ++i) weights.push_back(-weights[i]);
  return weights;
}

}  // namespace hanas
