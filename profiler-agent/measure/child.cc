// SPDX-License-Identifier: Apache-2.0
// The parent's side.
#include "profiler-agent/measure/child.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/error_reason.h"
#include "profiler-agent/measure/child_frames.h"
#include "profiler-agent/measure/child_protocol.h"

extern char** environ;

namespace hanas {
namespace {

constexpr size_t kQuotedBytes = 1500;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { Close(); }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

struct Pipe {
  Descriptor read;
  Descriptor write;
  static absl::StatusOr<Pipe> Make() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
      return absl::ResourceExhaustedError(absl::StrCat("measuring child: cannot make a pipe: ", std::strerror(errno)));
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  }
  /// A pipe whose writer can ask not to be signalled when the reader is gone.
  static absl::StatusOr<Pipe> MakeSocket() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
      return absl::ResourceExhaustedError(absl::StrCat("measuring child: cannot make a socket pair: ", std::strerror(errno)));
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  }
};

absl::Status Failed(MeasureError error, const ChildJob& job, absl::string_view how, absl::string_view said) {
  constexpr std::array<absl::StatusCode, 4> kCodes = {absl::StatusCode::kInternal, absl::StatusCode::kDeadlineExceeded,
                                                      absl::StatusCode::kResourceExhausted, absl::StatusCode::kDataLoss};
  std::string message = absl::StrCat("measuring ", job.name, ": the child process ", how);
  if (!said.empty()) absl::StrAppend(&message, "; it last said: ", said);
  return WithReason(absl::Status(kCodes.at(static_cast<size_t>(error)), message), Name(error));
}

/// One running child. Killed and reaped by the destructor unless Reap was called.
class Child {
 public:
  Child(const ChildJob& job, const RunChildOptions& options) : job_(job), options_(options), reader_(job.limits.max_record_bytes) {}
  ~Child() {
    if (pid_ <= 0) return;
    Kill();
    Reap();
  }

  absl::Status Start();
  /// Feeds the request and hands out records until the process ended.
  absl::Status Serve(const std::function<absl::Status(absl::string_view)>& on_record);
  /// After Serve. What became of the job.
  absl::StatusOr<ChildUsage> Finish();

 private:
  absl::Status PumpOnce(const std::function<absl::Status(absl::string_view)>& on_record, int timeout_ms, bool& ended);
  absl::Status Drain(const std::function<absl::Status(absl::string_view)>& on_record);
  absl::Status HandleFrames(const std::function<absl::Status(absl::string_view)>& on_record);
  void WriteRequest();
  /// Reads what is there. Closes at end of file.
  void ReadInto(Descriptor& from, const std::function<void(absl::string_view)>& sink);
  void Kill() {
    if (pid_ > 0) kill(-pid_, SIGKILL);
  }
  void Reap();
  bool Exited();
  absl::Status Verdict() const;

  const ChildJob& job_;
  const RunChildOptions& options_;
  FrameReader reader_;
  pid_t pid_ = -1;
  Descriptor pidfd_;
  Descriptor request_;
  Descriptor records_;
  Descriptor output_;
  size_t written_ = 0;
  bool ended_ = false;  // kEnd was read
  absl::Status failure_;
  std::string said_;
  absl::Time begin_;
  int wait_status_ = 0;
  rusage usage_{};
};

/// The environment of this process without the coordinator's token and where it is: a child executes files that others have made.
std::vector<char*> ChildEnvironment() {
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!absl::StartsWith(*variable, "HANAS_TOKEN")) variables.push_back(*variable);
  }
  variables.push_back(nullptr);
  return variables;
}

absl::Status Child::Start() {
  absl::StatusOr<Pipe> request = Pipe::MakeSocket();
  absl::StatusOr<Pipe> records = Pipe::Make();
  absl::StatusOr<Pipe> output = Pipe::Make();
  for (const absl::Status& status : {request.status(), records.status(), output.status()}) {
    if (!status.ok()) return status;
  }
  const absl::Duration cpu = job_.limits.cpu > absl::ZeroDuration() ? job_.limits.cpu : job_.limits.wall;
  const int threads = job_.limits.threads;
  const std::string limits = absl::StrCat(absl::ToInt64Seconds(absl::Ceil(cpu * threads, absl::Seconds(1))), ",", job_.limits.memory_bytes,
                                          ",", threads, ",", job_.limits.pin ? 1 : 0, ",", getpid());
  std::string flag(kChildFlag);
  std::string kind = job_.kind;
  std::string argument = limits;
  std::string name = options_.program;
  std::array<char*, 5> argv = {name.data(), flag.data(), kind.data(), argument.data(), nullptr};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, request->read.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output->write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output->write.get(), STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, records->write.get(), kChildRecordDescriptor);
  posix_spawn_file_actions_addclosefrom_np(&actions, kChildRecordDescriptor + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  const std::vector<char*> environment = ChildEnvironment();
  const int error = posix_spawn(&pid_, options_.program.c_str(), &actions, &attributes, argv.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    pid_ = -1;
    return absl::InternalError(absl::StrCat("measuring ", job_.name, ": cannot start ", options_.program, ": ", std::strerror(error)));
  }
  begin_ = absl::Now();
  pidfd_ = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  request_ = std::move(request->write);
  records_ = std::move(records->read);
  output_ = std::move(output->read);
  for (const Descriptor* descriptor : {&request_, &records_, &output_}) fcntl(descriptor->get(), F_SETFL, O_NONBLOCK);
  return absl::OkStatus();
}

absl::Status Child::Serve(const std::function<absl::Status(absl::string_view)>& on_record) {
  const absl::Duration tick = pidfd_.open() ? absl::Milliseconds(100) : absl::Milliseconds(10);
  for (bool ended = false; !ended;) {
    const absl::Duration left = job_.limits.wall - (absl::Now() - begin_);
    if (left <= absl::ZeroDuration()) {
      return Failed(MeasureError::kTimeout, job_, absl::StrCat("was killed after its limit of ", absl::FormatDuration(job_.limits.wall)),
                    said_);
    }
    if (options_.cancelled && options_.cancelled()) return absl::CancelledError(absl::StrCat("measuring ", job_.name, ": cancelled"));
    const int timeout_ms = static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(std::min(left, tick), absl::Milliseconds(1))));
    if (absl::Status status = PumpOnce(on_record, timeout_ms, ended); !status.ok()) return status;
  }
  return Drain(on_record);
}

absl::Status Child::PumpOnce(const std::function<absl::Status(absl::string_view)>& on_record, int timeout_ms, bool& ended) {
  std::array<pollfd, 4> polled = {
      {{records_.get(), POLLIN, 0}, {output_.get(), POLLIN, 0}, {request_.get(), POLLOUT, 0}, {pidfd_.get(), POLLIN, 0}}};
  if (poll(polled.data(), polled.size(), timeout_ms) < 0 && errno != EINTR) {
    return absl::InternalError(absl::StrCat("measuring ", job_.name, ": poll: ", std::strerror(errno)));
  }
  ended = Exited();  // before reading: what it wrote is in the pipes now
  if (request_.open()) WriteRequest();
  ReadInto(output_, [&](absl::string_view bytes) {
    said_.append(bytes.data(), bytes.size());
    if (said_.size() > 2 * kQuotedBytes) said_.erase(0, said_.size() - kQuotedBytes);
  });
  ReadInto(records_, [&](absl::string_view bytes) { reader_.Append(bytes); });
  return HandleFrames(on_record);
}

absl::Status Child::Drain(const std::function<absl::Status(absl::string_view)>& on_record) {
  ReadInto(output_, [&](absl::string_view bytes) { said_.append(bytes.data(), bytes.size()); });
  if (said_.size() > kQuotedBytes) said_.erase(0, said_.size() - kQuotedBytes);
  ReadInto(records_, [&](absl::string_view bytes) { reader_.Append(bytes); });
  return HandleFrames(on_record);
}

absl::Status Child::HandleFrames(const std::function<absl::Status(absl::string_view)>& on_record) {
  for (;;) {
    if (reader_.pending() == 0) return absl::OkStatus();
    if (ended_) return Failed(MeasureError::kGarbage, job_, "sent bytes after its final record", said_);
    absl::StatusOr<std::optional<Frame>> frame = reader_.Next();
    if (!frame.ok()) return Failed(MeasureError::kGarbage, job_, absl::StrCat("sent ", frame.status().message()), said_);
    if (!frame->has_value()) return absl::OkStatus();
    switch ((*frame)->type) {
      case FrameType::kRecord:
        if (absl::Status status = on_record((*frame)->payload); !status.ok()) return status;
        break;
      case FrameType::kFailure:
        failure_ = DecodeStatus((*frame)->payload);
        break;
      case FrameType::kEnd:
        ended_ = true;
        break;
    }
  }
}

void Child::WriteRequest() {
  while (written_ < job_.request.size()) {
    // A child that died early must not take its parent along by SIGPIPE.
    const ssize_t n = send(request_.get(), job_.request.data() + written_, job_.request.size() - written_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) break;  // it closed its input: its own end will say why
    written_ += static_cast<size_t>(n);
  }
  request_.Close();
}

void Child::ReadInto(Descriptor& from, const std::function<void(absl::string_view)>& sink) {
  std::array<char, 1 << 16> buffer;
  while (from.open()) {
    const ssize_t n = read(from.get(), buffer.data(), buffer.size());
    if (n > 0) {
      sink(absl::string_view(buffer.data(), static_cast<size_t>(n)));
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
      from.Close();
    } else if (errno == EAGAIN) {
      return;
    }
  }
}

bool Child::Exited() {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
}

void Child::Reap() {
  while (wait4(pid_, &wait_status_, 0, &usage_) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

absl::Status Child::Verdict() const {
  if (WIFSIGNALED(wait_status_)) {
    const int number = WTERMSIG(wait_status_);
    if (number == SIGXCPU) return Failed(MeasureError::kTimeout, job_, "used up its processor time", said_);
    if (number == SIGKILL)
      return Failed(MeasureError::kOutOfMemory, job_, "was killed by the system, which it does when memory is short", said_);
    return Failed(MeasureError::kCrashed, job_, absl::StrCat("died of signal ", number, " (", strsignal(number), ")"), said_);
  }
  const int exit_status = WEXITSTATUS(wait_status_);
  if (exit_status == kChildOutOfMemoryExit) return Failed(MeasureError::kOutOfMemory, job_, "needed more memory than its limit", said_);
  if (exit_status != 0) return Failed(MeasureError::kCrashed, job_, absl::StrCat("exited with status ", exit_status), said_);
  if (!ended_) return Failed(MeasureError::kGarbage, job_, "ended without a final record", said_);
  return failure_;
}

absl::StatusOr<ChildUsage> Child::Finish() {
  const double wall_seconds = absl::ToDoubleSeconds(absl::Now() - begin_);
  Reap();
  if (absl::Status status = Verdict(); !status.ok()) return status;
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6; };
  return ChildUsage{.wall_seconds = wall_seconds,
                    .cpu_seconds = seconds(usage_.ru_utime) + seconds(usage_.ru_stime),
                    .peak_memory_bytes = int64_t{usage_.ru_maxrss} * 1024};
}

}  // namespace

absl::string_view Name(MeasureError error) {
  switch (error) {
    case MeasureError::kCrashed:
      return "MEASURE_CRASHED";
    case MeasureError::kTimeout:
      return "MEASURE_TIMEOUT";
    case MeasureError::kOutOfMemory:
      return "MEASURE_OUT_OF_MEMORY";
    default:
      return "MEASURE_GARBAGE";
  }
}

std::optional<MeasureError> MeasureErrorOf(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  for (const MeasureError error : {MeasureError::kCrashed, MeasureError::kTimeout, MeasureError::kOutOfMemory, MeasureError::kGarbage}) {
    if (reason == Name(error)) return error;
  }
  return std::nullopt;
}

absl::StatusOr<ChildUsage> RunChild(const ChildJob& job, const std::function<absl::Status(absl::string_view record)>& on_record,
                                    const RunChildOptions& options) {
  Child child(job, options);
  if (absl::Status status = child.Start(); !status.ok()) return status;
  if (absl::Status status = child.Serve(on_record); !status.ok()) return status;
  return child.Finish();
}

}  // namespace hanas
