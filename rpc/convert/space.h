// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_CONVERT_SPACE_H_
#define HANAS_RPC_CONVERT_SPACE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/family/convnet/space_spec.h"
#include "core/space/search_space.h"
#include "hanas/v1/data.pb.h"
#include "rpc/convert/violations.h"

namespace hanas::rpc {

// Wire <-> core for search spaces. XFromProto returns INVALID_ARGUMENT with field violations (paths as in the protos); ToProto cannot fail.
// Law: XFromProto(ToProto(x)) == x for valid x. Thread-safe: free functions without state.

v1::Precision ToProto(Precision precision);
/// Refuses what is not one of the legal precisions.
absl::StatusOr<Precision> PrecisionFromProto(const v1::Precision& proto, absl::string_view path = "precision");

/// Finds the space that a message names as its preset; its error says which there are. Null where no message may name one.
using PresetFinder = absl::StatusOr<SpaceSpec> (*)(absl::string_view name);

v1::SpaceSpec ToProto(const SpaceSpec& spec);
/// Converted and validated (ValidateSpaceSpec). It may not name a preset.
absl::StatusOr<SpaceSpec> SpaceSpecFromProto(const v1::SpaceSpec& proto, absl::string_view path = "space");
/// The same of a space that was valid once, perhaps under other bounds: it is not validated again. Returns INVALID_ARGUMENT for what cannot
/// be converted.
absl::StatusOr<SpaceSpec> SpaceSpecFromStoredProto(const v1::SpaceSpec& proto);
/// The step before validation, for messages that contain a space: adds what cannot be converted to `violations`. What the message
/// leaves out it takes of the preset that is named, also within stem and head, as ReadSpace of job files does. (Stages are whole: those
/// that the message has take the preset's place with the defaults of stages, where a file's take its `precisions`, which messages do not
/// have.)
SpaceSpec ReadSpaceSpec(const v1::SpaceSpec& proto, absl::string_view path, PresetFinder find_preset, ConversionViolations& violations);

v1::Architecture ToProto(const Architecture& architecture);
/// One choice for each gene of `space`, each in range; the result is canonical.
absl::StatusOr<Architecture> ArchitectureFromProto(const v1::Architecture& proto, const SearchSpace& space,
                                                   absl::string_view path = "architecture");

}  // namespace hanas::rpc

#endif  // HANAS_RPC_CONVERT_SPACE_H_
