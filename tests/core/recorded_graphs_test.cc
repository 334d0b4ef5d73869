// SPDX-License-Identifier: Apache-2.0
// What networks lower to is written down: a change of spaces or lowering that is not meant to change any network must leave it as it is.
// recorded_graphs/README.md describes the files and how they are made anew.
#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "config/job_file.h"
#include "config/presets.h"
#include "core/base/counter_random.h"
#include "core/family/convnet/convnet_space.h"
#include "core/lowering/lowering.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/graph_text.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;

constexpr int kRandomNetworks = 200;
/// One character for the index of a choice; a gene has at most 64.
constexpr absl::string_view kChoiceDigits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/";
constexpr char kInactive = '-';

std::string Path(const std::string& relative) { return std::string(HANAS_SOURCE_DIR) + "/" + relative; }

ConvnetSpace SpaceNamed(const std::string& name) {
  if (name == "mobilenet-v3-large") return ConvnetSpace::Define(config::SpecOf(config::FindPreset("mobilenet-v3-large").value())).value();
  const absl::StatusOr<config::JobFile> file = config::JobFile::Load(Path(absl::StrCat("tests/core/recorded_graphs/", name, ".yaml")));
  EXPECT_THAT(file, IsOk());
  return ConvnetSpace::Define(file->job().space).value();
}

std::string ChoicesText(const SearchSpace& space, const Architecture& architecture) {
  std::string text;
  for (size_t i = 0; i < architecture.genes.size(); ++i) {
    text.push_back(space.IsActive(architecture, static_cast<int>(i)) ? kChoiceDigits[architecture.genes[i]] : kInactive);
  }
  return text;
}

/// `names` are those of the genes when the network was recorded. A gene that no network has may be missing from the space today.
Architecture ArchitectureOf(const SearchSpace& space, const std::vector<std::string>& names, const std::string& choices) {
  Architecture architecture = {.genes = std::vector<uint8_t>(space.genes().size(), 0)};
  EXPECT_EQ(choices.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    const size_t digit = kChoiceDigits.find(choices[i]);
    if (digit == kChoiceDigits.npos) continue;
    const std::optional<int> gene = space.FindGene(names[i]);
    EXPECT_TRUE(gene.has_value()) << names[i];
    if (gene.has_value()) architecture.genes[static_cast<size_t>(*gene)] = static_cast<uint8_t>(digit);
  }
  return architecture;
}

std::string TextDigest(const std::string& text) { return DigestBuilder().Add(text).Build().ToHex(); }

/// The corners of the space and random networks, each once.
std::string Record(const Lowering& lowering) {
  const SearchSpace& space = lowering.space();
  std::set<Architecture> networks = {space.Largest({8, 8}), space.Largest({16, 16}), space.Middle({8, 8}), space.Smallest({8, 8})};
  for (int i = 0; i < kRandomNetworks; ++i) {
    CounterRandom random(1, "recorded-graphs", static_cast<uint64_t>(i));
    networks.insert(space.Random(random));
  }
  std::string record =
      absl::StrCat("genes: ", absl::StrJoin(space.genes(), " ", [](std::string* out, const Gene& gene) { out->append(gene.name); }), "\n");
  for (const Architecture& network : networks) {
    absl::StrAppend(&record, ChoicesText(space, network), " ",
                    TextDigest(testing::GraphText(lowering.Lower(network), lowering.slots().slots())), "\n");
  }
  return record;
}

class RecordedGraphsTest : public ::testing::TestWithParam<std::string> {};

TEST_P(RecordedGraphsTest, EveryNetworkLowersToWhatIsRecorded) {
  const Lowering lowering(SpaceNamed(GetParam()));
  const std::string path = Path(absl::StrCat("tests/core/recorded_graphs/", GetParam(), ".txt"));
  if (std::getenv("HANAS_RECORD_GRAPHS") != nullptr) std::ofstream(path) << Record(lowering);
  std::ifstream file(path);
  std::string line;
  ASSERT_TRUE(std::getline(file, line)) << path;
  const std::vector<std::string> genes = absl::StrSplit(line.substr(std::string("genes: ").size()), ' ');
  for (const Gene& gene : lowering.space().genes()) ASSERT_THAT(genes, ::testing::Contains(gene.name));

  int networks = 0;
  while (std::getline(file, line)) {
    const std::pair<std::string, std::string> row = absl::StrSplit(line, ' ');
    const Architecture network = ArchitectureOf(lowering.space(), genes, row.first);
    ASSERT_THAT(lowering.space().CheckArchitecture(network), IsOk());
    const std::string text = testing::GraphText(lowering.Lower(network), lowering.slots().slots());
    ASSERT_EQ(TextDigest(text), row.second) << lowering.space().ToReadable(network) << "\n" << text;
    ++networks;
  }
  EXPECT_GE(networks, GetParam() == "mobilenet-v3-large" ? 1 : kRandomNetworks);
}

INSTANTIATE_TEST_SUITE_P(Spaces, RecordedGraphsTest, ::testing::Values("cifar10", "fashion-mnist", "mobilenet-v3-large", "tiny"),
                         [](const ::testing::TestParamInfo<std::string>& space) { return absl::StrReplaceAll(space.param, {{"-", "_"}}); });

}  // namespace
}  // namespace hanas
