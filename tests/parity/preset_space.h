// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_PARITY_PRESET_SPACE_H_
#define HANAS_TESTS_PARITY_PRESET_SPACE_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "config/job_file.h"

namespace hanas {

/// A space that ships with the program as a job has it that replaces some of its keys: `changes` are more keys of `space`, in YAML's flow
/// style ("num_classes: 10, resolutions: [64]").
inline SpaceSpec PresetSpace(absl::string_view preset, absl::string_view changes) {
  const std::string job = absl::StrCat(
      "name: job\ndataset: {name: data, format: image_folder, directory: d}\ntarget: {device: local, limits: {latency: 1 ms}}\n"
      "space: {preset: ",
      preset, ", ", changes, "}\n");
  return config::JobFile::Parse(job, "job.yaml").value().job().space;
}

}  // namespace hanas

#endif  // HANAS_TESTS_PARITY_PRESET_SPACE_H_
