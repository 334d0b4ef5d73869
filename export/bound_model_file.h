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
/// Layout: 8 bytes of magic, a little-endian 32-bit version, the 128-bit Digest of the payload, the payload (export/bound_model.proto).
/// Weights are packed at their stored width (8-bit one, 4-bit two, 2-bit four to a byte; half floats two bytes each), so that a file is
/// Cost::size_bytes plus the description of the graph.
///
/// Laws: Parse(Serialize(x)) == x; equal models have equal bytes. Readers never crash on hostile bytes, and allocate no more than a small
/// multiple of the size of their input.
///
/// Thread-safe: free functions without state.

inline constexpr uint32_t kBoundModelFileVersion = 1;
/// Larger inputs are refused unread.
inline constexpr size_t kMaxBoundModelFileBytes = size_t{1} << 28;

/// Requires CheckBoundModel(model).
std::string SerializeBoundModel(const BoundModel& model);

/// Returns, in this order, INVALID_ARGUMENT if `bytes` is too large, does not begin with the magic, or is cut short; FAILED_PRECONDITION if
/// it has a newer version; DATA_LOSS if the payload does not have the digest it was written with; INVALID_ARGUMENT naming the field if the
/// content breaks an invariant of Graph or BoundModel.
absl::StatusOr<BoundModel> ParseBoundModel(absl::string_view bytes);

/// The graph alone, in the same container with a magic of its own. Requires CheckGraph(graph).
std::string SerializeGraph(const Graph& graph);

/// Statuses as for ParseBoundModel.
absl::StatusOr<Graph> ParseGraph(absl::string_view bytes);

}  // namespace hanas

#endif  // HANAS_EXPORT_BOUND_MODEL_FILE_H_
