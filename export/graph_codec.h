// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_EXPORT_GRAPH_CODEC_H_
#define HANAS_EXPORT_GRAPH_CODEC_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/graph/graph.h"
#include "export/bound_model.pb.h"

namespace hanas {

/// Graph <-> export/bound_model.proto. Law: GraphFromProto(GraphToProto(g)) == g for every graph that CheckGraph accepts.
/// Internal to export/. Thread-safe: free functions without state.

void GraphToProto(const Graph& graph, model::v1::Graph* proto);

/// Accepts only what every reader can execute without further checks: known enumerators; extents, kernels and element counts within bounds
/// (no product of them overflows); views and ranks that fit the operator; then CheckGraph.
/// Returns INVALID_ARGUMENT naming the value or operator, what was expected and what was found.
absl::StatusOr<Graph> GraphFromProto(const model::v1::Graph& proto);

}  // namespace hanas

#endif  // HANAS_EXPORT_GRAPH_CODEC_H_
