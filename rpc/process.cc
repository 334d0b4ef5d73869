// SPDX-License-Identifier: Apache-2.0
#include "rpc/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/digest.h"

namespace hanas::rpc {
namespace {

// Written by the signal handler, read by the thread. -1: no StopSignals alive.
volatile int g_stop_pipe_write = -1;
volatile sig_atomic_t g_signals_seen = 0;

extern "C" void HandleStopSignal(int number) {
  const int saved = errno;
  g_signals_seen = g_signals_seen + 1;
  if (g_signals_seen > 1) _exit(128 + number);
  const char byte = 's';
  if (g_stop_pipe_write >= 0 && write(g_stop_pipe_write, &byte, 1) < 0) _exit(128 + number);
  errno = saved;
}

void SetHandler(void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
}

std::array<int, 2> g_pipe = {-1, -1};

}  // namespace

std::string HostId() {
  // The kernel's boot id is one for all containers on a machine, and another one on each clone of a disk image; a machine id is neither.
  for (const char* path : {"/proc/sys/kernel/random/boot_id", "/etc/machine-id"}) {
    std::string id;
    std::ifstream(path) >> id;
    id.erase(std::remove(id.begin(), id.end(), '-'), id.end());
    if (id.size() == 32 && std::all_of(id.begin(), id.end(), [](unsigned char c) { return absl::ascii_isxdigit(c); })) {
      return DigestBuilder().Add("hanas host").Add(id).Build().ToHex();
    }
  }
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return DigestBuilder().Add("hanas host").Add(std::string(name.data())).Build().ToHex();
}

std::string MakeInstanceId() {
  std::array<char, 16> bytes{};
  CHECK_EQ(getrandom(bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

absl::Status DieWithParent(int parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return absl::InternalError(absl::StrCat("prctl(PR_SET_PDEATHSIG): ", std::strerror(errno)));
  if (getppid() != parent) return absl::FailedPreconditionError("the process that started this one is gone");
  return absl::OkStatus();
}

StopSignals::StopSignals(std::function<void()> on_stop) {
  CHECK_EQ(pipe2(g_pipe.data(), O_CLOEXEC), 0) << std::strerror(errno);
  g_stop_pipe_write = g_pipe[1];
  SetHandler(&HandleStopSignal);
  thread_ = std::thread([on_stop = std::move(on_stop)] {
    char byte = 0;
    ssize_t got = 0;
    do {
      got = read(g_pipe[0], &byte, 1);
    } while (got < 0 && errno == EINTR);
    if (got == 1 && byte == 's') on_stop();
  });
}

StopSignals::~StopSignals() {
  SetHandler(SIG_DFL);
  const char byte = 'q';
  if (write(g_pipe[1], &byte, 1) == 1) thread_.join();
  g_stop_pipe_write = -1;
  for (int& end : g_pipe) close(std::exchange(end, -1));
}

}  // namespace hanas::rpc
