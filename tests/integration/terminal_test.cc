// SPDX-License-Identifier: Apache-2.0
// `hanas run` on a terminal: its progress line keeps to the width, Ctrl-C says how to go on, and the same command goes on.
#include <filesystem>
#include <memory>

#include "absl/strings/str_split.h"
#include "cli/report/table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/local_run.h"
#include "tests/support/hanas_process.h"

namespace hanas {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kDraw[] = "\r\x1b[K";

/// The width of the widest progress line in what a terminal received: they are drawn in place, each after "\r\x1b[K".
size_t WidestLine(const std::string& output) {
  size_t widest = 0;
  const std::vector<std::string> drawn = absl::StrSplit(output, kDraw);
  // What comes before the first is no progress line; what stays ends in a line feed.
  for (size_t i = 1; i < drawn.size(); ++i) {
    const std::string line = drawn[i].substr(0, drawn[i].find_first_of("\r\n^"));
    if (drawn[i].find('\n') == std::string::npos) widest = std::max(widest, cli::DisplayWidth(line));
  }
  return widest;
}

class TerminalTest : public testing::Test {
 protected:
  void SetUp() override {
    if (ProgramFolder().empty())
      GTEST_SKIP() << "expected hanas, hanas-coordinator, hanas-worker and hanas-profiler-agent in HANAS_BIN_DIR";
    workspace_ = std::make_unique<Workspace>(600, 200);
  }
  std::vector<std::string> Arguments() const {
    return {"run",          std::string(HANAS_SOURCE_DIR) + "/examples/tiny.yaml",
            "--out",        workspace_->File("out"),
            "--data",       workspace_->data(),
            "--references", "none"};
  }

  std::unique_ptr<Workspace> workspace_;
};

TEST_F(TerminalTest, TheProgressLineFitsAndCtrlCSaysHowToGoOn) {
  {
    LiveProgram run("hanas", Arguments(), {"TERM=xterm"}, /*columns=*/100);
    ASSERT_TRUE(run.ReadUntil("== profiling")) << run.output();
    ASSERT_TRUE(run.ReadUntil("\r\x1b[Kprofiling  ")) << run.output();
    ASSERT_TRUE(run.ReadUntil("measurements")) << run.output();
    run.Resize(32);
    EXPECT_LT(WidestLine(run.output()), 100U);
    const size_t resized_at = run.output().size();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(run.ReadUntil(kDraw)) << run.output();
    // The line in flight may still be wide; those after the next one keep to the new width.
    const size_t narrow_from = run.output().find(kDraw, run.output().find(kDraw, resized_at) + 1);
    ASSERT_NE(narrow_from, std::string::npos);
    const std::string narrow = run.output().substr(narrow_from);
    EXPECT_GT(WidestLine(narrow), 0U) << narrow;
    EXPECT_LT(WidestLine(narrow), 32U) << narrow;
    run.Type("\x03");
    EXPECT_EQ(run.Wait(), 130) << run.output();
    EXPECT_THAT(run.output(), AllOf(HasSubstr("nothing is lost. To go on: "), HasSubstr("/hanas run ")));
  }
  LiveProgram again("hanas", Arguments(), {"TERM=xterm"}, /*columns=*/100);
  ASSERT_TRUE(again.ReadUntil("Going on with the search in ")) << again.output();
  ASSERT_TRUE(again.ReadUntil(kDraw)) << again.output();
  again.Type("\x03");
  EXPECT_EQ(again.Wait(), 130) << again.output();
}

}  // namespace
}  // namespace hanas
