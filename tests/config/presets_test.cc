// SPDX-License-Identifier: Apache-2.0
// The spaces that ship with the program are the networks that they are named after: parameters are those of torchvision's modules and of
// the papers, multiply-accumulates those that the papers give.
#include "config/presets.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "config/job_file.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"
#include "core/lowering/lowering.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::config {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

Lowering LoweringOf(const std::string& name) { return Lowering(ConvnetSpace::Define(SpecOf(*FindPreset(name))).value()); }

Cost CostOfLargest(const std::string& name) {
  const Lowering lowering = LoweringOf(name);
  return GraphCost(lowering.Lower(lowering.space().Largest({16, 16})));
}

struct Published {
  const char* name;
  int64_t parameters;
  double mega_macs;  // to the precision given
  double within;
};

TEST(PresetsTest, CostsAreThePublishedOnes) {
  const Published all[] = {
      {"mobilenet-v2", 3'504'872, 300.8, 0.1},
      {"mobilenet-v3-large", 5'483'032, 216.6, 0.1},
      {"mobilenet-v3-small", 2'542'856, 56.5, 0.1},
      {"efficientnet-b0", 5'288'548, 385.8, 0.1},
      {"resnet50", 25'557'032, 4'089.2, 0.1},
      {"resnet8", 78'042, 12.5, 0.05},
      {"dense-80k", 72'674, 10.1, 0.1},
      {"dense-250k", 211'714, 18.4, 0.1},
      {"mbconv-33k", 32'714, 2.38, 0.01},
  };
  for (const Published& published : all) {
    const Cost cost = CostOfLargest(published.name);
    EXPECT_EQ(cost.parameters, published.parameters) << published.name;
    EXPECT_NEAR(static_cast<double>(cost.macs) / 1e6, published.mega_macs, published.within) << published.name;
  }
}

TEST(PresetsTest, FbnetCIsWithinThreePercentOfThePaper) {
  const Cost cost = CostOfLargest("fbnet-c");
  EXPECT_NEAR(static_cast<double>(cost.macs) / 1e6, 375, 0.03 * 375);
  EXPECT_NEAR(static_cast<double>(cost.parameters) / 1e6, 5.5, 0.03 * 5.5);
}

TEST(PresetsTest, TheOnceForAllSpaceIsThePublishedOne) {
  const Lowering lowering = LoweringOf("ofa-mobilenetv3");
  const Cost cost = CostOfLargest("ofa-mobilenetv3");
  EXPECT_NEAR(static_cast<double>(cost.parameters) / 1e6, 7.66, 0.03);
  EXPECT_NEAR(static_cast<double>(cost.macs) / 1e6, 566, 1);
  int64_t supernet = 0;  // with the transforms of kernels
  for (const Slot& slot : lowering.slots().slots()) supernet += NumElements(slot.shape);
  EXPECT_NEAR(static_cast<double>(supernet) / 1e6, 7.68, 0.01);
  // ((3 kernels x 3 expansions)^2 + ^3 + ^4)^5 networks at each of 25 resolutions: the 2 x 10^19 of the paper.
  const double stage = 81 + 729 + 6561;
  EXPECT_NEAR(lowering.space().Log10Size(), 5 * std::log10(stage) + std::log10(25), 1e-9);
}

TEST(PresetsTest, TheDenseNetworkIsInTheSpaceAroundIt) {
  const ConvnetSpace family = ConvnetSpace::Define(SpecOf(*FindPreset("edge-32"))).value();
  const SearchSpace& space = family.space();
  Architecture network = space.Smallest({8, 8});
  const auto choose = [&](const std::string& gene, const Choice& choice) {
    const int index = space.FindGene(gene).value();
    const std::vector<Choice>& choices = space.gene(index).choices;
    network.genes[static_cast<size_t>(index)] = static_cast<uint8_t>(std::find(choices.begin(), choices.end(), choice) - choices.begin());
  };
  const int64_t widths[] = {24, 40, 48};
  for (int s = 0; s < 3; ++s) {
    const std::string stage = "stages[" + std::to_string(s) + "].";
    choose(stage + "kind", std::string("conv"));
    choose(stage + "downsample", std::string("max_pool"));
    choose(stage + "width", widths[s]);
    choose(stage + "depth", int64_t{2});
  }
  choose("head.pool", std::string("max"));
  ASSERT_THAT(space.CheckArchitecture(network), IsOk());
  space.Canonicalise(network);
  const Cost cost = GraphCost(Lowering(family).Lower(network));
  const Cost dense = CostOfLargest("dense-80k");
  EXPECT_EQ(cost.parameters, dense.parameters);
  EXPECT_EQ(cost.macs, dense.macs);
}

TEST(PresetsTest, EveryPresetSaysWhatItIs) {
  EXPECT_GE(Presets().size(), 12u);
  for (const Preset& preset : Presets()) {
    EXPECT_THAT(DescriptionOf(preset), HasSubstr(".")) << preset.name;
    EXPECT_THAT(ConvnetSpace::Define(SpecOf(preset)), IsOk()) << preset.name;
  }
}

std::string JobWith(const std::string& space) {
  return "name: job\ndataset: {name: data, format: image_folder, directory: d}\ntarget: {device: local, limits: {latency: 1 ms}}\n"
         "space:\n" +
         space;
}

TEST(PresetsTest, AJobNamesAPresetAndReplacesSomeOfIt) {
  const absl::StatusOr<JobFile> file =
      JobFile::Parse(JobWith("  preset: resnet8\n  num_classes: 20\n  head: {pools: [max]}\n"), "job.yaml");
  ASSERT_THAT(file, IsOk());
  const SpaceSpec& space = file->job().space;
  EXPECT_EQ(space.num_classes, 20);
  EXPECT_EQ(space.resolutions, std::vector<int>{32});
  EXPECT_EQ(space.stages.size(), 3u);
  EXPECT_EQ(space.head.pools, std::vector<GlobalPool>{GlobalPool::kMax});
}

TEST(PresetsTest, AnUnknownPresetIsTold) {
  const absl::Status status = JobFile::Parse(JobWith("  preset: resnet9\n"), "job.yaml").status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("job.yaml:5:11: space.preset: expected a preset (")));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n"))) << "one mistake, one line";
  EXPECT_THAT(JobFile::Parse(JobWith("  preset: [resnet8]\n"), "job.yaml").status().message(),
              HasSubstr("the name of a preset, found a list"));
  EXPECT_THAT(JobFile::Parse(JobWith("  preset: resnet8\n  preset: edge-32\n"), "job.yaml").status().message(),
              HasSubstr("expected each key once, found \"preset\" again"));
  EXPECT_THAT(FindPreset("resnet9"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean resnet8?")));
}

TEST(PresetsTest, AMistakeThatAPresetMakesIsToldAtTheSpace) {
  EXPECT_THAT(JobFile::Parse(JobWith("  preset: dense-80k\n  input_channels: 1\n  stem: {widths: [24]}\n"), "job.yaml"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("space.stem.widths: expected [8] for a whitening stem")));
}

}  // namespace
}  // namespace hanas::config
