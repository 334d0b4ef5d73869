// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line/command_line.h"

#include <CLI/CLI.hpp>
#include <fstream>
#include <sstream>

#include "cli/command_line/completion.h"
#include "cli/command_line/reference.h"
#include "cli/command_line/words.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Every verb with the verbs below it.
std::vector<const CLI::App*> AllVerbs(const CLI::App& app) {
  std::vector<const CLI::App*> verbs;
  for (const std::string& name : VerbsOf(app)) {
    verbs.push_back(app.get_subcommand(name));
    for (const CLI::App* below : AllVerbs(*verbs.back())) verbs.push_back(below);
  }
  return verbs;
}

TEST(CommandLineTest, EveryVerbTeaches) {
  const CommandLine line;
  const std::vector<const CLI::App*> verbs = AllVerbs(line.app());
  EXPECT_GE(verbs.size(), 23U);
  for (const CLI::App* verb : verbs) {
    SCOPED_TRACE(verb->get_name());
    EXPECT_THAT(verb->get_footer(), HasSubstr("Example:\n  "));
    EXPECT_FALSE(verb->get_description().empty());
    for (const CLI::Option* option : verb->get_options()) EXPECT_FALSE(option->get_description().empty()) << option->get_name();
  }
}

// Written by: hanas __reference > docs/cli.md
TEST(CommandLineTest, ThePageOfTheCommandLineIsTrue) {
  std::ifstream file(std::string(HANAS_SOURCE_DIR) + "/docs/cli.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), ReferencePage(CommandLine().app())) << "write it again: hanas __reference > docs/cli.md";
}

TEST(CommandLineTest, ExitCodesAreListedOnceAndAscend) {
  int before = -1;
  for (const ExitCodeMeaning& row : ExitCodes()) {
    EXPECT_GT(static_cast<int>(row.code), before);
    before = static_cast<int>(row.code);
    EXPECT_THAT(ExitCodesText(), HasSubstr(row.meaning));
  }
}

struct Completion {
  std::string line;
  std::string answer;
};

TEST(CommandLineTest, CompletesVerbsFlagsAndValues) {
  const CommandLine command_line;
  const std::vector<Completion> rows = {
      {"hanas sub", "words\nsubmit\n"},
      {"hanas re", "words\nresume\nreplay\n"},
      {"hanas data ", "words\nfetch\ndraw\n"},
      {"hanas submit ", "files\n"},
      {"hanas run job.yaml --out ", "dirs\n"},
      {"hanas init ", "dirs\n"},
      {"hanas init data --out ", "files\n"},
      {"hanas init data --", "words\n--help\n--out\n--minutes\n--force\n"},
      {"hanas run job.yaml --ou", "words\n--out\n"},
      {"hanas list -o ", "words\ntable\njson\nyaml\nname\n"},
      {"hanas list --output=j", "words\njson\n"},
      {"hanas completion b", "words\nbash\n"},
      {"hanas help exit", "words\nexit-codes\n"},
      {"hanas list something ", "words\n"},
      {"hanas submit job.yaml ", "words\n"},
      {"hanas nonsense --", "words\n--help\n--version\n"},
  };
  for (const Completion& row : rows) EXPECT_EQ(Complete(command_line.app(), row.line), row.answer) << row.line;
  EXPECT_THAT(Complete(command_line.app(), "hanas "), StartsWith("words\nrun\ninit\npresets\nvalidate\n"));
}

TEST(CommandLineTest, HiddenVerbsStayHidden) {
  const CommandLine line;
  EXPECT_THAT(VerbsOf(line.app()), Contains("completion"));
  EXPECT_THAT(VerbsOf(line.app()), testing::Not(Contains("__complete")));
}

}  // namespace
}  // namespace hanas::cli
