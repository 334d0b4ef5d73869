// SPDX-License-Identifier: Apache-2.0
#include "rpc/request.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/field_violation.h"
#include "core/base/utf8.h"

namespace hanas::rpc {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

constexpr size_t kMaxRequestIdBytes = 128;
constexpr size_t kTokenBytes = 16;

absl::Status Violation(absl::string_view path, absl::string_view message) {
  FieldViolations violations;
  violations.Add(path, message);
  return violations.ToStatus();
}

std::vector<const FieldDescriptor*> FieldsOf(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

std::string PathOf(const std::string& path, const FieldDescriptor& field) {
  return absl::StrCat(path, path.empty() ? "" : ".", field.name());
}

/// The elements of a list; 0 when it is none.
int Count(const Message& message, const FieldDescriptor& field) {
  return field.is_repeated() ? message.GetReflection()->FieldSize(message, &field) : 0;
}

/// Calls `visit` with `message` and every message in it, each with its path.
void ForEachMessage(const Message& message, const std::string& path, absl::FunctionRef<void(const Message&, const std::string&)> visit) {
  visit(message, path);
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  for (const FieldDescriptor* field : FieldsOf(message)) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const std::string name = PathOf(path, *field);
    if (!field->is_repeated()) ForEachMessage(reflection.GetMessage(message, field), name, visit);
    for (int i = 0; i < Count(message, *field); ++i)
      ForEachMessage(reflection.GetRepeatedMessage(message, field, i), absl::StrCat(name, "[", i, "]"), visit);
  }
}

/// Adds the fields of `message` itself that its type does not have.
void FindUnknown(const Message& message, const std::string& path, FieldViolations& violations) {
  const google::protobuf::UnknownFieldSet& unknown = message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    violations.Add(
        absl::StrCat(path, path.empty() ? "" : ".", "#", unknown.field(i).number()),
        "expected a field that this coordinator knows, found another: the client may be newer; upgrade the coordinator, or leave "
        "the field out");
  }
}

/// Adds the strings of `message` itself that are not UTF-8.
void FindOtherThanUtf8(const Message& message, const std::string& path, FieldViolations& violations) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const auto check = [&](const std::string& name, const std::string& text) {
    if (!IsUtf8(text)) violations.Add(name, absl::StrCat("expected UTF-8, found \"", absl::CHexEscape(text), "\""));
  };
  for (const FieldDescriptor* field : FieldsOf(message)) {
    if (field->type() != FieldDescriptor::TYPE_STRING) continue;
    const std::string name = PathOf(path, *field);
    if (!field->is_repeated()) check(name, reflection.GetString(message, field));
    for (int i = 0; i < Count(message, *field); ++i)
      check(absl::StrCat(name, "[", i, "]"), reflection.GetRepeatedString(message, field, i));
  }
}

void AppendBigEndian(uint64_t value, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>((value >> shift) & 0xff));
}

/// Cursor and a digest of query and cursor: not a secret, but nobody makes one by accident.
std::string TokenBytes(absl::string_view query, uint64_t cursor) {
  std::string bytes;
  AppendBigEndian(cursor, bytes);
  AppendBigEndian(DigestBuilder().Add("page").Add(query).Add(cursor).Build().low, bytes);
  return bytes;
}

}  // namespace

absl::Status CheckKnownFields(const google::protobuf::Message& request) {
  FieldViolations violations;
  ForEachMessage(request, "", [&](const Message& message, const std::string& path) { FindUnknown(message, path, violations); });
  return violations.ToStatus();
}

absl::Status CheckUtf8(const google::protobuf::Message& request) {
  FieldViolations violations;
  ForEachMessage(request, "", [&](const Message& message, const std::string& path) { FindOtherThanUtf8(message, path, violations); });
  return violations.ToStatus();
}

absl::Status CheckRequestId(absl::string_view request_id) {
  const bool printable = std::all_of(request_id.begin(), request_id.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (request_id.size() <= kMaxRequestIdBytes && printable) return absl::OkStatus();
  return Violation("request_id", absl::StrCat("expected at most ", kMaxRequestIdBytes, " printable characters without spaces, found ",
                                              request_id.size(), " bytes: \"", absl::CHexEscape(request_id.substr(0, 40)), "\""));
}

absl::StatusOr<int> PageSize(int32_t requested) {
  if (requested < 0) return Violation("page_size", absl::StrCat("expected 0 (", kDefaultPageSize, ") or more, found ", requested));
  return requested == 0 ? kDefaultPageSize : std::min<int>(requested, kMaxPageSize);
}

std::string PageToken(absl::string_view query, uint64_t cursor) { return absl::WebSafeBase64Escape(TokenBytes(query, cursor)); }

absl::StatusOr<uint64_t> CursorOf(absl::string_view query, absl::string_view token) {
  if (token.empty()) return 0;
  std::string bytes;
  uint64_t cursor = 0;
  if (absl::WebSafeBase64Unescape(token, &bytes) && bytes.size() == kTokenBytes) {
    for (size_t i = 0; i < 8; ++i) cursor = (cursor << 8) | static_cast<unsigned char>(bytes[i]);
    if (bytes == TokenBytes(query, cursor)) return cursor;
  }
  return Violation("page_token", absl::StrCat("expected the next_page_token of the same query (", query, "), found \"",
                                              absl::CHexEscape(token.substr(0, 40)), "\"; begin with an empty one"));
}

}  // namespace hanas::rpc
