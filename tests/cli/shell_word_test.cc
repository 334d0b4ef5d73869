// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/shell_word.h"

#include <cstdio>
#include <string>
#include <vector>

#include "core/base/counter_random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

using ::testing::ElementsAreArray;

/// What a shell makes of a command: the words of it, by way of a real `sh`.
std::vector<std::string> WordsThatShellSees(const std::string& command) {
  FILE* const shell = popen(("set -- " + command + "\nfor word; do printf '%s\\0' \"$word\"; done").c_str(), "r");
  std::vector<std::string> words;
  if (shell == nullptr) {
    ADD_FAILURE() << "expected a shell, found none for " << command;
    return words;
  }
  std::string word;
  for (int c = 0; (c = std::getc(shell)) != EOF;) {
    if (c != 0) {
      word.push_back(static_cast<char>(c));
    } else {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  EXPECT_EQ(pclose(shell), 0) << command;
  return words;
}

TEST(ShellWordTest, PlainWordsStayAsTheyAre) {
  EXPECT_EQ(ShellCommand({"hanas", "run", "examples/tiny.yaml", "--out", "my-search"}), "hanas run examples/tiny.yaml --out my-search");
  EXPECT_EQ(ShellCommand({"hanas", "run", "my job.yaml", "--out", "Ann's"}), "hanas run 'my job.yaml' --out 'Ann'\\''s'");
  EXPECT_EQ(ShellWord(""), "''");
}

TEST(ShellWordTest, PathsAreNoOptions) {
  EXPECT_EQ(PathArgument("-out"), "./-out");
  EXPECT_EQ(PathArgument("/out"), "/out");
}

TEST(ShellWordTest, AShellPassesOnExactlyTheWords) {
  std::vector<std::string> words = {"",     "a b", "Ann's", "\"x\"", "$HOME",     "`id`",  "*",       "~", "~root",
                                    "a\\b", "#x",  "a=b",   "!x",    "new\nline", "\ttab", "caf\xe9", "é", "{a,b}",
                                    "[a]",  "a;b", "a&b",   "<>",    "(x)",       "-n",    "--"};
  CounterRandom random(1, "shell words");
  for (int i = 0; i < 300; ++i) {
    std::string& word = words.emplace_back();
    const uint64_t length = 1 + random.NextUint64() % 12;
    for (uint64_t k = 0; k < length; ++k) word.push_back(static_cast<char>(1 + random.NextUint64() % 255));
  }
  EXPECT_THAT(WordsThatShellSees(ShellCommand(words)), ElementsAreArray(words));
}

}  // namespace
}  // namespace hanas::cli
