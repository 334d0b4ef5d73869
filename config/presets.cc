// SPDX-License-Identifier: Apache-2.0
#include "config/presets.h"

#include <vector>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "config/preset_texts.h"
#include "config/space_reader.h"
#include "config/spelling.h"

namespace hanas::config {

absl::Span<const Preset> Presets() { return kPresetTexts; }

absl::StatusOr<Preset> FindPreset(absl::string_view name) {
  std::vector<std::string> names;
  for (const Preset& preset : Presets()) {
    if (preset.name == name) return preset;
    names.emplace_back(preset.name);
  }
  const std::string closest = ClosestWord(name, names);
  return absl::NotFoundError(absl::StrCat("expected a preset (", absl::StrJoin(names, ", "), "), found \"", name, "\"",
                                          closest.empty() ? "" : absl::StrCat("; did you mean ", closest, "?")));
}

std::string DescriptionOf(const Preset& preset) {
  std::string description;
  for (absl::string_view line : absl::StrSplit(preset.text, '\n')) {
    if (!absl::ConsumePrefix(&line, "# ")) break;
    absl::StrAppend(&description, description.empty() ? "" : " ", line);
  }
  return description;
}

SpaceSpec SpecOf(const Preset& preset) {
  SourceMap source;
  SpaceSpec spec = ReadSpace(YAML::Load(std::string(preset.text)), "space", std::string(preset.name), source);
  CHECK(source.problems().empty()) << "spaces/" << preset.name << ".yaml: " << source.problems().front().message;
  return spec;
}

absl::StatusOr<SpaceSpec> FindPresetSpec(absl::string_view name) {
  const absl::StatusOr<Preset> preset = FindPreset(name);
  if (!preset.ok()) return preset.status();
  return SpecOf(*preset);
}

}  // namespace hanas::config
