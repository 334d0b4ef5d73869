// SPDX-License-Identifier: Apache-2.0
// Damaged definitions of search spaces, in files and on the wire, begun from every space that ships. Whatever is accepted is a space: its
// networks lower to sound graphs, and it is the same space behind the wire.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "config/job_file.h"
#include "config/presets.h"
#include "core/family/convnet/convnet_space.h"
#include "core/graph/graph.h"
#include "core/lowering/lowering.h"
#include "rpc/convert/job.h"
#include "rpc/convert/space.h"
#include "tests/parsers/damage.h"

namespace hanas {
namespace {

/// Holds an accepted space against what everything else takes for granted.
void ExpectIsASpace(const SpaceSpec& spec, CounterRandom& random) {
  const absl::StatusOr<ConvnetSpace> convnet = ConvnetSpace::Define(spec);
  ASSERT_EQ(convnet.status(), absl::OkStatus());
  const absl::StatusOr<SpaceSpec> again = rpc::SpaceSpecFromProto(rpc::ToProto(spec));
  ASSERT_EQ(again.status(), absl::OkStatus());
  EXPECT_EQ(ConvnetSpace::Define(*again)->space().digest(), convnet->space().digest());
  const SearchSpace& space = convnet->space();
  Architecture architecture = space.Random(random);
  const Architecture canonical = architecture;
  space.Canonicalise(architecture);
  EXPECT_EQ(architecture, canonical);
  EXPECT_EQ(space.CheckArchitecture(architecture), absl::OkStatus());
  const Lowering lowering(*convnet);
  EXPECT_EQ(CheckGraph(lowering.Lower(architecture)), absl::OkStatus());
  EXPECT_EQ(CheckGraph(lowering.Lower(space.Largest({8, 8}))), absl::OkStatus());
}

/// A job whose space is this text of keys.
std::string JobWith(absl::string_view space) {
  return absl::StrCat("name: job\ndataset: {name: digits, format: image_folder}\nspace:\n  ", absl::StrReplaceAll(space, {{"\n", "\n  "}}),
                      "\n");
}

TEST(DefinitionsTest, InFiles) {
  std::vector<std::string> good;
  for (const config::Preset& preset : config::Presets()) good.push_back(JobWith(preset.text));
  good.push_back(JobWith("{preset: resnet8, num_classes: 20, stem: {widths: [8, 16]}}"));
  CounterRandom random(7, "test/definitions");
  ExpectSurvivesDamage({.name = "definitions in files",
                        .good = good,
                        .parse =
                            [&](const std::string& text) {
                              const absl::StatusOr<config::JobFile> file = config::JobFile::Parse(text, "job.yaml");
                              if (file.ok()) ExpectIsASpace(file->job().space, random);
                              return file.status();
                            },
                        .words = {"preset: resnet8",
                                  "preset: resnet9",
                                  "kinds: [mbconv, conv, residual]",
                                  "widths: [8]",
                                  "depths: [0, 1, 8]",
                                  "depths: []",
                                  "stride: 2",
                                  "kernels: [7, 3]",
                                  "kernels: [1]",
                                  "expansions: [0.5, 6]",
                                  "precisions: [w2a8]",
                                  "whitening: true",
                                  "max_pool: true",
                                  "groups: 8",
                                  "resolutions: [8]",
                                  "resolutions: [1024]",
                                  "input_channels: 0",
                                  "num_classes: -1",
                                  "99999999999999999999",
                                  "1e308",
                                  ".nan",
                                  "~",
                                  "&a",
                                  "*a",
                                  "- ",
                                  "{",
                                  "[",
                                  "!!binary"},
                        .rounds = 2000});
}

TEST(DefinitionsTest, OnTheWire) {
  std::vector<std::string> good;
  for (const config::Preset& preset : config::Presets()) {
    v1::SpaceSpec named;
    named.set_preset(std::string(preset.name));
    named.mutable_stem()->add_widths(8);
    good.push_back(rpc::ToProto(config::SpecOf(preset)).SerializeAsString());
    if (!config::SpecOf(preset).stem.whitening) good.push_back(named.SerializeAsString());
  }
  CounterRandom random(8, "test/definitions");
  ExpectSurvivesDamage({.name = "definitions on the wire",
                        .good = good,
                        .parse = [&](const std::string& bytes) -> absl::Status {
                          v1::SearchSpec proto;
                          proto.set_name("job");
                          proto.mutable_dataset()->set_name("digits");
                          proto.mutable_dataset()->set_format(v1::DatasetSpec::FORMAT_IMAGE_FOLDER);
                          if (!proto.mutable_space()->ParseFromString(bytes)) return absl::InvalidArgumentError("no message");
                          const absl::StatusOr<SearchJob> job = rpc::SearchJobFromProto(proto, &config::FindPresetSpec);
                          if (job.ok()) ExpectIsASpace(job->space, random);
                          return job.status();
                        },
                        .words = {"resnet8", "resnet50", "edge-28"},
                        .rounds = 2000});
}

}  // namespace
}  // namespace hanas
