// SPDX-License-Identifier: Apache-2.0
#include "core/space/search_space.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"
#include "core/encoding/encoding.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::SizeIs;

Gene Numbers(const std::string& name, int count) {
  Gene gene = {.name = name, .group = "all"};
  for (int64_t i = 0; i < count; ++i) gene.choices.emplace_back(i);
  return gene;
}

/// A gene that is there when gene `on` has one of `choices`.
Gene NumbersIf(const std::string& name, int count, int on, uint64_t choices) {
  Gene gene = Numbers(name, count);
  gene.active_if = {{on, choices}};
  return gene;
}

absl::StatusOr<SearchSpace> Create(std::vector<Gene> genes) { return SearchSpace::Create("genes", std::move(genes), Digest{}, "genes"); }

/// Whatever a family may ask: a choice of kind, a question of one kind only, one below it, and one of every type.
SearchSpace Zoo() {
  std::vector<Gene> genes = {
      {.name = "kind", .group = "layer", .choices = {std::string("dense"), std::string("split")}},
      {.name = "parts", .group = "layer", .choices = {int64_t{2}, int64_t{4}, int64_t{8}}, .active_if = {{0, 0b10}}},
      {.name = "shuffle", .group = "layer", .choices = {false, true}, .active_if = {{1, 0b110}}},
      {.name = "drop", .group = "rest", .choices = {0.0, 0.25}},
      {.name = "bits", .group = "rest", .trait = Trait::kPrecision, .choices = {Precision{4, 8}, Precision{16, 16}}}};
  return Create(std::move(genes)).value();
}

TEST(SearchSpaceTest, ListsAndCountsWhatDiffers) {
  const SearchSpace space = Zoo();
  const std::vector<Architecture> all = space.AllNetworks();
  EXPECT_EQ(space.NumNetworks(), (1 + 1 + 2 * 2) * 2 * 2);
  EXPECT_THAT(all, SizeIs(24));
  EXPECT_THAT(std::set<Architecture>(all.begin(), all.end()), SizeIs(24));
}

TEST(SearchSpaceTest, DescribesNetworksInNamesAndChoices) {
  const SearchSpace space = Zoo();
  const Architecture largest = space.Largest({16, 16});
  EXPECT_EQ(space.ToJson(largest), R"({"kind": "split", "parts": 8, "shuffle": true, "drop": 0.25, "bits": "w16a16"})");
  EXPECT_EQ(space.ToReadable(largest), "kind=split parts=8 shuffle=true drop=0.25 bits=w16a16");
  EXPECT_EQ(space.ToJson(space.Smallest({8, 8})), R"({"kind": "dense", "drop": 0, "bits": "w4a8"})");
}

TEST(SearchSpaceTest, AGeneBelowAnInactiveOneIsInactive) {
  const SearchSpace space = Zoo();
  const Architecture dense = {.genes = {0, 2, 1, 0, 0}};
  EXPECT_FALSE(space.IsActive(dense, 1));
  EXPECT_FALSE(space.IsActive(dense, 2)) << "parts has a choice that shuffle asks for, but does not arise";
  Architecture canonical = dense;
  space.Canonicalise(canonical);
  EXPECT_EQ(canonical, (Architecture{.genes = {0, 0, 0, 0, 0}}));
  EXPECT_EQ(space.ArchitectureDigest(dense), space.ArchitectureDigest(canonical));
  EXPECT_EQ(Encode(space, dense), Encode(space, canonical));
  EXPECT_THAT(space.Dependents(0), ElementsAre(1, 2));
}

TEST(SearchSpaceTest, GenesOfOneQuestionStandTogether) {
  std::vector<Gene> genes = {Numbers("a[0].b[0].k", 2), Numbers("a[0].b[1].k", 2), Numbers("k", 2), Numbers("a[12].b[0].k", 2)};
  genes.insert(genes.begin(), {.name = "a[0].bits", .group = "all", .trait = Trait::kPrecision, .choices = {Precision{8, 8}}});
  EXPECT_THAT(Create(std::move(genes))->questions(), ElementsAre(ElementsAre(1, 2, 4), ElementsAre(3), ElementsAre(0)));
}

TEST(SearchSpaceTest, CountsWhateverTheConditionsAre) {
  for (uint64_t trial = 0; trial < 300; ++trial) {
    CounterRandom random(5, "conditions", trial);
    std::vector<Gene> genes;
    for (int i = 0; i < 7; ++i) {
      Gene gene = Numbers(absl::StrCat("g", i), 1 + static_cast<int>(random.UniformInt(3)));
      for (uint64_t c = genes.empty() ? 0 : random.UniformInt(3); c > 0; --c) {
        const auto on = static_cast<int>(random.UniformInt(genes.size()));
        const uint64_t all = (uint64_t{1} << genes.at(static_cast<size_t>(on)).choices.size()) - 1;
        gene.active_if.push_back({on, 1 + random.UniformInt(all)});
      }
      genes.push_back(std::move(gene));
    }
    const absl::StatusOr<SearchSpace> space = Create(std::move(genes));
    if (!space.ok()) {
      EXPECT_THAT(space, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("conditions that some network meets")));
      continue;
    }
    std::set<Architecture> distinct;
    for (Architecture network : space->AllNetworks()) {
      space->Canonicalise(network);
      distinct.insert(network);
    }
    ASSERT_EQ(space->NumNetworks(), distinct.size()) << "trial " << trial;
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(distinct.contains(space->Random(random))) << "trial " << trial;
  }
}

TEST(SearchSpaceTest, SizesReachFromOneToWhatNobodyCanList) {
  EXPECT_EQ(Create({Numbers("only", 1)})->NumNetworks(), 1);
  EXPECT_EQ(Create({Numbers("only", 1)})->AllNetworks().size(), 1);
  std::vector<Gene> genes;
  for (int i = 0; i < 80; ++i) genes.push_back(Numbers(absl::StrCat("g", i), 10));
  EXPECT_NEAR(Create(genes)->Log10Size(), 80, 1e-9);
  std::vector<Gene> most;
  for (size_t i = 0; i < bounds::kMaxGenes; ++i) most.push_back(Numbers(absl::StrCat("g", i), 64));
  EXPECT_NEAR(Create(most)->Log10Size(), 2048 * std::log10(64), 1e-6);
}

TEST(SearchSpaceTest, EveryMistakeInGenesIsReportedWithItsPath) {
  std::vector<Gene> genes = {Numbers("a", 3), Numbers("a", 2), Numbers("b c", 2), Numbers("d", 129), Numbers("e", 0), Numbers("f", 2)};
  genes[5].choices[1] = 0.5;
  genes.push_back(Numbers("g", 2));
  genes[6].trait = Trait::kPrecision;
  genes.push_back({.name = "h", .group = "all", .trait = Trait::kPrecision, .choices = {Precision{16, 8}}});
  genes.push_back({.name = "i", .group = "", .choices = {std::string("x\"y"), true, true}, .words = {"x"}});
  const absl::Status status = Create(genes).status();
  EXPECT_THAT(
      ViolationsOf(status),
      ElementsAre(Field(&FieldViolation::path, "genes[1].name"), Field(&FieldViolation::path, "genes[2].name"),
                  AllOf(Field(&FieldViolation::path, "genes[3].choices"),
                        Field(&FieldViolation::message, "expected at most 64 choices, found 129; a step 3 times as wide leaves 43")),
                  Field(&FieldViolation::path, "genes[4].choices"), Field(&FieldViolation::path, "genes[5].choices[1]"),
                  Field(&FieldViolation::path, "genes[6].choices[0]"), Field(&FieldViolation::path, "genes[6].choices[1]"),
                  Field(&FieldViolation::path, "genes[7].choices[0]"), Field(&FieldViolation::path, "genes[8].group"),
                  Field(&FieldViolation::path, "genes[8].words"), Field(&FieldViolation::path, "genes[8].choices[0]"),
                  Field(&FieldViolation::path, "genes[8].choices[1]"), Field(&FieldViolation::path, "genes[8].choices[2]")));
  EXPECT_THAT(Create({}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("genes: expected at least one gene")));
  EXPECT_THAT(Create(std::vector<Gene>(bounds::kMaxGenes + 1, Numbers("a", 1))),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("genes: expected at most 2048 genes, found 2049")));
}

struct BadConditions {
  std::string name;
  std::vector<Gene> genes;
  std::string path;
  std::string message;
};

TEST(SearchSpaceTest, ConditionsThatNoNetworkMeetsAreRefused) {
  Gene both = NumbersIf("both", 2, 0, 0b01);
  both.active_if.push_back({0, 0b10});
  Gene below = NumbersIf("below", 2, 1, 0b01);
  below.active_if.push_back({0, 0b10});
  const std::vector<BadConditions> table = {
      {"of a circle", {NumbersIf("a", 2, 1, 1), NumbersIf("b", 2, 0, 1)}, "genes[0].active_if[0].gene", "found gene 1 (b)"},
      {"on itself", {Numbers("a", 2), NumbersIf("b", 2, 1, 1)}, "genes[1].active_if[0].gene", "do not run in a circle"},
      {"on none", {NumbersIf("a", 2, -1, 1)}, "genes[0].active_if[0].gene", "from 0 to 0, found -1"},
      {"on one too far", {NumbersIf("a", 2, 7, 1)}, "genes[0].active_if[0].gene", "found 7"},
      {"of no choice", {Numbers("a", 2), NumbersIf("b", 2, 0, 0)}, "genes[1].active_if[0].choices", "some of the 2 choices"},
      {"of a choice too far", {Numbers("a", 2), NumbersIf("b", 2, 0, 0b101)}, "genes[1].active_if[0].choices", "found 0x5"},
      {"against each other", {Numbers("a", 2), both}, "genes[1].active_if", "no choice of gene 0 (a)"},
      {"against those of a gene above", {Numbers("a", 2), NumbersIf("b", 2, 0, 0b01), below}, "genes[2].active_if", "no choice of gene 0"},
  };
  for (const BadConditions& bad : table) {
    EXPECT_THAT(ViolationsOf(Create(bad.genes).status()),
                ElementsAre(AllOf(Field(&FieldViolation::path, bad.path), Field(&FieldViolation::message, HasSubstr(bad.message)))))
        << bad.name;
  }
}

TEST(SearchSpaceTest, ConditionsThatCrossTooOftenAreRefusedAtOnce) {
  std::vector<Gene> genes;
  for (int i = 0; i < 40; ++i) genes.push_back(Numbers(absl::StrCat("on", i), 2));
  for (int i = 0; i < 40; ++i) genes.push_back(NumbersIf(absl::StrCat("off", i), 2, i, 1));
  EXPECT_THAT(Create(genes), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("genes: expected conditions with at most 16384")));
  // The same questions in an order that lets go of each are fine.
  std::vector<Gene> close;
  for (int i = 0; i < 40; ++i) {
    close.push_back(Numbers(absl::StrCat("on", i), 2));
    close.push_back(NumbersIf(absl::StrCat("off", i), 2, 2 * i, 1));
  }
  ASSERT_THAT(Create(close), IsOk());
  EXPECT_NEAR(Create(close)->Log10Size(), 40 * std::log10(3), 1e-9);
}

TEST(SearchSpaceTest, DigestsFollowGenesAndMeaning) {
  const std::vector<Gene> genes = {Numbers("a", 3), NumbersIf("b", 2, 0, 0b1)};
  std::vector<Gene> other_condition = genes;
  other_condition[1].active_if[0].choices = 0b10;
  std::vector<Gene> other_choice = genes;
  other_choice[0].choices[2] = int64_t{9};
  std::vector<Gene> other_words = genes;
  other_words[0].words = {"x", "y", "z"};
  const Digest digest = Create(genes)->digest();
  EXPECT_NE(digest, Create(other_condition)->digest());
  EXPECT_NE(digest, Create(other_choice)->digest());
  EXPECT_EQ(digest, Create(other_words)->digest());
  EXPECT_EQ(digest, SearchSpace::Create("another name", genes, Digest{})->digest());
  EXPECT_NE(digest, SearchSpace::Create("genes", genes, Digest{.high = 1})->digest());
}

TEST(SearchSpaceTest, MiddleTakesTheTwoMiddlesInTurn) {
  const SearchSpace space = Create({Numbers("a", 2), Numbers("b", 3), Numbers("c", 2), Numbers("d", 4)}).value();
  EXPECT_EQ(space.Middle({8, 8}).genes, (std::vector<uint8_t>{0, 1, 1, 1}));
}

TEST(PrecisionTest, TextRoundTrips) {
  for (const char* text : {"w16a16", "w8a16", "w4a16", "w2a16", "w8a8", "w4a8", "w2a8"})
    EXPECT_EQ(ToString(*PrecisionFromString(text)), text);
  EXPECT_THAT(PrecisionFromString("w16a8"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found \"w16a8\"")));
}

}  // namespace
}  // namespace hanas
