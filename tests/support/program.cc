// SPDX-License-Identifier: Apache-2.0
#include "tests/support/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

extern char** environ;

namespace hanas {

Program::Program(const std::string& path, std::vector<std::string> arguments) {
  const std::string name = path.substr(path.rfind('/') + 1);
  std::vector<char*> argv = {const_cast<char*>(name.c_str())};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int pipe_ends[2] = {-1, -1};
  CHECK_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDERR_FILENO);
  const int error = posix_spawn(&pid_, path.c_str(), &actions, nullptr, argv.data(), environ);
  CHECK_EQ(error, 0) << "cannot start " << path << ": " << std::strerror(error);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  reader_ = std::thread([this, descriptor = pipe_ends[0]] { Read(descriptor); });
}

Program::~Program() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  Wait();
}

void Program::Read(int descriptor) {
  char buffer[4096];
  while (true) {
    const ssize_t count = read(descriptor, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    absl::MutexLock lock(&mutex_);
    output_.append(buffer, static_cast<size_t>(count));
  }
  close(descriptor);
  absl::MutexLock lock(&mutex_);
  ended_ = true;
}

void Program::Signal(int number) const {
  CHECK_GT(pid_, 0) << "it was waited for";  // -1 would be everybody
  kill(pid_, number);
}

bool Program::AwaitStopped() const {
  siginfo_t info = {};
  // WNOWAIT: an end is left for Wait to see.
  CHECK_EQ(waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT), 0);
  return info.si_code == CLD_STOPPED;
}

int Program::Wait() {
  int status = 0;
  CHECK_EQ(waitpid(pid_, &status, 0), pid_);
  pid_ = -1;
  reader_.join();
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool Program::AwaitOutput(absl::string_view text, size_t from) {
  absl::MutexLock lock(&mutex_);
  const auto printed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return absl::StrContains(absl::string_view(output_).substr(std::min(from, output_.size())), text);
  };
  const auto decided = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ended_ || printed(); };
  mutex_.Await(absl::Condition(&decided));
  return printed();
}

std::string Program::output() {
  absl::MutexLock lock(&mutex_);
  return output_;
}

std::string ProgramPath(absl::string_view name) {
  const char* const folder = std::getenv("HANAS_BIN_DIR");
  CHECK(folder != nullptr) << "expected the folder of the built programs in HANAS_BIN_DIR, found nothing";
  return absl::StrCat(folder, "/", name);
}

}  // namespace hanas
