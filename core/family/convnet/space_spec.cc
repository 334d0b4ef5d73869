// SPDX-License-Identifier: Apache-2.0
#include "core/family/convnet/space_spec.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"

namespace hanas {
namespace {

/// Checks the lists of one specification; a member keeps the path that every message starts with.
class Checker {
 public:
  Checker(absl::string_view path, FieldViolations& violations) : path_(path), violations_(violations) {}

  Checker Field(absl::string_view name) const { return Checker(absl::StrCat(path_, ".", name), violations_); }
  Checker Item(absl::string_view name, size_t index) const { return Checker(absl::StrCat(path_, ".", name, "[", index, "]"), violations_); }

  void Fail(absl::string_view message) const { violations_.Add(path_, message); }

  void Range(int value, int low, int high) const {
    if (value < low || value > high) Fail(absl::StrCat("expected a whole number from ", low, " to ", high, ", found ", value));
  }

  // These return whether the number of choices is in range: what is in a list that is far too long is not looked at.

  /// A gene's choices: not empty, strictly ascending, each in range.
  template <typename T>
  bool Ascending(const std::vector<T>& choices, T low, T high) const {
    if (!Count(choices.size())) return false;
    for (size_t i = 0; i < choices.size(); ++i) {
      if (!(choices[i] >= low && choices[i] <= high)) {
        Element(i).Fail(absl::StrCat("expected a number from ", low, " to ", high, ", found ", choices[i]));
      } else if (i > 0 && !(choices[i] > choices[i - 1])) {
        Element(i).Fail(absl::StrCat("expected choices in ascending order without repeats, found ", choices[i], " after ", choices[i - 1]));
      }
    }
    return true;
  }

  template <typename T>
  bool Distinct(const std::vector<T>& choices) const {
    if (!Count(choices.size())) return false;
    for (size_t i = 1; i < choices.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (choices[i] != choices[j]) continue;
        Element(i).Fail("expected distinct choices, found a repeated one");
        return true;
      }
    }
    return true;
  }

  void Precisions(const std::vector<Precision>& choices, int min_weight_bits = 2) const {
    if (!Distinct(choices)) return;
    for (size_t i = 0; i < choices.size(); ++i) {
      if (!IsLegal(choices[i])) {
        Element(i).Fail(absl::StrCat("expected ", LegalPrecisions(), ", found ", ToString(choices[i])));
      } else if (choices[i].weight_bits < min_weight_bits) {
        Element(i).Fail(
            absl::StrCat("expected at least ", min_weight_bits, " weight bits in the first and last layer, found ", ToString(choices[i])));
      }
    }
  }

  void Kernels(const std::vector<int>& choices) const {
    if (!Ascending(choices, 1, bounds::kMaxKernel)) return;
    for (size_t i = 0; i < choices.size(); ++i) {
      if (choices[i] % 2 == 0) Element(i).Fail(absl::StrCat("expected an odd kernel size, found ", choices[i]));
    }
  }

  void SqueezeExcite(const std::vector<bool>& choices) const {
    if (!Count(choices.size())) return;
    if (choices.size() > 2 || (choices.size() == 2 && (choices[0] || !choices[1]))) Fail("expected [false], [true] or [false, true]");
  }

 private:
  Checker Element(size_t index) const { return Checker(absl::StrCat(path_, "[", index, "]"), violations_); }
  bool Count(size_t size) const {
    if (size == 0) Fail("expected at least one choice, found an empty list");
    if (size > bounds::kMaxChoices) Fail(absl::StrCat("expected at most ", bounds::kMaxChoices, " choices, found ", size));
    return size > 0 && size <= bounds::kMaxChoices;
  }

  std::string path_;
  FieldViolations& violations_;
};

void CheckBlock(const BlockSpec& block, const Checker& at) {
  at.Field("kernels").Kernels(block.kernels);
  at.Field("expansions").Ascending(block.expansions, 1.0, bounds::kMaxExpansion);
  at.Field("squeeze_excite").SqueezeExcite(block.squeeze_excite);
  at.Field("activations").Distinct(block.activations);
  at.Field("expand_precisions").Precisions(block.expand_precisions);
  at.Field("depthwise_precisions").Precisions(block.depthwise_precisions);
  at.Field("project_precisions").Precisions(block.project_precisions);
}

bool Has(const StageSpec& stage, BlockKind kind) { return std::find(stage.kinds.begin(), stage.kinds.end(), kind) != stage.kinds.end(); }

/// In a stage of several kinds, whether a block has a first convolution must not depend on its expansion: no gene could say that.
void CheckExpansions(const StageSpec& stage, const Checker& at) {
  if (!Has(stage, BlockKind::kResidual) && !Has(stage, BlockKind::kBottleneck)) return;
  if (!Has(stage, BlockKind::kMbconv) && !Has(stage, BlockKind::kFusedMbconv)) return;
  for (size_t i = 0; i < stage.blocks.size(); ++i) {
    const std::vector<double>& expansions = stage.blocks[i].expansions;
    if (expansions.size() < 2 || expansions.front() != 1.0) continue;
    at.Item("blocks", i)
        .Field("expansions")
        .Fail("expected 1 alone or not at all beside residual or bottleneck blocks, found 1 among others; leave it out");
  }
}

void CheckGroups(const StageSpec& stage, const Checker& at) {
  at.Field("groups").Range(stage.groups, 1, bounds::kMaxChannels);
  if (stage.groups <= 1) return;
  for (const BlockKind kind : stage.kinds) {
    if (kind == BlockKind::kBottleneck) continue;
    return at.Field("groups").Fail(absl::StrCat("expected 1 beside blocks other than bottleneck, found ", stage.groups));
  }
  for (const int width : stage.widths) {
    const int middle = MakeDivisible(width * stage.bottleneck, 8);
    if (middle % stage.groups == 0) continue;
    return at.Field("groups").Fail(absl::StrCat("expected a divisor of the ", middle, " channels in the middle of a bottleneck of width ",
                                                width, ", found ", stage.groups));
  }
}

void CheckStage(const StageSpec& stage, const Checker& at) {
  const bool widths = at.Field("widths").Ascending(stage.widths, 1, bounds::kMaxChannels) && stage.widths.front() >= 1 &&
                      stage.widths.back() <= bounds::kMaxChannels;
  at.Field("kinds").Distinct(stage.kinds);
  at.Field("downsamples").Distinct(stage.downsamples);
  if (!(stage.bottleneck > 0 && stage.bottleneck <= 1)) {
    at.Field("bottleneck").Fail(absl::StrCat("expected a number above 0 and at most 1, found ", stage.bottleneck));
  } else if (widths) {
    CheckGroups(stage, at);
  }
  at.Field("depths").Ascending(stage.depths, 1, bounds::kMaxDepth);
  at.Field("stride").Range(stage.stride, 1, bounds::kMaxStride);
  const size_t deepest = stage.depths.empty() ? 0 : static_cast<size_t>(std::max(0, stage.depths.back()));
  if (deepest > static_cast<size_t>(bounds::kMaxDepth)) return;
  if (stage.blocks.size() != deepest) {
    at.Field("blocks").Fail(
        absl::StrCat("expected one entry for each of the ", deepest, " blocks of the deepest choice, found ", stage.blocks.size()));
    return;
  }
  for (size_t i = 0; i < stage.blocks.size(); ++i) CheckBlock(stage.blocks[i], at.Item("blocks", i));
  CheckExpansions(stage, at);
}

void CheckStages(const SpaceSpec& spec, const Checker& at) {
  if (spec.stages.empty()) return at.Field("stages").Fail("expected at least one stage, found none");
  if (spec.stages.size() > bounds::kMaxStages) {
    return at.Field("stages").Fail(absl::StrCat("expected at most ", bounds::kMaxStages, " stages, found ", spec.stages.size()));
  }
  size_t blocks = 0;
  for (size_t i = 0; i < spec.stages.size(); ++i) {
    blocks += spec.stages[i].blocks.size();
    CheckStage(spec.stages[i], at.Item("stages", i));
  }
  if (blocks > static_cast<size_t>(bounds::kMaxBlocks)) {
    at.Field("stages").Fail(absl::StrCat("expected at most ", bounds::kMaxBlocks, " blocks in all stages at their largest depths, found ",
                                         blocks, "; lower the depths"));
  }
}

/// The covariance of patches is computed over thousands of images before the first step.
constexpr int kMaxWhiteningKernel = 3;

void CheckStem(const SpaceSpec& spec, const Checker& at) {
  const StemSpec& stem = spec.stem;
  at.Field("widths").Ascending(stem.widths, 1, bounds::kMaxChannels);
  at.Field("kernel").Range(stem.kernel, 1, stem.whitening ? kMaxWhiteningKernel : bounds::kMaxKernel);
  at.Field("stride").Range(stem.stride, 1, bounds::kMaxStride);
  at.Field("precisions").Precisions(stem.precisions, 8);
  if (stem.whitening && (stem.widths.size() != 1 || stem.widths.front() != WhiteningChannels(spec))) {
    at.Field("widths").Fail(absl::StrCat("expected [", WhiteningChannels(spec), "] for a whitening stem, twice the ", stem.kernel, "x",
                                         stem.kernel, "x", spec.input_channels, " numbers of a patch"));
  }
}

/// Behind convolutions and pools the smallest images must have something left.
void CheckExtents(const SpaceSpec& spec, const Checker& at) {
  if (spec.resolutions.empty()) return;
  const StemSpec& stem = spec.stem;
  const auto fail = [&](absl::string_view where) {
    at.Field("resolutions")
        .Fail(absl::StrCat("expected images that the strides leave something of, found ", spec.resolutions.front(), ", of which ", where,
                           " leaves nothing; raise resolutions[0] or lower strides"));
  };
  int64_t extent = spec.resolutions.front();
  const int padding = stem.kernel % 2 == 0 ? 0 : stem.kernel / 2;
  if (extent + 2 * padding < stem.kernel) return fail("the stem");
  extent = (extent + 2 * padding - stem.kernel) / stem.stride + 1;
  if (stem.max_pool) extent = (extent - 1) / 2 + 1;
  for (size_t s = 0; s < spec.stages.size(); ++s) {
    const StageSpec& stage = spec.stages[s];
    // A convolution pads and leaves something of everything; a pool does not. Strides that lower one pixel to one pixel are of no use.
    const bool pools = std::find(stage.downsamples.begin(), stage.downsamples.end(), Downsample::kMaxPool) != stage.downsamples.end();
    if (extent < stage.stride) return fail(absl::StrCat("stage ", s));
    extent = pools ? extent / stage.stride : (extent - 1) / stage.stride + 1;
  }
}

constexpr std::array<absl::string_view, 4> kActivations = {"relu", "hard_swish", "relu6", "silu"};
constexpr std::array<absl::string_view, 5> kKinds = {"mbconv", "fused_mbconv", "residual", "bottleneck", "conv"};
constexpr std::array<absl::string_view, 2> kDownsamples = {"stride", "max_pool"};
constexpr std::array<absl::string_view, 2> kPools = {"average", "max"};
constexpr std::array<absl::string_view, 2> kSqueezeStyles = {"mobilenet_v3", "efficientnet"};

}  // namespace

template <>
absl::Span<const absl::string_view> Words<Activation>() {
  return kActivations;
}
template <>
absl::Span<const absl::string_view> Words<BlockKind>() {
  return kKinds;
}
template <>
absl::Span<const absl::string_view> Words<Downsample>() {
  return kDownsamples;
}
template <>
absl::Span<const absl::string_view> Words<GlobalPool>() {
  return kPools;
}
template <>
absl::Span<const absl::string_view> Words<SqueezeStyle>() {
  return kSqueezeStyles;
}

int MakeDivisible(double value, int divisor) {
  int rounded = std::max(divisor, static_cast<int>(value + divisor / 2.0) / divisor * divisor);
  if (rounded < 0.9 * value) rounded += divisor;
  return rounded;
}

int WhiteningChannels(const SpaceSpec& spec) {
  // Whoever asks may have found neither in range yet.
  const int kernel = std::clamp(spec.stem.kernel, 1, bounds::kMaxKernel);
  return 2 * kernel * kernel * std::clamp(spec.input_channels, 1, bounds::kMaxInputChannels);
}

StemSpec WhiteningStem(int input_channels, int kernel) {
  SpaceSpec spec = {.input_channels = input_channels};
  spec.stem = {.kernel = kernel, .stride = 1, .whitening = true, .activation = Activation::kRelu};
  spec.stem.widths = {WhiteningChannels(spec)};
  return spec.stem;
}

void ValidateSpaceSpec(const SpaceSpec& spec, absl::string_view path, FieldViolations& violations) {
  const Checker at(path, violations);
  if (spec.name.size() > bounds::kNameBytes) {
    at.Field("name").Fail(absl::StrCat("expected at most ", bounds::kNameBytes, " bytes, found ", spec.name.size()));
  }
  at.Field("resolutions").Ascending(spec.resolutions, bounds::kMinResolution, bounds::kMaxResolution);
  at.Field("input_channels").Range(spec.input_channels, 1, bounds::kMaxInputChannels);
  at.Field("num_classes").Range(spec.num_classes, bounds::kMinClasses, bounds::kMaxClasses);
  CheckStem(spec, at.Field("stem"));
  CheckStages(spec, at);
  const Checker head = at.Field("head");
  if (!spec.head.widths.empty()) head.Field("widths").Ascending(spec.head.widths, 1, bounds::kMaxChannels);
  head.Field("pools").Distinct(spec.head.pools);
  head.Field("precisions").Precisions(spec.head.precisions);
  head.Field("hidden").Range(spec.head.hidden, 0, bounds::kMaxChannels);
  head.Field("hidden_precisions").Precisions(spec.head.hidden_precisions);
  head.Field("classifier_precisions").Precisions(spec.head.classifier_precisions, 8);
  if (violations.empty()) CheckExtents(spec, at);
}

}  // namespace hanas
