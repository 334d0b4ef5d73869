// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_CORE_RANDOM_JOB_H_
#define HANAS_TESTS_CORE_RANDOM_JOB_H_

#include <algorithm>
#include <vector>

#include "core/base/counter_random.h"
#include "core/job/search_job.h"

namespace hanas {

/// Draws jobs whose lists and numbers are in range one by one; whether they cost too much together is another matter.
class RandomJobs {
 public:
  /// Widths and resolutions up to these. Small ones give spaces that can be enumerated by brute force.
  struct Size {
    int resolution = 48;
    int width = 64;
    int stages = 3;
    int depth = 3;
    size_t choices = 2;
  };
  RandomJobs(uint64_t seed, Size size) : random_(seed, "random-jobs"), size_(size) {}

  SearchJob Next() {
    SearchJob job = {.name = "random"};
    job.dataset = {.name = "data", .format = Flip() ? DatasetFormat::kIdx : DatasetFormat::kImageFolder, .directory = "data"};
    SpaceSpec& space = job.space;
    space.name = "random";
    const int stages = Number(1, size_.stages);
    space.resolutions = Ascending(8 * 1, size_.resolution);
    space.input_channels = job.dataset.format == DatasetFormat::kIdx || Flip() ? 1 : 3;
    space.num_classes = Number(2, 200);
    space.stem = {.widths = Ascending(1, size_.width),
                  .kernel = Flip() ? 2 * Number(0, 3) + 1 : Number(1, 4),
                  .stride = Number(1, 2),
                  .whitening = Number(0, 3) == 0,
                  .max_pool = Number(0, 3) == 0,
                  .activation = AnyActivation(),
                  .precisions = Precisions(8)};
    if (space.stem.whitening) {
      space.stem.kernel = Number(1, 3);
      space.stem.widths = {WhiteningChannels(space)};
    }
    int strides = 4;
    for (int s = 0; s < stages; ++s) {
      StageSpec stage = {.widths = Ascending(1, size_.width), .depths = Ascending(1, size_.depth)};
      stage.stride = strides * 2 <= space.resolutions.front() ? Number(1, 2) : 1;
      strides *= stage.stride;
      if (Flip())
        stage.kinds =
            Some<BlockKind>({BlockKind::kMbconv, BlockKind::kFusedMbconv, BlockKind::kResidual, BlockKind::kBottleneck, BlockKind::kConv});
      if (Flip()) stage.downsamples = Some<Downsample>({Downsample::kStride, Downsample::kMaxPool});
      if (Flip()) stage.squeeze_style = SqueezeStyle::kEfficientNet;
      stage.bottleneck = Number(1, 4) / 4.0;
      const BlockSpec common = Block();
      for (int b = 0; b < stage.depths.back(); ++b) {
        BlockSpec block = Flip() ? common : Block();
        if (stage.kinds.size() > 1 && block.expansions.size() > 1 && block.expansions.front() == 1.0)
          block.expansions.erase(block.expansions.begin());
        stage.blocks.push_back(block);
      }
      space.stages.push_back(std::move(stage));
    }
    space.head = {.widths = Number(0, 3) == 0 ? std::vector<int>{} : Ascending(1, size_.width),
                  .activation = AnyActivation(),
                  .precisions = Precisions(2),
                  .pools = Some<GlobalPool>({GlobalPool::kAverage, GlobalPool::kMax}),
                  .hidden = Flip() ? 0 : Number(1, size_.width),
                  .hidden_bias = Flip(),
                  .hidden_precisions = Precisions(2),
                  .classifier_precisions = Precisions(8)};
    job.training.batch_size = Number(2, 256);
    return job;
  }

 private:
  bool Flip() { return random_.UniformInt(2) == 0; }
  int Number(int low, int high) { return low + static_cast<int>(random_.UniformInt(static_cast<uint64_t>(high - low + 1))); }
  size_t Count() { return 1 + random_.UniformInt(size_.choices); }
  Activation AnyActivation() { return static_cast<Activation>(Number(0, 3)); }
  /// One of `all`, or several in their order.
  template <typename T>
  std::vector<T> Some(std::vector<T> all) {
    std::vector<T> some;
    for (const T& item : all) {
      if (some.size() < size_.choices && Flip()) some.push_back(item);
    }
    return some.empty() ? std::vector<T>{all[random_.UniformInt(all.size())]} : some;
  }

  std::vector<int> Ascending(int low, int high) {
    std::vector<int> all;
    for (size_t i = Count(); i > 0; --i) all.push_back(Number(low, high));
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }
  std::vector<Precision> Precisions(int min_weight_bits) {
    std::vector<Precision> all;
    for (size_t tries = 2 * Count(); tries > 0; --tries) {
      constexpr uint8_t kBits[] = {2, 4, 8, 16};
      const Precision precision = {kBits[random_.UniformInt(4)], Flip() ? uint8_t{8} : uint8_t{16}};
      if (!IsLegal(precision) || precision.weight_bits < min_weight_bits) continue;
      if (std::find(all.begin(), all.end(), precision) == all.end()) all.push_back(precision);
    }
    return all.empty() ? std::vector<Precision>{{8, 8}} : all;
  }
  BlockSpec Block() {
    BlockSpec block = {.kernels = Ascending(0, 3), .expansions = {}, .squeeze_excite = {Flip()}, .activations = {AnyActivation()}};
    for (int& kernel : block.kernels) kernel = 2 * kernel + 1;
    for (const int expansion : Ascending(2, 12)) block.expansions.push_back(expansion / 2.0);
    if (Flip()) block.squeeze_excite = {false, true};
    if (Flip()) block.activations = {Activation::kHardSwish, Activation::kRelu};
    block.expand_precisions = Precisions(2);
    block.depthwise_precisions = Precisions(2);
    block.project_precisions = Precisions(2);
    return block;
  }

  CounterRandom random_;
  const Size size_;
};

}  // namespace hanas

#endif  // HANAS_TESTS_CORE_RANDOM_JOB_H_
