// SPDX-License-Identifier: Apache-2.0
#include "cli/supervise/process.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Waits, without looking again and again, until the child has ended.
void AwaitEnd(pid_t pid) {
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
}

class ProcessTest : public testing::Test {
 protected:
  ChildSpec Shell(const std::string& script) const { return {"child", {"/bin/sh", "-c", script}, log_}; }

  const std::string log_ = testing::TempDir() + "/hanas_process_test." + std::to_string(getpid()) + ".log";
  ProcessSpawner spawner_{{"HANAS_TEST_WORD=blue"}};
  void TearDown() override { unlink(log_.c_str()); }
};

TEST_F(ProcessTest, OutputGoesToTheLogAndTheStatusComesBack) {
  const absl::StatusOr<pid_t> pid = spawner_.Spawn(Shell("echo to out; echo $HANAS_TEST_WORD >&2; exit 3"));
  ASSERT_THAT(pid, IsOk());
  AwaitEnd(*pid);
  const std::optional<ChildExit> exit = spawner_.Poll(*pid);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 3);
  EXPECT_EQ(exit->signal, 0);
  EXPECT_EQ(ReadText(log_), "to out\nblue\n");
}

TEST_F(ProcessTest, AKilledChildIsReportedByItsSignal) {
  const absl::StatusOr<pid_t> pid = spawner_.Spawn(Shell("exec cat /dev/zero > /dev/null"));
  ASSERT_THAT(pid, IsOk());
  EXPECT_FALSE(spawner_.Poll(*pid).has_value());
  spawner_.Signal(*pid, SIGKILL);
  AwaitEnd(*pid);
  EXPECT_EQ(Describe(spawner_.Poll(*pid).value()), "was killed by signal 9 (Killed)");
}

TEST_F(ProcessTest, AChildHasItsOwnGroupAndDefaultSignals) {
  signal(SIGPIPE, SIG_IGN);
  const absl::StatusOr<pid_t> pid = spawner_.Spawn(Shell("kill -PIPE $$; echo survived"));
  ASSERT_THAT(pid, IsOk());
  EXPECT_EQ(getpgid(*pid), *pid);
  AwaitEnd(*pid);
  EXPECT_EQ(spawner_.Poll(*pid)->signal, SIGPIPE);
  EXPECT_EQ(ReadText(log_), "");
}

TEST_F(ProcessTest, AMissingProgramIsAnError) {
  const absl::StatusOr<pid_t> pid = spawner_.Spawn({"child", {"/no/such/program"}, log_});
  EXPECT_THAT(pid, StatusIs(absl::StatusCode::kNotFound, HasSubstr("cannot start /no/such/program")));
}

TEST_F(ProcessTest, ALogThatCannotBeWrittenIsAnError) {
  EXPECT_THAT(spawner_.Spawn({"child", {"/bin/true"}, "/no/such/folder/x.log"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("cannot write the log /no/such/folder/x.log")));
}

TEST_F(ProcessTest, ASupervisedChildThatDiesIsStartedAgain) {
  Supervisor supervisor(&spawner_, {.initial_backoff = absl::ZeroDuration(), .max_failures = 3});
  supervisor.Add(Shell("echo once more; exit 1"));
  absl::Status status;
  for (int step = 0; status.ok() && step < 10; ++step) {
    status = supervisor.Tick(absl::Seconds(step));
    if (supervisor.children()[0].state == Supervisor::State::kRunning) AwaitEnd(supervisor.children()[0].pid);
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAborted, HasSubstr("3 in a row): it exited with status 1")));
  EXPECT_EQ(ReadText(log_), "once more\nonce more\nonce more\n");
}

}  // namespace
}  // namespace hanas::cli
