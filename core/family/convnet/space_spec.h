// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_FAMILY_CONVNET_SPACE_SPEC_H_
#define HANAS_CORE_FAMILY_CONVNET_SPACE_SPEC_H_

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/field_violation.h"
#include "core/base/text.h"
#include "core/space/precision.h"

namespace hanas {

enum class Activation : uint8_t { kRelu = 0, kHardSwish = 1, kRelu6 = 2, kSilu = 3 };

/// What the blocks of a stage are made of; all convolutions are normalised.
enum class BlockKind : uint8_t {
  kMbconv = 0,       // inverted residual: 1x1 to the middle, depthwise k x k, 1x1 to the width (Sandler et al. 2018, Howard et al. 2019)
  kFusedMbconv = 1,  // dense k x k to the middle, 1x1 to the width; with expansion 1 the k x k alone (Gupta and Akin 2019)
  kResidual = 2,     // two dense k x k and a shortcut (the basic block of He et al. 2016)
  kBottleneck = 3,   // 1x1 to a fraction of the width, k x k, 1x1 to the width, and a shortcut (He et al. 2016, stride in the middle)
  kConv = 4,         // one dense k x k
};

/// How the first block of a stage lowers the resolution by the stage's stride.
enum class Downsample : uint8_t {
  kStride = 0,   // its first k x k convolution has the stride
  kMaxPool = 1,  // it keeps the resolution, and a max-pool of that window and stride follows it
};

enum class GlobalPool : uint8_t { kAverage = 0, kMax = 1 };

/// Inner width and gate of squeeze-and-excite (Hu et al. 2018).
enum class SqueezeStyle : uint8_t {
  kMobileNetV3 = 0,   // a quarter of the middle to a multiple of 8; ReLU, then hard sigmoid
  kEfficientNet = 1,  // a quarter of the block's input; the block's activation, then sigmoid
};

/// The enumerations above, which jobs and genes write as words.
template <typename T>
concept SpaceWord = std::is_same_v<T, Activation> || std::is_same_v<T, BlockKind> || std::is_same_v<T, Downsample> ||
                    std::is_same_v<T, GlobalPool> || std::is_same_v<T, SqueezeStyle>;

/// The words for the values of an enumeration, in the order of its numbers.
template <SpaceWord T>
absl::Span<const absl::string_view> Words();

template <SpaceWord T>
absl::string_view Name(T value) {
  return Words<T>()[static_cast<size_t>(value)];
}

/// Returns INVALID_ARGUMENT with what was expected and found.
template <SpaceWord T>
absl::StatusOr<T> FromName(absl::string_view name) {
  absl::StatusOr<uint8_t> index = IndexOfWord(name, Words<T>());
  if (!index.ok()) return index.status();
  return static_cast<T>(*index);
}

/// Choices of one block. Each list is a gene; one element fixes it. A choice that the block's kind does not read is none of a network's.
struct BlockSpec {
  std::vector<int> kernels = {3};
  /// Of mbconv and fused_mbconv: the middle as a multiple of the block's input channels, rounded to a multiple of 8; exactly 1 drops the
  /// convolution to the middle.
  std::vector<double> expansions = {6};
  std::vector<bool> squeeze_excite = {false};  // of mbconv and fused_mbconv
  std::vector<Activation> activations = {Activation::kRelu};
  std::vector<Precision> expand_precisions = {{8, 8}};     // of the first of several convolutions
  std::vector<Precision> depthwise_precisions = {{8, 8}};  // of the middle one of three
  std::vector<Precision> project_precisions = {{8, 8}};    // of the last one, and of a shortcut's
  friend bool operator==(const BlockSpec&, const BlockSpec&) = default;
};

/// A run of blocks at one width and of one kind; the first has the stride. `depths` counts blocks. `blocks` has one entry for each of the
/// deepest choice's blocks (config/ repeats a stage-wide one).
struct StageSpec {
  std::vector<int> widths;
  std::vector<int> depths;
  int stride = 1;
  std::vector<BlockKind> kinds = {BlockKind::kMbconv};
  std::vector<Downsample> downsamples = {Downsample::kStride};  // means nothing at stride 1
  double bottleneck = 0.25;                                     // the middle of a bottleneck as a fraction of its width
  int groups = 1;                                               // of the k x k convolutions of bottlenecks (Xie et al. 2017)
  SqueezeStyle squeeze_style = SqueezeStyle::kMobileNetV3;
  std::vector<BlockSpec> blocks;
  friend bool operator==(const StageSpec&, const StageSpec&) = default;
};

/// k x k convolution on the image. Odd kernels pad by half of their size, even ones not at all.
struct StemSpec {
  std::vector<int> widths = {16};
  int kernel = 3;
  int stride = 2;
  /// The convolution's weights are computed from patches of the training images and stay as they are; it has a bias instead of a
  /// normalisation, and one width: two for each number in a patch.
  bool whitening = false;
  bool max_pool = false;  // 3x3 at stride 2 behind it
  Activation activation = Activation::kHardSwish;
  std::vector<Precision> precisions = {{8, 8}};
  friend bool operator==(const StemSpec&, const StemSpec&) = default;
};

/// 1x1 convolution to `widths` (empty: none), global pooling, an optional hidden layer (`hidden` = 0: none), the classifier.
struct HeadSpec {
  std::vector<int> widths;
  Activation activation = Activation::kHardSwish;
  std::vector<Precision> precisions = {{8, 8}};
  std::vector<GlobalPool> pools = {GlobalPool::kAverage};
  int hidden = 0;
  bool hidden_bias = true;
  std::vector<Precision> hidden_precisions = {{8, 8}};
  std::vector<Precision> classifier_precisions = {{8, 8}};
  friend bool operator==(const HeadSpec&, const HeadSpec&) = default;
};

/// A search space of convolutional networks, as a user writes it. Plain data; ConvnetSpace::Define validates it.
struct SpaceSpec {
  std::string name;
  std::vector<int> resolutions;
  int input_channels = 3;
  int num_classes = 10;
  StemSpec stem;
  std::vector<StageSpec> stages;
  HeadSpec head;
  friend bool operator==(const SpaceSpec&, const SpaceSpec&) = default;
};

/// Adds every violation of `spec` to `violations`, paths below `path` ("space.stages[1].widths[0]"). The bounds are those of
/// core/base/bounds.h; what is in a list that is longer than allowed is not looked at.
void ValidateSpaceSpec(const SpaceSpec& spec, absl::string_view path, FieldViolations& violations);

/// `value` rounded to the nearest multiple of `divisor`, never more than 10 % below (the rounding of MobileNet's reference code).
int MakeDivisible(double value, int divisor);

/// Channels of a whitening stem: every direction of its patches and the opposite one.
int WhiteningChannels(const SpaceSpec& spec);

inline constexpr int kWhiteningKernel = 2;
/// What a whitening stem is unless its other fields are written: at stride 1, with ReLU, of the one width that it can have.
StemSpec WhiteningStem(int input_channels, int kernel = kWhiteningKernel);

}  // namespace hanas

#endif  // HANAS_CORE_FAMILY_CONVNET_SPACE_SPEC_H_
