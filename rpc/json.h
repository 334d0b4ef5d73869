// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_JSON_H_
#define HANAS_RPC_JSON_H_

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::rpc {

// Messages as JSON for people and their scripts: protobuf's JSON, but with the words of enumerations (rpc/enum_word.h) in place of their
// names: "phase": "FAILED". Thread-safe: free functions without state.

/// With every field, those of their type's zero value too; on many lines when `pretty`. Returns INTERNAL for what cannot be written, such
/// as strings that are not UTF-8.
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message, bool pretty);

/// Inverse; takes protobuf's own JSON too, and leaves out fields that it does not know. Returns INVALID_ARGUMENT for anything else, and
/// leaves `message` in any state then.
absl::Status FromJson(absl::string_view json, google::protobuf::Message& message);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_JSON_H_
