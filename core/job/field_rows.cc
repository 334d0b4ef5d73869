// SPDX-License-Identifier: Apache-2.0
// The rows of the table of core/job/fields.h, each once.
#include <algorithm>
#include <vector>

#include "absl/strings/strip.h"
#include "core/base/bounds.h"
#include "core/job/fields.h"
#include "core/job/goals.h"
#include "core/plan/backend_caps.h"

namespace hanas {
namespace {

template <typename T>
FieldPlace PlaceOf(T& member) {
  if constexpr (std::is_enum_v<T>) {
    static_assert(std::is_same_v<std::underlying_type_t<T>, uint8_t>);  // bytes may be written through a pointer to bytes
    return WordPlace{reinterpret_cast<uint8_t*>(&member), NamesOf(T{})};
  } else {
    return &member;
  }
}

/// The member that a chain of pointers leads to.
template <typename Object>
Object& Follow(Object& object) {
  return object;
}
template <typename Object, typename Member, typename... Rest>
auto& Follow(Object& object, Member Object::* member, Rest... rest) {
  return Follow(object.*member, rest...);
}

/// At<&SearchJob::training, &TrainingSpec::steps>(job) is the place of job.training.steps; so for the elements of lists.
template <auto... kMembers, typename Owner>
FieldPlace At(Owner& owner) {
  return PlaceOf(Follow(owner, kMembers...));
}

using Job = SearchJob;
using enum FieldForm;
using enum SharedBy;

constexpr FieldRange kSteps = {1, bounds::kMaxSteps};
constexpr FieldRange kLearningRates = {bounds::kMinLearningRate, bounds::kMaxLearningRate};
constexpr FieldRange kBudgetSeconds = {0, bounds::kMaxBudgetSeconds};

/// The rows of a target: of a job's only one, which `kPrefix` leads to, or of an element of the list, where the paths begin after `cut`.
template <typename Owner, auto... kPrefix>
std::vector<FieldOf<Owner>> RowsOfTarget(absl::string_view cut) {
  const auto path = [cut](absl::string_view whole) { return absl::StripPrefix(whole, cut); };
  return {
      {.path = path("target.device"),
       .place = At<kPrefix..., &TargetSpec::device>,
       .form = kName,
       .about = "`local` is the profiler-agent of this machine"},
      {.path = path("target.backend"),
       .place = At<kPrefix..., &TargetSpec::backend>,
       .words = BackendNames(),
       .about = "the runtime that executes the network"},
      {.path = path("target.threads"),
       .place = At<kPrefix..., &TargetSpec::threads>,
       .range = FieldRange{0, bounds::kMaxDeviceThreads},
       .about = "that execute it; 0: as many as the device's agent has"},
      {.path = path("target.statistic"),
       .place = At<kPrefix..., &TargetSpec::statistic>,
       .about = "of the latency that is limited and promised"},
  };
}

std::vector<JobField> MakeRows() {
  std::vector<JobField> rows = {
      {.path = "name", .place = At<&Job::name>, .form = kName, .required = true, .about = "of the search, in files and resource names"},
      {.path = "seed",
       .place = At<&Job::seed>,
       .shared = kSupernet,
       .about = "of every random draw: the same seed and the same evaluations give the same search"},
      {.path = "references",
       .place = At<&Job::references>,
       .about = "what the report compares with: nothing, three networks of the space, or plain networks that get as much compute as the "
                "search spent, which makes the whole take about four times as long (three times as long again)"},

      {.path = "dataset.name",
       .place = At<&Job::dataset, &DatasetSpec::name>,
       .form = kName,
       .shared = kSupernet,
       .required = true,
       .about = "of the data set, by which workers know it"},
      {.path = "dataset.format",
       .place = At<&Job::dataset, &DatasetSpec::format>,
       .shared = kSupernet,
       .about = "four IDX files (plain or gzip), or pictures (JPEG, PNG or WebP; `.jpg`, `.jpeg`, `.png`, `.webp` in any case) below "
                "`train/<class>/` and `test/<class>/`, or `val/`, `valid/` or `validation/` where there is no `test/`; without any of "
                "these a sixth of "
                "each class is set aside, and without `train/` the folders of classes lie in the directory itself; EXIF orientations are "
                "followed"},
      {.path = "dataset.directory",
       .place = At<&Job::dataset, &DatasetSpec::directory>,
       .form = kDirectory,
       .shared = kSupernet,
       .when_absent = [](Job& job) { job.dataset.directory = job.dataset.name; },
       .derived_from = "dataset.name",
       .derived = "the name",
       .about = "below the data directory, without `..`"},
      {.path = "dataset.validation_images",
       .place = At<&Job::dataset, &DatasetSpec::validation_images>,
       .range = FieldRange{bounds::kMinValidationImages, bounds::kMaxValidationImages},
       .shared = kSupernet,
       .about = "taken from the training files, of each class its share; the search sees these and never the test files"},
      {.path = "dataset.fit",
       .place = At<&Job::dataset, &DatasetSpec::fit>,
       .shared = kSupernet,
       .about =
           "how a picture of an image folder becomes a square of the largest of `space.resolutions`: squeezed to it, cut to the square in "
           "its middle, or with grey beside it"},

      {.path = "training.steps",
       .place = At<&Job::training, &TrainingSpec::steps>,
       .range = kSteps,
       .shared = kSupernet,
       .only_with = Screening::kSupernet},
      {.path = "training.batch_size",
       .place = At<&Job::training, &TrainingSpec::batch_size>,
       .range = FieldRange{bounds::kMinBatch, bounds::kMaxBatch},
       .shared = kSupernet,
       .unit = "images"},
      {.path = "training.shards",
       .place = At<&Job::training, &TrainingSpec::shards>,
       .range = FieldRange{1, bounds::kMaxShards},
       .shared = kSupernet,
       .about = "parts of a batch of the supernet, the teacher and the networks that are trained on, each on a core at the same time; the "
                "result is the same on fewer cores. Others are trained side by side instead, on one core each"},
      {.path = "training.learning_rate",
       .place = At<&Job::training, &TrainingSpec::learning_rate>,
       .range = kLearningRates,
       .shared = kSupernet,
       .about = "at its peak"},
      {.path = "training.muon_learning_rate",
       .place = At<&Job::training, &TrainingSpec::muon_learning_rate>,
       .range = FieldRange{0, bounds::kMaxLearningRate},
       .shared = kSupernet,
       .about =
           "of Muon, at its peak, for the weights of convolutions that mix channels; 0: they learn like all others. Fine-tuning scales "
           "it as it does the learning rate"},
      {.path = "training.schedule",
       .place = At<&Job::training, &TrainingSpec::schedule>,
       .shared = kSupernet,
       .about = "how the learning rates fall to 0 after the warm-up"},
      {.path = "training.weight_decay",
       .place = At<&Job::training, &TrainingSpec::weight_decay>,
       .range = FieldRange{0, bounds::kMaxWeightDecay},
       .shared = kSupernet,
       .about = "not on normalisation parameters and biases"},
      {.path = "training.label_smoothing",
       .place = At<&Job::training, &TrainingSpec::label_smoothing>,
       .range = FieldRange{0, bounds::kMaxLabelSmoothing},
       .shared = kSupernet},
      {.path = "training.warmup",
       .place = At<&Job::training, &TrainingSpec::warmup>,
       .range = FieldRange{0, bounds::kMaxWarmup},
       .shared = kSupernet,
       .unit = "fraction of the steps"},
      {.path = "training.clip_norm",
       .place = At<&Job::training, &TrainingSpec::clip_norm>,
       .range = FieldRange{0, bounds::kMaxClipNorm},
       .shared = kSupernet,
       .about = "of the gradient; 0: none"},
      {.path = "training.augmentation.flip",
       .place = At<&Job::training, &TrainingSpec::augmentation, &Augmentation::flip>,
       .shared = kSupernet,
       .about = "exchange left and right of each training image in every other epoch. Wrong where that changes what is seen, as with "
                "digits and text"},
      {.path = "training.augmentation.shift",
       .place = At<&Job::training, &TrainingSpec::augmentation, &Augmentation::shift>,
       .range = FieldRange{0, bounds::kMaxShift},
       .shared = kSupernet,
       .unit = "pixels",
       .about = "move each training image by up to this, drawn anew every time, the edge reflected; 0: none"},
      {.path = "training.phases",
       .place = At<&Job::training, &TrainingSpec::phases>,
       .range = FieldRange{1, bounds::kTrainingPhases},
       .shared = kSupernet,
       .only_with = Screening::kSupernet,
       .about = "which networks each step trains"},

      {.path = "training.numerics",
       .place = At<&Job::training, &TrainingSpec::numerics>,
       .shared = kSupernet,
       .came_later = true,
       .about =
           "what dense convolutions compute in while something is trained; everything else is f32, and so are all evaluations. `auto`: "
           "bf16 if the processor of every worker that is known and not drained multiplies it when the job is submitted, else f32"},

      {.path = "teacher.steps",
       .place = At<&Job::teacher, &TeacherSpec::steps>,
       .range = FieldRange{0, bounds::kMaxSteps},
       .shared = kSupernet,
       .came_later = true,
       .about = "of a plain dense network that is trained first, with the training's own rates: all others learn from its answers to the "
                "training images as well as from the labels; 0: there is none"},
      {.path = "teacher.width",
       .place = At<&Job::teacher, &TeacherSpec::width>,
       .range = FieldRange{bounds::kMinTeacherWidth, bounds::kMaxTeacherWidth},
       .shared = kSupernet,
       .came_later = true,
       .about = "times the widths of the preset `dense-250k`"},
      {.path = "teacher.weight",
       .place = At<&Job::teacher, &TeacherSpec::weight>,
       .range = FieldRange{0, 1},
       .shared = kSupernet,
       .came_later = true,
       .about = "of its answers in the loss; the labels have the rest"},
      {.path = "teacher.temperature",
       .place = At<&Job::teacher, &TeacherSpec::temperature>,
       .range = FieldRange{1, bounds::kMaxTeacherTemperature},
       .shared = kSupernet,
       .came_later = true,
       .about = "that its answers, and those of who learns, are softened with"},

      {.path = "screening",
       .place = At<&Job::screening>,
       .shared = kSupernet,
       .came_later = true,
       .about =
           "how networks are told apart before any is trained to the end: `supernet`, with weights that all of them share and that are "
           "trained first, or `alone`, each trained for `sampling.steps` from fresh weights"},

      {.path = "sampling.networks",
       .place = At<&Job::sampling, &SamplingSpec::networks>,
       .range = FieldRange{bounds::kMinSampledNetworks, bounds::kMaxSampledNetworks},
       .shared = kSamples},
      {.path = "sampling.steps",
       .place = At<&Job::sampling, &SamplingSpec::steps>,
       .range = kSteps,
       .shared = kSamples,
       .only_with = Screening::kAlone,
       .came_later = true,
       .about = "with `screening: alone`: that every network which is evaluated is trained for, in the rounds too"},
      {.path = "sampling.validation_images",
       .place = At<&Job::sampling, &SamplingSpec::validation_images>,
       .range = FieldRange{.low = bounds::kMinValidationImages, .high_field = "dataset.validation_images"},
       .shared = kSamples,
       .when_absent =
           [](Job& job) { job.sampling.validation_images = std::min(SamplingSpec().validation_images, job.dataset.validation_images); },
       .derived_from = "dataset.validation_images",
       .derived = "or all of them",
       .about = "scored by each"},
      {.path = "sampling.calibration_images",
       .place = At<&Job::sampling, &SamplingSpec::calibration_images>,
       .range = FieldRange{bounds::kMinCalibrationImages, bounds::kMaxCalibrationImages},
       .shared = kSamples,
       .about = "for statistics and activation ranges of each network"},

      {.path = "evolution.rounds",
       .place = At<&Job::evolution, &EvolutionSpec::rounds>,
       .range = FieldRange{0, bounds::kMaxRounds},
       .about = "of true evaluation and refit"},
      {.path = "evolution.evaluations_per_round",
       .place = At<&Job::evolution, &EvolutionSpec::evaluations_per_round>,
       .range = FieldRange{1, bounds::kMaxEvaluationsPerRound}},
      {.path = "evolution.population",
       .place = At<&Job::evolution, &EvolutionSpec::population>,
       .range = FieldRange{bounds::kMinPopulation, bounds::kMaxPopulation}},
      {.path = "evolution.algorithm",
       .place = At<&Job::evolution, &EvolutionSpec::algorithm>,
       .words = AlgorithmNames(),
       .about = "that looks for the networks of a round with the surrogates; `random` is for comparison"},
      {.path = "evolution.surrogate_evaluations",
       .place = At<&Job::evolution, &EvolutionSpec::surrogate_evaluations>,
       .range = FieldRange{bounds::kMinSurrogateEvaluations, bounds::kMaxSurrogateEvaluations},
       .about = "in each round"},

      {.path = "fine_tune.members",
       .place = At<&Job::fine_tune, &FineTuneSpec::members>,
       .range = FieldRange{1, bounds::kMaxMembers},
       .about = "size of the front at most: all of it is returned, unless `final` says otherwise"},
      {.path = "fine_tune.steps", .place = At<&Job::fine_tune, &FineTuneSpec::steps>, .range = kSteps},
      {.path = "fine_tune.learning_rate",
       .place = At<&Job::fine_tune, &FineTuneSpec::learning_rate>,
       .range = kLearningRates,
       .only_with = Screening::kSupernet},

      {.path = "final.members",
       .place = At<&Job::final, &FinalSpec::members>,
       .range = FieldRange{1, bounds::kMaxMembers},
       .about = "networks of the front that are trained on: the largest, in MACs, of those that are as accurate after fine-tuning as the "
                "best one within chance (two standard deviations), or with `screening: alone` the one that promises the least error; then "
                "the knee of the front, then those farthest from them"},
      {.path = "final.steps",
       .place = At<&Job::final, &FinalSpec::steps>,
       .range = FieldRange{0, bounds::kMaxSteps},
       .about =
           "that each of them is trained on for, with the learning rate of fine-tuning, or of the training where nothing is fine-tuned; "
           "0: none is, and all of the front is returned"},

      {.path = "measure.rounds",
       .place = At<&Job::measure, &MeasureSpec::rounds>,
       .range = FieldRange{bounds::kMinMeasureRounds, bounds::kMaxMeasureRounds},
       .about = "visits of every operator and network"},
      {.path = "measure.max_rounds",
       .place = At<&Job::measure, &MeasureSpec::max_rounds>,
       .range = FieldRange{.high = bounds::kMaxExtendedRounds, .low_field = "measure.rounds"},
       .when_absent = [](Job& job) { job.measure.max_rounds = std::max(job.measure.max_rounds, job.measure.rounds); },
       .derived_from = "measure.rounds",
       .derived = "or `rounds` when that is more",
       .about = "visits of what spreads by more than 2 %"},
      {.path = "measure.calibration_networks",
       .place = At<&Job::measure, &MeasureSpec::calibration_networks>,
       .range = FieldRange{bounds::kMinCalibrationNetworks, bounds::kMaxMeasuredNetworks},
       .about = "whole networks to which the latency model is fitted"},
      {.path = "measure.held_out_networks",
       .place = At<&Job::measure, &MeasureSpec::held_out_networks>,
       .range = FieldRange{bounds::kMinHeldOutNetworks, bounds::kMaxMeasuredNetworks},
       .about = "whole networks on which it is tested"},

      {.path = "targets",
       .place = At<&Job::targets>,
       .range = FieldRange{0, bounds::kMaxTargets},
       .about =
           "several devices, instead of `target`: one supernet, its samples and its predictor serve all of them, and each gets a front "
           "of its own"},

      {.path = "objectives",
       .place = At<&Job::objectives>,
       .range = FieldRange{1, bounds::kMaxObjectives},
       .about = "what the front trades against each other"},
      {.path = "limits", .place = At<&Job::limits>, .about = "what every returned network keeps; see below for the short form"},

      {.path = "budget.max_wall_seconds",
       .place = At<&Job::budget, &BudgetSpec::max_wall_seconds>,
       .form = kSeconds,
       .range = kBudgetSeconds,
       .none_at_zero = true,
       .key = "budget.max_wall",
       .about =
           "in all phases, while a coordinator runs and time paused left out. A search that has evaluated no network by then has nothing "
           "to verify: it ends as FAILED with `BUDGET_SPENT`"},
      {.path = "budget.max_device_seconds",
       .place = At<&Job::budget, &BudgetSpec::max_device_seconds>,
       .form = kHours,
       .range = kBudgetSeconds,
       .none_at_zero = true,
       .key = "budget.device_hours",
       .about = "of measuring; looked at before each round"},
      {.path = "budget.max_evaluations",
       .place = At<&Job::budget, &BudgetSpec::max_evaluations>,
       .range = FieldRange{0, bounds::kMaxBudgetEvaluations},
       .none_at_zero = true,
       .key = "budget.evaluations",
       .about = "networks evaluated in rounds; the last round is cut to what is left"},
  };
  const std::vector<JobField> of_target = RowsOfTarget<SearchJob, &Job::target>("");
  const auto targets = std::find_if(rows.begin(), rows.end(), [](const JobField& row) { return row.path == "targets"; });
  rows.insert(targets, of_target.begin(), of_target.end());
  return rows;
}

const std::vector<JobField>& Rows() {
  static const auto* const rows = new std::vector<JobField>(MakeRows());
  return *rows;
}

template <typename Element>
const std::vector<ElementField<Element>>& ElementRows();

template <>
const std::vector<ElementField<TrainingPhase>>& ElementRows() {
  static const auto* const rows = new std::vector<ElementField<TrainingPhase>>{
      {.path = "until",
       .place = At<&TrainingPhase::until>,
       .required = true,
       .unit = "fraction of the steps",
       .about = "where the phase ends: ascending, the last 1"},
      {.path = "sampling",
       .place = At<&TrainingPhase::sampling>,
       .required = true,
       .about = "the random and smallest networks learn from the largest one of the same step"},
  };
  return *rows;
}

template <>
const std::vector<ElementField<TargetSpec>>& ElementRows() {
  static const auto* const rows = [] {
    auto* const made = new std::vector<ElementField<TargetSpec>>(RowsOfTarget<TargetSpec>("target."));
    made->insert(
        made->begin(),
        {.path = "name", .place = At<&TargetSpec::name>, .form = kName, .required = true, .about = "in limits, task keys and reports"});
    return made;
  }();
  return *rows;
}

template <>
const std::vector<ElementField<ObjectiveSpec>>& ElementRows() {
  static const auto* const rows = new std::vector<ElementField<ObjectiveSpec>>{
      {.path = "of", .place = At<&ObjectiveSpec::of>, .form = kQuantity, .required = true, .about = "each quantity once"},
  };
  return *rows;
}

template <>
const std::vector<ElementField<LimitSpec>>& ElementRows() {
  static const auto* const rows = new std::vector<ElementField<LimitSpec>>{
      {.path = "of", .place = At<&LimitSpec::of>, .form = kQuantity, .required = true, .about = "each quantity once for each target"},
      {.path = "target", .place = At<&LimitSpec::target>, .about = "the name of the one that it is for; without it, of each"},
      {.path = "at_most",
       .place = At<&LimitSpec::at_most>,
       .form = kBound,
       .none_at_zero = true,
       .about = "where less is better; with `than` a share in %"},
      {.path = "at_least",
       .place = At<&LimitSpec::at_least>,
       .form = kBound,
       .none_at_zero = true,
       .about = "where more is better, as with accuracy"},
      {.path = "than",
       .place = At<&LimitSpec::than>,
       .words = RelativeTo(),
       .about =
           "the network of the space, with 8 bits in every layer, that the share is of; in files also a preset, for `size`, `macs` and "
           "`parameters`"},
      {.path = "confidence",
       .place = At<&LimitSpec::confidence>,
       .range = FieldRange{bounds::kMinConfidence, bounds::kMaxConfidence},
       .about = "that a network whose latency was only predicted keeps the limit"},
  };
  return *rows;
}

}  // namespace

absl::Span<const JobField> JobFields() { return Rows(); }
template <typename Element>
absl::Span<const ElementField<Element>> ElementFields() {
  return ElementRows<Element>();
}
template absl::Span<const ElementField<TrainingPhase>> ElementFields();
template absl::Span<const ElementField<TargetSpec>> ElementFields();
template absl::Span<const ElementField<ObjectiveSpec>> ElementFields();
template absl::Span<const ElementField<LimitSpec>> ElementFields();

}  // namespace hanas
