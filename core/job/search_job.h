// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_JOB_SEARCH_JOB_H_
#define HANAS_CORE_JOB_SEARCH_JOB_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/digest.h"
#include "core/base/field_violation.h"
#include "core/base/picture_form.h"
#include "core/family/convnet/space_spec.h"

namespace hanas {

// What a user submits: plain data, validated by ValidateSearchJob before anything is started. The values here are the defaults, in files
// and on the wire; fields.h has everything else that is to be said of each field. The work is given in steps, images and evaluations, never
// in seconds, so that the same job is the same search everywhere; BudgetSpec alone may cut it short.

enum class DatasetFormat : uint8_t { kIdx = 0, kImageFolder = 1 };
absl::Span<const absl::string_view> NamesOf(DatasetFormat);  // "idx", "image_folder": in the enumerators' order, for each of these enums
absl::string_view Name(DatasetFormat format);

/// `directory` is relative to the worker's data root and may not leave it. The validation split is drawn from the training files; the test
/// files are used for the final report only.
struct DatasetSpec {
  std::string name;
  DatasetFormat format = DatasetFormat::kIdx;
  std::string directory;
  int validation_images = 5000;
  PictureFit fit = PictureFit::kStretch;  // of pictures in files; images in IDX files have one size
};

/// Which networks of the supernet one training step updates. kLargestAndRandom and kSandwich distil from the largest (in place).
enum class SamplingKind : uint8_t { kLargest = 0, kLargestAndRandom = 1, kSandwich = 2, kRandomPath = 3 };
absl::Span<const absl::string_view> NamesOf(SamplingKind);  // "largest", "largest_and_random", "sandwich", "random_path"
absl::string_view Name(SamplingKind kind);

/// Applies until `until` (a fraction of all steps) is reached; the last phase ends at 1.
struct TrainingPhase {
  double until = 1;
  SamplingKind sampling = SamplingKind::kLargestAndRandom;
};

/// Random changes of an image every time that it is trained on.
struct Augmentation {
  bool flip = true;  // left and right exchanged in every other epoch
  int shift = 2;     // pixels by which it is moved at most, the edge reflected; 0: none
};

/// How the learning rate falls to 0 after the warm-up.
enum class RateSchedule : uint8_t { kCosine = 0, kLinear = 1 };
absl::Span<const absl::string_view> NamesOf(RateSchedule);  // "cosine", "linear"
absl::string_view Name(RateSchedule schedule);

/// What dense convolutions read, and what they and their gradients are rounded to, while something is trained. Everything else is done in
/// 32-bit floats, and so is all evaluation.
enum class Numerics : uint8_t {
  kAuto = 0,  // what the workers do best, decided when the job is submitted; whoever meets it later takes it for f32
  kF32 = 1,
  kBf16 = 2,  // 16 bits with the exponent of 32: plain dense networks train 1.4 times as fast on processors that multiply it
};
absl::Span<const absl::string_view> NamesOf(Numerics);  // "auto", "f32", "bf16"
absl::string_view Name(Numerics numerics);

/// Stochastic gradient descent with Nesterov momentum 0.9 and a linear warm-up; Muon (Jordan 2024) for the weights of convolutions that mix
/// channels, where the job gives it a rate.
struct TrainingSpec {
  int64_t steps = 1000;
  int batch_size = 128;
  int shards = 1;  // parts of each batch of what nothing is trained beside, which are trained at the same time on a core each
  double learning_rate = 0.1;
  double muon_learning_rate = 0;  // at its peak; 0: those weights learn like all others
  RateSchedule schedule = RateSchedule::kLinear;
  double weight_decay = 5e-4;  // not on normalisation parameters and biases
  double label_smoothing = 0.1;
  double warmup = 0.05;    // fraction of steps
  double clip_norm = 1.0;  // of the gradient; 0: no clipping
  Numerics numerics = Numerics::kAuto;
  Augmentation augmentation;
  std::vector<TrainingPhase> phases = {{0.5, SamplingKind::kLargest}, {1.0, SamplingKind::kLargestAndRandom}};
};

/// A plain dense network that is trained before everything else, and from whose answers to the training images all other networks learn
/// besides the labels: knowledge distillation (Hinton et al. 2015), with answers to the images as they are, computed once.
struct TeacherSpec {
  int64_t steps = 0;       // 0: there is none
  double width = 1;        // times the widths of the preset dense-250k
  double weight = 0.9;     // of its answers in the loss; the labels have the rest
  double temperature = 4;  // that both distributions are softened with
  friend bool operator==(const TeacherSpec&, const TeacherSpec&) = default;
};

/// How networks are told apart before any of them is trained to the end.
enum class Screening : uint8_t {
  kSupernet = 0,  // all have their weights from one supernet, which is trained first
  kAlone = 1,     // each is trained by itself, from fresh weights and for a short while
};
absl::Span<const absl::string_view> NamesOf(Screening);  // "supernet", "alone"
absl::string_view Name(Screening screening);

/// Networks evaluated to fit the first predictor. With Screening::kAlone every network that is evaluated, here and in the rounds, is
/// trained for `steps`; so are those of SamplingSpec, FineTuneSpec and FinalSpec then meant for the middle network of the space at 8 bits:
/// others take as many as cost the same (TrainingWork of core/cost), cheap ones more and dear ones less.
struct SamplingSpec {
  int networks = 64;
  int64_t steps = 100;
  int validation_images = 1000;
  int calibration_images = 500;  // statistics and activation ranges of each network
};

/// How the networks of a round are looked for: the rows of coordinator/search/algorithms.h, the default first.
absl::Span<const absl::string_view> AlgorithmNames();

struct EvolutionSpec {
  std::string algorithm = "nsga2";  // one of AlgorithmNames()
  int rounds = 3;                   // of true evaluation and refit
  int evaluations_per_round = 16;
  int population = 50;
  int surrogate_evaluations = 5000;  // of the algorithm on surrogates, each round
};

/// Applies to every network of the front and, for as long, to the references. With Screening::kAlone networks begin with fresh weights and
/// have the learning rates of TrainingSpec.
struct FineTuneSpec {
  int members = 6;  // size of the front at most
  int64_t steps = 200;
  double learning_rate = 0.02;
};

/// With steps, fine-tuning only tells which networks of the front deserve more: `members` of them are trained on for `steps` and returned,
/// the others are reported with what they reached.
struct FinalSpec {
  int members = 2;
  int64_t steps = 0;  // 0: every network of the front is returned as fine-tuning left it
};

struct MeasureSpec {
  int rounds = 5;
  int max_rounds = 9;             // more rounds while the spread is above 2 %
  int calibration_networks = 12;  // whole networks used to fit T = a * sum + b
  int held_out_networks = 8;      // and to test it
};

/// What the search makes as small as it can, or as large where more is better: the name of a quantity (core/quantity).
struct ObjectiveSpec {
  std::string of;
  friend bool operator==(const ObjectiveSpec&, const ObjectiveSpec&) = default;
};

/// What every returned network must keep: `at_most`, or `at_least` where more is better, in the unit of the quantity (microseconds, bytes,
/// a number, a fraction); 0 stands for the one that is not said. With `than`, which names a network of the space, it is a multiple of what
/// that one has (on the target).
struct LimitSpec {
  std::string of;
  std::string target;  // the name of the one that it is for; empty: of each
  double at_most = 0;
  double at_least = 0;
  std::string than;
  double confidence = kLimitConfidence;  // that a network which was only predicted keeps it

  double bound() const { return at_least > 0 ? at_least : at_most; }
  friend bool operator==(const LimitSpec&, const LimitSpec&) = default;

  static constexpr double kLimitConfidence = 0.95;
};

/// The networks of every space that a limit may be relative to: "smallest-8bit", "middle-8bit", "largest-8bit".
absl::Span<const absl::string_view> RelativeTo();

enum class LatencyStatistic : uint8_t { kP50 = 0, kP90 = 1, kP99 = 2 };
absl::Span<const absl::string_view> NamesOf(LatencyStatistic);  // "p50", "p90", "p99"
absl::string_view Name(LatencyStatistic statistic);

/// A device and how it is used. `device` is the name of an agent ("local" is that of this machine), else a
/// kind of device as agents describe theirs, else a class that the coordinator lists ("class-0123456789ab"): then one of them is taken, and
/// whole networks are measured on that one.
struct TargetSpec {
  std::string name;  // of one among several, in limits, task keys and reports; empty: the only one
  std::string device = "local";
  std::string backend = "xnnpack";
  int threads = 0;  // that execute a network; 0: as many as the device's agent was started with
  LatencyStatistic statistic = LatencyStatistic::kP50;
  friend bool operator==(const TargetSpec&, const TargetSpec&) = default;
};

/// What a search may spend; 0: no bound. Reaching one finishes the search: no further round, the best so far is verified.
struct BudgetSpec {
  double max_wall_seconds = 0;    // in all phases, time paused left out; ends the search as FAILED when nothing has been evaluated by then
  double max_device_seconds = 0;  // of measuring; looked at before each round
  int64_t max_evaluations = 0;    // networks evaluated in rounds
  friend bool operator==(const BudgetSpec&, const BudgetSpec&) = default;
};

/// What the report compares the members with, each network trained alone.
enum class ReferencesKind : uint8_t {
  kNone = 0,
  kSpace = 1,   // three networks of the job's space: the largest, the middle one, and the middle one trained for longer
  kFamily = 2,  // plain networks of other spaces, scaled in width, that get as much compute as the search spent
};
absl::Span<const absl::string_view> NamesOf(ReferencesKind);  // "none", "space", "family"
absl::string_view Name(ReferencesKind kind);

struct SearchJob {
  std::string name;
  uint64_t seed = 1;
  DatasetSpec dataset;
  SpaceSpec space;
  TrainingSpec training;
  TeacherSpec teacher;
  Screening screening = Screening::kSupernet;
  SamplingSpec sampling;
  EvolutionSpec evolution;
  FineTuneSpec fine_tune;
  FinalSpec final;
  MeasureSpec measure;
  TargetSpec target;
  std::vector<TargetSpec> targets;                                      // several, instead of `target`; each gets a front of its own
  std::vector<ObjectiveSpec> objectives = {{"accuracy"}, {"latency"}};  // 1 to 4
  std::vector<LimitSpec> limits;                                        // at most one for each quantity and target
  ReferencesKind references = ReferencesKind::kSpace;                   // what the report compares with
  BudgetSpec budget;
};

inline bool HasSupernet(const SearchJob& job) { return job.screening == Screening::kSupernet; }
/// Of training that all networks of the job have their weights from; 0 without a supernet.
inline int64_t SupernetSteps(const SearchJob& job) { return HasSupernet(job) ? job.training.steps : 0; }

/// What the job searches for: `targets`, or `target` alone. Never empty; a target is named by its index in here.
absl::Span<const TargetSpec> TargetsOf(const SearchJob& job);

/// Adds every violation, the space's included, with paths from the job's root: "training.steps", "space.stages[0].widths".
void ValidateSearchJob(const SearchJob& job, FieldViolations& violations);

/// The same for one part, as tasks carry it alone; paths begin with "training." or "dataset.".
void ValidateTrainingSpec(const TrainingSpec& training, FieldViolations& violations);
void ValidateDatasetSpec(const DatasetSpec& dataset, FieldViolations& violations);

/// What jobs are told apart by.
struct JobDigests {
  Digest job;       // of everything that changes the search
  Digest teacher;   // of images, data set, training and seed: searches with equal ones train the same teacher, whatever their spaces
  Digest supernet;  // of space, data set, training, teacher and seed: and the same supernet, whatever their targets
  Digest samples;   // of the supernet and of sampling: they evaluate the same networks for their first predictor
};
/// Costs the making of a search space.
JobDigests DigestsOf(const SearchJob& job);

/// DigestsOf(job).job.
Digest JobDigest(const SearchJob& job);

/// Of every field of the recipe.
Digest TrainingDigest(const TrainingSpec& training);

}  // namespace hanas

#endif  // HANAS_CORE_JOB_SEARCH_JOB_H_
