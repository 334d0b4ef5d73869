// SPDX-License-Identifier: Apache-2.0
#include "rpc/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/utf8.h"
#include "rpc/error_details.pb.h"

namespace hanas::rpc {
namespace {

constexpr size_t kMaxMessageBytes = 4096;
constexpr size_t kMaxViolationBytes = 16384;

/// At most `limit` bytes that protobuf takes as a string.
std::string Cut(absl::string_view text, size_t limit) {
  if (text.size() <= limit) return ToUtf8(text);
  return absl::StrCat(ToUtf8(CutUtf8(text, limit)), " …");
}

void AddViolations(const std::vector<FieldViolation>& violations, google::rpc::Status& details) {
  google::rpc::BadRequest bad_request;
  size_t bytes = 0;
  for (const FieldViolation& violation : violations) {
    bytes += violation.path.size() + violation.message.size();
    if (bytes > kMaxViolationBytes) break;
    auto* added = bad_request.add_field_violations();
    added->set_field(ToUtf8(violation.path));
    added->set_description(ToUtf8(violation.message));
  }
  const size_t left_out = violations.size() - static_cast<size_t>(bad_request.field_violations_size());
  if (left_out > 0) details.set_message(absl::StrCat(details.message(), " (and ", left_out, " more)"));
  details.add_details()->PackFrom(bad_request);
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(Cut(status.message(), kMaxMessageBytes));
  if (const std::vector<FieldViolation> violations = ViolationsOf(status); !violations.empty()) AddViolations(violations, details);
  if (const std::string reason = ReasonOf(status); !reason.empty()) {
    google::rpc::ErrorInfo info;
    info.set_reason(reason);
    info.set_domain(kErrorDomain);
    details.add_details()->PackFrom(info);
  }
  const auto code = static_cast<grpc::StatusCode>(status.code());
  if (details.details().empty()) return grpc::Status(code, details.message());
  return grpc::Status(code, details.message(), details.SerializeAsString());
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (status.error_details().empty() || !details.ParseFromString(status.error_details())) return result;
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    if (detail.Is<google::rpc::ErrorInfo>() && detail.UnpackTo(&info) && info.domain() == kErrorDomain && !info.reason().empty()) {
      SetReason(result, info.reason());
    } else if (detail.Is<google::rpc::BadRequest>() && detail.UnpackTo(&bad_request)) {
      FieldViolations violations;
      for (const auto& violation : bad_request.field_violations()) violations.Add(violation.field(), violation.description());
      violations.ToStatus().ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { result.SetPayload(url, payload); });
    }
  }
  return result;
}

}  // namespace hanas::rpc
