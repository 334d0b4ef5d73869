// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_GRAPH_TEXT_H_
#define HANAS_TESTS_SUPPORT_GRAPH_TEXT_H_

#include <string>
#include <vector>

#include "core/graph/graph.h"

namespace hanas::testing {

/// What a graph computes, one operator a line: kind, inputs, attributes, types, the views of its weights by slot name, the output's shape
/// and type. The names of values and the numbering of values and slots are left out, so that two descriptions of one network give equal
/// texts. `slots` are those that the graph's views refer to.
std::string GraphText(const Graph& graph, const std::vector<Slot>& slots);

}  // namespace hanas::testing

#endif  // HANAS_TESTS_SUPPORT_GRAPH_TEXT_H_
