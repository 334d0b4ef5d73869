// SPDX-License-Identifier: Apache-2.0
// `hanas run` as a user runs it: real processes, a drawn data set, from profiling to exported files.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/local_run.h"
#include "tests/support/hanas_process.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class RunTest : public testing::Test {
 protected:
  void SetUp() override {
    if (ProgramFolder().empty())
      GTEST_SKIP() << "expected hanas, hanas-coordinator, hanas-worker and hanas-profiler-agent in HANAS_BIN_DIR";
    workspace_ = std::make_unique<Workspace>(600, 200);
    out_ = workspace_->File("out");
  }
  void TearDown() override { ::unsetenv("TMPDIR"); }  // some cases set it, and the next one's workspace is below it
  std::vector<std::string> Arguments() const {
    return {"run", std::string(HANAS_SOURCE_DIR) + "/examples/tiny.yaml", "--out", out_, "--data", workspace_->data(), "--plain"};
  }

  static int ModeOf(const std::filesystem::path& path) {
    return static_cast<int>(std::filesystem::status(path).permissions() & std::filesystem::perms::mask);
  }

  std::unique_ptr<Workspace> workspace_;
  std::string out_;
};

TEST_F(RunTest, ClosesTheLoop) {
  LocalRun run(Arguments());
  ASSERT_THAT(run.Wait(), IsDone()) << run.output();
  EXPECT_THAT(run.output(), HasSubstr("The front:"));
  EXPECT_THAT(run.output(), HasSubstr("How far to trust this"));

  const absl::StatusOr<v1::Report> report = ReadReport(out_);
  ASSERT_THAT(report, IsOk());
  ASSERT_GT(report->front_size(), 0);
  EXPECT_GT(report->references_size(), 0);
  for (const v1::Member& member : report->front()) {
    EXPECT_GT(member.latency_p50_us(), 0) << member.id();
    EXPECT_EQ(member.test_images(), 200) << member.id();
    EXPECT_LE(member.reopened_differing(), 1) << member.id();
    EXPECT_LE(std::abs(member.worker_correct() - member.test_correct()), 2) << member.id();
    // After a handful of steps the two best classes of many an image are within a step of each other, which is where runtimes part.
    EXPECT_LE(member.device_differing(), 20) << member.id();
    EXPECT_GT(std::filesystem::file_size(out_ + "/" + member.onnx_file()), 0u);
    EXPECT_GT(std::filesystem::file_size(out_ + "/" + member.model_file()), 0u);
  }
  EXPECT_TRUE(std::filesystem::exists(out_ + "/front.svg"));
  EXPECT_EQ(report->latency_trust().held_out_networks(), 2);
  ASSERT_FALSE(report->warnings().empty());
  EXPECT_EQ(report->warnings(0).code(), "DRAWN_DATA");
  EXPECT_EQ(report->classes_size(), 10);

  // The same command again has nothing to do but to show the result.
  LocalRun again(Arguments());
  EXPECT_THAT(again.Wait(), IsDone()) << again.output();
  EXPECT_THAT(again.output(), HasSubstr("Going on with the search"));
  EXPECT_THAT(again.output(), HasSubstr("The front:"));
}

TEST_F(RunTest, AnInterruptStopsItAndTheLineThatItPrintsGoesOn) {
  out_ = workspace_->File("Ann's results");
  std::string line;
  {
    LocalRun run(Arguments());
    ASSERT_TRUE(run.ReadUntil("Following searches/")) << run.output();
    run.Signal(SIGINT);
    EXPECT_EQ(run.Wait(), 130) << run.output();
    const std::string announced = "nothing is lost. To go on: ";
    const size_t begin = run.output().find(announced);
    ASSERT_NE(begin, std::string::npos) << run.output();
    line = run.output().substr(begin + announced.size(), run.output().find('\n', begin) - begin - announced.size());
  }
  EXPECT_THAT(WEXITSTATUS(std::system((line + " > '" + workspace_->File("log") + "'").c_str())), IsDone()) << line;
  std::ifstream log(workspace_->File("log"));
  const std::string text((std::istreambuf_iterator<char>(log)), std::istreambuf_iterator<char>());
  EXPECT_THAT(text, HasSubstr("Going on with the search"));
  EXPECT_THAT(text, HasSubstr("The front:"));
}

TEST_F(RunTest, ItsProcessesMeetWhereNobodyElseGoes) {
  ::setenv("TMPDIR", workspace_->File("").c_str(), 1);
  ::unsetenv("XDG_RUNTIME_DIR");
  LocalRun run(Arguments());
  ASSERT_TRUE(run.ReadUntil("Following searches/")) << run.output();
  const absl::StatusOr<RunFile> file = ReadRunFile(out_);
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(file->address, StartsWith("unix:" + workspace_->File("hanas-run-")));
  EXPECT_THAT(run.output(), HasSubstr("--coordinator " + file->address)) << "how another terminal looks at it";
  const std::filesystem::path socket = file->address.substr(5);
  EXPECT_EQ(ModeOf(socket), 0600);
  EXPECT_EQ(ModeOf(socket.parent_path()), 0700);
  EXPECT_EQ(RunProgram("hanas", {"show", file->search, "--coordinator", file->address, "-o", "name"}).out, file->search + "\n");
  ASSERT_THAT(FollowUntil(*file, [](const v1::SearchEvent& event) { return event.kind() == "progress"; }), IsOk());
  for (const char* folder : {"state", "logs", "cache", "parties"}) {
    EXPECT_EQ(ModeOf(out_ + "/" + folder), 0700) << folder;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(out_ + "/" + folder))
      EXPECT_EQ(ModeOf(entry.path()) & 077, 0) << entry.path();
  }
  EXPECT_EQ(ModeOf(out_ + "/run.json"), 0600);
  run.Signal(SIGKILL);
  run.Wait();
  EXPECT_TRUE(std::filesystem::exists(socket)) << "nobody could remove it";
  LocalRun again(Arguments());
  ASSERT_TRUE(again.ReadUntil("Following searches/")) << again.output();
  EXPECT_FALSE(std::filesystem::exists(socket.parent_path())) << "the next run did";
  again.Signal(SIGINT);
  EXPECT_EQ(again.Wait(), 130) << again.output();
  for (const auto& entry : std::filesystem::directory_iterator(workspace_->File("")))
    EXPECT_THAT(entry.path().filename().string(), Not(StartsWith("hanas-run-")));
}

TEST_F(RunTest, WherePathsAreTooLongForSocketsItIsLoopbackWithTheToken) {
  const std::string deep = workspace_->File(std::string(100, 'd'));
  std::filesystem::create_directory(deep);
  ::setenv("TMPDIR", deep.c_str(), 1);
  ::unsetenv("XDG_RUNTIME_DIR");
  LocalRun run(Arguments());
  ASSERT_TRUE(run.ReadUntil("Following searches/")) << run.output();
  EXPECT_THAT(run.output(), HasSubstr("longer than 107 bytes"));
  const absl::StatusOr<RunFile> file = ReadRunFile(out_);
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(file->address, StartsWith("127.0.0.1:"));
  EXPECT_EQ(RunProgram("hanas", {"list", "--coordinator", file->address}).code, 0) << "the same user";
  EXPECT_EQ(RunProgram("hanas", {"list", "--coordinator", file->address}, {"XDG_STATE_HOME=" + workspace_->File("somebody")}).code, 14);
  run.Signal(SIGINT);
  EXPECT_EQ(run.Wait(), 130) << run.output();
}

TEST_F(RunTest, TwoTargetsGetAFrontEach) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "expected 2 processors for 2 threads, found 1";
  std::ifstream file(std::string(HANAS_SOURCE_DIR) + "/examples/tiny.yaml");
  std::string job((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  job.resize(job.find("target:"));
  job += "targets:\n  - {name: one, threads: 1, limits: {latency: 20 ms}}\n  - {name: two, threads: 2}\nreferences: none\n";
  const std::string path = workspace_->File("job.yaml");
  std::ofstream(path) << job;
  LocalRun run({"run", path, "--out", out_, "--data", workspace_->data(), "--plain"});
  ASSERT_THAT(run.Wait(), IsDone()) << run.output();
  std::set<int> threads;
  for (const char* target : {"one", "two"}) {
    const absl::StatusOr<v1::Report> report = ReadReport(out_ + "/targets/" + target);
    ASSERT_THAT(report, IsOk()) << target;
    EXPECT_EQ(report->target(), target);
    EXPECT_THAT(report->targets(), testing::ElementsAre("one", "two"));
    threads.insert(report->device().threads());
    ASSERT_GT(report->front_size(), 0) << target;
    for (const v1::Member& member : report->front()) {
      EXPECT_GT(member.latency_p50_us(), 0) << member.id();
      EXPECT_TRUE(std::filesystem::exists(out_ + "/targets/" + target + "/" + member.onnx_file()));
    }
    EXPECT_THAT(run.output(), HasSubstr(std::string("For the target ") + target));
  }
  EXPECT_THAT(threads, testing::ElementsAre(1, 2));
}

TEST_F(RunTest, ANetworkThatWasSetAsideIsTrainedOnLater) {
  std::ifstream tiny(std::string(HANAS_SOURCE_DIR) + "/examples/tiny.yaml");
  std::string job((std::istreambuf_iterator<char>(tiny)), std::istreambuf_iterator<char>());
  const std::string all = "final: {members: 2";
  ASSERT_NE(job.find(all), std::string::npos);
  job.replace(job.find(all), all.size(), "references: none\nfinal: {members: 1");
  std::ofstream(workspace_->File("one.yaml")) << job;
  std::vector<std::string> arguments = Arguments();
  arguments[1] = workspace_->File("one.yaml");
  LocalRun run(arguments);
  ASSERT_THAT(run.Wait(), IsDone()) << run.output();
  const absl::StatusOr<v1::Report> before = ReadReport(out_);
  ASSERT_THAT(before, IsOk());
  ASSERT_EQ(before->front_size(), 1);
  if (before->set_aside().empty()) GTEST_SKIP() << "a front of one network";

  arguments.insert(arguments.end(), {"--train-on", before->set_aside(0).id()});
  LocalRun later(arguments);
  ASSERT_THAT(later.Wait(), IsDone()) << later.output();
  EXPECT_THAT(later.output(), HasSubstr(before->set_aside(0).id() + " is trained on for 5 steps, as a user asked"));
  const absl::StatusOr<v1::Report> after = ReadReport(out_);
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(after->front_size(), 2);

  arguments.back() = "member-77";
  LocalRun unknown(arguments);
  EXPECT_THAT(unknown.Wait(), IsDone()) << "what there is, is shown";
  EXPECT_THAT(unknown.output(), HasSubstr("expected a member that was set aside"));
  EXPECT_THAT(unknown.output(), HasSubstr("The front:"));
}

TEST_F(RunTest, LimitsThatNoNetworkKeepsEndBeforeTraining) {
  std::ifstream file(std::string(HANAS_SOURCE_DIR) + "/examples/tiny.yaml");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t at = text.find("latency: 20 ms");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 14, "latency: 0.01 us");
  std::ofstream(workspace_->File("impossible.yaml")) << text;
  LocalRun run({"run", workspace_->File("impossible.yaml"), "--out", out_, "--data", workspace_->data(), "--plain"});
  EXPECT_EQ(run.Wait(), 4) << run.output();
  EXPECT_THAT(run.output(), testing::Not(HasSubstr("== training")));
}

TEST_F(RunTest, TwoRunsOnOneDirectoryAreRefused) {
  LocalRun first(Arguments());
  ASSERT_TRUE(first.ReadUntil("Following searches/")) << first.output();
  LocalRun second(Arguments());
  EXPECT_EQ(second.Wait(), 5);
  EXPECT_THAT(second.output(), HasSubstr("another run is using"));
  first.Signal(SIGTERM);
  EXPECT_EQ(first.Wait(), 130);
}

TEST_F(RunTest, TruncatedDataHasItsOwnStatus) {
  std::filesystem::resize_file(workspace_->data() + "/drawn/train-images-idx3-ubyte", 1000);
  LocalRun run(Arguments());
  EXPECT_EQ(run.Wait(), 3) << run.output();
  EXPECT_THAT(run.output(), HasSubstr("train-images-idx3-ubyte"));
  EXPECT_THAT(run.output(), testing::Not(HasSubstr("== profiling")));
}

}  // namespace
}  // namespace hanas
