// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_DEVICE_IMAGES_H_
#define HANAS_WORKER_TORCH_DEVICE_IMAGES_H_

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "core/job/search_job.h"
#include "dataset/dataset.h"
#include "worker/torch/network.h"

namespace hanas {

/// The TRAIN split of a data set on a device, where batches are made of it: what LoadBatch and Augment do on the host, without the host
/// touching a pixel. Images are stored as bytes.
///
/// Thread-compatible. Throws c10::Error, of memory too.
class DeviceImages {
 public:
  /// Copies the images, piece by piece; the data set need not outlive them.
  DeviceImages(const Dataset& dataset, const torch::Device& device);

  /// The whole batch of a step: LoadBatch of these images, then Augment, within the rounding of float32. The host does not wait for the
  /// device. Requires an entry of `mirrored` for each image.
  Batch Make(absl::Span<const int64_t> indices, const Augmentation& augmentation, uint64_t seed, int64_t step,
             const std::vector<bool>& mirrored) const;

 private:
  torch::Tensor pixels_;  // [images, height, width, channels], bytes
  torch::Tensor labels_;
  torch::Tensor mean_;
  torch::Tensor stddev_;
};

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_DEVICE_IMAGES_H_
