// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_TORCH_NETWORK_H_
#define HANAS_WORKER_TORCH_NETWORK_H_

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "core/bound/bound_model.h"
#include "core/bound/preprocess.h"
#include "core/lowering/lowering.h"
#include "dataset/dataset.h"
#include "worker/engine/engine.h"
#include "worker/engine/kernels.h"
#include "worker/torch/device_ops.h"

namespace hanas {

// The supernet: it interprets the core Graph over shared slot tensors. There are no layer objects; a network is its graph. Functions throw
// c10::Error; the engine turns that into a Status. Thread-compatible.

/// The slots of a space as tensors, leaves of the gradient when training unless they are frozen.
class SlotTensors {
 public:
  /// Copies `weights`, one vector for each slot.
  SlotTensors(const std::vector<Slot>& slots, const std::vector<std::vector<float>>& weights, bool requires_grad,
              const torch::Device& device = torch::kCPU);

  /// The same numbers in the same memory, with gradients of their own: for one shard of a batch.
  SlotTensors Shared() const;

  /// Slices every axis, then applies the kernel transform chain.
  torch::Tensor View(const WeightView& view) const;
  std::vector<torch::Tensor>& tensors() { return tensors_; }

 private:
  SlotTensors() = default;

  std::vector<torch::Tensor> tensors_;
};

/// What each operator reads, its weights on their grid.
std::vector<OperatorTensors> Materialise(const DeviceOps& ops, const Graph& graph, const SlotTensors& slots);

/// Where a network's tensors are.
torch::Device DeviceOf(const std::vector<OperatorTensors>& tensors);

/// Whether the value exists as int8 anywhere, for each value.
std::vector<bool> ValuesReadAsInt8(const Graph& graph);

/// What a convolution's bias and normalisation do to one channel of its sums.
struct ChannelFold {
  float scale = 1;
  float shift = 0;
};

/// Batch-normalisation statistics for each operator and quantisers for each value.
struct Calibration {
  std::vector<std::vector<float>> mean;
  std::vector<std::vector<float>> variance;
  std::vector<Quantizer> quantizers;
  std::vector<std::vector<ChannelFold>> folds = {};  // of each convolution, FoldsOf; empty: not known yet
};

/// Of each channel of operator `index`; with an empty calibration only for operators without a normalisation.
std::vector<ChannelFold> FoldsOf(const Operator& op, const OperatorTensors& tensors, const Calibration& calibration, size_t index);

/// Averages what the batches of a calibration saw.
class CalibrationSums {
 public:
  explicit CalibrationSums(const Graph& graph)
      : mean_(graph.operators.size()), variance_(graph.operators.size()), ranges_(graph.values.size()) {}
  void AddMoments(size_t op, const kernels::Moments& moments);
  void AddRange(ValueId value, const kernels::Range& range);
  /// Quantisers are from the average of the batches' smallest and largest values.
  Calibration Average(const Graph& graph) const;

 private:
  struct RangeSum {
    double low = 0;
    double high = 0;
    int count = 0;
  };
  std::vector<std::vector<double>> mean_;
  std::vector<std::vector<double>> variance_;
  std::vector<RangeSum> ranges_;
  std::vector<int> counts_;
};

/// Logits with the statistics and ranges of the batch itself; differentiable. `sums` may be null. `values`, when not null, receives every
/// value (for tests).
torch::Tensor ForwardBatch(const DeviceOps& ops, const Graph& graph, const std::vector<OperatorTensors>& tensors,
                           const torch::Tensor& input, CalibrationSums* sums, std::vector<torch::Tensor>* values = nullptr);

/// Logits with fixed statistics and ranges. No gradient.
torch::Tensor ForwardCalibrated(const DeviceOps& ops, const Graph& graph, const std::vector<OperatorTensors>& tensors,
                                const Calibration& calibration, const torch::Tensor& input);

/// For each value: the quantiser of one behind a sigmoid or a hard sigmoid, which is fixed; a scale of 0 for all others.
std::vector<Quantizer> FixedQuantizers(const Graph& graph);
/// Gives what `op` leaves the quantiser of what it reads if it is a max-pool in int8.
void PassQuantizerOn(const Operator& op, std::vector<Quantizer>& quantizers);

/// Where networks are computed.
struct ComputePlace {
  torch::Device device = torch::kCPU;
  /// The host goes on while the device computes, and is not to wait for it within a step.
  bool is_accelerator = false;
};

/// The same numbers on `device`, without waiting for it: from pinned memory, which transfers read while the host goes on.
torch::Tensor SentTo(const torch::Device& device, const torch::Tensor& host);

/// Normalised images [N, H, W, C] and their labels.
struct Batch {
  torch::Tensor images;
  torch::Tensor labels;
};
/// At the data set's size, to be augmented and resized: for training.
Batch LoadBatch(const Dataset& dataset, Split split, absl::Span<const int64_t> indices);
/// As `graph` reads them, by the preprocessing that its BoundModel will carry: for everything that judges a network.
Batch LoadInputs(const Dataset& dataset, Split split, absl::Span<const int64_t> indices, const ImagePreprocessor& preprocessor);
/// What a network of `graph`'s input size does with images of `dataset`.
Preprocessing PreprocessingOf(const Graph& graph, const Dataset& dataset);
/// For the data set's stored images. Throws when they do not fit `preprocessing`.
ImagePreprocessor MakePreprocessor(const Dataset& dataset, const Preprocessing& preprocessing);
/// By how many pixels an image is moved.
struct ImageShift {
  int64_t down = 0;  // the row that is shown on top; negative: mirrored ones above it
  int64_t right = 0;
};
/// Those of the images of the step's batch from `first` on, drawn for (seed, step).
std::vector<ImageShift> DrawShifts(const Augmentation& augmentation, uint64_t seed, int64_t step, int64_t first, int64_t count);
/// Changes images in place, which are those of the step's batch from `first` on: shifts drawn for (seed, step), the edges reflected, then,
/// with `augmentation.flip`, left and right exchanged in those that `mirrored` names. Requires an entry for each image of the batch.
void Augment(const Augmentation& augmentation, uint64_t seed, int64_t step, const std::vector<bool>& mirrored, int64_t first,
             torch::Tensor& images);
/// Bilinear, half-pixel centres, no antialiasing; the same tensor when it has the size. For augmented images, which no preprocessor has as
/// bytes; within a few roundings of it.
torch::Tensor ResizeTo(const torch::Tensor& images, int64_t height, int64_t width);

/// One pass over the first images of the TRAIN split. Requires a non-empty calibration set.
Calibration Calibrate(const DeviceOps& ops, const Graph& graph, const std::vector<OperatorTensors>& tensors, const Dataset& dataset,
                      const CalibrationSet& options);

}  // namespace hanas

#endif  // HANAS_WORKER_TORCH_NETWORK_H_
