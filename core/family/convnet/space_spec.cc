// SPDX-License-Identifier: Apache-2.0
#include "core/family/convnet/space_spec.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
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

void CheckStage(const StageSpec& stage, const Checker& at) {
  at.Field("widths").Ascending(stage.widths, 1, bounds::kMaxChannels);
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

/// The feature map must not shrink to nothing at the smallest resolution.
void CheckStrides(const SpaceSpec& spec, const Checker& at) {
  int64_t total = spec.stem.stride;
  for (const StageSpec& stage : spec.stages) total = std::min(total * stage.stride, int64_t{bounds::kMaxExtent});
  if (!spec.resolutions.empty() && spec.resolutions.front() < total) {
    at.Field("resolutions")
        .Fail(absl::StrCat("expected at least ", total, ", the product of all strides, found ", spec.resolutions.front()));
  }
}

}  // namespace

absl::string_view Name(Activation activation) { return activation == Activation::kRelu ? "relu" : "hard_swish"; }

absl::StatusOr<Activation> ActivationFromName(absl::string_view name) {
  if (name == "relu") return Activation::kRelu;
  if (name == "hard_swish") return Activation::kHardSwish;
  return absl::InvalidArgumentError(absl::StrCat("expected an activation (relu, hard_swish), found \"", name, "\""));
}

void ValidateSpaceSpec(const SpaceSpec& spec, absl::string_view path, FieldViolations& violations) {
  const Checker at(path, violations);
  if (spec.name.size() > bounds::kNameBytes) {
    at.Field("name").Fail(absl::StrCat("expected at most ", bounds::kNameBytes, " bytes, found ", spec.name.size()));
  }
  at.Field("resolutions").Ascending(spec.resolutions, bounds::kMinResolution, bounds::kMaxResolution);
  at.Field("input_channels").Range(spec.input_channels, 1, bounds::kMaxInputChannels);
  at.Field("num_classes").Range(spec.num_classes, bounds::kMinClasses, bounds::kMaxClasses);
  const Checker stem = at.Field("stem");
  stem.Field("widths").Ascending(spec.stem.widths, 1, bounds::kMaxChannels);
  stem.Field("kernel").Kernels({spec.stem.kernel});
  stem.Field("stride").Range(spec.stem.stride, 1, bounds::kMaxStride);
  stem.Field("precisions").Precisions(spec.stem.precisions, 8);
  CheckStages(spec, at);
  const Checker head = at.Field("head");
  head.Field("widths").Ascending(spec.head.widths, 1, bounds::kMaxChannels);
  head.Field("precisions").Precisions(spec.head.precisions);
  head.Field("hidden").Range(spec.head.hidden, 0, bounds::kMaxChannels);
  head.Field("hidden_precisions").Precisions(spec.head.hidden_precisions);
  head.Field("classifier_precisions").Precisions(spec.head.classifier_precisions, 8);
  if (violations.empty()) CheckStrides(spec, at);
}

SpaceSpec MobileNetV3Large() {
  struct Row {
    int kernel;
    double expansion;
    int width;
    bool squeeze_excite;
    Activation activation;
  };
  constexpr Activation kRe = Activation::kRelu;
  constexpr Activation kHs = Activation::kHardSwish;
  const std::vector<std::pair<int, std::vector<Row>>> stages = {
      {1, {{3, 1, 16, false, kRe}}},
      {2, {{3, 4, 24, false, kRe}, {3, 3, 24, false, kRe}}},
      {2, {{5, 3, 40, true, kRe}, {5, 3, 40, true, kRe}, {5, 3, 40, true, kRe}}},
      {2, {{3, 6, 80, false, kHs}, {3, 2.5, 80, false, kHs}, {3, 2.3, 80, false, kHs}, {3, 2.3, 80, false, kHs}}},
      {1, {{3, 6, 112, true, kHs}, {3, 6, 112, true, kHs}}},
      {2, {{5, 6, 160, true, kHs}, {5, 6, 160, true, kHs}, {5, 6, 160, true, kHs}}},
  };
  const std::vector<Precision> half = {{16, 16}};
  SpaceSpec spec = {.name = "mobilenet-v3-large", .resolutions = {224}, .input_channels = 3, .num_classes = 1000};
  spec.stem = {.widths = {16}, .kernel = 3, .stride = 2, .activation = kHs, .precisions = half};
  for (const auto& [stride, rows] : stages) {
    StageSpec stage = {.widths = {rows[0].width}, .depths = {static_cast<int>(rows.size())}, .stride = stride, .blocks = {}};
    for (const Row& row : rows) {
      stage.blocks.push_back({{row.kernel}, {row.expansion}, {row.squeeze_excite}, {row.activation}, half, half, half});
    }
    spec.stages.push_back(std::move(stage));
  }
  spec.head = {
      .widths = {960}, .activation = kHs, .precisions = half, .hidden = 1280, .hidden_precisions = half, .classifier_precisions = half};
  return spec;
}

}  // namespace hanas
