// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_EXPORT_GRAPH_CODEC_H_
#define HANAS_EXPORT_GRAPH_CODEC_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "core/graph/graph.h"
#include "export/bound_model_generated.h"

namespace hanas {

/// Graph <-> its tables of export/bound_model.fbs. Law: what GraphToFile writes of a graph that CheckGraph accepts, GraphFromFile reads as
/// the same graph, or refuses because it is out of a reader's bounds. Internal to export/. Thread-safe: free functions without state.

/// Values, and operators, of a graph.
inline constexpr int kMaxGraphNodes = 1 << 16;
/// Of the FlatBuffer: the graph, its values, its operators with four views each.
inline constexpr size_t kMaxGraphTables = 1 + size_t{6} * kMaxGraphNodes;
/// Graph, operator, view.
inline constexpr int kMaxGraphDepth = 3;

void GraphToFile(const Graph& graph, file::GraphT& out);

/// Bytes that the texts and vectors of a verified `table` take when each is read wherever it is named. A FlatBuffer may name one many
/// times, so this can exceed the size of the buffer.
size_t GraphContentBytes(const file::Graph& table);

/// Accepts only what every reader can execute without further checks: known enumerators; extents, kernels and element counts within bounds
/// (no product of them overflows); views and ranks that fit the operator; then CheckGraph. Requires a table that the verifier accepts.
/// Returns INVALID_ARGUMENT naming the value or operator, what was expected and what was found.
absl::StatusOr<Graph> GraphFromFile(const file::Graph& table);

}  // namespace hanas

#endif  // HANAS_EXPORT_GRAPH_CODEC_H_
