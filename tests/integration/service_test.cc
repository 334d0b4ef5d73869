// SPDX-License-Identifier: Apache-2.0
// The command line against a real coordinator: both as processes, over loopback, on a port that the system chose.
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/hanas_process.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() {
    fs::create_directories(folder_);
    StartCoordinator("127.0.0.1:0");
  }
  ~ServiceTest() override {
    coordinator_.reset();
    fs::remove_all(folder_);
  }

  /// Returns once it answers; the same folder keeps the searches.
  void StartCoordinator(const std::string& listen) {
    const std::string port_file = folder_ + "/port";
    fs::remove(port_file);
    coordinator_ = std::make_unique<LiveProgram>(
        "hanas-coordinator", std::vector<std::string>{"--data-dir", folder_ + "/state", "--listen", listen, "--port-file", port_file,
                                                      "--die-with-parent", absl::StrCat(getpid())});
    // It says so when its port is written.
    ASSERT_TRUE(coordinator_->ReadUntil("listening")) << coordinator_->output();
    int port = 0;
    std::ifstream(port_file) >> port;
    ASSERT_NE(port, 0);
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  Ended Run(std::vector<std::string> arguments) const {
    return RunProgram("hanas", std::move(arguments), {"HANAS_COORDINATOR=" + address_});
  }
  std::string Job() const { return std::string(HANAS_SOURCE_DIR) + "/examples/tiny.yaml"; }

  const std::string folder_ = absl::StrCat(testing::TempDir(), "/hanas-service-", ::getpid());
  std::unique_ptr<LiveProgram> coordinator_;
  std::string address_;
};

TEST_F(ServiceTest, SubmitListShowExplainCancel) {
  EXPECT_EQ(Run({"health"}).code, 0);
  EXPECT_THAT(Run({"list"}).out, StartsWith("No searches."));
  const Ended submitted = Run({"submit", Job()});
  ASSERT_EQ(submitted.code, 0) << submitted.err;
  const std::string name = submitted.out.substr(0, submitted.out.find('\n'));
  EXPECT_EQ(Run({"submit", Job()}).out, submitted.out) << "the same job again";
  EXPECT_NE(Run({"submit", Job(), "--request-id", "another"}).out, submitted.out);
  const Ended list = Run({"list"});
  EXPECT_THAT(list.out, HasSubstr(name + "  tiny"));
  EXPECT_EQ(Run({"list", "-o", "name"}).out.substr(0, name.size()), name);
  EXPECT_THAT(Run({"show", name}).out, StartsWith(absl::StrCat(name, " \"tiny\" is ")));
  EXPECT_THAT(Run({"show", name, "-o", "json"}).out, HasSubstr(absl::StrCat("\"name\": \"", name, "\"")));

  const Ended watched_before = Run({"export", name, "--out", folder_ + "/out"});
  EXPECT_EQ(watched_before.code, 11) << "there is no report yet: " << watched_before.err;
  EXPECT_EQ(Run({"cancel", name}).out, name + " is cancelled\n");
  EXPECT_EQ(Run({"cancel", name}).code, 11) << "it is over";
  EXPECT_EQ(Run({"watch", name}).code, 8);
  EXPECT_EQ(Run({"show", "searches/999"}).code, 10);
}

TEST_F(ServiceTest, WatchSurvivesARestartOfTheCoordinator) {
  const Ended submitted = Run({"submit", Job()});
  ASSERT_EQ(submitted.code, 0) << submitted.err;
  const std::string name = submitted.out.substr(0, submitted.out.find('\n'));
  LiveProgram watch("hanas", {"watch", name, "--plain"}, {"HANAS_COORDINATOR=" + address_});
  // Without a device it waits.
  ASSERT_TRUE(watch.ReadUntil("\n")) << watch.output();
  coordinator_->Signal(SIGKILL);
  ASSERT_TRUE(watch.ReadUntil("lost the coordinator")) << watch.output();
  StartCoordinator(address_);
  ASSERT_TRUE(watch.ReadUntil("the coordinator is back")) << watch.output();
  EXPECT_EQ(Run({"cancel", name}).code, 0);
  EXPECT_EQ(watch.Wait(), 8) << watch.output();
  EXPECT_EQ(watch.output().find("lost the coordinator"), watch.output().rfind("lost the coordinator"));
}

TEST_F(ServiceTest, ACoordinatorThatStopsAnsweringIsNoticed) {
  coordinator_->Signal(SIGSTOP);
  EXPECT_EQ(Run({"list", "--timeout", "0.5"}).code, 9);
  EXPECT_EQ(Run({"health", "--timeout", "0.5"}).code, 9);
  coordinator_->Signal(SIGCONT);
  EXPECT_EQ(Run({"health", "--timeout", "30"}).code, 0);
}

}  // namespace
}  // namespace hanas
