// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SERVICE_TASK_CONVERT_H_
#define HANAS_COORDINATOR_SERVICE_TASK_CONVERT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/app/app.h"
#include "hanas/v1/task.pb.h"

namespace hanas::coordinator {

// Wire <-> application for parties, tasks and outcomes. XFromProto returns INVALID_ARGUMENT saying what was expected and found.
// Thread-safe: free functions without state.

/// The number of "tasks/12" for the collection "tasks". `field` is the path of what is blamed for another name.
absl::StatusOr<uint64_t> IdFromName(absl::string_view name, absl::string_view collection, absl::string_view field = "name");
/// The number of "workers/3" or "devices/4".
absl::StatusOr<uint64_t> PartyIdFromName(absl::string_view name);
std::string PartyName(const PartyRecord& party);

absl::StatusOr<PartyRecord> PartyFromProto(const v1::Party& proto);

/// The task with its lease and work.
v1::Task ToProto(const GrantedTask& granted);

absl::StatusOr<Holder> HolderFromProto(absl::string_view party, absl::string_view instance, absl::string_view task, uint64_t fencing_token);
absl::StatusOr<Outcome> OutcomeFromProto(const v1::CompleteTaskRequest& request);
RecordedRound RoundFromProto(const v1::RecordRoundRequest& request);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SERVICE_TASK_CONVERT_H_
