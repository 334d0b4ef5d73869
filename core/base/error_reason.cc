// SPDX-License-Identifier: Apache-2.0
#include "core/base/error_reason.h"

#include <cerrno>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

constexpr absl::string_view kReasonUrl = "hanas/error-reason";
constexpr absl::string_view kResourceUrl = "hanas/error-resource";

using Code = absl::StatusCode;

constexpr ErrorReason kTable[] = {
    {kArtifactDamaged, Code::kDataLoss, "The stored artifact is not what its name says any more: the next upload of it repairs it."},
    {kArtifactMissing, Code::kFailedPrecondition, "A result names bytes that are not stored: upload them, then complete the task."},
    {kArtifactNotFound, Code::kNotFound, "No artifact of that digest is stored: it was never there, or nothing needed it any more."},
    {kBudgetSpent, Code::kFailedPrecondition,
     "The search failed because its time ran out before it had evaluated a network: resuming cannot mend that, a larger budget can."},
    {kDigestMismatch, Code::kDataLoss, "What was uploaded is not what its digest says. It was dropped: send it again."},
    {kDiskFull, Code::kResourceExhausted, "The coordinator's disk is full. It passes when space is freed: wait, and try again."},
    {kInfeasibleLimits, Code::kFailedPrecondition,
     "The search failed because no network keeps its limits: resuming cannot mend that, other limits can."},
    {kJobRefused, Code::kFailedPrecondition,
     "An older version accepted the job and this one does not: nothing is computed of it any more. Export what there is with that version, "
     "or delete it."},
    {kMemberNotFound, Code::kNotFound, "The search's report has no member of that name: `hanas show` lists them."},
    {kMemberTrained, Code::kFailedPrecondition, "The member was trained to its end already, or could not be trained."},
    {kNameInUse, Code::kAlreadyExists,
     "A worker or device with another key uses the name, or did within the lease ttl: take another name, or wait until it is silent."},
    {kNothingToVerify, Code::kFailedPrecondition, "The search has evaluated no network yet, so it cannot be finished: wait, or cancel it."},
    {kPartyNotFound, Code::kNotFound, "No worker or device of that name is registered."},
    {kProtocolVersion, Code::kFailedPrecondition, "The worker or agent speaks another version of the protocol: install the same release."},
    {kReplyTooLarge, Code::kResourceExhausted, "The answer is larger than a message may be."},
    {kRequestIdReused, Code::kAlreadyExists, "The request_id made a search of another job: use a new one."},
    {kSearchNotFound, Code::kNotFound, "No search of that name exists: it was never there, or it was deleted."},
    {kSearchNotOver, Code::kFailedPrecondition, "The search goes on, and only what is over can be deleted: cancel it first."},
    {kSearchNotSucceeded, Code::kFailedPrecondition,
     "The search has no report, and no members to train on, before it has SUCCEEDED: wait for it."},
    {kSearchOver, Code::kFailedPrecondition, "The search is over, so nothing about it can be changed any more."},
    {kStaleLease, Code::kFailedPrecondition, "The lease was replaced, ran out or is over: drop the work."},
    {kStateUnreadable, Code::kUnavailable, "The coordinator could not read its state back after an error: try again later."},
    {kStopping, Code::kUnavailable, "The coordinator is shutting down: try again, and watch again from the last sequence."},
    {kSuperseded, Code::kFailedPrecondition, "Another instance registered under the name of this worker or agent: end this one."},
    {kTaskNotFound, Code::kNotFound, "No task of that name exists: its search was deleted, or it was never there."},
    {kTokenRequired, Code::kUnauthenticated,
     "The call showed no token. gRPC sends this code without details; the clients here derive the reason from what they sent."},
    {kTokenWrong, Code::kUnauthenticated, "The call showed another token than the coordinator's; derived likewise."},
    {kTooManyParties, Code::kResourceExhausted,
     "As many workers and devices are known as may be, and none that was never of use is silent."},
    {kTooManyUploads, Code::kUnavailable, "As many uploads go on as the coordinator takes at a time: try again."},
    {kUnknownParty, Code::kNotFound, "The worker or agent is not registered: register again."},
    {kUploadContinued, Code::kAborted,
     "Another stream continues this upload, which had stalled: ask how much was received, and continue from there."},
    {kUploadIncomplete, Code::kFailedPrecondition, "The upload ended early: ask how much was received, and continue from there."},
    {kUploadOutOfRange, Code::kOutOfRange,
     "Data of an upload begins behind what was received, or ends behind its size: ask how much was received."},
    {kUploadStalled, Code::kAborted, "The upload brought too little for too long: ask how much was received, and continue from there."},
    {kWatchStalled, Code::kResourceExhausted, "The client of a watch did not read: read faster, and watch again from the last sequence."},
};

}  // namespace

absl::Span<const ErrorReason> ErrorReasons() { return kTable; }

std::string ErrorReasonReference() {
  std::string text = "| reason | code | meaning |\n|---|---|---|\n";
  for (const ErrorReason& row : kTable)
    absl::StrAppend(&text, "| `", row.name, "` | `", absl::StatusCodeToString(row.code), "` | ", row.meaning, " |\n");
  return text;
}

void SetReason(absl::Status& status, absl::string_view reason, absl::string_view resource) {
  status.SetPayload(kReasonUrl, absl::Cord(reason));
  if (resource.empty()) {
    status.ErasePayload(kResourceUrl);
  } else {
    status.SetPayload(kResourceUrl, absl::Cord(resource));
  }
}

absl::Status WithReason(absl::Status status, absl::string_view reason, absl::string_view resource) {
  SetReason(status, reason, resource);
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kReasonUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

std::string ResourceOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kResourceUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

bool HasReason(const absl::Status& status, absl::string_view reason) { return ReasonOf(status) == reason; }

absl::Status ErrnoStatus(int error, absl::string_view message) {
  absl::Status status = absl::ErrnoToStatus(error, message);
  if (error == ENOSPC || error == EDQUOT) SetReason(status, kDiskFull);
  return status;
}

}  // namespace hanas
