// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/local_run.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "dataset/draw.h"
#include "gtest/gtest.h"
#include "rpc/json.h"
#include "rpc/search_client.h"

namespace hanas {
namespace {

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Workspace::Workspace(int64_t num_train, int64_t num_test) {
  std::string pattern = testing::TempDir() + "/hanas_run.XXXXXX";
  CHECK(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
  const absl::Status drawn = DrawDataset(File("data/drawn"), {.num_train = num_train, .num_test = num_test, .seed = 3});
  CHECK(drawn.ok()) << drawn;
}

Workspace::~Workspace() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

std::string ProgramFolder() {
  const char* folder = std::getenv("HANAS_BIN_DIR");
  if (folder == nullptr) return "";
  for (const char* name : {"hanas", "hanas-coordinator", "hanas-worker", "hanas-profiler-agent"}) {
    if (!std::filesystem::exists(absl::StrCat(folder, "/", name))) return "";
  }
  return folder;
}

LocalRun::LocalRun(std::vector<std::string> arguments) {
  const std::string program = ProgramFolder() + "/hanas";
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int pipe_ends[2] = {-1, -1};
  CHECK_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDERR_FILENO);
  CHECK_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ), 0) << program;
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  stream_ = fdopen(pipe_ends[0], "r");
}

LocalRun::~LocalRun() {
  if (pid_ > 0) {
    Signal(SIGKILL);
    Wait();
  }
}

bool LocalRun::ReadUntil(const std::string& text) {
  char line[4096];
  while (std::fgets(line, sizeof(line), stream_) != nullptr) {
    output_ += line;
    if (absl::StrContains(line, text)) return true;
  }
  return false;
}

void LocalRun::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

int LocalRun::Wait() {
  char line[4096];
  while (std::fgets(line, sizeof(line), stream_) != nullptr) output_ += line;
  std::fclose(stream_);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = 0;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

absl::StatusOr<RunFile> ReadRunFile(const std::string& directory) {
  const std::string text = ReadText(directory + "/run.json");
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return absl::DataLossError(absl::StrCat("expected JSON, found ", text));
  RunFile run = {.address = json.value("address", ""), .search = json.value("search", "")};
  for (const auto& process : json["processes"]) {
    const std::string name = process["name"];
    run.pids[name] = process["pid"];
    run.starts[name] = process["starts"];
  }
  if (run.search.empty()) return absl::NotFoundError(absl::StrCat("expected a search in run.json, found ", text));
  return run;
}

absl::StatusOr<v1::Report> ReadReport(const std::string& directory) {
  v1::Report report;
  if (absl::Status status = rpc::FromJson(ReadText(directory + "/report.json"), report); !status.ok()) return status;
  return report;
}

absl::StatusOr<std::vector<v1::SearchEvent>> FollowUntil(const RunFile& run, const std::function<bool(const v1::SearchEvent&)>& holds) {
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = rpc::SearchClient::Create(run.address);
  if (!client.ok()) return client.status();
  std::vector<v1::SearchEvent> events;
  bool found = false;
  while (!found) {
    if (absl::Status status = (*client)->WaitUntilReady(absl::Seconds(60)); !status.ok()) return status;
    const absl::Status status =
        (*client)->WatchSearch(run.search, events.empty() ? 0 : events.back().sequence(), [&](const v1::SearchEvent& event) {
          if (found) return;
          if (event.kind() != "progress") events.push_back(event);
          found = holds(event);
          if (found) (*client)->StopWatching();
        });
    if (!found && status.ok()) return absl::DeadlineExceededError("the search ended before what the test waits for");
    if (!found && !absl::IsUnavailable(status)) return status;
  }
  return events;
}

}  // namespace hanas
