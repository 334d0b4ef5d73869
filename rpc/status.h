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

/// A status on the wire: code, message, and in error_details a google.rpc.Status with BadRequest (field violations) and ErrorInfo (the
/// reason, and as metadata "resource" the name of what it is about).
///
/// The headers that carry it, grpc-message and grpc-status-details-bin, take at most 6 KiB together as they are encoded, so that a client
/// with gRPC's default bound of 8 KiB can read it: what a longer message quotes is cut, and of the violations those are left out that have
/// no room; the last one says how many. All of it is printable UTF-8, whatever `status` quotes.
///
/// Law: message, ViolationsOf, ReasonOf and ResourceOf of FromGrpcStatus(ToGrpcStatus(s)) are those of s, within the bound. Thread-safe.
grpc::Status ToGrpcStatus(const absl::Status& status);

/// The inverse. Details that do not parse are ignored: they come from outside and only ever add to the code.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_STATUS_H_
