// SPDX-License-Identifier: Apache-2.0
// `hanas run` beside programs that do not do their part: it says so, with their last words, and ends or keeps saying why it waits.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/local_run.h"
#include "tests/support/program.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// hanas looks for the other programs beside itself: here is a folder with it, the others, and a script in place of one of them.
class SilentChildTest : public testing::Test {
 protected:
  void SetUp() override {
    if (ProgramFolder().empty()) GTEST_SKIP() << "expected the programs in HANAS_BIN_DIR";
    workspace_ = std::make_unique<Workspace>(600, 200);
    fs::create_directories(workspace_->File("bin"));
    std::error_code error;
    fs::create_hard_link(ProgramFolder() + "/hanas", workspace_->File("bin/hanas"), error);
    if (error) fs::copy_file(ProgramFolder() + "/hanas", workspace_->File("bin/hanas"));
    for (const char* name : {"hanas-coordinator", "hanas-worker", "hanas-profiler-agent"})
      fs::create_symlink(ProgramFolder() + "/" + name, workspace_->File("bin/") + name);
  }
  void Replace(const std::string& program, const std::string& script) const {
    const std::string path = workspace_->File("bin/" + program);
    fs::remove(path);
    std::ofstream(path) << "#!/bin/sh\n" << script;
    fs::permissions(path, fs::perms::owner_all);
  }
  std::unique_ptr<Program> Run() const {
    return std::make_unique<Program>(workspace_->File("bin/hanas"),
                                     std::vector<std::string>{"run", std::string(HANAS_SOURCE_DIR) + "/examples/tiny.yaml", "--out",
                                                              workspace_->File("out"), "--data", workspace_->data(), "--plain"});
  }

  std::unique_ptr<Workspace> workspace_;
};

TEST_F(SilentChildTest, AWorkerThatIsRefusedEndsTheRunWithItsLastWords) {
  Replace("hanas-worker", "echo 'party.name: expected another' >&2\nexit 3\n");
  const std::unique_ptr<Program> run = Run();
  EXPECT_EQ(run->Wait(), 6);
  EXPECT_THAT(run->output(), HasSubstr("cannot go on: it exited with status 3 (the coordinator refused this worker or agent for good"));
  EXPECT_THAT(run->output(), HasSubstr("Its last lines:\nparty.name: expected another"));
}

TEST_F(SilentChildTest, AnAgentThatCannotStartEndsTheRun) {
  fs::remove(workspace_->File("bin/hanas-profiler-agent"));
  fs::create_directories(workspace_->File("bin/hanas-profiler-agent"));
  const std::unique_ptr<Program> run = Run();
  EXPECT_EQ(run->Wait(), 6);
  EXPECT_THAT(run->output(), HasSubstr("agent keeps failing"));
  EXPECT_THAT(run->output(), HasSubstr("cannot start "));
}

TEST_F(SilentChildTest, AWorkerThatNeverRegistersIsSaid) {
  Replace("hanas-worker", "echo 'looking for the key'\nexec sleep 1000\n");
  const std::unique_ptr<Program> run = Run();
  EXPECT_TRUE(run->AwaitOutput("worker-1 runs, but has not registered with the coordinator; its log is ")) << run->output();
  EXPECT_TRUE(run->AwaitOutput("looking for the key")) << run->output();
  run->Signal(SIGINT);
  EXPECT_EQ(run->Wait(), 130);
}

TEST_F(SilentChildTest, ACoordinatorThatDoesNotServeIsSaidAfterTheFirstLine) {
  Replace("hanas-coordinator", "exec sleep 1000\n");
  const std::unique_ptr<Program> run = Run();
  EXPECT_TRUE(run->AwaitOutput("Running ")) << run->output();
  EXPECT_TRUE(run->AwaitOutput("coordinator runs, but has not begun to serve; its log is ")) << run->output();
  run->Signal(SIGINT);
  EXPECT_EQ(run->Wait(), 130);
}

}  // namespace
}  // namespace hanas
