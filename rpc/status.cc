// SPDX-License-Identifier: Apache-2.0
#include "rpc/status.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "core/base/text.h"
#include "rpc/error_details.pb.h"

namespace hanas::rpc {
namespace {

constexpr char kResourceKey[] = "resource";

// A client may bound its headers to 8 KiB, which is gRPC's default; the rest is for headers of others.
constexpr size_t kMaxStatusBytes = 6 << 10;
// A message that has to be shortened takes so much as it is encoded: any message, and one whose violations are in the details.
constexpr size_t kMaxMessageBytes = 1500;
constexpr size_t kMaxBriefBytes = 700;
constexpr size_t kMaxReasonBytes = 63;  // as google.rpc.ErrorInfo has it
constexpr size_t kMaxResourceBytes = 100;
constexpr size_t kHeaderOverheadBytes = 32;  // that HTTP/2 counts for each header

/// The bytes that a text takes in grpc-message: what is not printable ASCII, and the percent sign, takes three.
size_t EncodedBytes(absl::string_view text) {
  size_t bytes = text.size();
  for (const char c : text) bytes += c < ' ' || c > '~' || c == '%' ? 2 : 0;
  return bytes;
}

/// The bytes that both headers of a status take, the way HTTP/2 counts them. The details travel as base64.
size_t HeaderBytes(const google::rpc::Status& details) {
  constexpr absl::string_view kMessage = "grpc-message";
  constexpr absl::string_view kDetails = "grpc-status-details-bin";
  return 2 * kHeaderOverheadBytes + kMessage.size() + EncodedBytes(details.message()) + kDetails.size() +
         (details.ByteSizeLong() + 2) / 3 * 4;
}

/// Shortens what is encoded in more than `max_encoded` bytes.
std::string ShortenEncoded(absl::string_view text, size_t max_encoded) {
  std::string shortened(text);
  while (EncodedBytes(shortened) > max_encoded) {
    shortened = Shorten(text, std::max(size_t{16}, shortened.size() * max_encoded / EncodedBytes(shortened) - 1));
  }
  return shortened;
}

/// The first violations, as lines of at most kMaxBriefBytes encoded bytes, and how many more there are.
std::string BriefOf(const std::vector<FieldViolation>& violations) {
  std::vector<FieldViolation> lines;
  size_t bytes = 0;
  int64_t more = 0;
  for (const FieldViolation& violation : violations) {
    bytes += EncodedBytes(violation.path) + EncodedBytes(violation.message) + 5;  // ": ", and the newline
    if (more == 0 && bytes <= kMaxBriefBytes) {
      lines.push_back(violation);
    } else {
      more += CountOf(violation);
    }
  }
  if (more > 0) lines.push_back(MoreViolations(more));
  return Lines(lines);
}

/// The first `count` of the violations, and how many more there are.
google::rpc::BadRequest BadRequestOf(const std::vector<FieldViolation>& violations, size_t count) {
  google::rpc::BadRequest bad_request;
  const auto add = [&](const FieldViolation& violation) {
    auto* added = bad_request.add_field_violations();
    added->set_field(violation.path);
    added->set_description(violation.message);
  };
  int64_t more = 0;
  for (size_t i = 0; i < violations.size(); ++i) {
    if (i < count) {
      add(violations[i]);
    } else {
      more += CountOf(violations[i]);
    }
  }
  if (more > 0) add(MoreViolations(more));
  return bad_request;
}

google::rpc::ErrorInfo ErrorInfoOf(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  info.set_reason(Shorten(Printable(ReasonOf(status)), kMaxReasonBytes));
  info.set_domain(kErrorDomain);
  if (const std::string resource = ResourceOf(status); !resource.empty())
    (*info.mutable_metadata())[kResourceKey] = Shorten(Printable(resource), kMaxResourceBytes);
  return info;
}

/// All that the bound has room for.
google::rpc::Status DetailsOf(const absl::Status& status) {
  const std::vector<FieldViolation> violations = ViolationsOf(status);
  const bool has_reason = !ReasonOf(status).empty();
  const auto assemble = [&](const std::string& message, size_t count) {
    google::rpc::Status details;
    details.set_code(static_cast<int>(status.code()));
    details.set_message(message);
    if (!violations.empty()) details.add_details()->PackFrom(BadRequestOf(violations, count));
    if (has_reason) details.add_details()->PackFrom(ErrorInfoOf(status));
    return details;
  };
  const std::string whole = Printable(status.message());
  google::rpc::Status details = assemble(whole, violations.size());
  if (HeaderBytes(details) <= kMaxStatusBytes) return details;
  const std::string brief = violations.empty() ? ShortenEncoded(whole, kMaxMessageBytes) : BriefOf(violations);
  for (size_t count = violations.size(); HeaderBytes(details = assemble(brief, count)) > kMaxStatusBytes && count > 0;) --count;
  return details;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status details = DetailsOf(status);
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
      const auto resource = info.metadata().find(kResourceKey);
      SetReason(result, info.reason(), resource == info.metadata().end() ? "" : resource->second);
    } else if (detail.Is<google::rpc::BadRequest>() && detail.UnpackTo(&bad_request)) {
      FieldViolations violations;
      for (const auto& found : bad_request.field_violations()) {
        const FieldViolation violation = {found.field(), found.description()};
        if (const int64_t count = CountOf(violation); count > 1 || violation == MoreViolations(1)) {
          violations.LeaveOut(count);
        } else {
          violations.Add(violation.path, violation.message);
        }
      }
      violations.ToStatus().ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { result.SetPayload(url, payload); });
    }
  }
  return result;
}

}  // namespace hanas::rpc
