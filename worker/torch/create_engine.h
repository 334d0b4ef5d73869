// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_CREATE_ENGINE_H_
#define HANAS_WORKER_TORCH_CREATE_ENGINE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/engine.h"

namespace hanas {

struct TorchEngineOptions {
  int num_threads = 1;              // of the tensor library, for the whole process; results are repeatable to the bit only with 1
  std::string device = "cpu";       // as ResolveTorchDevice returns it: where networks are trained and scored
  bool cpu_as_accelerator = false;  // for tests: as if the CPU were a device that is not to be waited for
};

/// The device that `wanted` means on this machine, "cpu" or "cuda:0": it is one of these, "cuda", or "auto", which is a GPU where there is
/// one. Returns INVALID_ARGUMENT for other words, and for a GPU that is not there or that this LibTorch was not built for.
absl::StatusOr<std::string> ResolveTorchDevice(absl::string_view wanted);

/// Whether a device, as ResolveTorchDevice returns it, convolves faster in bf16 than in float32.
bool MultipliesBf16(absl::string_view device);

/// The engine on LibTorch. Exported models are made and scored on the CPU wherever networks are trained. OMP_WAIT_POLICY=passive must be in
/// the environment before the process starts, or two busy processes on one host slow each other by an order of magnitude.
std::unique_ptr<TrainingEngine> CreateTorchEngine(const TorchEngineOptions& options);

/// "2.6.0".
std::string TorchVersion();

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_CREATE_ENGINE_H_
