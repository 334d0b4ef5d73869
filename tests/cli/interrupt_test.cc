// SPDX-License-Identifier: Apache-2.0
// Every verb ends at the first SIGINT or SIGTERM, wherever it is.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands/exit_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/hanas_process.h"
#include "tests/support/loopback.h"

namespace hanas::cli {
namespace {

constexpr int kInterrupted = static_cast<int>(ExitCode::kInterrupted);

class InterruptTest : public testing::TestWithParam<int> {
 protected:
  InterruptTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-interrupt-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~InterruptTest() override { std::filesystem::remove_all(directory_); }

  std::string File(const std::string& name) const { return (directory_ / name).string(); }

  const int signal_ = GetParam();

 private:
  std::filesystem::path directory_;
};

TEST_P(InterruptTest, EndsWhatWaitsForACoordinatorThatDoesNotAnswer) {
  const std::vector<std::vector<std::string>> verbs = {{"submit", HANAS_SOURCE_DIR "/examples/tiny.yaml"},
                                                       {"list"},
                                                       {"show", "1"},
                                                       {"watch", "1"},
                                                       {"export", "1", "--out", File("out")},
                                                       {"health"}};
  for (std::vector<std::string> verb : verbs) {
    SCOPED_TRACE(verb[0]);
    SilentListener server;
    verb.insert(verb.end(), {"--coordinator", server.address()});
    LiveProgram program("hanas", verb);
    server.Accept();
    program.Signal(signal_);
    EXPECT_EQ(program.Wait(), kInterrupted);
  }
}

TEST_P(InterruptTest, EndsTheReadingOfAJobThatNobodyWrites) {
  const std::string fifo = File("job.yaml");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"validate", fifo}, {"submit", fifo}, {"run", fifo, "--out", File("out")}}) {
    SCOPED_TRACE(verb[0]);
    LiveProgram program("hanas", verb);
    const int writer = open(fifo.c_str(), O_WRONLY | O_CLOEXEC);  // waits for the reader
    program.Signal(signal_);
    EXPECT_EQ(program.Wait(), kInterrupted);
    close(writer);
  }
}

TEST_P(InterruptTest, EndsDrawingAndFetching) {
  LiveProgram draw("hanas", {"data", "draw", "--to", File("drawn")});
  ASSERT_TRUE(draw.ReadUntil("Drawing"));
  draw.Signal(signal_);
  EXPECT_EQ(draw.Wait(), kInterrupted);

  SilentListener server;
  LiveProgram fetch("hanas",
                    {"data", "fetch", "fashion-mnist", "--to", File("fetched"), "--url", absl::StrCat("http://", server.address())});
  server.Accept();
  fetch.Signal(signal_);
  EXPECT_EQ(fetch.Wait(), kInterrupted);
}

INSTANTIATE_TEST_SUITE_P(Signals, InterruptTest, testing::Values(SIGINT, SIGTERM),
                         [](const testing::TestParamInfo<int>& param) { return param.param == SIGINT ? "Interrupt" : "Terminate"; });

}  // namespace
}  // namespace hanas::cli
