// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_FAULT_COORDINATOR_PROCESS_H_
#define HANAS_TESTS_FAULT_COORDINATOR_PROCESS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/state/state.h"
#include "tests/support/program.h"

namespace hanas::fault {

/// The real coordinator on a store of its own, which outlives its crashes. Always at the same address, once it has listened. Everything is
/// removed when it is destroyed. Confined to one thread, which must outlive it.
class CoordinatorProcess {
 public:
  explicit CoordinatorProcess(double lease_ttl_seconds);
  ~CoordinatorProcess();
  CoordinatorProcess(const CoordinatorProcess&) = delete;
  CoordinatorProcess& operator=(const CoordinatorProcess&) = delete;

  /// Starts it; returns at once.
  void Start();
  /// Blocks until it serves; false when it ended first.
  bool AwaitListening();
  /// SIGKILL, and waits for the end.
  void Kill();
  /// Blocks until the running process has printed `text`; false when it ended first.
  bool AwaitOutput(const std::string& text) { return program_->AwaitOutput(text); }
  /// SIGSTOP, until all of it stands still, and SIGCONT.
  void Stop();
  void Continue();
  /// Waits for the end of a process that ends by itself. The exit status, or minus the signal.
  int Wait();

  /// What is in the store of a process that is dead, read from a copy. Returns what the store and the application return.
  absl::StatusOr<coordinator::State> ReadState() const;

  const std::string& address() const { return address_; }
  std::string data_dir() const { return directory_ + "/state"; }
  std::string File(const std::string& name) const { return directory_ + "/" + name; }
  /// What the running process, or the last one, has printed.
  std::string output() const;

 private:
  const double lease_ttl_seconds_;
  std::string directory_;
  std::string address_ = "127.0.0.1:0";
  std::unique_ptr<Program> program_;
};

}  // namespace hanas::fault

#endif  // HANAS_TESTS_FAULT_COORDINATOR_PROCESS_H_
