// SPDX-License-Identifier: Apache-2.0
#include "core/space/search_space.h"

#include <cmath>
#include <set>

#include "absl/status/status_matchers.h"
#include "core/encoding/encoding.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"

namespace hanas {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SearchSpaceTest, EveryMistakeIsReportedWithItsPath) {
  SpaceSpec spec = SmallSpaceSpec();
  spec.resolutions = {24, 16};
  spec.stages[1].blocks[0].kernels = {4};
  spec.stem.precisions = {{2, 8}};
  spec.head.widths = {};
  const absl::Status status = SearchSpace::Create(spec).status();

  EXPECT_THAT(
      ViolationsOf(status),
      ElementsAre(Field(&FieldViolation::path, "space.resolutions[1]"), Field(&FieldViolation::path, "space.stem.precisions[0]"),
                  Field(&FieldViolation::path, "space.stages[1].blocks[0].kernels[0]"), Field(&FieldViolation::path, "space.head.widths")));
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected an odd kernel size, found 4"));
}

TEST(SearchSpaceTest, ResolutionMustSurviveTheStrides) {
  SpaceSpec spec = SmallSpaceSpec();
  spec.stages[0].stride = 4;
  spec.stages[1].stride = 4;
  spec.stem.stride = 2;
  EXPECT_THAT(SearchSpace::Create(spec),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("space.resolutions: expected at least 32")));
}

TEST(SearchSpaceTest, CanonicalFormForgetsWhatTheNetworkDoesNotHave) {
  const SearchSpace space = SmallSpace();
  Architecture shallow = space.Largest({16, 16});
  shallow.genes[static_cast<size_t>(space.depth_gene(0))] = 0;
  Architecture other = shallow;
  other.genes[static_cast<size_t>(space.block_gene(0, 1))] ^= 1;  // kernel of a block that does not exist
  ASSERT_NE(shallow, other);
  EXPECT_EQ(space.ArchitectureDigest(shallow), space.ArchitectureDigest(other));
  space.Canonicalise(shallow);
  space.Canonicalise(other);
  EXPECT_EQ(shallow, other);
  EXPECT_EQ(Encode(space, shallow), Encode(space, other));
}

TEST(SearchSpaceTest, CountsDistinctNetworks) {
  const SearchSpace space = SmallSpace();
  const double block = 2 * (1 + 3) * 2 * 2 * 9;  // kernel, expansion with its precision, se, activation, two precisions
  const double networks = 2 * 2 * (block + block * block) * (2 * block) * 3 * 2;
  EXPECT_NEAR(space.Log10Size(), std::log10(networks), 1e-9);
}

TEST(SearchSpaceTest, SmallSpacesAreCountedAndListedWhole) {
  SpaceSpec spec = SmallSpaceSpec();
  spec.stages[1].blocks[0] = {.kernels = {3}, .expansions = {1, 2}};
  spec.stages[0].blocks.assign(2, {.kernels = {3, 5}, .expansions = {1, 2}, .expand_precisions = {{4, 8}, {8, 8}}});
  const SearchSpace space = SearchSpace::Create(spec).value();
  const std::vector<Architecture> all = space.AllNetworks();
  const int block = 2 * (1 + 2);
  EXPECT_EQ(space.NumNetworks(), 2 * 2 * (block + block * block) * (2 * 2) * 3 * 2);
  EXPECT_EQ(all.size(), static_cast<size_t>(space.NumNetworks()));
  EXPECT_EQ(std::set<Architecture>(all.begin(), all.end()).size(), all.size());
  for (Architecture network : all) {
    const Architecture listed = network;
    space.Canonicalise(network);
    ASSERT_EQ(network, listed);
  }
}

TEST(SearchSpaceTest, WrongGenesAreNamed) {
  const SearchSpace space = SmallSpace();
  Architecture architecture = space.Smallest({8, 8});
  architecture.genes.back() = 9;
  EXPECT_THAT(space.CheckArchitecture(architecture),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("head.classifier_precision below 2, found 9")));
  architecture.genes.pop_back();
  EXPECT_THAT(space.CheckArchitecture(architecture), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 32 genes")));
}

TEST(SearchSpaceTest, DigestsFollowContentNotNames) {
  SpaceSpec renamed = SmallSpaceSpec();
  renamed.name = "other";
  SpaceSpec wider = SmallSpaceSpec();
  wider.head.widths = {72};
  EXPECT_EQ(SmallSpace().digest(), SearchSpace::Create(renamed)->digest());
  EXPECT_NE(SmallSpace().digest(), SearchSpace::Create(wider)->digest());
}

TEST(SearchSpaceTest, OneBitChoiceChangesTheEncoding) {
  const SearchSpace space = SmallSpace();
  const Architecture eight = space.Largest({8, 8});
  Architecture two = eight;
  two.genes[static_cast<size_t>(space.block_gene(0, 0) + 5)] = 0;
  EXPECT_THAT(Encode(space, eight), Not(Encode(space, two)));
}

TEST(SearchSpaceTest, PrintsForPeople) {
  const SearchSpace space = SmallSpace();
  EXPECT_EQ(space.ToReadable(space.Smallest({8, 8})),
            "r16 stem8/w8a8 | w16 d1: k3 e1 re w8a8,w8a8 | w24 d1: k3 e1 re w8a8,w8a8 | head64/w8a8,w8a8");
  EXPECT_EQ(space.PrecisionSummary(space.Smallest({8, 8})), "pw 8 · dw 8 · last 8");
  EXPECT_THAT(space.ToJson(space.Smallest({8, 8})), HasSubstr("\"stages[0].blocks[0].activation\": \"relu\""));
}

TEST(SearchSpaceTest, MiddleTakesTheTwoMiddlesInTurn) {
  const SearchSpace space = SmallSpace();
  const Architecture middle = space.Middle({8, 8});
  int upper = 0;
  int pairs = 0;
  for (size_t i = 0; i < space.genes().size(); ++i) {
    if (space.genes()[i].num_choices != 2 || space.genes()[i].kind >= GeneKind::kStemPrecision ||
        !space.IsActive(middle, static_cast<int>(i)))
      continue;
    ++pairs;
    upper += middle.genes[i];
  }
  EXPECT_NEAR(upper, pairs / 2.0, 1.5);
}

TEST(PrecisionTest, TextRoundTrips) {
  for (const char* text : {"w16a16", "w8a16", "w4a16", "w2a16", "w8a8", "w4a8", "w2a8"})
    EXPECT_EQ(ToString(*PrecisionFromString(text)), text);
  EXPECT_THAT(PrecisionFromString("w16a8"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found \"w16a8\"")));
}

}  // namespace
}  // namespace hanas
