// SPDX-License-Identifier: Apache-2.0
#include "coordinator/service/plain_networks.h"

#include <string>
#include <utility>

#include "absl/log/absl_check.h"
#include "absl/status/statusor.h"
#include "config/presets.h"

namespace hanas::coordinator {
namespace {

PlainFamily FamilyOf(std::string name, std::string preset) {
  absl::StatusOr<SpaceSpec> space = config::FindPresetSpec(preset);
  ABSL_CHECK_OK(space.status());  // it ships with the program
  return {.name = std::move(name), .preset = std::move(preset), .space = *std::move(space)};
}

}  // namespace

PlainNetworks PlainNetworksOfPresets() {
  return {.families = {FamilyOf("dense", "dense-80k"), FamilyOf("mbconv", "mbconv-33k")}, .teacher = FamilyOf("teacher", "dense-250k")};
}

}  // namespace hanas::coordinator
