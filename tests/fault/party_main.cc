// SPDX-License-Identifier: Apache-2.0
// A fake worker as a process of its own, which can be stopped and killed:
//
//   fault_party ADDRESS NAME INSTANCE computed | computing | poisoned PARENT     PARENT: the process id of whoever starts it
//
//   computed   the first training task stops the process when its result is there and nobody was told of it
//   computing  the first training task goes on, at a hundred steps a second, until its lease is lost
//   poisoned   an evaluation that nobody can bear kills the process
//
// It prints its log, and ends when it is killed or its parent dies.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>

#include "absl/log/check.h"
#include "absl/synchronization/notification.h"
#include "rpc/process.h"
#include "tests/fault/load.h"
#include "tests/fault/oracle.h"
#include "tests/fault/poison.h"
#include "tests/support/wire_evaluator.h"

namespace hanas::fault {
namespace {

constexpr absl::Duration kStep = absl::Milliseconds(10);

absl::StatusOr<v1::CompleteTaskRequest> StopWhenComputed(const v1::Task& task, rpc::TaskContext& context, rpc::TaskExecutor& usual) {
  static std::atomic<bool> stopped = false;
  absl::StatusOr<v1::CompleteTaskRequest> result = usual.Execute(task, context);
  if (task.has_train() && !stopped.exchange(true)) kill(getpid(), SIGSTOP);
  return result;
}

absl::StatusOr<v1::CompleteTaskRequest> ComputeUntilLost(const v1::Task& task, rpc::TaskContext& context, rpc::TaskExecutor& usual) {
  static std::atomic<bool> lost = false;
  if (!task.has_train() || lost) return usual.Execute(task, context);
  int64_t step = 0;
  while (context.ReportProgress(step, step + 1, "") == rpc::Directive::kContinue) {
    ++step;
    absl::SleepFor(kStep);  // the work
  }
  lost = true;
  return absl::CancelledError("the lease is lost");
}

absl::StatusOr<v1::CompleteTaskRequest> DieOfPoison(const v1::Task& task, rpc::TaskContext& context, rpc::TaskExecutor& usual) {
  if (FindPoison(task).has_value()) kill(getpid(), SIGKILL);
  return usual.Execute(task, context);
}

int Main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "expected ADDRESS NAME INSTANCE BEHAVIOUR PARENT, found " << argc - 1 << " arguments\n";
    return 2;
  }
  CHECK_OK(rpc::DieWithParent(std::atoi(argv[5])));
  const std::string behaviour = argv[4];
  CHECK(behaviour == "computed" || behaviour == "computing" || behaviour == "poisoned") << behaviour;
  Oracle oracle;
  const FakeParty party(&oracle, argv[1], FakeWorker(argv[2], argv[3]),
                        behaviour == "computed"    ? Behaviour(StopWhenComputed)
                        : behaviour == "computing" ? Behaviour(ComputeUntilLost)
                                                   : Behaviour(DieOfPoison));
  absl::Notification().WaitForNotification();
  return 0;
}

}  // namespace
}  // namespace hanas::fault

int main(int argc, char** argv) { return hanas::fault::Main(argc, argv); }
