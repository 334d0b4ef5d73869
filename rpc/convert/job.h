// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_CONVERT_JOB_H_
#define HANAS_RPC_CONVERT_JOB_H_

#include "absl/status/statusor.h"
#include "core/job/search_job.h"
#include "hanas/v1/search.pb.h"
#include "rpc/convert/space.h"

namespace hanas::rpc {

// Wire <-> core for jobs and their parts, by the table of core/job/fields.h: a field of the table is the field of that path in the message.
// A field that is absent gets its default; what is present counts, 0 and false too. XFromProto returns INVALID_ARGUMENT with field
// violations, whose paths are those of the protos and of core's validator; unspecified and unknown enumerators are refused. ToProto leaves
// nothing out that has a default. Law: XFromProto(ToProto(x)) == x for valid x. Thread-safe: free functions without state.

v1::SearchSpec ToProto(const SearchJob& job);
/// Converted and validated (ValidateSearchJob). The space may name a preset if there is a `find_preset`.
absl::StatusOr<SearchJob> SearchJobFromProto(const v1::SearchSpec& proto, PresetFinder find_preset = nullptr);

/// The same of a job that was accepted once, whose space is there in full: `refused` receives what SearchJobFromProto returns, and the job
/// is as it was, as far as this version knows its values.
SearchJob SearchJobFromStoredProto(const v1::SearchSpec& proto, absl::Status& refused);

v1::DatasetSpec ToProto(const DatasetSpec& dataset);
/// Validated; paths begin with "dataset.".
absl::StatusOr<DatasetSpec> DatasetSpecFromProto(const v1::DatasetSpec& proto);

v1::TrainingSpec ToProto(const TrainingSpec& training);
/// Validated; paths begin with "training.".
absl::StatusOr<TrainingSpec> TrainingSpecFromProto(const v1::TrainingSpec& proto);

v1::TargetSpec ToProto(const TargetSpec& target);
v1::BudgetSpec ToProto(const BudgetSpec& budget);
v1::Limit ToProto(const LimitSpec& limit);
v1::LatencyStatistic ToProto(LatencyStatistic statistic);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_CONVERT_JOB_H_
