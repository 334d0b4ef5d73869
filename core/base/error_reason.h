// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_ERROR_REASON_H_
#define HANAS_CORE_BASE_ERROR_REASON_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hanas {

/// A machine-readable reason beside a status code: upper case with underscores ("STALE_LEASE", "LOWERING_DISAGREES"). It travels in the
/// status as a payload and survives the wire (rpc/status.h), so that programs branch on it and never on a message.
///
/// Thread-safe: free functions without state.

// Reasons that a coordinator answers with; ErrorReasons says what each means.
inline constexpr absl::string_view kSearchNotFound = "SEARCH_NOT_FOUND";
inline constexpr absl::string_view kTaskNotFound = "TASK_NOT_FOUND";
inline constexpr absl::string_view kPartyNotFound = "PARTY_NOT_FOUND";
inline constexpr absl::string_view kNameInUse = "NAME_IN_USE";
inline constexpr absl::string_view kTokenRequired = "TOKEN_REQUIRED";
inline constexpr absl::string_view kTokenWrong = "TOKEN_WRONG";
inline constexpr absl::string_view kTooManyParties = "TOO_MANY_PARTIES";
inline constexpr absl::string_view kUnknownParty = "UNKNOWN_PARTY";
inline constexpr absl::string_view kArtifactNotFound = "ARTIFACT_NOT_FOUND";
inline constexpr absl::string_view kRequestIdReused = "REQUEST_ID_REUSED";
inline constexpr absl::string_view kSearchOver = "SEARCH_OVER";
inline constexpr absl::string_view kSearchNotOver = "SEARCH_NOT_OVER";
inline constexpr absl::string_view kSearchNotSucceeded = "SEARCH_NOT_SUCCEEDED";
inline constexpr absl::string_view kNothingToVerify = "NOTHING_TO_VERIFY";
inline constexpr absl::string_view kMemberNotFound = "MEMBER_NOT_FOUND";
inline constexpr absl::string_view kMemberTrained = "MEMBER_TRAINED";
inline constexpr absl::string_view kInfeasibleLimits = "INFEASIBLE_LIMITS";
inline constexpr absl::string_view kBudgetSpent = "BUDGET_SPENT";
inline constexpr absl::string_view kJobRefused = "JOB_REFUSED";
inline constexpr absl::string_view kStaleLease = "STALE_LEASE";
inline constexpr absl::string_view kSuperseded = "SUPERSEDED";
inline constexpr absl::string_view kProtocolVersion = "PROTOCOL_VERSION";
inline constexpr absl::string_view kArtifactDamaged = "ARTIFACT_DAMAGED";
inline constexpr absl::string_view kArtifactMissing = "ARTIFACT_MISSING";
inline constexpr absl::string_view kUploadIncomplete = "UPLOAD_INCOMPLETE";
inline constexpr absl::string_view kUploadOutOfRange = "UPLOAD_OUT_OF_RANGE";
inline constexpr absl::string_view kUploadContinued = "UPLOAD_CONTINUED";
inline constexpr absl::string_view kUploadStalled = "UPLOAD_STALLED";
inline constexpr absl::string_view kTooManyUploads = "TOO_MANY_UPLOADS";
inline constexpr absl::string_view kDigestMismatch = "DIGEST_MISMATCH";
inline constexpr absl::string_view kDiskFull = "DISK_FULL";
inline constexpr absl::string_view kReplyTooLarge = "REPLY_TOO_LARGE";
inline constexpr absl::string_view kWatchStalled = "WATCH_STALLED";
inline constexpr absl::string_view kStateUnreadable = "STATE_UNREADABLE";
inline constexpr absl::string_view kStopping = "STOPPING";

struct ErrorReason {
  absl::string_view name;
  absl::StatusCode code;      // that it comes with
  absl::string_view meaning;  // one sentence: what it says, and what to do
};
/// The one table of them, by name. The reference page is made of it (docs/errors.md).
absl::Span<const ErrorReason> ErrorReasons();
/// The rows of the page.
std::string ErrorReasonReference();

/// Attaches `reason` to an error, and the name of the resource that it is about ("searches/7") when there is one; earlier ones are
/// replaced. OK stays OK.
absl::Status WithReason(absl::Status status, absl::string_view reason, absl::string_view resource = "");
void SetReason(absl::Status& status, absl::string_view reason, absl::string_view resource = "");

/// The reason of `status`; empty when it has none.
std::string ReasonOf(const absl::Status& status);
/// The name of the resource that the reason is about; empty when it has none.
std::string ResourceOf(const absl::Status& status);

/// Whether `status` carries `reason`.
bool HasReason(const absl::Status& status, absl::string_view reason);

/// absl::ErrnoToStatus, with kDiskFull when the error is that there is no room: a full disk is told from other exhausted resources.
absl::Status ErrnoStatus(int error, absl::string_view message);

}  // namespace hanas

#endif  // HANAS_CORE_BASE_ERROR_REASON_H_
