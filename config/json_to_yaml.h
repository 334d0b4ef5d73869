// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CONFIG_JSON_TO_YAML_H_
#define HANAS_CONFIG_JSON_TO_YAML_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::config {

/// A JSON document as block-style YAML with the same content and order of keys: strings stay strings (in quotes where a plain word would be
/// read as something else), everything else is written as it was. Ends in a newline. Returns INVALID_ARGUMENT for text that is not JSON.
/// No exception escapes. Thread-safe.
absl::StatusOr<std::string> JsonToYaml(absl::string_view json);

}  // namespace hanas::config

#endif  // HANAS_CONFIG_JSON_TO_YAML_H_
