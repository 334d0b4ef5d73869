// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_PARITY_TRAINED_NETWORKS_H_
#define HANAS_TESTS_PARITY_TRAINED_NETWORKS_H_

#include <memory>
#include <string>
#include <vector>

#include "core/bound/bound_model.h"
#include "core/lowering/lowering.h"
#include "dataset/dataset.h"
#include "worker/engine/engine.h"

namespace hanas {

/// Networks with weights that the real engine trained for some seconds: squeeze-and-excite with hard-swish, residual blocks with either
/// activation, a hidden layer, two resolutions, every precision. Fashion-MNIST where HANAS_DATA_DIR has it, else images that the program
/// draws.
///
/// Trains when made. Not thread-safe.
class TrainedNetworks {
 public:
  /// A network and what it is, for messages: "w4a8 at 20".
  struct Network {
    std::string name;
    BoundModel model;
  };

  TrainedNetworks();

  const Dataset& data() const { return data_; }
  TrainingEngine& engine() { return *engine_; }

  /// Every precision throughout the network at both resolutions, then some with a precision for each layer.
  std::vector<Network> All();

 private:
  BoundModel Bind(const Architecture& architecture);

  Dataset data_;
  Lowering lowering_;
  std::unique_ptr<TrainingEngine> engine_;
  std::string checkpoint_;
};

}  // namespace hanas

#endif  // HANAS_TESTS_PARITY_TRAINED_NETWORKS_H_
