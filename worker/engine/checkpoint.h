// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_ENGINE_CHECKPOINT_H_
#define HANAS_WORKER_ENGINE_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/digest.h"
#include "core/graph/graph.h"
#include "core/lowering/lowering.h"
#include "dataset/dataset.h"

namespace hanas {

/// The trained state of a supernet: one tensor for each slot of its space, and, between the tasks of one training chain, the momentum that
/// continues it. There are no running statistics: those belong to an evaluation.
///
/// Container (all little-endian): "HANASCKP", u32 version, space digest (2 x u64), chain digest (2 x u64), i64 step, u32 number of tensors;
/// for each: u32 name length, name, u32 rank, i64 extents; then the float32 data of all tensors in order, then a u64 checksum
/// (FNV-1a by words of eight bytes, each step shifted into itself by 29; the last bytes one by one) over everything before it. Tensors are
/// named after their slot; momentum is "momentum/<slot>". Learned quantiser steps, "step/<slot>/k<kernel>/w<bits>", are reserved names: a
/// reader keeps none and refuses unknown prefixes.
///
/// Thread-compatible.
struct Checkpoint {
  Digest space;                              // SearchSpace::digest
  Digest chain;                              // of (recipe, seed, slice, dataset, total steps): what a continuation must agree on
  int64_t step = 0;                          // steps done of the chain
  std::vector<std::vector<float>> weights;   // one for each slot, in slot order
  std::vector<std::vector<float>> momentum;  // the same, or empty when the chain is complete
};

inline constexpr uint32_t kCheckpointVersion = 1;

/// Requires that the tensors have the sizes of `slots`.
std::string SerializeCheckpoint(const Checkpoint& checkpoint, const std::vector<Slot>& slots);

/// Returns DATA_LOSS for truncated or altered bytes, INVALID_ARGUMENT for another format or version, FAILED_PRECONDITION when it is of
/// another space than `lowering`'s.
absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view bytes, const Lowering& lowering);

/// The weights a supernet starts from, pure in (space, seed, data set): He normal for convolutions (fan out for depthwise), small normal
/// for linear layers, ones and zeros for normalisations, identity for kernel transforms; patch whitening is computed from the training
/// images (worker/engine/patch_whitening.h). Requires a data set with as many channels as the space's networks read.
Checkpoint InitialCheckpoint(const Lowering& lowering, uint64_t seed, const Dataset& dataset);

}  // namespace hanas

#endif  // HANAS_WORKER_ENGINE_CHECKPOINT_H_
