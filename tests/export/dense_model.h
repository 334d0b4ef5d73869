// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_EXPORT_DENSE_MODEL_H_
#define HANAS_TESTS_EXPORT_DENSE_MODEL_H_

#include <cstdint>
#include <vector>

#include "core/bound/bound_model.h"

namespace hanas {

/// A small network by hand with what MobileNet blocks do not have: convolutions with an even kernel and in groups, with bias,
/// normalisation, both and neither; SiLU; max-pools, one of them over the whole image; additions followed by ReLU and ReLU6; ReLU6 in
/// layers. Each operator computes in one of `types`, drawn by `seed`, and stores its weights in a width that fits.
Graph DenseGraph(uint64_t seed, const std::vector<ElementType>& types = {ElementType::kInt8, ElementType::kFloat16});

/// RandomBoundModel of that graph.
BoundModel DenseModel(uint64_t seed, const std::vector<ElementType>& types = {ElementType::kInt8, ElementType::kFloat16});

}  // namespace hanas

#endif  // HANAS_TESTS_EXPORT_DENSE_MODEL_H_
