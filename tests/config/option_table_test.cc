// SPDX-License-Identifier: Apache-2.0
#include "config/process/option_table.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::config {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// A program with an option of each kind.
struct Oven {
  std::string name = "oven-1";
  int trays = 2;
  double minutes = 12.5;
  bool fan = false;
  std::string mode = "bake";
  OptionTable table{{.name = "hanas-worker", .variable_prefix = "HANAS_WORKER_", .summary = "Bakes.", .example = "hanas-worker --name x"}};

  Oven() {
    table.Add({.name = "name", .value = "NAME", .help = "What it is called.", .required = true}, &name);
    table.Add({.name = "trays", .value = "N", .help = "How many trays."}, &trays, 1, 4);
    table.Add({.name = "bake-minutes", .value = "MINUTES", .help = "For how long."}, &minutes, 0.5, 600);
    table.Add({.name = "fan", .help = "Moves the air."}, &fan);
    table.AddChoice({.name = "mode", .help = "What it does."}, &mode, {"bake", "grill"});
    table.AddCheck("trays",
                   [this] { return fan && trays > 3 ? absl::InvalidArgumentError("expected at most 3 with the fan") : absl::OkStatus(); });
  }
  absl::StatusOr<ParsedOptions> Parse(std::vector<std::string> arguments, const Environment& environment = {}) {
    std::vector<const char*> argv = {"hanas-worker"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    return table.Parse(static_cast<int>(argv.size()), argv.data(), environment);
  }
};

class OptionTableTest : public ::testing::Test {
 protected:
  ~OptionTableTest() override { std::filesystem::remove(path_); }
  std::string File(const std::string& content) {
    std::ofstream(path_) << content;
    return path_;
  }
  const std::string path_ = absl::StrCat(::testing::TempDir(), "/hanas-options-", ::getpid(), ".yaml");
};

TEST_F(OptionTableTest, WithoutAnythingDefaultsHold) {
  Oven oven;
  ASSERT_THAT(oven.Parse({}), IsOk());
  EXPECT_EQ(oven.trays, 2);
  EXPECT_THAT(oven.table.Effective(), AllOf(HasSubstr("bake_minutes: 12.5 "), HasSubstr("# default\n")));
}

TEST_F(OptionTableTest, AFlagWinsOverAVariableOverTheFile) {
  const std::string path = File("name: from-file\ntrays: 1\nbake_minutes: 3\nfan: true\n");
  const Environment environment = {{"HANAS_WORKER_NAME", "from-variable"}, {"HANAS_WORKER_TRAYS", "3"}};
  Oven oven;
  ASSERT_THAT(oven.Parse({"--config", path, "--name", "from-flag"}, environment), IsOk());
  EXPECT_EQ(oven.name, "from-flag");
  EXPECT_EQ(oven.trays, 3);
  EXPECT_EQ(oven.minutes, 3);
  EXPECT_TRUE(oven.fan);
  EXPECT_EQ(oven.mode, "bake");
  const std::string effective = oven.table.Effective();
  EXPECT_THAT(effective, ::testing::ContainsRegex("name: from-flag +# --name\n"));
  EXPECT_THAT(effective, ::testing::ContainsRegex("trays: 3 +# HANAS_WORKER_TRAYS\n"));
  EXPECT_THAT(effective, HasSubstr(absl::StrCat("# ", path, ":3:15: bake_minutes\n")));
  EXPECT_THAT(effective, ::testing::ContainsRegex("mode: bake +# default\n"));
}

TEST_F(OptionTableTest, TheEffectiveConfigurationIsAFileThatGivesItAgain) {
  Oven first;
  ASSERT_THAT(first.Parse({"--name", "a: \"b\" # c", "--fan", "--bake-minutes", "1.25"}), IsOk());
  Oven second;
  ASSERT_THAT(second.Parse({"--config", File(first.table.Effective())}), IsOk());
  EXPECT_EQ(second.name, "a: \"b\" # c");
  EXPECT_TRUE(second.fan);
  EXPECT_EQ(second.minutes, 1.25);
}

TEST_F(OptionTableTest, TheFileMayBeNamedByAVariableAndMayBeEmpty) {
  Oven oven;
  EXPECT_THAT(oven.Parse({}, {{"HANAS_WORKER_CONFIG", File("# nothing\n")}}), IsOk());
  EXPECT_THAT(oven.Parse({}, {{"HANAS_WORKER_CONFIG", File("trays: 4\n")}}), IsOk());
  EXPECT_EQ(oven.trays, 4);
}

TEST_F(OptionTableTest, MistakesInTheFileHaveLineAndColumn) {
  const std::string path = File("tray: 1\ntrays: many\nmode: [bake]\nfan: perhaps\n");
  Oven oven;
  EXPECT_THAT(oven.Parse({"--config", path}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr(absl::StrCat(path, ":1:1: unknown key \"tray\", did you mean \"trays\"?")),
                             HasSubstr(absl::StrCat(path, ":2:8: trays: expected a whole number from 1 to 4, found \"many\"")),
                             HasSubstr(absl::StrCat(path, ":3:7: ")),
                             HasSubstr(absl::StrCat(path, ":4:6: fan: expected true or false, found \"perhaps\"")))));
  EXPECT_THAT(Oven().Parse({"--config", File("a: b: c\n")}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(absl::StrCat(path, ":1:"))));
  EXPECT_THAT(Oven().Parse({"--config", "/nonexistent/x.yaml"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("/nonexistent/x.yaml")));
}

TEST_F(OptionTableTest, MistakesSayWhereTheyAre) {
  EXPECT_THAT(Oven().Parse({"--trays", "9"}),
              StatusIs(absl::StatusCode::kInvalidArgument, "--trays: expected a whole number from 1 to 4, found \"9\""));
  EXPECT_THAT(Oven().Parse({"--bake-minutes", "nan"}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("from 0.5 to 600")));
  EXPECT_THAT(Oven().Parse({}, {{"HANAS_WORKER_MODE", "fry"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "HANAS_WORKER_MODE: expected one of bake, grill, found \"fry\""));
  EXPECT_THAT(Oven().Parse({"--tray", "1"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unknown option --tray; did you mean --trays?")));
  EXPECT_THAT(Oven().Parse({"cake"}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found \"cake\"")));
  EXPECT_THAT(Oven().Parse({"--name"}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--name")));
  EXPECT_THAT(Oven().Parse({"--name", ""}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("HANAS_WORKER_NAME")));
  EXPECT_THAT(Oven().Parse({"--fan", "--trays=4"}),
              StatusIs(absl::StatusCode::kInvalidArgument, "--trays: expected at most 3 with the fan"));
}

TEST_F(OptionTableTest, AMisspeltVariableIsWarnedOf) {
  Oven oven;
  const absl::StatusOr<ParsedOptions> parsed = oven.Parse({}, {{"HANAS_WORKER_TRAY", "1"},
                                                               {"HANAS_WORKR_NAME", "x"},
                                                               {"HANAS_AGENT_NAME", "another program's"},
                                                               {"HANAS_DATA_DIR", "another program's"},
                                                               {"PATH", "/bin"}});
  ASSERT_THAT(parsed, IsOk());
  EXPECT_THAT(parsed->warnings, ElementsAre(AllOf(HasSubstr("HANAS_WORKER_TRAY "), HasSubstr("did you mean HANAS_WORKER_TRAYS?")),
                                            AllOf(HasSubstr("HANAS_WORKR_NAME "), HasSubstr("did you mean HANAS_WORKER_NAME?"))));
}

TEST_F(OptionTableTest, HelpAndTheReferenceNameEveryOptionInEveryForm) {
  Oven oven;
  const std::string help = oven.table.Help();
  EXPECT_THAT(help, AllOf(HasSubstr("--bake-minutes MINUTES\n      For how long.\n      HANAS_WORKER_BAKE_MINUTES; default: 12.5\n"),
                          HasSubstr("--mode bake|grill\n"), HasSubstr("HANAS_WORKER_NAME; required"), HasSubstr("--check-config")));
  EXPECT_THAT(oven.table.Reference(), HasSubstr("| `--fan` | `HANAS_WORKER_FAN` | `false` | Moves the air. |\n"));
  EXPECT_EQ(oven.Parse({"--help", "--trays", "9"})->action, Action::kHelp);
  EXPECT_EQ(oven.Parse({"--version"})->action, Action::kVersion);
  EXPECT_EQ(oven.Parse({"--check-config"})->action, Action::kCheckConfig);
}

}  // namespace
}  // namespace hanas::config
