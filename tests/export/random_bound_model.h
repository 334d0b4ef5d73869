// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_EXPORT_RANDOM_BOUND_MODEL_H_
#define HANAS_TESTS_EXPORT_RANDOM_BOUND_MODEL_H_

#include <cstdint>
#include <vector>

#include "core/bound/bound_model.h"
#include "core/lowering/lowering.h"

namespace hanas {

/// A BoundModel of `architecture` with seeded random weights (He initialisation, so that activations keep their size) and quantisers fitted
/// to what a few random images produce, as calibration would.
BoundModel RandomBoundModel(const Lowering& lowering, const Architecture& architecture, uint64_t seed);

/// The same of any network.
BoundModel RandomBoundModel(Graph graph, uint64_t seed);

/// A preprocessed image [H, W, C] for the model: smooth random blobs plus noise, about zero mean and unit variance.
std::vector<float> RandomImage(const BoundModel& model, uint64_t seed);

}  // namespace hanas

#endif  // HANAS_TESTS_EXPORT_RANDOM_BOUND_MODEL_H_
