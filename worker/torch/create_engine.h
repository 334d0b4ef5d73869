// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_CREATE_ENGINE_H_
#define HANAS_WORKER_TORCH_CREATE_ENGINE_H_

#include <memory>
#include <string>

#include "worker/engine/engine.h"

namespace hanas {

struct TorchEngineOptions {
  int num_threads = 1;  // of the tensor library, for the whole process; results are repeatable to the bit only with 1
};

/// The engine on LibTorch, CPU. OMP_WAIT_POLICY=passive must be in the environment before the process starts, or two busy processes on
/// one host slow each other by an order of magnitude.
std::unique_ptr<TrainingEngine> CreateTorchEngine(const TorchEngineOptions& options);

/// "2.6.0".
std::string TorchVersion();

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_CREATE_ENGINE_H_
