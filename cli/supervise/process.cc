// SPDX-License-Identifier: Apache-2.0
#include "cli/supervise/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"

namespace hanas::cli {
namespace {

absl::StatusOr<int> OpenLog(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("cannot write the log ", path));
  return fd;
}

/// Our environment, less what `extra` sets.
std::vector<std::string> Environment(const std::vector<std::string>& extra) {
  std::vector<std::string> all = extra;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const absl::string_view text = *entry;
    const absl::string_view name = text.substr(0, text.find('=') + 1);
    bool replaced = false;
    for (const std::string& other : extra) replaced = replaced || absl::StartsWith(other, name);
    if (!replaced) all.emplace_back(text);
  }
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

int SetAttributes(posix_spawnattr_t& attributes) {
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  int error = posix_spawnattr_setsigmask(&attributes, &none);
  if (error == 0) error = posix_spawnattr_setsigdefault(&attributes, &all);
  if (error == 0) error = posix_spawnattr_setpgroup(&attributes, 0);
  if (error == 0) error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  return error;
}

}  // namespace

absl::StatusOr<pid_t> ProcessSpawner::Spawn(const ChildSpec& spec) {
  const absl::StatusOr<int> log = OpenLog(spec.log_file);
  if (!log.ok()) return log.status();
  const absl::Cleanup close_log = [&] { ::close(*log); };

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  const absl::Cleanup destroy = [&] {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  };
  int error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (error == 0) error = posix_spawn_file_actions_adddup2(&actions, *log, STDOUT_FILENO);
  if (error == 0) error = posix_spawn_file_actions_adddup2(&actions, *log, STDERR_FILENO);
  if (error == 0) error = SetAttributes(attributes);

  std::vector<std::string> arguments = spec.command;
  std::vector<std::string> environment = Environment(extra_environment_);
  pid_t pid = 0;
  if (error == 0) {
    error =
        posix_spawn(&pid, spec.command.front().c_str(), &actions, &attributes, Pointers(arguments).data(), Pointers(environment).data());
  }
  if (error != 0) return ErrnoStatus(error, absl::StrCat("cannot start ", spec.command.front()));
  return pid;
}

std::optional<ChildExit> ProcessSpawner::Poll(pid_t pid) {
  int status = 0;
  pid_t result = 0;
  do {
    result = ::waitpid(pid, &status, WNOHANG);
  } while (result < 0 && errno == EINTR);
  if (result == 0) return std::nullopt;
  if (result < 0) return ChildExit{.code = -1};  // not ours (any more): it cannot be waited for, so it counts as ended
  if (WIFSIGNALED(status)) return ChildExit{.signal = WTERMSIG(status)};
  return ChildExit{.code = WEXITSTATUS(status)};
}

void ProcessSpawner::Signal(pid_t pid, int signal) {
  if (pid > 0) ::kill(pid, signal);
}

absl::StatusOr<std::string> ProgramDirectory() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return ErrnoStatus(error.value(), "cannot find the folder of this program through /proc/self/exe");
  return program.parent_path().string();
}

}  // namespace hanas::cli
