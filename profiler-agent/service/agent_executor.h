// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_SERVICE_AGENT_EXECUTOR_H_
#define HANAS_PROFILER_AGENT_SERVICE_AGENT_EXECUTOR_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/plan/exec_plan.h"
#include "hanas/v1/task.pb.h"
#include "profiler-agent/measure/child.h"
#include "profiler-agent/runtime/runtime.h"
#include "rpc/artifact_client.h"
#include "rpc/task_loop.h"
#include "telemetry/metrics.h"

namespace hanas {

/// Executes an agent's tasks: fetches what a task needs, measures in a child process (child_jobs.h), passes each round on as it arrives and
/// returns the child's result. A child that crashes, hangs, eats memory or sends garbage fails the task with its MeasureError as the
/// reason.
///
/// Confined to one thread at a time. Borrows `artifacts` and `metrics`.
class AgentExecutor : public rpc::TaskExecutor {
 public:
  /// `program` is what runs the child, the agent itself; `runtime`, which must be valid, is how the child's backend executes.
  AgentExecutor(const BackendCaps& caps, rpc::Artifacts* artifacts, std::string program = RunChildOptions().program,
                telemetry::Metrics* metrics = &telemetry::NoMetrics(), const RuntimeOptions& runtime = {})
      : caps_(caps), artifacts_(artifacts), program_(std::move(program)), metrics_(metrics), runtime_(runtime) {}

  absl::StatusOr<v1::CompleteTaskRequest> Execute(const v1::Task& task, rpc::TaskContext& context) override;

 private:
  BackendCaps caps_;
  rpc::Artifacts* artifacts_;
  std::string program_;
  telemetry::Metrics* metrics_;
  RuntimeOptions runtime_;
};

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_SERVICE_AGENT_EXECUTOR_H_
