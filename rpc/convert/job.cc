// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert/job.h"

#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "rpc/convert/space.h"
#include "rpc/convert/violations.h"

namespace hanas::rpc {
namespace {

constexpr absl::string_view kFormats = "IDX, IMAGE_FOLDER";
constexpr absl::string_view kSamplings = "LARGEST, LARGEST_AND_RANDOM, SANDWICH, RANDOM_PATH";
constexpr absl::string_view kStatistics = "P50, P90, P99";

DatasetSpec ReadDataset(const v1::DatasetSpec& proto, ConversionViolations& violations) {
  DatasetSpec dataset;
  dataset.name = proto.name();
  dataset.directory = proto.directory();
  dataset.validation_images = proto.validation_images();
  switch (proto.format()) {
    case v1::DatasetSpec::IDX:
      dataset.format = DatasetFormat::kIdx;
      break;
    case v1::DatasetSpec::IMAGE_FOLDER:
      dataset.format = DatasetFormat::kImageFolder;
      break;
    default:
      violations.AddUnspecified("dataset.format", kFormats);
  }
  return dataset;
}

SamplingKind ReadSampling(v1::TrainingPhase::Sampling proto, const std::string& path, ConversionViolations& violations) {
  switch (proto) {
    case v1::TrainingPhase::LARGEST:
      return SamplingKind::kLargest;
    case v1::TrainingPhase::LARGEST_AND_RANDOM:
      return SamplingKind::kLargestAndRandom;
    case v1::TrainingPhase::SANDWICH:
      return SamplingKind::kSandwich;
    case v1::TrainingPhase::RANDOM_PATH:
      return SamplingKind::kRandomPath;
    default:
      violations.AddUnspecified(path, kSamplings);
      return SamplingKind::kLargest;
  }
}

v1::TrainingPhase::Sampling ToProto(SamplingKind kind) {
  switch (kind) {
    case SamplingKind::kLargest:
      return v1::TrainingPhase::LARGEST;
    case SamplingKind::kLargestAndRandom:
      return v1::TrainingPhase::LARGEST_AND_RANDOM;
    case SamplingKind::kSandwich:
      return v1::TrainingPhase::SANDWICH;
    case SamplingKind::kRandomPath:
      return v1::TrainingPhase::RANDOM_PATH;
  }
  return v1::TrainingPhase::SAMPLING_UNSPECIFIED;
}

TrainingSpec ReadTraining(const v1::TrainingSpec& proto, ConversionViolations& violations) {
  TrainingSpec training;
  training.steps = proto.steps();
  training.batch_size = proto.batch_size();
  training.learning_rate = proto.learning_rate();
  training.weight_decay = proto.weight_decay();
  training.label_smoothing = proto.label_smoothing();
  training.warmup = proto.warmup();
  training.clip_norm = proto.clip_norm();
  training.phases.clear();
  for (int i = 0; i < proto.phases_size(); ++i) {
    const std::string path = absl::StrCat("training.phases[", i, "].sampling");
    training.phases.push_back({proto.phases(i).until(), ReadSampling(proto.phases(i).sampling(), path, violations)});
  }
  return training;
}

LatencyStatistic ReadStatistic(v1::LatencyStatistic proto, const std::string& path, ConversionViolations& violations) {
  switch (proto) {
    case v1::P50:
      return LatencyStatistic::kP50;
    case v1::P90:
      return LatencyStatistic::kP90;
    case v1::P99:
      return LatencyStatistic::kP99;
    default:
      violations.AddUnspecified(path, kStatistics);
      return LatencyStatistic::kP50;
  }
}

Limits ReadLimits(const v1::Limits& proto) {
  return {.latency_ms = proto.latency_ms(), .size_bytes = proto.size_bytes(), .peak_memory_bytes = proto.peak_memory_bytes()};
}

TargetSpec ReadTarget(const v1::TargetSpec& proto, ConversionViolations& violations) {
  TargetSpec target;
  target.device = proto.device();
  target.backend = proto.backend();
  target.statistic = ReadStatistic(proto.statistic(), "target.statistic", violations);
  target.limits = ReadLimits(proto.limits());
  return target;
}

void ReadBudgets(const v1::SearchSpec& proto, SearchJob& job) {
  job.sampling = {proto.sampling().networks(), proto.sampling().validation_images(), proto.sampling().calibration_images()};
  job.evolution = {proto.evolution().rounds(), proto.evolution().evaluations_per_round(), proto.evolution().population(),
                   proto.evolution().surrogate_evaluations(), proto.evolution().window()};
  job.fine_tune = {proto.fine_tune().members(), proto.fine_tune().steps(), proto.fine_tune().learning_rate()};
  job.measure = {proto.measure().rounds(), proto.measure().max_rounds(), proto.measure().calibration_networks(),
                 proto.measure().held_out_networks()};
  job.budget = {proto.budget().max_wall_seconds(), proto.budget().max_device_seconds(), proto.budget().max_evaluations()};
}

}  // namespace

v1::DatasetSpec ToProto(const DatasetSpec& dataset) {
  v1::DatasetSpec proto;
  proto.set_name(dataset.name);
  proto.set_format(dataset.format == DatasetFormat::kIdx ? v1::DatasetSpec::IDX : v1::DatasetSpec::IMAGE_FOLDER);
  proto.set_directory(dataset.directory);
  proto.set_validation_images(dataset.validation_images);
  return proto;
}

absl::StatusOr<DatasetSpec> DatasetSpecFromProto(const v1::DatasetSpec& proto) {
  ConversionViolations violations;
  DatasetSpec dataset = ReadDataset(proto, violations);
  ValidateDatasetSpec(dataset, violations.validated());
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return dataset;
}

v1::TrainingSpec ToProto(const TrainingSpec& training) {
  v1::TrainingSpec proto;
  proto.set_steps(training.steps);
  proto.set_batch_size(training.batch_size);
  proto.set_learning_rate(training.learning_rate);
  proto.set_weight_decay(training.weight_decay);
  proto.set_label_smoothing(training.label_smoothing);
  proto.set_warmup(training.warmup);
  proto.set_clip_norm(training.clip_norm);
  for (const TrainingPhase& phase : training.phases) {
    v1::TrainingPhase& added = *proto.add_phases();
    added.set_until(phase.until);
    added.set_sampling(ToProto(phase.sampling));
  }
  return proto;
}

absl::StatusOr<TrainingSpec> TrainingSpecFromProto(const v1::TrainingSpec& proto) {
  ConversionViolations violations;
  TrainingSpec training = ReadTraining(proto, violations);
  ValidateTrainingSpec(training, violations.validated());
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return training;
}

v1::SamplingSpec ToProto(const SamplingSpec& sampling) {
  v1::SamplingSpec proto;
  proto.set_networks(sampling.networks);
  proto.set_validation_images(sampling.validation_images);
  proto.set_calibration_images(sampling.calibration_images);
  return proto;
}

v1::EvolutionSpec ToProto(const EvolutionSpec& evolution) {
  v1::EvolutionSpec proto;
  proto.set_rounds(evolution.rounds);
  proto.set_evaluations_per_round(evolution.evaluations_per_round);
  proto.set_population(evolution.population);
  proto.set_surrogate_evaluations(evolution.surrogate_evaluations);
  proto.set_window(evolution.window);
  return proto;
}

v1::FineTuneSpec ToProto(const FineTuneSpec& fine_tune) {
  v1::FineTuneSpec proto;
  proto.set_members(fine_tune.members);
  proto.set_steps(fine_tune.steps);
  proto.set_learning_rate(fine_tune.learning_rate);
  return proto;
}

v1::MeasureSpec ToProto(const MeasureSpec& measure) {
  v1::MeasureSpec proto;
  proto.set_rounds(measure.rounds);
  proto.set_max_rounds(measure.max_rounds);
  proto.set_calibration_networks(measure.calibration_networks);
  proto.set_held_out_networks(measure.held_out_networks);
  return proto;
}

v1::BudgetSpec ToProto(const BudgetSpec& budget) {
  v1::BudgetSpec proto;
  proto.set_max_wall_seconds(budget.max_wall_seconds);
  proto.set_max_device_seconds(budget.max_device_seconds);
  proto.set_max_evaluations(budget.max_evaluations);
  return proto;
}

v1::TargetSpec ToProto(const TargetSpec& target) {
  v1::TargetSpec proto;
  proto.set_device(target.device);
  proto.set_backend(target.backend);
  proto.set_statistic(ToProto(target.statistic));
  *proto.mutable_limits() = ToProto(target.limits);
  return proto;
}

v1::Limits ToProto(const Limits& limits) {
  v1::Limits proto;
  proto.set_latency_ms(limits.latency_ms);
  proto.set_size_bytes(limits.size_bytes);
  proto.set_peak_memory_bytes(limits.peak_memory_bytes);
  return proto;
}

absl::StatusOr<Limits> LimitsFromProto(const v1::Limits& proto) {
  FieldViolations violations;
  if (!(proto.latency_ms() >= 0 && std::isfinite(proto.latency_ms()))) {
    violations.Add("limits.latency_ms", absl::StrCat("expected 0 (no limit) or a positive number, found ", proto.latency_ms()));
  }
  if (proto.size_bytes() < 0)
    violations.Add("limits.size_bytes", absl::StrCat("expected 0 (no limit) or more, found ", proto.size_bytes()));
  if (proto.peak_memory_bytes() < 0) {
    violations.Add("limits.peak_memory_bytes", absl::StrCat("expected 0 (no limit) or more, found ", proto.peak_memory_bytes()));
  }
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return ReadLimits(proto);
}

v1::LatencyStatistic ToProto(LatencyStatistic statistic) {
  switch (statistic) {
    case LatencyStatistic::kP50:
      return v1::P50;
    case LatencyStatistic::kP90:
      return v1::P90;
    case LatencyStatistic::kP99:
      return v1::P99;
  }
  return v1::LATENCY_STATISTIC_UNSPECIFIED;
}

absl::StatusOr<LatencyStatistic> LatencyStatisticFromProto(v1::LatencyStatistic proto) {
  ConversionViolations violations;
  const LatencyStatistic statistic = ReadStatistic(proto, "statistic", violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return statistic;
}

v1::SearchSpec ToProto(const SearchJob& job) {
  v1::SearchSpec proto;
  proto.set_name(job.name);
  proto.set_seed(job.seed);
  *proto.mutable_dataset() = ToProto(job.dataset);
  *proto.mutable_space() = ToProto(job.space);
  *proto.mutable_training() = ToProto(job.training);
  *proto.mutable_sampling() = ToProto(job.sampling);
  *proto.mutable_evolution() = ToProto(job.evolution);
  *proto.mutable_fine_tune() = ToProto(job.fine_tune);
  *proto.mutable_measure() = ToProto(job.measure);
  *proto.mutable_target() = ToProto(job.target);
  proto.set_references(job.references);
  if (job.budget != BudgetSpec{}) *proto.mutable_budget() = ToProto(job.budget);
  return proto;
}

SearchJob SearchJobFromStoredProto(const v1::SearchSpec& proto, absl::Status& refused) {
  ConversionViolations violations;
  SearchJob job;
  job.name = proto.name();
  job.seed = proto.seed();
  job.dataset = ReadDataset(proto.dataset(), violations);
  job.space = ReadSpaceSpec(proto.space(), "space", violations);
  job.training = ReadTraining(proto.training(), violations);
  ReadBudgets(proto, job);
  job.target = ReadTarget(proto.target(), violations);
  job.references = proto.references();
  ValidateSearchJob(job, violations.validated());
  refused = violations.ToStatus();
  return job;
}

absl::StatusOr<SearchJob> SearchJobFromProto(const v1::SearchSpec& proto) {
  absl::Status refused;
  SearchJob job = SearchJobFromStoredProto(proto, refused);
  if (!refused.ok()) return refused;
  return job;
}

}  // namespace hanas::rpc
