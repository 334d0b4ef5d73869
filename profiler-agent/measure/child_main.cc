// SPDX-License-Identifier: Apache-2.0
// The child's side of measure/child.h.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/bounds.h"
#include "core/base/error_reason.h"
#include "profiler-agent/device/host_probe.h"
#include "profiler-agent/measure/child.h"
#include "profiler-agent/measure/child_frames.h"
#include "profiler-agent/measure/child_protocol.h"
#include "profiler-agent/runtime/runtime.h"

namespace hanas {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kMemoryIsLimited = false;  // shadow memory is larger than any limit
#else
constexpr bool kMemoryIsLimited = true;
#endif

[[noreturn]] void OnOutOfMemory() { _exit(kChildOutOfMemoryExit); }

struct Limits {
  int64_t cpu_seconds = 0;
  int64_t memory_bytes = 0;
  int threads = 0;
  int64_t pin = 0;
  int64_t parent = 0;
};

bool ParseLimits(absl::string_view text, Limits& limits) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  return parts.size() == 5 && absl::SimpleAtoi(parts[0], &limits.cpu_seconds) && absl::SimpleAtoi(parts[1], &limits.memory_bytes) &&
         absl::SimpleAtoi(parts[2], &limits.threads) && absl::SimpleAtoi(parts[3], &limits.pin) &&
         absl::SimpleAtoi(parts[4], &limits.parent);
}

/// What the stacks of all threads but the first take of the limit on memory: the system counts a stack as used from the start, though few
/// pages of it ever are. A job may have the threads of two libraries at a time.
int64_t BytesOfStacks(int threads) {
  constexpr int64_t kLibraries = 2;
  size_t bytes = size_t{8} << 20;
  if (pthread_attr_t attributes; pthread_getattr_default_np(&attributes) == 0) {
    pthread_attr_getstacksize(&attributes, &bytes);
    pthread_attr_destroy(&attributes);
  }
  return kLibraries * (threads - 1) * static_cast<int64_t>(bytes);
}

/// Where the process is kept: on the CPU that it is on, and with more threads on others beside it. A wish: a container may refuse.
void Pin(int threads) {
  const int cpu = sched_getcpu();
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (threads > 1) {
    for (const int chosen : HostProbe().ChooseCpus(AllowedCpus(), cpu, threads)) CPU_SET(chosen, &set);
  }
  sched_setaffinity(0, sizeof(set), &set);
}

void Limit(int resource, int64_t soft, int64_t hard) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return;
  limit.rlim_cur = static_cast<rlim_t>(soft);
  limit.rlim_max = std::min(limit.rlim_max, static_cast<rlim_t>(hard));
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

/// False when the parent is gone already.
bool Confine(const Limits& limits) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != static_cast<pid_t>(limits.parent)) return false;
  Limit(RLIMIT_CORE, 0, 0);
  if (limits.cpu_seconds > 0) Limit(RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 2);
  if (limits.memory_bytes > 0 && kMemoryIsLimited) {
    const int64_t bytes = limits.memory_bytes + BytesOfStacks(limits.threads);
    Limit(RLIMIT_DATA, bytes, bytes);
  }
  std::set_new_handler(&OnOutOfMemory);
  signal(SIGPIPE, SIG_IGN);
  if (limits.pin != 0) Pin(limits.threads);
  return true;
}

bool ReadAll(int fd, std::string& bytes) {
  std::vector<char> buffer(1 << 16);
  for (;;) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n > 0) bytes.append(buffer.data(), static_cast<size_t>(n));
    if (n == 0) return true;
    if (n < 0 && errno != EINTR) return false;
  }
}

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return absl::UnavailableError("measuring child: the parent does not read");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status RunHandler(const ChildHandlers& handlers, const std::string& kind) {
  const auto handler = handlers.find(kind);
  if (handler == handlers.end()) return absl::UnimplementedError(absl::StrCat("measuring child: unknown kind of job \"", kind, "\""));
  std::string request;
  if (!ReadAll(STDIN_FILENO, request)) return absl::InternalError("measuring child: cannot read the request");
  const EmitRecord emit = [](absl::string_view record) {
    return WriteAll(kChildRecordDescriptor, EncodeFrame(FrameType::kRecord, record));
  };
  absl::Status status = handler->second(request, emit);
  if (absl::IsResourceExhausted(status) && ReasonOf(status).empty()) SetReason(status, Name(MeasureError::kOutOfMemory));
  return status;
}

}  // namespace

bool IsChild(int argc, char** argv) { return argc >= 2 && absl::string_view(argv[1]) == kChildFlag; }

int ChildMain(int argc, char** argv, const ChildHandlers& handlers) {
  Limits limits;
  if (argc != 4 || !ParseLimits(argv[3], limits) || fcntl(kChildRecordDescriptor, F_GETFD) < 0) return kChildBadCallExit;
  if (limits.threads < 1 || limits.threads > bounds::kMaxDeviceThreads) {
    std::fprintf(stderr, "expected 1 to %d threads, found %d\n", bounds::kMaxDeviceThreads, limits.threads);  // which the parent quotes
    return kChildBadCallExit;
  }
  if (!Confine(limits)) return kChildBadCallExit;
  const absl::Status status = RunHandler(handlers, argv[2]);
  if (!status.ok() && !WriteAll(kChildRecordDescriptor, EncodeFrame(FrameType::kFailure, EncodeStatus(status))).ok())
    return kChildBadCallExit;
  return WriteAll(kChildRecordDescriptor, EncodeFrame(FrameType::kEnd, "")).ok() ? EXIT_SUCCESS : kChildBadCallExit;
}

}  // namespace hanas
