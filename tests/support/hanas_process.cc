// SPDX-License-Identifier: Apache-2.0
#include "tests/support/hanas_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

extern char** environ;

namespace hanas {
namespace {

/// Ours, less what `changes` sets, and those.
std::vector<std::string> Environment(const std::vector<std::string>& changes) {
  std::vector<std::string> all = changes;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const absl::string_view text = *entry;
    const absl::string_view name = text.substr(0, text.find('=') + 1);
    bool replaced = false;
    for (const std::string& change : changes) replaced = replaced || absl::StartsWith(change, name);
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

pid_t Spawn(const std::string& name, std::vector<std::string> arguments, const std::vector<std::string>& changes,
            const posix_spawn_file_actions_t& actions, bool new_session) {
  const std::string path = ProgramPath(name);
  arguments.insert(arguments.begin(), path);
  std::vector<std::string> environment = Environment(changes);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigfillset(&defaults);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSIGDEF | (new_session ? POSIX_SPAWN_SETSID : 0)));
  pid_t pid = -1;
  CHECK_EQ(posix_spawn(&pid, path.c_str(), &actions, &attributes, Pointers(arguments).data(), Pointers(environment).data()), 0) << name;
  posix_spawnattr_destroy(&attributes);
  return pid;
}

int WaitFor(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Appends what can be read; false at the end.
bool ReadInto(int descriptor, std::string& text) {
  std::array<char, 4096> buffer;
  ssize_t got = 0;
  do {
    got = read(descriptor, buffer.data(), buffer.size());
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;  // a terminal without anybody on the other side answers EIO
  text.append(buffer.data(), static_cast<size_t>(got));
  return true;
}

}  // namespace

std::string ProgramPath(const std::string& name) {
  const char* folder = std::getenv("HANAS_BIN_DIR");
  const std::string path = folder == nullptr ? "" : absl::StrCat(folder, "/", name);
  return !path.empty() && std::filesystem::exists(path) ? path : "";
}

Ended RunProgram(const std::string& name, std::vector<std::string> arguments, const std::vector<std::string>& environment) {
  int out[2];
  int err[2];
  CHECK_EQ(pipe2(out, O_CLOEXEC), 0);
  CHECK_EQ(pipe2(err, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  const pid_t pid = Spawn(name, std::move(arguments), environment, actions, /*new_session=*/false);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  Ended ended;
  std::array<pollfd, 2> streams = {pollfd{out[0], POLLIN, 0}, pollfd{err[0], POLLIN, 0}};
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    poll(streams.data(), streams.size(), -1);
    if (streams[0].revents != 0 && !ReadInto(out[0], ended.out)) streams[0].fd = -1;
    if (streams[1].revents != 0 && !ReadInto(err[0], ended.err)) streams[1].fd = -1;
  }
  close(out[0]);
  close(err[0]);
  ended.code = WaitFor(pid);
  return ended;
}

LiveProgram::LiveProgram(const std::string& name, std::vector<std::string> arguments, const std::vector<std::string>& environment,
                         int columns) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  int theirs = -1;
  if (columns > 0) {
    descriptor_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK_GE(descriptor_, 0);
    CHECK_EQ(grantpt(descriptor_), 0);
    CHECK_EQ(unlockpt(descriptor_), 0);
    Resize(columns);
    // The first terminal that the leader of a new session opens is the one that controls it.
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, ptsname(descriptor_), O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO);
  } else {
    int ends[2];
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    descriptor_ = ends[0];
    theirs = ends[1];
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, theirs, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, theirs, STDERR_FILENO);
  }
  pid_ = Spawn(name, std::move(arguments), environment, actions, /*new_session=*/columns > 0);
  posix_spawn_file_actions_destroy(&actions);
  if (theirs >= 0) close(theirs);
}

LiveProgram::~LiveProgram() {
  if (pid_ > 0) {
    Signal(SIGKILL);
    WaitFor(pid_);
  }
  StopReading();
}

bool LiveProgram::ReadSome() { return descriptor_ >= 0 && ReadInto(descriptor_, output_); }

bool LiveProgram::ReadUntil(const std::string& text) {
  while (true) {
    const size_t at = output_.find(text, found_);
    if (at != std::string::npos) {
      found_ = at + text.size();
      return true;
    }
    if (!ReadSome()) return false;
  }
}

void LiveProgram::Type(const std::string& text) const {
  CHECK_EQ(write(descriptor_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

void LiveProgram::Resize(int columns) const {
  const winsize size = {.ws_row = 24, .ws_col = static_cast<unsigned short>(columns), .ws_xpixel = 0, .ws_ypixel = 0};
  CHECK_EQ(ioctl(descriptor_, TIOCSWINSZ, &size), 0);
}

void LiveProgram::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

void LiveProgram::StopReading() {
  if (descriptor_ >= 0) close(descriptor_);
  descriptor_ = -1;
}

int LiveProgram::Wait() {
  while (ReadSome()) {
  }
  const int code = WaitFor(pid_);
  pid_ = -1;
  return code;
}

}  // namespace hanas
