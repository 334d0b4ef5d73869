// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_STATUS_H_
#define HANAS_RPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "core/base/error_reason.h"     // IWYU pragma: export
#include "core/base/field_violation.h"  // IWYU pragma: export

namespace hanas::rpc {

/// The domain of our google.rpc.ErrorInfo.
inline constexpr char kErrorDomain[] = "hanas";

/// A status on the wire: code, message, and in error_details a google.rpc.Status with BadRequest (field violations) and ErrorInfo (reason).
/// Trailers are bounded, so a long message is cut, and violations beyond what fits are left out (the message says how many).
///
/// Law: ViolationsOf and ReasonOf of FromGrpcStatus(ToGrpcStatus(s)) are those of s, within the bound. Thread-safe.
grpc::Status ToGrpcStatus(const absl::Status& status);

/// The inverse. Details that do not parse are ignored: they come from outside and only ever add to the code.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_STATUS_H_
