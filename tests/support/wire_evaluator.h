// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_WIRE_EVALUATOR_H_
#define HANAS_TESTS_SUPPORT_WIRE_EVALUATOR_H_

#include "rpc/artifact_client.h"
#include "rpc/task_loop.h"

namespace hanas {

/// Executes every kind of task as it comes over the wire, at once and without heavy libraries: results are functions of the architectures
/// and operators asked for, so that equal tasks have equal results whoever executes them. Stands in for a worker and an agent.
///
/// Thread-safe.
class WireEvaluator : public rpc::TaskExecutor {
 public:
  /// Borrows `artifacts`, where it stores what its results name.
  explicit WireEvaluator(rpc::Artifacts* artifacts) : artifacts_(artifacts) {}

  /// Training asks its lease after every step and hands back what it has; measuring reports its rounds, except those recorded already.
  absl::StatusOr<v1::CompleteTaskRequest> Execute(const v1::Task& task, rpc::TaskContext& context) override;

 private:
  rpc::Artifacts* const artifacts_;
};

/// What a party has to say of itself to get such tasks. An agent is of one device class, whatever its name.
v1::Party FakeWorker(const std::string& name, const std::string& instance);
v1::Party FakeAgent(const std::string& name, const std::string& instance);

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_WIRE_EVALUATOR_H_
