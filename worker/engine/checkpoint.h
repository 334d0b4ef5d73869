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
/// A file is safetensors (worker/engine/safetensors.h), which Python reads too. Tensors are named after their slot, in slot order; momentum
/// is "momentum/<slot>", after all weights. Learned quantiser steps, "step/<slot>/k<kernel>/w<bits>", are reserved names: a reader keeps
/// none and refuses unknown names. Metadata: checkpoint_version, space_digest and chain_digest (32 hexadecimal digits), step, crc32c.
///
/// Thread-compatible.
struct Checkpoint {
  Digest space;                              // SearchSpace::digest
  Digest chain;                              // of (recipe, seed, slice, dataset, total steps): what a continuation must agree on
  int64_t step = 0;                          // steps done of the chain
  std::vector<std::vector<float>> weights;   // one for each slot, in slot order
  std::vector<std::vector<float>> momentum;  // the same, or empty when the chain is complete
};

inline constexpr uint32_t kCheckpointVersion = 2;  // 1 was a container of its own

/// Equal checkpoints give equal bytes. Requires that the tensors have the sizes of `slots`.
std::string SerializeCheckpoint(const Checkpoint& checkpoint, const std::vector<Slot>& slots);

/// Returns the errors of ReadSafetensors, INVALID_ARGUMENT for another version, metadata without its entries and tensors that are missing,
/// unknown or of another shape, FAILED_PRECONDITION when it is of another space than `lowering`'s, DATA_LOSS for numbers that are not
/// finite.
absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view bytes, const Lowering& lowering);

/// The weights a supernet starts from, pure in (space, seed, data set): He normal for convolutions (fan out for depthwise), small normal
/// for linear layers, ones and zeros for normalisations, identity for kernel transforms; patch whitening is computed from the training
/// images (worker/engine/patch_whitening.h). Requires a data set with as many channels as the space's networks read.
Checkpoint InitialCheckpoint(const Lowering& lowering, uint64_t seed, const Dataset& dataset);

}  // namespace hanas

#endif  // HANAS_WORKER_ENGINE_CHECKPOINT_H_
