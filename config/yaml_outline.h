// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CONFIG_YAML_OUTLINE_H_
#define HANAS_CONFIG_YAML_OUTLINE_H_

#include <optional>
#include <string>

#include "config/yaml_reader.h"

namespace hanas::config {

/// Walks a YAML text without building anything of it, and says what makes it too large to read: no or more than one document, lists and
/// maps that are too deep within one another, or too many values with aliases followed, which a few lines can ask for by the billion. None
/// when it may be read. Throws YAML::Exception for text that is not YAML.
std::optional<Problem> FindExcess(const std::string& text);

}  // namespace hanas::config

#endif  // HANAS_CONFIG_YAML_OUTLINE_H_
