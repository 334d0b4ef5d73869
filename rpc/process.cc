// SPDX-License-Identifier: Apache-2.0
#include "rpc/process.h"

#include <fcntl.h>
#include <google/protobuf/stubs/common.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <poll.h>
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
#include "rpc/clock.h"
#include "telemetry/event_log.h"

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

/// The next byte of the pipe; '\0' when none comes within `timeout`.
char NextByte(int descriptor, absl::Duration timeout) {
  const absl::Duration begin = SystemClock().Now();
  while (true) {
    const absl::Duration left = timeout - (SystemClock().Now() - begin);
    pollfd waiting = {.fd = descriptor, .events = POLLIN, .revents = 0};
    const int wait_ms = timeout == absl::InfiniteDuration() ? -1 : static_cast<int>(std::max<int64_t>(0, absl::ToInt64Milliseconds(left)));
    const int ready = poll(&waiting, 1, wait_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return '\0';
    char byte = 0;
    if (read(descriptor, &byte, 1) == 1) return byte;
    if (errno != EINTR) return '\0';
  }
}

void LogGrpcMessage(gpr_log_func_args* message) {
  using telemetry::Severity;
  const Severity severity = message->severity == GPR_LOG_SEVERITY_ERROR ? Severity::kError : Severity::kInfo;
  const absl::string_view file = message->file;
  telemetry::LogEvent(severity, "grpc",
                      {{"message", message->message}, {"source", absl::StrCat(file.substr(file.rfind('/') + 1), ":", message->line)}});
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

std::string RandomBytesHex(size_t bytes) {
  std::string random(bytes, '\0');
  CHECK_LE(bytes, size_t{256}) << "what getrandom gives at once";
  CHECK_EQ(getrandom(random.data(), random.size(), 0), static_cast<ssize_t>(random.size()));
  return absl::BytesToHexString(random);
}

std::string MakeInstanceId() { return RandomBytesHex(16); }

absl::Status DieWithParent(int parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return absl::InternalError(absl::StrCat("prctl(PR_SET_PDEATHSIG): ", std::strerror(errno)));
  if (getppid() != parent) return absl::FailedPreconditionError("the process that started this one is gone");
  return absl::OkStatus();
}

std::vector<std::pair<std::string, std::string>> LibraryVersions() {
  return {{"gRPC", grpc::Version()}, {"Protocol Buffers", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)}};
}

void LogGrpcMessages() { gpr_set_log_function(&LogGrpcMessage); }

StopSignals::StopSignals(std::function<void()> on_stop, absl::Duration timeout, int timeout_status) {
  CHECK_EQ(pipe2(g_pipe.data(), O_CLOEXEC), 0) << std::strerror(errno);
  g_stop_pipe_write = g_pipe[1];
  SetHandler(&HandleStopSignal);
  thread_ = std::thread([on_stop = std::move(on_stop), timeout, timeout_status] {
    if (NextByte(g_pipe[0], absl::InfiniteDuration()) != 's') return;
    telemetry::LogEvent(telemetry::Severity::kInfo, "stopping", {{"timeout", absl::FormatDuration(timeout)}});
    on_stop();
    if (NextByte(g_pipe[0], timeout) != '\0') return;
    telemetry::LogEvent(telemetry::Severity::kError, "stop_timeout", {{"timeout", absl::FormatDuration(timeout)}});
    _exit(timeout_status);
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
