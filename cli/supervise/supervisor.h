// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_SUPERVISE_SUPERVISOR_H_
#define HANAS_CLI_SUPERVISE_SUPERVISOR_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hanas::cli {

/// A program to run: `command[0]` is its path. Standard output and error are appended to `log_file`.
struct ChildSpec {
  std::string name;
  std::vector<std::string> command;
  std::string log_file;
};

/// How a child ended: by `signal` when that is not 0, else with `code`.
struct ChildExit {
  int code = 0;
  int signal = 0;
};
/// "exited with status 2 (the command line is wrong)", "was killed by signal 9 (Killed)". The meaning is that of our programs.
std::string Describe(const ChildExit& exit);
/// Whether another start would end in the same way, by the table of our programs' exit statuses.
bool IsPermanent(const ChildExit& exit);

/// Starts, asks after and signals processes. `log_file` of the children is the spawner's to open.
class Spawner {
 public:
  virtual ~Spawner() = default;
  /// Returns NOT_FOUND when there is no such program, RESOURCE_EXHAUSTED when the system has no room for it or the log.
  virtual absl::StatusOr<pid_t> Spawn(const ChildSpec& spec) = 0;
  /// How `pid` ended, once; nothing while it runs.
  virtual std::optional<ChildExit> Poll(pid_t pid) = 0;
  virtual void Signal(pid_t pid, int signal) = 0;
};

struct SupervisorOptions {
  absl::Duration initial_backoff = absl::Milliseconds(200);
  absl::Duration max_backoff = absl::Seconds(5);
  absl::Duration stable_after = absl::Seconds(20);  // a child that ran for so long has its failures forgiven
  int max_failures = 6;                             // in a row, before it is given up
};

/// Keeps children running: one that ends, however it ends, is started again after a back-off that doubles with each failure in a row,
/// unless its exit is permanent: then it is given up at once. Holds no thread and no clock: the owner calls Tick with the monotonic time.
///
/// Borrows the spawner. Confined to the thread that starts the children, which must outlive them: children that die with their parent die
/// with the thread that spawned them.
class Supervisor {
 public:
  enum class State : int { kWaiting, kRunning, kGivenUp, kStopped };
  struct Child {
    ChildSpec spec;
    State state = State::kWaiting;
    pid_t pid = 0;  // while running
    int starts = 0;
    int failures = 0;    // in a row
    absl::Duration due;  // when to start, while waiting
    absl::Duration started;
    std::optional<ChildExit> last_exit;
    absl::Status spawn_error;
    bool stopping = false;
  };

  explicit Supervisor(Spawner* spawner, SupervisorOptions options = {}) : spawner_(spawner), options_(std::move(options)) {}

  /// Started by the next Tick. Requires a name that is not taken.
  void Add(ChildSpec spec);
  /// From the next start on. Requires that the child exists.
  void SetCommand(absl::string_view name, std::vector<std::string> command);

  /// Collects what ended and starts what is due. Returns ABORTED, naming the child, how it ended and its log, once a child is given up;
  /// whether anything changed is visible in children().
  absl::Status Tick(absl::Duration now);

  /// From now on no child but `except` is started, and every running one but that gets `signal`. Call Tick until AllStopped.
  void Stop(int signal, absl::string_view except = "");
  bool AllStopped(absl::string_view except = "") const;

  const std::vector<Child>& children() const { return children_; }
  /// The sum of `starts`: changes when anything was (re)started.
  int total_starts() const;

 private:
  void Collect(Child& child, absl::Duration now);
  void Start(Child& child, absl::Duration now);
  void Failed(Child& child, absl::Duration now);
  absl::Duration Backoff(int failures) const;

  Spawner* spawner_;
  SupervisorOptions options_;
  std::vector<Child> children_;
};

}  // namespace hanas::cli

#endif  // HANAS_CLI_SUPERVISE_SUPERVISOR_H_
