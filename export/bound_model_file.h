// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_EXPORT_BOUND_MODEL_FILE_H_
#define HANAS_EXPORT_BOUND_MODEL_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/bound/bound_model.h"
#include "core/graph/graph.h"

namespace hanas {

/// Serialised forms of a BoundModel and of a Graph: what a worker stores, and what an agent or a verifier reads back.
///
/// Layout, all integers little-endian: 8 bytes of magic; version (4); Digest of all that follows (16); length of the header (4); the header
/// (export/bound_model.proto); then, in a model, the tensors of each operator that has weights, in order, without padding between them:
///   weights  packed at their stored width: 8 bits one to a byte, 4 bits two and 2 bits four with the first in the low bits (the last byte
///            filled up with zeros), half floats two bytes each
///   scales   float32, one for each output channel; absent for float weights
///   bias     float32, one for each output channel
/// Their sizes follow from the graph, so the tensors take exactly Cost::size_bytes and a file is that plus its header.
///
/// Laws: Parse(Serialize(x)) == x; equal models have equal bytes; every changed bit is refused. Readers never crash on hostile bytes: the
/// header is bounded, and tensors are sized by what is there before anything is allocated.
///
/// Thread-safe: free functions without state.

/// 2: values have names instead of the place of a MobileNet block they come from.
inline constexpr uint32_t kBoundModelFileVersion = 2;
/// Larger inputs are refused unread.
inline constexpr size_t kMaxBoundModelFileBytes = size_t{1} << 30;
inline constexpr size_t kMaxBoundModelHeaderBytes = size_t{1} << 22;

/// Requires CheckBoundModel(model), and 16-bit weights that are representable in IEEE half (others are rounded to even).
std::string SerializeBoundModel(const BoundModel& model);

/// Returns, in this order, INVALID_ARGUMENT if `bytes` is too large, does not begin with the magic, or is shorter than its fixed part;
/// FAILED_PRECONDITION saying what to do if it has another version; DATA_LOSS if the rest does not have the digest it was written with;
/// INVALID_ARGUMENT naming what is wrong if the content breaks an invariant of Graph or BoundModel.
absl::StatusOr<BoundModel> ParseBoundModel(absl::string_view bytes);

/// The graph alone, in the same container with a magic of its own. Requires CheckGraph(graph).
std::string SerializeGraph(const Graph& graph);

/// Statuses as for ParseBoundModel.
absl::StatusOr<Graph> ParseGraph(absl::string_view bytes);

}  // namespace hanas

#endif  // HANAS_EXPORT_BOUND_MODEL_FILE_H_
