// SPDX-License-Identifier: Apache-2.0
#include "rpc/enum_word.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace hanas::rpc {
namespace {

constexpr absl::string_view kUnspecified = "UNSPECIFIED";

/// "LATENCY_STATISTIC_" of LatencyStatistic.
std::string PrefixOf(const google::protobuf::EnumDescriptor& type) {
  std::string prefix;
  for (const char c : type.name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix.push_back('_');
    prefix.push_back(absl::ascii_toupper(static_cast<unsigned char>(c)));
  }
  return absl::StrCat(prefix, "_");
}

}  // namespace

std::string EnumWord(const google::protobuf::EnumValueDescriptor& enumerator) {
  absl::string_view word = enumerator.name();
  if (absl::ConsumePrefix(&word, PrefixOf(*enumerator.type())) && word != kUnspecified) return std::string(word);
  return enumerator.name();
}

const google::protobuf::EnumValueDescriptor* FindEnumWord(const google::protobuf::EnumDescriptor& type, absl::string_view word) {
  if (const auto* const whole = type.FindValueByName(std::string(word)); whole != nullptr) return whole;
  const auto* const prefixed = type.FindValueByName(absl::StrCat(PrefixOf(type), word));
  return word == kUnspecified ? nullptr : prefixed;
}

}  // namespace hanas::rpc
