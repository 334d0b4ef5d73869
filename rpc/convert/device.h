// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_CONVERT_DEVICE_H_
#define HANAS_RPC_CONVERT_DEVICE_H_

#include "absl/status/statusor.h"
#include "core/latency/latency_model.h"
#include "core/plan/exec_plan.h"
#include "core/plan/op_key.h"
#include "hanas/v1/data.pb.h"

namespace hanas::rpc {

// Wire <-> core for what devices say. Statuses and laws as in rpc/convert/job.h. Thread-safe: free functions without state.

v1::BackendCaps ToProto(const BackendCaps& caps);
/// Refuses an empty name, and text beyond 256 bytes.
absl::StatusOr<BackendCaps> BackendCapsFromProto(const v1::BackendCaps& proto);

/// A key and its row of the latency table.
struct MeasuredOperator {
  OpKey key;
  LatencyRow row;
};
v1::OperatorRow ToProto(const MeasuredOperator& measured);
/// Refuses keys that do not parse and times that are not finite and positive: a failed measurement is an error, never a zero.
absl::StatusOr<MeasuredOperator> MeasuredOperatorFromProto(const v1::OperatorRow& proto);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_CONVERT_DEVICE_H_
