// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_REQUEST_H_
#define HANAS_RPC_REQUEST_H_

#include <cstdint>
#include <string>

#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::rpc {

// What every handler checks of its request before it looks further. All return INVALID_ARGUMENT with the field's path. Thread-safe: free
// functions without state.

/// Refuses fields that this build does not know: whoever sent them would think that they count.
absl::Status CheckKnownFields(const google::protobuf::Message& request);

/// Refuses strings that are not UTF-8: nobody could parse the message. For what is sent, and made of names from outside.
absl::Status CheckUtf8(const google::protobuf::Message& request);

/// At most 128 printable ASCII characters; may be empty.
absl::Status CheckRequestId(absl::string_view request_id);

inline constexpr int kDefaultPageSize = 100;
inline constexpr int kMaxPageSize = 1000;

/// 0: the default; more than the maximum: the maximum (AIP-158). Negative is refused.
absl::StatusOr<int> PageSize(int32_t requested);

/// An opaque token for what comes after `cursor` of `query`: a text that says which list it is ("searches/7/tasks"). Only that query takes
/// it back.
std::string PageToken(absl::string_view query, uint64_t cursor);
/// The cursor; 0 for an empty token. Refuses a token that PageToken did not make for this query.
absl::StatusOr<uint64_t> CursorOf(absl::string_view query, absl::string_view token);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_REQUEST_H_
