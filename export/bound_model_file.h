// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_EXPORT_BOUND_MODEL_FILE_H_
#define HANAS_EXPORT_BOUND_MODEL_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/bound/bound_model.h"

namespace hanas {

/// The serialised form of a BoundModel: what a worker stores, and what an agent or a verifier reads back.
///
/// Layout, all integers little-endian:
///   magic    "HANASBM\n"
///   version  4 bytes
///   CRC-32C  4 bytes, of all that follows
///   sizes    4 bytes of that of the header, 4 of that of the tensors
///   header   a FlatBuffer of export/bound_model.fbs, at an offset that is a multiple of 8
///   tensors  those of each operator that has weights, in order, without padding between them:
///              weights  packed at their stored width: 8 bits one to a byte, 4 bits two and 2 bits four with the first in the low bits (the
///                       last byte filled up with zeros), half floats two bytes each
///              scales   float32, one for each output channel; absent for float weights
///              bias     float32, one for each output channel
/// The sizes of tensors follow from the graph, so that they take exactly Cost::size_bytes and a file is that plus its header.
///
/// Laws: Parse(Serialize(x)) == x; equal models have equal bytes; every changed bit is refused. Readers never crash on hostile bytes, and
/// allocate nothing for tensors, texts and lists that are not there.
///
/// Thread-safe: free functions without state.

/// 3: the header is a FlatBuffer.
inline constexpr uint32_t kBoundModelFileVersion = 3;
/// Larger inputs are refused unread.
inline constexpr size_t kMaxBoundModelFileBytes = size_t{1} << 30;
inline constexpr size_t kMaxBoundModelHeaderBytes = size_t{1} << 22;

/// Requires CheckBoundModel(model), and 16-bit weights that are representable in IEEE half (others are rounded to even).
std::string SerializeBoundModel(const BoundModel& model);

/// Returns, in this order, INVALID_ARGUMENT if `bytes` is too large, does not begin with the magic, or is shorter than its fixed part;
/// FAILED_PRECONDITION saying what to do if it has another version; DATA_LOSS if the rest does not have the size or the checksum that it
/// was written with; INVALID_ARGUMENT naming what is wrong if the header does not pass its verifier, or the content breaks an invariant of
/// Graph or BoundModel.
absl::StatusOr<BoundModel> ParseBoundModel(absl::string_view bytes);

}  // namespace hanas

#endif  // HANAS_EXPORT_BOUND_MODEL_FILE_H_
