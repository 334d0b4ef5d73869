// SPDX-License-Identifier: Apache-2.0
// Writes a checkpoint with momentum to standard output, and what is in it to standard error: a line for each tensor in slot order, with its
// name, its extents and its first and last weight.
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/core/small_space.h"
#include "tests/worker/drawn_data.h"
#include "worker/engine/checkpoint.h"

int main() {
  const hanas::Lowering lowering{hanas::SmallConvnet()};
  const std::vector<hanas::Slot>& slots = lowering.slots().slots();
  hanas::Checkpoint checkpoint = hanas::InitialCheckpoint(lowering, 7, hanas::DrawnData(20, 10, 10));
  checkpoint.momentum = checkpoint.weights;
  checkpoint.step = 42;
  std::cout << hanas::SerializeCheckpoint(checkpoint, slots);
  for (size_t i = 0; i < slots.size(); ++i) {
    const std::vector<float>& weights = checkpoint.weights[i];
    std::cerr << absl::StrCat(slots[i].name, " ", absl::StrJoin(slots[i].shape, ","), " ", weights.front(), " ", weights.back(), "\n");
  }
  return 0;
}
