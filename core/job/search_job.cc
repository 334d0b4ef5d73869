// SPDX-License-Identifier: Apache-2.0
#include "core/job/search_job.h"

#include <algorithm>
#include <array>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/bounds.h"
#include "core/family/convnet/convnet_space.h"
#include "core/job/fields.h"
#include "core/job/job_cost.h"

namespace hanas {
namespace {

constexpr std::array<absl::string_view, 2> kFormats = {"idx", "image_folder"};
constexpr std::array<absl::string_view, 4> kSamplings = {"largest", "largest_and_random", "sandwich", "random_path"};
constexpr std::array<absl::string_view, 2> kSchedules = {"cosine", "linear"};
constexpr std::array<absl::string_view, 3> kNumerics = {"auto", "f32", "bf16"};
constexpr std::array<absl::string_view, 3> kStatistics = {"p50", "p90", "p99"};
constexpr std::array<absl::string_view, 3> kReferences = {"none", "space", "family"};
constexpr std::array<absl::string_view, 2> kScreenings = {"supernet", "alone"};
constexpr std::array<absl::string_view, 2> kAlgorithms = {"nsga2", "random"};

/// What images a data set of this format can hold.
void CheckImages(const SearchJob& job, FieldViolations& violations) {
  const int channels = job.space.input_channels;
  if (job.dataset.format == DatasetFormat::kIdx) {
    if (channels > 1 && channels <= bounds::kMaxInputChannels) {
      violations.Add("space.input_channels", absl::StrCat("expected 1, as IDX files hold grey images, found ", channels));
    }
    if (job.space.num_classes > bounds::kMaxIdxClasses && job.space.num_classes <= bounds::kMaxClasses) {
      violations.Add("space.num_classes", absl::StrCat("expected at most ", bounds::kMaxIdxClasses,
                                                       ", as labels of IDX files are bytes, found ", job.space.num_classes));
    }
    if (job.dataset.fit != PictureFit::kStretch) {
      violations.Add("dataset.fit", absl::StrCat("expected stretch, as images in IDX files have one size, found ", Name(job.dataset.fit)));
    }
  } else if (channels == 2) {
    violations.Add("space.input_channels", "expected 1 (grey) or 3 (colour) for image folders, found 2");
  }
}

}  // namespace

absl::Span<const absl::string_view> NamesOf(DatasetFormat) { return kFormats; }
absl::string_view Name(DatasetFormat format) { return kFormats.at(static_cast<size_t>(format)); }
absl::Span<const absl::string_view> NamesOf(SamplingKind) { return kSamplings; }
absl::string_view Name(SamplingKind kind) { return kSamplings.at(static_cast<size_t>(kind)); }
absl::Span<const absl::string_view> NamesOf(RateSchedule) { return kSchedules; }
absl::string_view Name(RateSchedule schedule) { return kSchedules.at(static_cast<size_t>(schedule)); }
absl::Span<const absl::string_view> NamesOf(Numerics) { return kNumerics; }
absl::string_view Name(Numerics numerics) { return kNumerics.at(static_cast<size_t>(numerics)); }
absl::Span<const absl::string_view> NamesOf(LatencyStatistic) { return kStatistics; }
absl::string_view Name(LatencyStatistic statistic) { return kStatistics.at(static_cast<size_t>(statistic)); }
absl::Span<const absl::string_view> NamesOf(ReferencesKind) { return kReferences; }
absl::string_view Name(ReferencesKind kind) { return kReferences.at(static_cast<size_t>(kind)); }

absl::Span<const absl::string_view> NamesOf(Screening) { return kScreenings; }
absl::string_view Name(Screening screening) { return kScreenings.at(static_cast<size_t>(screening)); }

absl::Span<const absl::string_view> AlgorithmNames() { return kAlgorithms; }

absl::Span<const TargetSpec> TargetsOf(const SearchJob& job) {
  return job.targets.empty() ? absl::MakeConstSpan(&job.target, 1) : absl::MakeConstSpan(job.targets);
}

void ValidateSearchJob(const SearchJob& job, FieldViolations& violations) {
  CheckFields(job, "", violations);
  ValidateSpaceSpec(job.space, "space", violations);
  const auto is_costed = [](const FieldViolation& v) { return absl::StartsWith(v.path, "space") || absl::StartsWith(v.path, "training."); };
  if (std::none_of(violations.items().begin(), violations.items().end(), is_costed)) CheckJobCost(job, violations);
  CheckImages(job, violations);
  const bool with_latency =
      std::any_of(job.objectives.begin(), job.objectives.end(), [](const ObjectiveSpec& o) { return o.of == "latency"; });
  if (const std::vector<absl::string_view> idle = FieldsOfOtherScreening(job); !idle.empty()) {
    violations.Add("screening", absl::StrCat("expected ", Name(job.screening), " without what has no part in it, found ",
                                             absl::StrJoin(idle, ", "), ": leave that out, or choose another screening"));
  }
  if (job.references == ReferencesKind::kFamily && !with_latency)
    violations.Add("references", "expected latency among the objectives, as plain networks are compared at equal latency, found none");
}

void ValidateTrainingSpec(const TrainingSpec& training, FieldViolations& violations) {
  SearchJob job;
  job.training = training;
  CheckFields(job, "training.", violations);
}

void ValidateDatasetSpec(const DatasetSpec& dataset, FieldViolations& violations) {
  SearchJob job;
  job.dataset = dataset;
  CheckFields(job, "dataset.", violations);
}

JobDigests DigestsOf(const SearchJob& job) {
  const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(job.space);
  const Digest space_digest = space.ok() ? space->space().digest() : Digest{};
  const auto digest_of = [&](absl::string_view what, SharedBy least) {
    DigestBuilder digest;
    digest.Add(what).Add(space_digest);
    AddFields(job, "", least, digest);
    return digest.Build();
  };
  // The teacher has steps of its own, no phases, and learns the labels as they are.
  SearchJob taught = job;
  taught.training.steps = TrainingSpec().steps;
  taught.training.phases = TrainingSpec().phases;
  taught.training.label_smoothing = TrainingSpec().label_smoothing;
  DigestBuilder teacher;
  teacher.Add("teacher");
  for (const int resolution : job.space.resolutions) teacher.Add(int64_t{resolution});
  teacher.Add(int64_t{job.space.input_channels}).Add(int64_t{job.space.num_classes});
  for (const absl::string_view part : {"dataset.", "training.", "teacher.steps", "teacher.width", "seed"})
    AddFields(taught, part, SharedBy::kSupernet, teacher);
  return {.job = digest_of("job", SharedBy::kNobody),
          .teacher = teacher.Build(),
          .supernet = digest_of("supernet", SharedBy::kSupernet),
          .samples = digest_of("samples", SharedBy::kSamples)};
}

Digest JobDigest(const SearchJob& job) { return DigestsOf(job).job; }

Digest TrainingDigest(const TrainingSpec& training) {
  SearchJob job;
  job.training = training;
  DigestBuilder digest;
  AddFields(job, "training.", SharedBy::kNobody, digest);
  return digest.Build();
}

}  // namespace hanas
