// SPDX-License-Identifier: Apache-2.0
// The real worker and profiler-agent programs against a task service in this process.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/lowering/lowering.h"
#include "core/plan/exec_plan.h"
#include "dataset/draw.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/convert/device.h"
#include "rpc/process.h"
#include "rpc/server.h"
#include "tests/core/small_space.h"
#include "tests/rpc/fake_artifact_service.h"
#include "tests/rpc/fake_task_service.h"

extern char** environ;

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::testing::ElementsAre;
using ::testing::SizeIs;

/// A program of ours; killed when it is still there at the end.
class Program {
 public:
  Program(const std::string& name, std::vector<std::string> arguments) {
    const std::string path = absl::StrCat(std::getenv("HANAS_BIN_DIR"), "/", name);
    std::vector<char*> argv = {const_cast<char*>(name.c_str())};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&pid_, path.c_str(), nullptr, nullptr, argv.data(), environ), 0) << path;
  }
  ~Program() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  void Signal(int number) const { kill(pid_, number); }
  /// The exit status, or minus the signal.
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

class ProcessesTest : public ::testing::Test {
 protected:
  ProcessesTest() {
    EXPECT_THAT(DrawDataset((root_ / "data" / "drawn").string(), {.num_train = 100, .num_test = 100}), IsOk());
    std::filesystem::create_directories(root_ / "data" / "notes");
    std::filesystem::create_directories(root_ / "cache");
  }
  ~ProcessesTest() override { std::filesystem::remove_all(root_); }

  std::vector<std::string> WorkerArguments() const {
    return {"--coordinator",
            server_->address().ToString(),
            "--name",
            "w1",
            "--data",
            (root_ / "data").string(),
            "--cache",
            (root_ / "cache").string(),
            "--die-with-parent",
            absl::StrCat(getpid())};
  }
  std::vector<std::string> AgentArguments() const {
    return {"--coordinator", server_->address().ToString(), "--name", "local", "--die-with-parent", absl::StrCat(getpid())};
  }
  v1::Party Registered() {
    v1::Party party;
    tasks_.Await([](const rpc::FakeTaskService::Log& log) { return !log.registrations.empty() && log.leases > 0; });
    return tasks_.log().registrations[0].party();
  }

  std::filesystem::path root_ = std::filesystem::path(::testing::TempDir()) / absl::StrCat("hanas-processes-", ::getpid());
  rpc::FakeTaskService tasks_;
  rpc::FakeArtifactService artifacts_;
  std::unique_ptr<rpc::Server> server_ = *rpc::Server::Start({}, {&tasks_, &artifacts_});
};

TEST_F(ProcessesTest, TheWorkerRegistersAndStopsCleanly) {
  Program worker("hanas-worker", WorkerArguments());
  const v1::Party party = Registered();
  EXPECT_EQ(party.name(), "w1");
  EXPECT_THAT(party.instance_id(), SizeIs(32));
  EXPECT_EQ(party.host_id(), rpc::HostId());
  EXPECT_EQ(party.worker().threads(), 1);
  EXPECT_THAT(party.worker().datasets(), ElementsAre("drawn", "notes"));
  EXPECT_THAT(party.worker().dataset_digests(), ElementsAre(SizeIs(64), "")) << "notes are no data set";
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Wait(), 0);
}

TEST_F(ProcessesTest, TheAgentRegistersMeasuresAndStopsCleanly) {
  const unsigned threads = std::min(2U, std::thread::hardware_concurrency());
  std::vector<std::string> arguments = AgentArguments();
  arguments.insert(arguments.end(), {"--threads", absl::StrCat(threads)});
  Program agent("hanas-profiler-agent", arguments);
  const v1::Party party = Registered();
  EXPECT_EQ(party.name(), "local");
  EXPECT_EQ(party.agent().device().threads(), threads);
  EXPECT_EQ(party.host_id(), rpc::HostId());
  EXPECT_EQ(party.agent().device().backend(), "xnnpack");
  const absl::StatusOr<BackendCaps> caps = rpc::BackendCapsFromProto(party.agent().caps());
  ASSERT_THAT(caps, IsOk());

  v1::Task task;
  task.mutable_lease()->set_task("tasks/1");
  task.mutable_lease()->set_fencing_token(9);
  task.mutable_lease()->set_ttl_seconds(15);
  task.mutable_measure_operators()->add_keys(ToString(EnumerateOpKeys(Lowering(SmallConvnet()), *caps).front()));
  task.mutable_measure_operators()->set_rounds(5);
  task.mutable_measure_operators()->set_max_rounds(5);
  tasks_.AddTask(task);
  tasks_.Await([](const rpc::FakeTaskService::Log& log) { return log.completions.size() + log.failures.size() == 1; });
  const rpc::FakeTaskService::Log log = tasks_.log();
  ASSERT_THAT(log.completions, SizeIs(1)) << log.failures[0].ShortDebugString();
  EXPECT_EQ(log.completions[0].fencing_token(), 9U);
  EXPECT_GT(log.completions[0].measure_operators().rows(0).flushed_us(), 0);
  EXPECT_THAT(log.rounds, SizeIs(5));
  agent.Signal(SIGINT);
  EXPECT_EQ(agent.Wait(), 0);
}

TEST_F(ProcessesTest, ARefusalAndBadUsageHaveTheirOwnExitStatus) {
  tasks_.Change(
      [](rpc::FakeTaskService::Script& script) { script.registrations = {absl::InvalidArgumentError("party.name: expected another")}; });
  Program refused("hanas-worker", WorkerArguments());
  EXPECT_EQ(refused.Wait(), 3);
  Program agent("hanas-profiler-agent", {"--coordinator", "192.0.2.1:7700"});
  EXPECT_EQ(agent.Wait(), 2);
  Program worker("hanas-worker", {"--coordinator", "127.0.0.1:7700", "--data", "/nonexistent"});
  EXPECT_EQ(worker.Wait(), 2);
}

}  // namespace
}  // namespace hanas
