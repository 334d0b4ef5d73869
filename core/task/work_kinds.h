// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_TASK_WORK_KINDS_H_
#define HANAS_CORE_TASK_WORK_KINDS_H_

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace hanas {

// Every kind of work that a task may ask for, and what is true of all tasks of the kind, each said once. Leases, metrics, logs and
// sentences read this table. Messages on the wire, stored messages and the coordinator's variants have their alternatives in the order of
// its rows, to which static_asserts and store_work_kinds_test hold them. One more kind is a row here, its messages and its executor:
// docs/howto/add-a-work-kind.md. Immutable, hence thread-safe.

/// Who may hold a task.
enum class WorkHolder : uint8_t {
  kWorker,             // any worker
  kWorkerWithDataset,  // a worker that has the search's data set
  kTwin,               // any agent of the device class that the search's target is bound to
  kTargetAgent,        // the very agent that the search's target is bound to
};

struct WorkKind {
  absl::string_view name;  // the field of the wire and of the store, and what metrics call it: "fit_predictor"
  WorkHolder holder;
  /// How long a holder may renew its lease without progress until the lease is taken away: longer where a whole test split is scored on one
  /// core. What it waits for while it is told to pause does not count.
  int stuck_after_minutes;
  absl::string_view activity;   // what people call it while it goes on: "evaluating networks"
  bool is_of_one_network;       // then the network's name follows the activity: "exporting member-2"
  absl::string_view counts_as;  // what its results are in the metric of evaluations; empty: they are not counted
};

inline constexpr auto kWorkKinds = std::to_array<WorkKind>({
    {"train", WorkHolder::kWorkerWithDataset, 10, "training", true, ""},
    {"evaluate", WorkHolder::kWorkerWithDataset, 20, "evaluating networks", false, "accuracy"},
    {"fit_predictor", WorkHolder::kWorker, 10, "fitting the accuracy predictor", false, ""},
    {"bind", WorkHolder::kWorkerWithDataset, 20, "exporting", true, ""},
    {"pack_images", WorkHolder::kWorkerWithDataset, 10, "packing the test images", false, ""},
    {"measure_operators", WorkHolder::kTwin, 10, "measuring operators", false, "operator_latency"},
    {"measure_networks", WorkHolder::kTargetAgent, 10, "measuring networks", false, "network_latency"},
    {"verify_model", WorkHolder::kTargetAgent, 20, "verifying", true, "model_file"},
});

/// Measuring is an agent's work, the rest a worker's.
constexpr bool IsMeasuring(const WorkKind& kind) { return kind.holder == WorkHolder::kTwin || kind.holder == WorkHolder::kTargetAgent; }

}  // namespace hanas

#endif  // HANAS_CORE_TASK_WORK_KINDS_H_
