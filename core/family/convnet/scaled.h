// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_FAMILY_CONVNET_SCALED_H_
#define HANAS_CORE_FAMILY_CONVNET_SCALED_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/family/convnet/space_spec.h"

namespace hanas {

// Plain networks that a search is compared with: one that is known to be good, wider or narrower. Pure.

/// A network that is scaled in width: the largest one of `space` at 8 bits.
struct PlainFamily {
  std::string name;    // in reports: "dense"
  std::string preset;  // that the space is of: "dense-80k"
  SpaceSpec space;
};

/// The plain networks that searches need beside those of their own spaces.
struct PlainNetworks {
  std::vector<PlainFamily> families;   // that members are compared with where a job asks for it; the first one gets all-in
  std::optional<PlainFamily> teacher;  // that is scaled to be the teacher of jobs that ask for one
};

/// One of a family.
struct ScaledNetwork {
  double factor = 1;
  SpaceSpec space;
};

/// Every width times `factor`, to a multiple of 8 and at least 8. A whitening stem stays what the images make of it, expansions and depths
/// stay what they are.
SpaceSpec ScaledInWidth(SpaceSpec space, double factor);

/// `space` for the images and classes of `other`: its resolutions, channels and number of classes.
SpaceSpec ForImagesOf(const SpaceSpec& other, SpaceSpec space);

/// The factors that networks are scaled by: from a quarter to four times in thirteen factors of about 1.26, the preferred numbers of ISO 3,
/// so that neighbours differ in their multiply-accumulates by about 1.6.
absl::Span<const double> WidthFactors();

/// The family for the images and classes of `job_space`, by ascending factor. Those that rounding makes equal are there once, with the
/// factor that is closest to 1; those that are not valid for these images are not there.
std::vector<ScaledNetwork> ScaledNetworks(const PlainFamily& family, const SpaceSpec& job_space);

}  // namespace hanas

#endif  // HANAS_CORE_FAMILY_CONVNET_SCALED_H_
