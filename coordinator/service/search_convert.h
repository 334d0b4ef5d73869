// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SERVICE_SEARCH_CONVERT_H_
#define HANAS_COORDINATOR_SERVICE_SEARCH_CONVERT_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/app/app.h"
#include "hanas/v1/search.pb.h"

namespace hanas::coordinator {

// Application -> wire for searches. Thread-safe: free functions without state.

/// Of the bytes that the application stored, perhaps long ago. Returns DATA_LOSS for bytes that are no specification.
absl::StatusOr<StoredJob> ParseSpec(absl::string_view bytes);

v1::Phase ToProto(SearchPhase phase);
v1::PhaseProgress ToProto(const PhaseRecord& phase);
v1::Blocker ToProto(const Blocker& blocker);
v1::Forecast ToProto(const ForecastRecord& forecast);
/// Without a name when it was only validated (id 0). Abridged when the specification is larger than kMaxSpecBytes.
v1::Search ToProto(const SearchSnapshot& snapshot);
/// With no more of its specification than a list needs.
v1::Search ToAbridgedProto(const SearchSnapshot& snapshot);

/// Of a specification in a reply: leaves room for the rest under gRPC's default bound of 4 MiB.
inline constexpr size_t kMaxSpecBytes = size_t{2} << 20;
v1::TaskSummary ToProto(const TaskSnapshot& snapshot);
v1::Candidate ToProto(const CandidateRow& candidate);
v1::ReplaySearchResponse ToProto(const ReplayResult& result);
v1::SearchEvent ToProto(const EventRecord& event);
/// What is going on now, under the sequence of the last recorded event, so that a resumed watch misses nothing.
v1::SearchEvent ProgressEvent(const SearchSnapshot& snapshot);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SERVICE_SEARCH_CONVERT_H_
