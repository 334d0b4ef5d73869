// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_WORK_CODEC_H_
#define HANAS_COORDINATOR_STORE_WORK_CODEC_H_

#include "absl/status/statusor.h"
#include "coordinator/store/records.h"
#include "hanas/store/v1/records.pb.h"

namespace hanas::coordinator {

// Work, outcomes and recorded rounds as storage messages. Reading returns DATA_LOSS for a message without an alternative. Pure.

void WorkToStored(const Work& work, store::v1::Work& out);
absl::StatusOr<Work> WorkFromStored(const store::v1::Work& stored);

void OutcomeToStored(const Outcome& outcome, store::v1::Outcome& out);
absl::StatusOr<Outcome> OutcomeFromStored(const store::v1::Outcome& stored);

void RoundToStored(const RecordedRound& round, store::v1::RecordedRound& out);
RecordedRound RoundFromStored(const store::v1::RecordedRound& stored);

void HostToStored(const HostObservation& host, store::v1::HostObservation& out);
HostObservation HostFromStored(const store::v1::HostObservation& stored);

void ScoreToStored(const Score& score, store::v1::Score& out);
Score ScoreFromStored(const store::v1::Score& stored);

/// Returns DATA_LOSS for a number that is none.
absl::StatusOr<TrainingKind> TrainingKindFromStored(int stored);

std::string GenesToStored(const Architecture& architecture);
Architecture GenesFromStored(const std::string& genes);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_WORK_CODEC_H_
