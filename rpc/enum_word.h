// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_ENUM_WORD_H_
#define HANAS_RPC_ENUM_WORD_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/generated_enum_reflection.h>

#include <string>

#include "absl/strings/string_view.h"

namespace hanas::rpc {

// Enumerators of the wire have the name of their type before them, since C++ and other languages have them beside each other (PHASE_FAILED,
// STATE_FAILED). People read and write the word alone. Thread-safe: free functions without state.

/// "FAILED" of PHASE_FAILED. The one that stands for none keeps its whole name (PHASE_UNSPECIFIED): alone it would not say of what.
std::string EnumWord(const google::protobuf::EnumValueDescriptor& enumerator);

/// The enumerator of this word or whole name; null when there is none.
const google::protobuf::EnumValueDescriptor* FindEnumWord(const google::protobuf::EnumDescriptor& type, absl::string_view word);

/// Empty for a number that this version does not know.
template <typename Enum>
std::string EnumWord(Enum value) {
  const auto* const enumerator = google::protobuf::GetEnumDescriptor<Enum>()->FindValueByNumber(value);
  return enumerator == nullptr ? "" : EnumWord(*enumerator);
}

}  // namespace hanas::rpc

#endif  // HANAS_RPC_ENUM_WORD_H_
