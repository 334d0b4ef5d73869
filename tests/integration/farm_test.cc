// SPDX-License-Identifier: Apache-2.0
// A small farm of real programs: two workers and two agents on twins of one device class share the work of a search that is submitted to
// their coordinator. All of them are on this machine, so that measuring is the work of one at a time.
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/search_client.h"
#include "tests/integration/local_run.h"
#include "tests/support/hanas_process.h"
#include "tests/support/program.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int kPage = 1000;

class FarmTest : public testing::Test {
 protected:
  void SetUp() override {
    if (ProgramFolder().empty())
      GTEST_SKIP() << "expected hanas, hanas-coordinator, hanas-worker and hanas-profiler-agent in HANAS_BIN_DIR";
    workspace_ = std::make_unique<Workspace>(600, 200);
    Add("hanas-coordinator", {"--data-dir", workspace_->File("state"), "--listen", "127.0.0.1:0", "--port-file", workspace_->File("port")},
        "listening");
    int port = 0;
    std::ifstream(workspace_->File("port")) >> port;
    address_ = absl::StrCat("127.0.0.1:", port);
    for (const char* name : {"worker-1", "worker-2"}) {
      AddParty("hanas-worker", name, {"--data", workspace_->data(), "--cache", workspace_->File(name)});
    }
    for (const char* name : {"local", "twin"}) AddParty("hanas-profiler-agent", name, {});
    client_ = *rpc::SearchClient::Create(address_);
  }
  /// Returns when it has printed `ready`.
  void Add(const std::string& program, std::vector<std::string> arguments, const std::string& ready) {
    arguments.insert(arguments.end(), {"--die-with-parent", absl::StrCat(getpid())});
    farm_.push_back(std::make_unique<Program>(ProgramFolder() + "/" + program, std::move(arguments)));
    ASSERT_TRUE(farm_.back()->AwaitOutput(ready)) << farm_.back()->output();
  }
  void AddParty(const std::string& program, const std::string& name, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--coordinator", address_, "--name", name});
    Add(program, std::move(arguments), "registered");
  }
  /// What `hanas` prints, without its last newline.
  std::string Run(std::vector<std::string> arguments) const {
    const Ended ended = RunProgram("hanas", std::move(arguments), {"HANAS_COORDINATOR=" + address_});
    EXPECT_THAT(ended.code, IsDone()) << ended.err;
    return ended.out.substr(0, ended.out.rfind('\n'));
  }

  std::unique_ptr<Workspace> workspace_;
  std::vector<std::unique_ptr<Program>> farm_;
  std::string address_;
  std::unique_ptr<rpc::SearchClient> client_;
};

TEST_F(FarmTest, TwoWorkersAndTwoTwinsShareASearch) {
  const std::string search = Run({"submit", std::string(HANAS_SOURCE_DIR) + "/examples/tiny.yaml", "-o", "name"});
  int most_measuring = 0;
  const auto events = FollowUntil({.address = address_, .search = search}, [&](const v1::SearchEvent& event) {
    const auto devices = client_->ListDevices(kPage, "");
    EXPECT_THAT(devices, IsOk());
    int measuring = 0;
    for (const v1::Device& device : devices->devices()) measuring += device.state() == v1::Device::STATE_MEASURING ? 1 : 0;
    most_measuring = std::max(most_measuring, measuring);
    return event.phase() == v1::PHASE_SUCCEEDED || event.phase() == v1::PHASE_FAILED;
  });
  ASSERT_THAT(events, IsOk());
  EXPECT_EQ(events->back().phase(), v1::PHASE_SUCCEEDED) << client_->GetSearch(search)->error();
  EXPECT_THAT(Run({"watch", search, "--plain"}), HasSubstr("SUCCEEDED"));
  EXPECT_EQ(most_measuring, 1) << "they take turns on their machine";

  // Each network was evaluated by one of them, and each of them evaluated some.
  const auto candidates = client_->ListCandidates(search, kPage, "");
  ASSERT_THAT(candidates, IsOk());
  std::set<std::string> evaluated_by;
  for (const v1::Candidate& candidate : candidates->candidates()) evaluated_by.insert(candidate.worker());
  EXPECT_THAT(evaluated_by, SizeIs(2));

  // The operators of the class were shared out; whole networks belong to the device that the job names.
  const auto tasks = client_->ListTasks(search, kPage, "");
  ASSERT_THAT(tasks, IsOk());
  std::set<std::string> operators_by;
  std::set<std::string> networks_by;
  for (const v1::TaskSummary& task : tasks->tasks()) {
    EXPECT_EQ(task.state(), v1::TaskSummary::STATE_DONE) << task.key();
    EXPECT_EQ(task.failures(), 0) << task.key() << ": " << task.error();
    if (absl::StrContains(task.key(), "operators/")) operators_by.insert(task.holder());
    if (absl::StrContains(task.key(), "/measure/") || absl::EndsWith(task.key(), "/verify")) networks_by.insert(task.holder());
  }
  EXPECT_THAT(operators_by, SizeIs(2));
  EXPECT_THAT(networks_by, SizeIs(1));

  const auto devices = client_->ListDevices(kPage, "");
  ASSERT_THAT(devices, IsOk());
  ASSERT_EQ(devices->devices_size(), 2);
  const v1::Device& local = devices->devices(0);
  const v1::Device& twin = devices->devices(1);
  EXPECT_EQ(local.display_name(), "local");
  EXPECT_EQ(*networks_by.begin(), local.name());
  EXPECT_EQ(twin.device_class(), local.device_class());
  EXPECT_EQ(twin.host_id(), local.host_id());
  EXPECT_GT(local.table_rows(), 0);
  EXPECT_EQ(twin.table_rows(), local.table_rows()) << "one table";

  const auto report = client_->GetReport(search);
  ASSERT_THAT(report, IsOk());
  EXPECT_GT(report->front_size(), 0);
  const std::string task_table = Run({"tasks", search});
  for (const std::string& holder : {*evaluated_by.begin(), *evaluated_by.rbegin(), local.name(), twin.name()}) {
    EXPECT_THAT(task_table, HasSubstr(holder));
  }
  EXPECT_THAT(std::vector<std::string>(absl::StrSplit(Run({"workers", "-o", "name"}), '\n')), SizeIs(2));
  EXPECT_THAT(std::vector<std::string>(absl::StrSplit(Run({"devices", "-o", "name"}), '\n')), SizeIs(2));
}

}  // namespace
}  // namespace hanas
