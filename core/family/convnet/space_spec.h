// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_FAMILY_CONVNET_SPACE_SPEC_H_
#define HANAS_CORE_FAMILY_CONVNET_SPACE_SPEC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/field_violation.h"
#include "core/space/precision.h"

namespace hanas {

enum class Activation : uint8_t { kRelu = 0, kHardSwish = 1 };
absl::string_view Name(Activation activation);
/// "relu" or "hard_swish". Returns INVALID_ARGUMENT for other text.
absl::StatusOr<Activation> ActivationFromName(absl::string_view name);

/// Choices of one MBConv block (inverted residual; Sandler et al. 2018, Howard et al. 2019). Each list is a gene; one element fixes it.
/// `expansions` are multiples of the block's input channels, rounded to a multiple of 8; exactly 1 drops the expansion convolution.
struct BlockSpec {
  std::vector<int> kernels = {3};
  std::vector<double> expansions = {6};
  std::vector<bool> squeeze_excite = {false};
  std::vector<Activation> activations = {Activation::kRelu};
  std::vector<Precision> expand_precisions = {{8, 8}};
  std::vector<Precision> depthwise_precisions = {{8, 8}};
  std::vector<Precision> project_precisions = {{8, 8}};
  friend bool operator==(const BlockSpec&, const BlockSpec&) = default;
};

/// A run of blocks at one width; the first has the stride. `depths` counts blocks. `blocks` has one entry for each of the deepest choice's
/// blocks (config/ repeats a stage-wide one).
struct StageSpec {
  std::vector<int> widths;
  std::vector<int> depths;
  int stride = 1;
  std::vector<BlockSpec> blocks;
};

/// k x k convolution on the image.
struct StemSpec {
  std::vector<int> widths = {16};
  int kernel = 3;
  int stride = 2;
  Activation activation = Activation::kHardSwish;
  std::vector<Precision> precisions = {{8, 8}};
};

/// 1x1 convolution to `widths`, global pooling, an optional hidden layer (`hidden` = 0: none), the classifier.
struct HeadSpec {
  std::vector<int> widths;
  Activation activation = Activation::kHardSwish;
  std::vector<Precision> precisions = {{8, 8}};
  int hidden = 0;
  std::vector<Precision> hidden_precisions = {{8, 8}};
  std::vector<Precision> classifier_precisions = {{8, 8}};
};

/// A search space of convolutional networks, as a user writes it: today's are of the MobileNetV3 kind. Plain data; ConvnetSpace::Define
/// validates it.
struct SpaceSpec {
  std::string name;
  std::vector<int> resolutions;
  int input_channels = 3;
  int num_classes = 10;
  StemSpec stem;
  std::vector<StageSpec> stages;
  HeadSpec head;
};

/// Adds every violation of `spec` to `violations`, paths below `path` ("space.stages[1].widths[0]"). The bounds are those of
/// core/base/bounds.h; what is in a list that is longer than allowed is not looked at.
void ValidateSpaceSpec(const SpaceSpec& spec, absl::string_view path, FieldViolations& violations);

/// MobileNetV3-Large (Howard et al. 2019) at 224x224, 1000 classes, as a space with one choice per gene, at 16 bits throughout.
SpaceSpec MobileNetV3Large();

}  // namespace hanas

#endif  // HANAS_CORE_FAMILY_CONVNET_SPACE_SPEC_H_
