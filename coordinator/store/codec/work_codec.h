// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_CODEC_WORK_CODEC_H_
#define HANAS_COORDINATOR_STORE_CODEC_WORK_CODEC_H_

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/statusor.h"
#include "coordinator/store/records.h"
#include "hanas/store/v1/records.pb.h"

namespace hanas::coordinator {

// Work and outcomes as storage messages. Reading returns DATA_LOSS for a message without an alternative. Pure.

void WorkToStored(const Work& work, store::v1::Work& out);
absl::StatusOr<Work> WorkFromStored(const store::v1::Work& stored);

void OutcomeToStored(const Outcome& outcome, store::v1::Outcome& out);
/// The outcome in the only oneof of `message`: of a stored outcome, or of the request that completes a task.
absl::StatusOr<Outcome> OutcomeFromOneof(const google::protobuf::Message& message);

/// Returns DATA_LOSS for a number that is none.
absl::StatusOr<TrainingKind> TrainingKindFromStored(int stored);

/// Returns DATA_LOSS for a space of which a part is none that this version knows.
absl::StatusOr<SpaceSpec> SpaceFromStored(const v1::SpaceSpec& stored);

std::string GenesToStored(const Architecture& architecture);
Architecture GenesFromStored(const std::string& genes);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_CODEC_WORK_CODEC_H_
