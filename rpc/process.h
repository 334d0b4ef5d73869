// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_PROCESS_H_
#define HANAS_RPC_PROCESS_H_

#include <functional>
#include <string>
#include <thread>

#include "absl/status/status.h"

namespace hanas::rpc {

// What every process that talks to a coordinator needs of its operating system.

/// Identity of this machine until it boots again, 32 hexadecimal digits, equal for all processes on it, those in containers included: of
/// the kernel's boot id, else of /etc/machine-id, else of the host name. Measuring is exclusive per host. Thread-safe.
std::string HostId();

/// A fresh random identity, 32 hexadecimal digits. Thread-safe.
std::string MakeInstanceId();

/// Has the kernel kill this process when its parent dies. Returns FAILED_PRECONDITION when the parent is gone already (`parent` is its
/// process id as seen before), INTERNAL when the kernel refuses. To be called by the thread that lives as long as the process.
absl::Status DieWithParent(int parent);

/// Calls `on_stop` on a thread of its own at the first SIGTERM or SIGINT; the second ends the process at once with the signal's exit
/// status. One instance for a process, made before other threads. The handler is not inherited by programs that are executed.
class StopSignals {
 public:
  explicit StopSignals(std::function<void()> on_stop);
  ~StopSignals();

  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  std::thread thread_;
};

}  // namespace hanas::rpc

#endif  // HANAS_RPC_PROCESS_H_
