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

/// Networks with weights that the real engine trained for some seconds, of two spaces. One has squeeze-and-excite with hard-swish, inverted
/// residuals with either activation, a hidden layer, two resolutions, every precision; the other every kind of block, pools, a stem
/// computed from the images, SiLU and ReLU6. Fashion-MNIST where HANAS_DATA_DIR has it, else images that the program draws.
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

  /// Of each space: every precision throughout the smallest and the largest network, then some with a precision for each layer.
  std::vector<Network> All();

 private:
  struct Supernet {
    Lowering lowering;
    std::string checkpoint;
  };
  BoundModel Bind(const Supernet& supernet, const Architecture& architecture);

  Dataset data_;
  std::unique_ptr<TrainingEngine> engine_;
  std::vector<std::unique_ptr<Supernet>> supernets_;
};

}  // namespace hanas

#endif  // HANAS_TESTS_PARITY_TRAINED_NETWORKS_H_
