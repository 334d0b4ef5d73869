// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CONFIG_GOALS_READER_H_
#define HANAS_CONFIG_GOALS_READER_H_

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "config/yaml_reader.h"
#include "core/job/search_job.h"

namespace hanas::config {

// The objectives and limits of a job file. Every mistake goes to the SourceMap, with its place.

/// A list of quantities, each a name or a map with `of`.
std::vector<ObjectiveSpec> ReadObjectives(const YAML::Node& node, const std::string& path, SourceMap& source);

/// Appends limits to `limits`: those of the short form, a map from quantities to values, or of the long one, a list of maps. What
/// ReadLimits leaves in `than` may be a preset.
void ReadLimits(const YAML::Node& node, const std::string& path, SourceMap& source, std::vector<LimitSpec>& limits);

/// The same for limits that a target among several has as its own.
void ReadLimitsOf(const TargetSpec& target, const YAML::Node& node, const std::string& path, SourceMap& source,
                  std::vector<LimitSpec>& limits);

/// Turns limits that are relative to a preset into absolute ones: a share of what the preset's largest network with 8 bits has, with the
/// classes of the job's space.
void ResolvePresets(SearchJob& job, SourceMap& source);

}  // namespace hanas::config

#endif  // HANAS_CONFIG_GOALS_READER_H_
