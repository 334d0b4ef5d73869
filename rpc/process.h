// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_PROCESS_H_
#define HANAS_RPC_PROCESS_H_

#include <cstddef>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hanas::rpc {

// What every process that talks to a coordinator needs of its operating system.

/// Identity of this machine until it boots again, 32 hexadecimal digits, equal for all processes on it, those in containers included: of
/// the kernel's boot id, else of /etc/machine-id, else of the host name. Measuring is exclusive per host. Thread-safe.
std::string HostId();

/// So many bytes of the system's random generator, as twice as many hexadecimal digits: fit for secrets. Thread-safe.
std::string RandomBytesHex(size_t bytes);

/// A fresh random identity, 32 hexadecimal digits, which nobody else can guess. Thread-safe.
std::string MakeInstanceId();

/// Has the kernel kill this process when its parent dies. Returns FAILED_PRECONDITION when the parent is gone already, INTERNAL when the
/// kernel refuses. `parent` is its process id as the parent itself knows it: a parent that died while this process was being loaded has
/// left it to another one, which is all that getppid() tells. To be called by the thread that lives as long as the process.
absl::Status DieWithParent(int parent);

/// Versions of the libraries that every process of ours has.
std::vector<std::pair<std::string, std::string>> LibraryVersions();

/// From now on what gRPC has to say goes to the event log. Before the first channel or server.
void LogGrpcMessages();

/// Calls `on_stop` on a thread of its own at the first SIGTERM or SIGINT. The second ends the process at once with the signal's exit status
/// (128 + its number); so does the passing of `timeout` after the first, with `timeout_status`, unless this has been destroyed. One
/// instance for a process, made before other threads. The handler is not inherited by programs that are executed.
class StopSignals {
 public:
  explicit StopSignals(std::function<void()> on_stop, absl::Duration timeout = absl::InfiniteDuration(), int timeout_status = 1);
  ~StopSignals();

  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  std::thread thread_;
};

}  // namespace hanas::rpc

#endif  // HANAS_RPC_PROCESS_H_
