// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CONFIG_SPACE_READER_H_
#define HANAS_CONFIG_SPACE_READER_H_

#include "config/yaml_reader.h"
#include "core/family/convnet/space_spec.h"

namespace hanas::config {

/// Reads the map at `node` as a search space and expands its short forms: the choices of a stage are repeated for each block of the deepest
/// choice, entries of `blocks` replace some of them, and `precisions` of the space, a stage or a block stand for all three convolutions
/// unless `expand_precisions`, `depthwise_precisions` or `project_precisions` is given at the same or a narrower level. A `preset` gives
/// all keys that are not written, also those of `stem` and `head`. Mistakes, and the origin of every expanded field, go to `source`.
/// Thread-compatible.
SpaceSpec ReadSpace(const YAML::Node& node, const std::string& path, const std::string& default_name, SourceMap& source);

}  // namespace hanas::config

#endif  // HANAS_CONFIG_SPACE_READER_H_
