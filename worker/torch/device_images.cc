// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/device_images.h"

#include <algorithm>
#include <cstddef>

namespace hanas {
namespace {

/// What Augment does at edges, for every position.
torch::Tensor Reflected(const torch::Tensor& positions, int64_t size) {
  if (size == 1) return torch::zeros_like(positions);
  const int64_t period = 2 * (size - 1);
  const torch::Tensor within = torch::remainder(positions, period);
  return torch::where(within.lt(size), within, period - within);
}

}  // namespace

DeviceImages::DeviceImages(const Dataset& dataset, const torch::Device& device) {
  constexpr int64_t kPiece = 4096;  // images
  const int64_t images = dataset.size(Split::kTrain);
  const int64_t image_bytes = dataset.height() * dataset.width() * dataset.channels();
  pixels_ = torch::empty({images, dataset.height(), dataset.width(), dataset.channels()}, torch::dtype(torch::kUInt8).device(device));
  torch::Tensor labels = torch::empty({images}, torch::kInt64);
  for (int64_t begin = 0; begin < images; begin += kPiece) {
    const int64_t count = std::min(kPiece, images - begin);
    torch::Tensor piece = torch::empty({count * image_bytes}, torch::kUInt8);
    auto* out = piece.mutable_data_ptr<uint8_t>();
    for (int64_t i = begin; i < begin + count; ++i) {
      const absl::Span<const uint8_t> image = dataset.image(Split::kTrain, i);
      out = std::copy(image.begin(), image.end(), out);
      labels.mutable_data_ptr<int64_t>()[i] = dataset.label(Split::kTrain, i);
    }
    pixels_.narrow(0, begin, count).view(-1).copy_(piece);
  }
  labels_ = labels.to(device);
  mean_ = torch::tensor(dataset.mean(), torch::kFloat32).to(device);
  stddev_ = torch::tensor(dataset.stddev(), torch::kFloat32).to(device);
}

Batch DeviceImages::Make(absl::Span<const int64_t> indices, const Augmentation& augmentation, uint64_t seed, int64_t step,
                         const std::vector<bool>& mirrored) const {
  const torch::Device device = pixels_.device();
  const auto count = static_cast<int64_t>(indices.size());
  const bool moves = augmentation.shift != 0 || augmentation.flip;
  // In one transfer: which images, by how much they are moved, and whether they are mirrored.
  torch::Tensor drawn = torch::zeros({4, count}, torch::kInt64);
  auto* const numbers = drawn.mutable_data_ptr<int64_t>();
  std::copy(indices.begin(), indices.end(), numbers);
  if (moves) {
    const std::vector<ImageShift> shifts = DrawShifts(augmentation, seed, step, /*first=*/0, count);
    for (int64_t i = 0; i < count; ++i) {
      numbers[count + i] = shifts[static_cast<size_t>(i)].down;
      numbers[2 * count + i] = shifts[static_cast<size_t>(i)].right;
      numbers[3 * count + i] = augmentation.flip && mirrored[static_cast<size_t>(i)] ? 1 : 0;
    }
  }
  drawn = SentTo(device, drawn);
  const torch::Tensor which = drawn.select(0, 0);
  torch::Tensor bytes;
  if (!moves) {
    bytes = pixels_.index_select(0, which);
  } else {
    const int64_t height = pixels_.size(1);
    const int64_t width = pixels_.size(2);
    const auto from = [&](int64_t extent, int64_t row) {
      const torch::Tensor positions = torch::arange(extent, torch::dtype(torch::kInt64).device(device)).unsqueeze(0);
      return Reflected(positions + drawn.select(0, row).unsqueeze(1), extent);
    };
    const torch::Tensor rows = from(height, 1);
    const torch::Tensor columns = from(width, 2);
    const torch::Tensor shown = torch::where(drawn.select(0, 3).eq(1).unsqueeze(1), width - 1 - columns, columns);
    bytes = pixels_.index({which.view({-1, 1, 1}), rows.unsqueeze(2), shown.unsqueeze(1)});
  }
  return {(bytes.to(torch::kFloat32) / 255.0 - mean_) / stddev_, labels_.index_select(0, which)};
}

}  // namespace hanas
