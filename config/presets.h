// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CONFIG_PRESETS_H_
#define HANAS_CONFIG_PRESETS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/family/convnet/space_spec.h"

namespace hanas::config {

/// A search space that ships with the program, from a file of spaces/.
struct Preset {
  absl::string_view name;  // of the file: "ofa-mobilenetv3"
  absl::string_view text;  // YAML: the keys of `space`, below a comment
};

/// In alphabetical order.
absl::Span<const Preset> Presets();
/// Returns NOT_FOUND with the names that there are, and the closest one if it is close.
absl::StatusOr<Preset> FindPreset(absl::string_view name);

/// The comment at the preset's beginning, as one line.
std::string DescriptionOf(const Preset& preset);
/// The space itself.
SpaceSpec SpecOf(const Preset& preset);
/// The space of the preset of that name; errors are those of FindPreset.
absl::StatusOr<SpaceSpec> FindPresetSpec(absl::string_view name);

}  // namespace hanas::config

#endif  // HANAS_CONFIG_PRESETS_H_
