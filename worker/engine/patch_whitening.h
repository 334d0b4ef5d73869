// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_ENGINE_PATCH_WHITENING_H_
#define HANAS_WORKER_ENGINE_PATCH_WHITENING_H_

#include <vector>

#include "core/graph/graph.h"
#include "dataset/dataset.h"

namespace hanas {

/// Weights [out, in, k, k] of a convolution whose outputs are uncorrelated and of about the same size on images of `dataset` (Jordan, "94%
/// on CIFAR-10 in 3.29 seconds on a single GPU", 2024): the eigenvectors of the covariance of k x k patches, in the order of falling
/// eigenvalues, each divided by the root of its eigenvalue, then their negatives, so that a ReLU behind them loses nothing.
///
/// Patches are at every position of the first kWhiteningImages training images, normalised ((byte / 255 - mean) / stddev) and at the data
/// set's size; sums are in double. kWhiteningFloor times the mean eigenvalue is added to each, for directions in which images hardly vary
/// are noise. The largest component of an eigenvector is positive. Pure in (dataset, shape).
///
/// Requires shape[0] == 2 * shape[1] * k * k and shape[1] == dataset.channels().
std::vector<float> PatchWhitening(const Dataset& dataset, const Shape& shape);

inline constexpr int64_t kWhiteningImages = 2000;
inline constexpr double kWhiteningFloor = 5e-4;

}  // namespace hanas

#endif  // HANAS_WORKER_ENGINE_PATCH_WHITENING_H_
