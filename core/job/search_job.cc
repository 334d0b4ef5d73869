// SPDX-License-Identifier: Apache-2.0
#include "core/job/search_job.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/bounds.h"
#include "core/base/plain_name.h"
#include "core/base/quantity.h"
#include "core/base/utf8.h"
#include "core/family/convnet/convnet_space.h"
#include "core/job/job_cost.h"

namespace hanas {
namespace {

constexpr std::array<absl::string_view, 2> kFormats = {"idx", "image_folder"};
constexpr std::array<absl::string_view, 4> kSamplings = {"largest", "largest_and_random", "sandwich", "random_path"};
constexpr std::array<absl::string_view, 3> kStatistics = {"p50", "p90", "p99"};

template <typename Enum, size_t kSize>
absl::StatusOr<Enum> FromName(absl::string_view name, const std::array<absl::string_view, kSize>& names) {
  for (size_t i = 0; i < kSize; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return absl::InvalidArgumentError(absl::StrCat("expected one of ", absl::StrJoin(names, ", "), ", found \"", name, "\""));
}

class Checker {
 public:
  explicit Checker(FieldViolations& violations) : violations_(violations) {}

  template <typename T>
  void Range(absl::string_view path, T value, T low, T high) {
    if (!(value >= low && value <= high)) {
      violations_.Add(path, absl::StrCat("expected a number from ", low, " to ", high, ", found ", value));
    }
  }
  /// From 0 on, said as the job file has it.
  void Time(absl::string_view path, double ms, double most_ms) {
    if (ms >= 0 && ms <= most_ms) return;
    const std::string found = std::isfinite(ms) && ms >= 0 ? FormatMicroseconds(1e3 * ms, Rounding::kExact) : absl::StrCat(ms, " ms");
    Fail(path, absl::StrCat("expected a time from 0 to ", FormatMicroseconds(1e3 * most_ms, Rounding::kExact), ", found ", found));
  }
  void Size(absl::string_view path, int64_t bytes, int64_t most) {
    if (bytes >= 0 && bytes <= most) return;
    const auto text = [](int64_t value) {
      return value >= 0 ? FormatBytes(static_cast<double>(value), Rounding::kExact) : absl::StrCat(value, " B");
    };
    Fail(path, absl::StrCat("expected a size from 0 to ", text(most), ", found ", text(bytes)));
  }
  void Fail(absl::string_view path, absl::string_view message) { violations_.Add(path, message); }

  void Identifier(absl::string_view path, absl::string_view text) {
    if (const absl::Status status = CheckPlainName(text); !status.ok()) Fail(path, status.message());
  }

 private:
  FieldViolations& violations_;
};

void CheckDataset(const DatasetSpec& dataset, Checker& check) {
  check.Identifier("dataset.name", dataset.name);
  bool inside = !dataset.directory.empty() && dataset.directory[0] != '/' && dataset.directory.size() <= bounds::kDirectoryBytes;
  for (const absl::string_view part : absl::StrSplit(dataset.directory, '/')) inside = inside && part != "..";
  const bool printable = IsUtf8(dataset.directory) && std::none_of(dataset.directory.begin(), dataset.directory.end(), [](char c) {
                           return absl::ascii_iscntrl(static_cast<unsigned char>(c));
                         });
  if (!inside) {
    check.Fail("dataset.directory",
               absl::StrCat("expected a path below the data directory, without \"..\", found \"", dataset.directory, "\""));
  } else if (!printable) {
    check.Fail("dataset.directory", absl::StrCat("expected UTF-8 without control characters, found \"", dataset.directory, "\""));
  }
  check.Range("dataset.validation_images", dataset.validation_images, bounds::kMinValidationImages, bounds::kMaxValidationImages);
}

void CheckTraining(const TrainingSpec& training, Checker& check) {
  check.Range<int64_t>("training.steps", training.steps, 1, bounds::kMaxSteps);
  check.Range("training.batch_size", training.batch_size, bounds::kMinBatch, bounds::kMaxBatch);
  check.Range("training.learning_rate", training.learning_rate, bounds::kMinLearningRate, bounds::kMaxLearningRate);
  check.Range("training.weight_decay", training.weight_decay, 0.0, bounds::kMaxWeightDecay);
  check.Range("training.label_smoothing", training.label_smoothing, 0.0, bounds::kMaxLabelSmoothing);
  check.Range("training.warmup", training.warmup, 0.0, bounds::kMaxWarmup);
  check.Range("training.clip_norm", training.clip_norm, 0.0, bounds::kMaxClipNorm);
  if (training.phases.size() > bounds::kTrainingPhases) {
    return check.Fail("training.phases", absl::StrCat("expected at most ", bounds::kTrainingPhases, ", found ", training.phases.size()));
  }
  if (training.phases.empty()) check.Fail("training.phases", "expected at least one phase, found none");
  double previous = 0;
  for (size_t i = 0; i < training.phases.size(); ++i) {
    const double until = training.phases[i].until;
    const std::string path = absl::StrCat("training.phases[", i, "].until");
    if (!(until > previous && until <= 1)) {
      check.Fail(path, absl::StrCat("expected a fraction above ", previous, " and at most 1, found ", until));
    }
    previous = until;
  }
  if (!training.phases.empty() && training.phases.back().until != 1) {
    check.Fail(absl::StrCat("training.phases[", training.phases.size() - 1, "].until"),
               absl::StrCat("expected the last phase to end at 1, found ", previous));
  }
}

void CheckSearch(const SearchJob& job, Checker& check) {
  check.Range("sampling.networks", job.sampling.networks, bounds::kMinSampledNetworks, bounds::kMaxSampledNetworks);
  check.Range("sampling.validation_images", job.sampling.validation_images, bounds::kMinValidationImages, job.dataset.validation_images);
  check.Range("sampling.calibration_images", job.sampling.calibration_images, bounds::kMinCalibrationImages, bounds::kMaxCalibrationImages);
  check.Range("evolution.rounds", job.evolution.rounds, 0, bounds::kMaxRounds);
  check.Range("evolution.evaluations_per_round", job.evolution.evaluations_per_round, 1, bounds::kMaxEvaluationsPerRound);
  check.Range("evolution.population", job.evolution.population, bounds::kMinPopulation, bounds::kMaxPopulation);
  check.Range("evolution.surrogate_evaluations", job.evolution.surrogate_evaluations, bounds::kMinSurrogateEvaluations,
              bounds::kMaxSurrogateEvaluations);
  check.Range("evolution.window", job.evolution.window, 1, bounds::kMaxWindow);
  check.Range("fine_tune.members", job.fine_tune.members, 1, bounds::kMaxMembers);
  check.Range<int64_t>("fine_tune.steps", job.fine_tune.steps, 1, bounds::kMaxSteps);
  check.Range("fine_tune.learning_rate", job.fine_tune.learning_rate, bounds::kMinLearningRate, bounds::kMaxLearningRate);
  check.Range("measure.rounds", job.measure.rounds, bounds::kMinMeasureRounds, bounds::kMaxMeasureRounds);
  check.Range("measure.max_rounds", job.measure.max_rounds, job.measure.rounds, bounds::kMaxExtendedRounds);
  check.Range("measure.calibration_networks", job.measure.calibration_networks, bounds::kMinCalibrationNetworks,
              bounds::kMaxMeasuredNetworks);
  check.Range("measure.held_out_networks", job.measure.held_out_networks, bounds::kMinHeldOutNetworks, bounds::kMaxMeasuredNetworks);
}

/// What images a data set of this format can hold.
void CheckImages(const SearchJob& job, Checker& check) {
  const int channels = job.space.input_channels;
  if (job.dataset.format == DatasetFormat::kIdx) {
    if (channels > 1 && channels <= bounds::kMaxInputChannels) {
      check.Fail("space.input_channels", absl::StrCat("expected 1, as IDX files hold grey images, found ", channels));
    }
    if (job.space.num_classes > bounds::kMaxIdxClasses && job.space.num_classes <= bounds::kMaxClasses) {
      check.Fail("space.num_classes", absl::StrCat("expected at most ", bounds::kMaxIdxClasses,
                                                   ", as labels of IDX files are bytes, found ", job.space.num_classes));
    }
  } else if (channels == 2) {
    check.Fail("space.input_channels", "expected 1 (grey) or 3 (colour) for image folders, found 2");
  }
}

void CheckTarget(const TargetSpec& target, Checker& check) {
  check.Identifier("target.device", target.device);
  if (target.backend != "xnnpack") check.Fail("target.backend", absl::StrCat("expected xnnpack, found \"", target.backend, "\""));
  check.Time("target.limits.latency_ms", target.limits.latency_ms, bounds::kMaxLatencyLimitMs);
  check.Size("target.limits.size_bytes", target.limits.size_bytes, bounds::kMaxBytesLimit);
  check.Size("target.limits.peak_memory_bytes", target.limits.peak_memory_bytes, bounds::kMaxBytesLimit);
}

void CheckBudget(const BudgetSpec& budget, Checker& check) {
  const auto duration = [&](absl::string_view path, double seconds) {
    if (!(seconds >= 0 && seconds <= bounds::kMaxBudgetSeconds)) {
      check.Fail(path, absl::StrCat("expected 0 (no bound) to ten years, found ", seconds, " s"));
    }
  };
  duration("budget.max_wall_seconds", budget.max_wall_seconds);
  duration("budget.max_device_seconds", budget.max_device_seconds);
  check.Range<int64_t>("budget.max_evaluations", budget.max_evaluations, 0, bounds::kMaxBudgetEvaluations);
}

std::string Exact(double value) { return absl::StrFormat("%.17g", value); }

/// What training is a function of, beside space and seed.
void AddRecipe(const SearchJob& job, DigestBuilder& digest) {
  digest.Add(job.dataset.name).Add(Name(job.dataset.format)).Add(job.dataset.directory).Add(job.dataset.validation_images);
  const TrainingSpec& t = job.training;
  digest.Add(t.steps).Add(t.batch_size).Add(Exact(t.learning_rate)).Add(Exact(t.weight_decay));
  digest.Add(Exact(t.label_smoothing)).Add(Exact(t.warmup)).Add(Exact(t.clip_norm)).Add(static_cast<int64_t>(t.phases.size()));
  for (const TrainingPhase& phase : t.phases) digest.Add(Exact(phase.until)).Add(Name(phase.sampling));
}

void AddSampling(const SearchJob& job, DigestBuilder& digest) {
  digest.Add(job.sampling.networks).Add(job.sampling.validation_images).Add(job.sampling.calibration_images);
}

}  // namespace

absl::string_view Name(DatasetFormat format) { return kFormats.at(static_cast<size_t>(format)); }
absl::StatusOr<DatasetFormat> DatasetFormatFromName(absl::string_view name) { return FromName<DatasetFormat>(name, kFormats); }
absl::string_view Name(SamplingKind kind) { return kSamplings.at(static_cast<size_t>(kind)); }
absl::StatusOr<SamplingKind> SamplingKindFromName(absl::string_view name) { return FromName<SamplingKind>(name, kSamplings); }
absl::string_view Name(LatencyStatistic statistic) { return kStatistics.at(static_cast<size_t>(statistic)); }
absl::StatusOr<LatencyStatistic> LatencyStatisticFromName(absl::string_view name) { return FromName<LatencyStatistic>(name, kStatistics); }

void ValidateSearchJob(const SearchJob& job, FieldViolations& violations) {
  Checker check(violations);
  check.Identifier("name", job.name);
  CheckDataset(job.dataset, check);
  const size_t before = violations.items().size();
  ValidateSpaceSpec(job.space, "space", violations);
  CheckTraining(job.training, check);
  if (violations.items().size() == before) CheckJobCost(job, violations);  // of a space and a batch that are themselves in range
  CheckSearch(job, check);
  CheckTarget(job.target, check);
  CheckBudget(job.budget, check);
  CheckImages(job, check);
}

void ValidateTrainingSpec(const TrainingSpec& training, FieldViolations& violations) {
  Checker check(violations);
  CheckTraining(training, check);
}

void ValidateDatasetSpec(const DatasetSpec& dataset, FieldViolations& violations) {
  Checker check(violations);
  CheckDataset(dataset, check);
}

JobDigests DigestsOf(const SearchJob& job) {
  const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(job.space);
  const Digest space_digest = space.ok() ? space->space().digest() : Digest{};
  JobDigests digests;

  DigestBuilder digest;
  digest.Add(space_digest).Add(job.name).Add(static_cast<int64_t>(job.seed));
  AddRecipe(job, digest);
  AddSampling(job, digest);
  const EvolutionSpec& e = job.evolution;
  digest.Add(e.rounds).Add(e.evaluations_per_round).Add(e.population).Add(e.surrogate_evaluations).Add(e.window);
  digest.Add(job.fine_tune.members).Add(job.fine_tune.steps).Add(Exact(job.fine_tune.learning_rate));
  const MeasureSpec& m = job.measure;
  digest.Add(m.rounds).Add(m.max_rounds).Add(m.calibration_networks).Add(m.held_out_networks);
  digest.Add(job.target.device).Add(job.target.backend).Add(Name(job.target.statistic)).Add(Exact(job.target.limits.latency_ms));
  digest.Add(job.target.limits.size_bytes).Add(job.target.limits.peak_memory_bytes).Add(job.references);
  // Jobs without a budget keep the digest that they had before there were budgets.
  const BudgetSpec& b = job.budget;
  if (b != BudgetSpec{}) digest.Add("budget").Add(Exact(b.max_wall_seconds)).Add(Exact(b.max_device_seconds)).Add(b.max_evaluations);
  digests.job = digest.Build();

  DigestBuilder supernet;
  supernet.Add("supernet").Add(space_digest).Add(static_cast<int64_t>(job.seed));
  AddRecipe(job, supernet);
  digests.supernet = supernet.Build();

  DigestBuilder samples;
  samples.Add("samples").Add(digests.supernet);
  AddSampling(job, samples);
  digests.samples = samples.Build();
  return digests;
}

Digest JobDigest(const SearchJob& job) { return DigestsOf(job).job; }

}  // namespace hanas
