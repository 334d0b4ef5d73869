// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_MEASURE_AGREEMENT_H_
#define HANAS_PROFILER_AGENT_MEASURE_AGREEMENT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/bound/bound_model.h"
#include "core/bound/preprocess.h"
#include "profiler-agent/runtime/onnxruntime/onnx_network.h"
#include "profiler-agent/runtime/runtime.h"

namespace hanas {

/// Stored images, unsigned bytes [count, height, width, channels]; a view.
struct ImageSet {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  absl::Span<const uint8_t> pixels;
  absl::Span<const int> labels;  // as many as images, or empty

  int64_t image_bytes() const { return height * width * channels; }
  int64_t count() const { return image_bytes() == 0 ? 0 : static_cast<int64_t>(pixels.size()) / image_bytes(); }
};

struct Score {
  std::vector<int> top1;  // of each image; the lowest class among equals
  int64_t correct = 0;    // 0 without labels
  int64_t images = 0;
  std::vector<int64_t> class_correct;  // of the images of each class; empty without labels
  int64_t among_five = 0;              // images whose class is among the five of the highest logits, the lowest classes among equals
};
/// Asks `progress` after each image; false ends with CANCELLED. Statuses of Infer; INVALID_ARGUMENT for images that do not fit.
absl::StatusOr<Score> ScoreImages(NetworkInstance& network, const Preprocessing& preprocessing, const ImageSet& images,
                                  const std::function<bool(int64_t done)>& progress = nullptr);
/// The same, `batch` images in one execution (the last may be fewer); `progress` is asked after each batch. Statuses of InferBatch.
absl::StatusOr<Score> ScoreInBatches(OnnxNetwork& network, const Preprocessing& preprocessing, const ImageSet& images, int64_t batch,
                                     const std::function<bool(int64_t done)>& progress = nullptr);
/// Images to which the two give different classes. Requires scores of the same images.
int64_t CountDiffering(const Score& a, const Score& b);

/// Two runtimes on the same images.
struct Agreement {
  int64_t compared = 0;
  int64_t agreeing = 0;  // same top-1
  double max_logit_difference = 0;
};
/// The first `max_images` of `images`.
absl::StatusOr<Agreement> CompareNetworks(NetworkInstance& a, NetworkInstance& b, const Preprocessing& preprocessing,
                                          const ImageSet& images, int64_t max_images);

/// The worst disagreement of one executed operator with a reference, given the reference's inputs.
struct OperatorDisagreement {
  int step = -1;
  std::string key;          // text of its OpKey
  double max_steps = 0;     // int8 outputs: in steps of the output's quantiser
  double max_absolute = 0;  // other outputs
};
/// Every step of `network` (prepared from `model` with keep_values) on the inputs that `reference` (the model's export with values exposed,
/// optimisation off) computed for `image`. Steps of the plan whose result the reference does not hold (the float32 half of an expanded
/// int8 operator) are followed into the next one. `names[v]` is the reference's output name of graph value v. Returns NOT_FOUND naming a
/// value that the reference lacks.
absl::StatusOr<std::vector<OperatorDisagreement>> CompareOperators(NetworkInstance& network, const ExecPlan& plan, const BoundModel& model,
                                                                   OnnxNetwork& reference, absl::Span<const std::string> names,
                                                                   absl::Span<const float> image);

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_MEASURE_AGREEMENT_H_
