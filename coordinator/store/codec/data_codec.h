// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_CODEC_DATA_CODEC_H_
#define HANAS_COORDINATOR_STORE_CODEC_DATA_CODEC_H_

#include "coordinator/store/records.h"
#include "hanas/v1/data.pb.h"

namespace hanas::coordinator {

// The values that the wire and the store share, as records have them and as messages. Nothing is checked here: whoever takes a result
// judges it as a whole. Law: FromProto(ToProto(x)) == x. Thread-safe: free functions without state.

v1::ArtifactRef ToProto(const ArtifactRef& artifact);
ArtifactRef FromProto(const v1::ArtifactRef& proto);

v1::Accuracy ToProto(const Score& score);
Score FromProto(const v1::Accuracy& proto);

v1::DeviceContext ToProto(const DeviceDescription& device);
DeviceDescription FromProto(const v1::DeviceContext& proto);

v1::HostState ToProto(const HostObservation& host);
HostObservation FromProto(const v1::HostState& proto);

v1::OperatorRow ToProto(const OperatorMeasurement& row);
OperatorMeasurement FromProto(const v1::OperatorRow& proto);

v1::NetworkRow ToProto(const NetworkMeasurement& network);
NetworkMeasurement FromProto(const v1::NetworkRow& proto);

RoundMeasurement FromProto(const v1::RoundRow& proto);
v1::RecordedRound ToProto(const RecordedRound& round);
RecordedRound FromProto(const v1::RecordedRound& proto);

v1::TrainResult ToProto(const TrainOutcome& outcome);
TrainOutcome FromProto(const v1::TrainResult& proto);

v1::EvaluateResult ToProto(const EvaluateOutcome& outcome);
EvaluateOutcome FromProto(const v1::EvaluateResult& proto);

v1::FitPredictorResult ToProto(const FitOutcome& outcome);
FitOutcome FromProto(const v1::FitPredictorResult& proto);

v1::BindResult ToProto(const BindOutcome& outcome);
BindOutcome FromProto(const v1::BindResult& proto);

v1::PackImagesResult ToProto(const PackOutcome& outcome);
PackOutcome FromProto(const v1::PackImagesResult& proto);

v1::MeasureOperatorsResult ToProto(const MeasureOperatorsOutcome& outcome);
MeasureOperatorsOutcome FromProto(const v1::MeasureOperatorsResult& proto);

v1::MeasureNetworksResult ToProto(const MeasureNetworksOutcome& outcome);
MeasureNetworksOutcome FromProto(const v1::MeasureNetworksResult& proto);

v1::VerifyModelResult ToProto(const VerifyOutcome& outcome);
VerifyOutcome FromProto(const v1::VerifyModelResult& proto);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_CODEC_DATA_CODEC_H_
