// SPDX-License-Identifier: Apache-2.0
#include "core/family/convnet/scaled.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/field_violation.h"

namespace hanas {
namespace {

constexpr int kDivisor = 8;  // of widths: what kernels of int8 are fast with
constexpr double kFactors[] = {0.25, 0.315, 0.4, 0.5, 0.63, 0.8, 1, 1.25, 1.6, 2, 2.5, 3.15, 4};

int ScaledWidth(int width, double factor) {
  return std::max(kDivisor, static_cast<int>(std::lround(width * factor / kDivisor)) * kDivisor);
}

void ScaleAll(std::vector<int>& widths, double factor) {
  for (int& width : widths) width = ScaledWidth(width, factor);
  widths.erase(std::unique(widths.begin(), widths.end()), widths.end());  // choices are distinct, and they ascend
}

}  // namespace

SpaceSpec ScaledInWidth(SpaceSpec space, double factor) {
  if (!space.stem.whitening) ScaleAll(space.stem.widths, factor);
  for (StageSpec& stage : space.stages) ScaleAll(stage.widths, factor);
  ScaleAll(space.head.widths, factor);
  if (space.head.hidden > 0) space.head.hidden = ScaledWidth(space.head.hidden, factor);
  return space;
}

SpaceSpec ForImagesOf(const SpaceSpec& other, SpaceSpec space) {
  space.resolutions = other.resolutions;
  space.input_channels = other.input_channels;
  space.num_classes = other.num_classes;
  if (space.stem.whitening) space.stem.widths = {WhiteningChannels(space)};
  return space;
}

absl::Span<const double> WidthFactors() { return kFactors; }

std::vector<ScaledNetwork> ScaledNetworks(const PlainFamily& family, const SpaceSpec& job_space) {
  std::vector<ScaledNetwork> networks;
  for (const double factor : WidthFactors()) {
    SpaceSpec space = ScaledInWidth(ForImagesOf(job_space, family.space), factor);
    FieldViolations violations;
    ValidateSpaceSpec(space, "space", violations);
    if (!violations.ToStatus().ok()) continue;
    if (!networks.empty() && networks.back().space == space) {
      if (factor <= 1) networks.back().factor = factor;
      continue;
    }
    networks.push_back({factor, std::move(space)});
  }
  return networks;
}

}  // namespace hanas
