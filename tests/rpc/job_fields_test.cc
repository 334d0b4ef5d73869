// SPDX-License-Identifier: Apache-2.0
// Every row of the table of job fields, as the job file, the wire and the documentation have it.
#include "core/job/fields.h"

#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "config/job_file.h"
#include "config/presets.h"
#include "core/quantity/quantity_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/convert/job.h"
#include "rpc/convert/space.h"
#include "tests/support/generated_section.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The keys of a job file by their paths; values as YAML writes them.
using Keys = std::map<std::string, std::string>;

/// A map in YAML's flow style.
std::string FlowMap(const Keys& keys) {
  std::map<std::string, Keys> inner;
  std::vector<std::string> entries;
  for (const auto& [path, value] : keys) {
    const size_t dot = path.find('.');
    if (dot == std::string::npos) {
      entries.push_back(absl::StrCat(path, ": ", value));
    } else {
      inner[path.substr(0, dot)][path.substr(dot + 1)] = value;
    }
  }
  for (const auto& [key, map] : inner) entries.push_back(absl::StrCat(key, ": ", FlowMap(map)));
  return absl::StrCat("{", absl::StrJoin(entries, ", "), "}");
}

/// What a job cannot do without.
Keys Required() {
  return {{"name", "job"},
          {"dataset.name", "digits"},
          {"space", "{resolutions: [16], input_channels: 1, num_classes: 10, stages: [{widths: [8], depths: [1]}], head: {widths: [16]}}"}};
}

absl::StatusOr<SearchJob> FromFile(const Keys& keys) {
  const absl::StatusOr<config::JobFile> file = config::JobFile::Parse(FlowMap(keys), "job.yaml");
  if (!file.ok()) return file.status();
  return file->job();
}

/// The same as a client sends it that says nothing else.
v1::SearchSpec RequiredSpec() {
  v1::SearchSpec spec;
  spec.set_name("job");
  spec.mutable_dataset()->set_name("digits");
  *spec.mutable_space() = rpc::ToProto(FromFile(Required())->space);
  return spec;
}

struct Printer {
  std::string operator()(absl::string_view text) const { return std::string(text); }
  std::string operator()(const ChosenWord& choice) const { return std::string(choice.names[choice.index]); }
  std::string operator()(absl::Span<const TrainingPhase> phases) const {
    return absl::StrJoin(phases, ", ", [](std::string* out, const TrainingPhase& phase) {
      absl::StrAppend(out, "{until: ", phase.until, ", sampling: ", Name(phase.sampling), "}");
    });
  }
  std::string operator()(absl::Span<const TargetSpec> targets) const {
    return absl::StrJoin(targets, ", ", [](std::string* out, const TargetSpec& target) {
      absl::StrAppend(out, "{name: ", target.name, ", device: ", target.device, ", backend: ", target.backend,
                      ", threads: ", target.threads, ", statistic: ", Name(target.statistic), "}");
    });
  }
  std::string operator()(absl::Span<const ObjectiveSpec> objectives) const {
    return absl::StrJoin(objectives, ", ", [](std::string* out, const ObjectiveSpec& objective) { out->append(objective.of); });
  }
  std::string operator()(absl::Span<const LimitSpec> limits) const {
    return absl::StrJoin(limits, ", ", [](std::string* out, const LimitSpec& limit) {
      const bool share = !limit.than.empty();
      const Quantity of = *QuantityNamed(limit.of);
      const std::string bound = share ? absl::StrCat(100 * limit.bound(), " %") : FormatValue(of, limit.bound(), Rounding::kExact);
      absl::StrAppend(out, "{of: ", limit.of, limit.at_least > 0 ? ", at_least: " : ", at_most: ", bound, share ? ", than: " : "",
                      limit.than, ", confidence: ", limit.confidence, "}");
    });
  }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  template <typename Number>
  std::string operator()(Number value) const {
    return absl::StrCat(value);
  }
};
std::string Text(const FieldValue& value) { return std::visit(Printer{}, value); }

/// "path = value" of every field.
std::vector<std::string> Everything(const SearchJob& job) {
  std::vector<std::string> lines;
  for (const JobField& field : JobFields()) lines.push_back(absl::StrCat(field.path, " = ", Text(ValueOf(field, job))));
  return lines;
}

/// Puts something else than the default into a field, within its range.
struct Changer {
  const JobField& field;

  void operator()(std::string* text) const { *text = field.words.empty() ? "other" : std::string(field.words.back()); }
  void operator()(bool* value) const { *value = !*value; }
  void operator()(uint64_t* value) const { *value = ~uint64_t{0}; }
  void operator()(WordPlace place) const { *place.index = static_cast<uint8_t>((*place.index + 1U) % place.names.size()); }
  void operator()(std::vector<TrainingPhase>* phases) const {
    *phases = {{0.25, SamplingKind::kSandwich}, {0.5, SamplingKind::kRandomPath}, {1, SamplingKind::kLargest}};
  }
  void operator()(std::vector<TargetSpec>* targets) const {
    *targets = {{.name = "phone", .device = "pixel", .threads = 4}, {.name = "watch", .statistic = LatencyStatistic::kP99}};
  }
  void operator()(std::vector<ObjectiveSpec>* objectives) const { *objectives = {{"size"}, {"accuracy"}, {"macs"}}; }
  void operator()(std::vector<LimitSpec>* limits) const {
    *limits = {{.of = "latency", .at_most = 1500, .confidence = 0.75},
               {.of = "accuracy", .at_least = 0.5},
               {.of = "peak_memory", .at_most = 0.5, .than = "largest-8bit"}};
  }
  void operator()(double* value) const {
    const bool at_low = field.range.has_value() && *value == field.range->low;
    *value = field.form != FieldForm::kPlain ? 5400 : at_low ? (*value + field.range->high) / 2 : (*value + field.range->low) / 2;
  }
  template <typename Whole>
  void operator()(Whole* value) const {
    *value += 1;
  }
};

struct IsList {
  template <typename Element>
  bool operator()(absl::Span<const Element>) const {
    return true;
  }
  template <typename Value>
  bool operator()(const Value&) const {
    return false;
  }
};

/// The value of a field as a file writes it.
std::string InFile(const JobField& field, const SearchJob& job) {
  const FieldValue value = ValueOf(field, job);
  switch (field.form) {
    case FieldForm::kSeconds:
      return absl::StrCat(Text(value), " s");
    case FieldForm::kHours:
      return absl::StrCat(std::get<double>(value) / 3600);
    default:
      return std::visit(IsList{}, value) ? absl::StrCat("[", Text(value), "]") : Text(value);
  }
}

class JobFieldTest : public testing::TestWithParam<int> {
 protected:
  const JobField& field() const { return JobFields()[static_cast<size_t>(GetParam())]; }
  std::string file_path() const { return std::string(field().file_path()); }
};

TEST_P(JobFieldTest, IsTheSameFromFileToJobToWireAndBack) {
  Keys required = Required();
  if (field().path == "sampling.steps") required["screening"] = "alone";           // it is refused with a supernet
  if (field().path == "dataset.fit") required["dataset.format"] = "image_folder";  // and this one of IDX files
  const SearchJob standard = *FromFile(required);
  SearchJob changed = standard;
  std::visit(Changer{field()}, field().place(changed));
  if (field().words.size() != 1) {
    EXPECT_NE(Text(ValueOf(field(), changed)), Text(ValueOf(field(), standard)));
    EXPECT_NE(JobDigest(changed), JobDigest(standard));
    EXPECT_EQ(DigestsOf(changed).supernet != DigestsOf(standard).supernet, field().shared == SharedBy::kSupernet);
    EXPECT_EQ(DigestsOf(changed).samples != DigestsOf(standard).samples, field().shared != SharedBy::kNobody);
  }
  Keys keys = required;
  keys[file_path()] = InFile(field(), changed);
  if (field().path == "dataset.name") keys["dataset.directory"] = standard.dataset.directory;
  if (field().path == "measure.rounds") keys["measure.max_rounds"] = absl::StrCat(standard.measure.max_rounds);
  const absl::StatusOr<SearchJob> read = FromFile(keys);
  ASSERT_THAT(read, IsOk()) << FlowMap(keys);
  EXPECT_EQ(Everything(*read), Everything(changed));
  const absl::StatusOr<SearchJob> received = rpc::SearchJobFromProto(rpc::ToProto(*read));
  ASSERT_THAT(received, IsOk());
  EXPECT_EQ(Everything(*received), Everything(changed));
  EXPECT_EQ(JobDigest(*received), JobDigest(changed));
}

/// Puts 0 into whatever may be 0.
struct Zero {
  void operator()(std::string*) const {}
  template <typename Element>
  void operator()(std::vector<Element>*) const {}
  void operator()(WordPlace place) const { *place.index = 0; }
  template <typename Number>
  void operator()(Number* value) const {
    *value = {};
  }
};

/// Whatever is 0 that may be sent as 0 arrives as 0: it is not taken for absent.
TEST_P(JobFieldTest, IsZeroOnTheWireWhereItWasSentAsZero) {
  SearchJob job = *FromFile(Required());
  std::visit(Zero{}, field().place(job));
  absl::Status refused;
  EXPECT_EQ(Everything(rpc::SearchJobFromStoredProto(rpc::ToProto(job), refused)), Everything(job));
}

/// Moves a number out of its range, upwards.
struct Exceeder {
  const FieldRange& range;
  const SearchJob& job;

  double high() const {
    for (const JobField& field : JobFields()) {
      if (field.path == range.high_field) return static_cast<double>(std::get<int64_t>(ValueOf(field, job)));
    }
    return range.high;
  }
  bool operator()(int* value) const { return Set(value); }
  bool operator()(int64_t* value) const { return Set(value); }
  bool operator()(double* value) const {
    *value = high() * 1.5;
    return true;
  }
  bool operator()(std::vector<TrainingPhase>* phases) const {
    phases->assign(static_cast<size_t>(high()) + 1, {1, SamplingKind::kLargest});
    return true;
  }
  bool operator()(std::vector<TargetSpec>* targets) const {
    for (int i = 0; i <= static_cast<int>(high()); ++i) targets->push_back({.name = absl::StrCat("t", i), .threads = i});
    return true;
  }
  bool operator()(std::vector<ObjectiveSpec>* objectives) const {
    *objectives = {{"latency"}, {"accuracy"}, {"size"}, {"macs"}, {"parameters"}};
    return true;
  }
  template <typename Other>
  bool operator()(Other) const {
    return false;
  }
  template <typename Whole>
  bool Set(Whole* value) const {
    *value = static_cast<Whole>(high()) + 1;
    return true;
  }
};

TEST_P(JobFieldTest, IsRefusedByItsPathOutOfItsRangeInFilesAndOnTheWire) {
  if (!field().range) GTEST_SKIP() << "has no range";
  SearchJob job = *FromFile(Required());
  ASSERT_TRUE(std::visit(Exceeder{*field().range, job}, field().place(job)));
  Keys keys = Required();
  keys[file_path()] = InFile(field(), job);
  EXPECT_THAT(FromFile(keys), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(absl::StrCat(": ", file_path(), ": expected "))));
  const absl::Status on_wire = rpc::SearchJobFromProto(rpc::ToProto(job)).status();
  EXPECT_THAT(on_wire, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ViolationsOf(on_wire), Contains(testing::Field(&FieldViolation::path, std::string(field().path))));
}

INSTANTIATE_TEST_SUITE_P(Table, JobFieldTest, testing::Range(0, static_cast<int>(JobFields().size())),
                         [](const testing::TestParamInfo<int>& param) {
                           return absl::StrReplaceAll(JobFields()[static_cast<size_t>(param.param)].path, {{".", "_"}});
                         });

TEST(JobDefaultsTest, AreTheSameOnTheWireAsInFiles) {
  const absl::StatusOr<SearchJob> file = FromFile(Required());
  ASSERT_THAT(file, IsOk());
  const absl::StatusOr<SearchJob> wire = rpc::SearchJobFromProto(RequiredSpec());
  ASSERT_THAT(wire, IsOk());
  EXPECT_EQ(Everything(*wire), Everything(*file));
  EXPECT_EQ(JobDigest(*wire), JobDigest(*file));
}

/// A job on the wire and in a file whose space names a preset and changes some of it.
struct PresetCase {
  std::string name;
  std::string changes_in_file;
  void (*change)(v1::SpaceSpec&);
  bool sound = true;
};

std::vector<PresetCase> PresetCases() {
  std::vector<PresetCase> cases;
  for (const config::Preset& preset : config::Presets()) {
    cases.push_back({std::string(preset.name), "", [](v1::SpaceSpec&) {}});
    cases.push_back({std::string(preset.name), ", name: mine, num_classes: 20, resolutions: [64, 96]", [](v1::SpaceSpec& space) {
                       space.set_name("mine");
                       space.set_num_classes(20);
                       space.add_resolutions(64);
                       space.add_resolutions(96);
                     }});
  }
  cases.push_back({"resnet8", ", stem: {widths: [8, 16]}, head: {pools: [max]}", [](v1::SpaceSpec& space) {
                     space.mutable_stem()->add_widths(8);
                     space.mutable_stem()->add_widths(16);
                     space.mutable_head()->add_pools(v1::GLOBAL_POOL_MAX);
                   }});
  // What a whitening stem has for being one follows what a job changes; a stem that writes its widths keeps them, and is none.
  cases.push_back({"dense-80k", ", input_channels: 1", [](v1::SpaceSpec& space) { space.set_input_channels(1); }});
  cases.push_back({"dense-80k", ", stem: {kernel: 3}", [](v1::SpaceSpec& space) { space.mutable_stem()->set_kernel(3); }});
  cases.push_back({"dense-80k", ", stem: {whitening: false}", [](v1::SpaceSpec& space) { space.mutable_stem()->set_whitening(false); }});
  cases.push_back({"resnet8", ", stem: {whitening: true}", [](v1::SpaceSpec& space) { space.mutable_stem()->set_whitening(true); }, false});
  return cases;
}

/// With images that have as many channels as any preset's.
v1::SearchSpec SpecWithPreset(const std::string& name) {
  v1::SearchSpec spec = RequiredSpec();
  spec.mutable_dataset()->set_format(v1::DatasetSpec::FORMAT_IMAGE_FOLDER);
  spec.clear_space();
  spec.mutable_space()->set_preset(name);
  return spec;
}

TEST(PresetOnTheWireTest, IsTheSpaceThatAJobFileHasByIt) {
  for (const PresetCase& test : PresetCases()) {
    SCOPED_TRACE(absl::StrCat(test.name, test.changes_in_file));
    Keys keys = Required();
    keys["dataset.format"] = "image_folder";
    keys["space"] = absl::StrCat("{preset: ", test.name, test.changes_in_file, "}");
    v1::SearchSpec spec = SpecWithPreset(test.name);
    test.change(*spec.mutable_space());
    const absl::StatusOr<SearchJob> file = FromFile(keys);
    const absl::StatusOr<SearchJob> wire = rpc::SearchJobFromProto(spec, &config::FindPresetSpec);
    EXPECT_EQ(file.ok(), test.sound) << file.status();
    EXPECT_EQ(wire.ok(), test.sound) << wire.status();
    if (!file.ok() || !wire.ok()) continue;
    EXPECT_EQ(rpc::ToProto(*wire).ShortDebugString(), rpc::ToProto(*file).ShortDebugString());
    EXPECT_TRUE(rpc::ToProto(*wire).space().preset().empty()) << "an answer has the space in full";
  }
}

TEST(PresetOnTheWireTest, AnUnknownOneIsTheOnlyThingSaidOfTheSpace) {
  v1::SearchSpec spec = RequiredSpec();  // of grey images
  spec.clear_space();
  spec.mutable_space()->set_preset("resnet9");
  spec.mutable_space()->set_num_classes(0);
  spec.clear_name();
  const std::vector<FieldViolation> violations = ViolationsOf(rpc::SearchJobFromProto(spec, &config::FindPresetSpec).status());
  ASSERT_EQ(violations.size(), 2U);
  EXPECT_EQ(violations[0].path, "space.preset");
  EXPECT_THAT(violations[0].message, HasSubstr("did you mean resnet8?"));
  EXPECT_EQ(violations[1].path, "name");
}

TEST(PresetOnTheWireTest, AnUnknownOneIsTheOnlyThingSaidInAFileToo) {
  Keys keys = Required();
  keys["space"] = "{preset: resnet9}";
  const absl::Status status = FromFile(keys).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("did you mean resnet8?")));
  EXPECT_EQ(status.message().find("input_channels"), absl::string_view::npos) << status;
}

TEST(PresetOnTheWireTest, NoneIsTakenFromMessagesThatHaveTheSpaceInFull) {
  v1::SearchSpec spec = RequiredSpec();
  spec.mutable_space()->set_preset("resnet8");
  absl::Status refused;
  rpc::SearchJobFromStoredProto(spec, refused);
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("space.preset")));
}

TEST(PresetOnTheWireTest, AZeroIsNotTakenForAbsent) {
  v1::SearchSpec spec = SpecWithPreset("resnet8");
  spec.mutable_space()->set_num_classes(0);
  EXPECT_THAT(rpc::SearchJobFromProto(spec, &config::FindPresetSpec),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("space.num_classes")));
}

TEST(JobDefaultsTest, APresentZeroIsAChoice) {
  v1::SearchSpec spec = RequiredSpec();
  spec.set_references(v1::REFERENCES_NONE);
  spec.set_seed(0);
  spec.mutable_training()->set_label_smoothing(0);
  spec.mutable_training()->set_warmup(0);
  spec.mutable_training()->mutable_augmentation()->set_flip(false);
  const absl::StatusOr<SearchJob> job = rpc::SearchJobFromProto(spec);
  ASSERT_THAT(job, IsOk());
  EXPECT_EQ(job->references, ReferencesKind::kNone);
  EXPECT_EQ(job->seed, 0U);
  EXPECT_EQ(job->training.label_smoothing, 0);
  EXPECT_EQ(job->training.warmup, 0);
  EXPECT_FALSE(job->training.augmentation.flip);
  EXPECT_EQ(job->training.augmentation.shift, Augmentation{}.shift);
  EXPECT_EQ(job->training.clip_norm, TrainingSpec{}.clip_norm);
}

TEST(JobDefaultsTest, SomeFollowFromOtherFields) {
  v1::SearchSpec spec = RequiredSpec();
  spec.mutable_measure()->set_rounds(20);
  const absl::StatusOr<SearchJob> job = rpc::SearchJobFromProto(spec);
  ASSERT_THAT(job, IsOk());
  EXPECT_EQ(job->dataset.directory, "digits");
  EXPECT_EQ(job->measure.max_rounds, 20);
}

TEST(JobDefaultsTest, WhatHasNoneIsAskedFor) {
  std::vector<std::string> paths;
  for (const FieldViolation& violation : ViolationsOf(rpc::SearchJobFromProto(v1::SearchSpec()).status())) {
    if (!absl::StartsWith(violation.path, "space")) paths.push_back(violation.path);
  }
  EXPECT_THAT(paths, ElementsAre("name", "dataset.name", "dataset.directory"));
}

TEST(JobFieldsTest, WordsHaveTheSameOrderOnTheWire) {
  const auto expect_same = [](absl::Span<const absl::string_view> names, const google::protobuf::EnumDescriptor& type) {
    ASSERT_EQ(static_cast<size_t>(type.value_count()), names.size() + 1) << type.full_name();
    for (size_t i = 0; i < names.size(); ++i) {
      const google::protobuf::EnumValueDescriptor* const value = type.FindValueByNumber(static_cast<int>(i) + 1);
      ASSERT_NE(value, nullptr);
      EXPECT_TRUE(absl::EndsWith(std::string(value->name()), absl::AsciiStrToUpper(names[i]))) << value->name();
    }
  };
  expect_same(NamesOf(DatasetFormat{}), *v1::DatasetSpec::Format_descriptor());
  expect_same(NamesOf(SamplingKind{}), *v1::TrainingPhase::Sampling_descriptor());
  expect_same(NamesOf(ReferencesKind{}), *v1::References_descriptor());
  expect_same(NamesOf(RateSchedule{}), *v1::RateSchedule_descriptor());
  expect_same(NamesOf(Numerics{}), *v1::Numerics_descriptor());
  expect_same(NamesOf(LatencyStatistic{}), *v1::LatencyStatistic_descriptor());
}

TEST(JobFieldsTest, TheReferenceHasEveryRow) {
  ExpectGeneratedSection("docs/job-file.md", "quantities", QuantitiesAsMarkdown());
  for (const char* const section :
       {"", "dataset.", "training.", "teacher.", "sampling.", "evolution.", "fine_tune.", "final.", "measure.", "target.", "budget."}) {
    const std::string name = absl::StrCat("job fields", *section == '\0' ? "" : " ", absl::StrReplaceAll(section, {{".", ""}}));
    ExpectGeneratedSection("docs/job-file.md", name, FieldsAsMarkdown(section));
  }
  std::ifstream file(absl::StrCat(HANAS_SOURCE_DIR, "/docs/job-file.md"));
  const std::string page{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  for (const JobField& field : JobFields()) {
    const absl::string_view path = field.file_path();
    const std::string key(path.substr(path.find('.') == absl::string_view::npos ? 0 : path.find('.') + 1));
    EXPECT_THAT(page, HasSubstr(absl::StrCat("| `", key, "` |"))) << path;
  }
}

}  // namespace
}  // namespace hanas
