// SPDX-License-Identifier: Apache-2.0
#include "core/job/fields.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/bounds.h"
#include "core/base/plain_name.h"
#include "core/base/quantity.h"
#include "core/base/utf8.h"
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

/// At<&SearchJob::training, &TrainingSpec::steps>(job) is the place of job.training.steps.
template <auto... kMembers>
FieldPlace At(SearchJob& job) {
  return PlaceOf(Follow(job, kMembers...));
}
/// The same for an element of a list.
template <auto kMember, typename Element>
FieldPlace Of(Element& element) {
  return PlaceOf(element.*kMember);
}

using Job = SearchJob;
using enum FieldForm;
using enum SharedBy;

constexpr FieldRange kSteps = {1, bounds::kMaxSteps};
constexpr FieldRange kLearningRates = {bounds::kMinLearningRate, bounds::kMaxLearningRate};
constexpr FieldRange kBudgetSeconds = {0, bounds::kMaxBudgetSeconds};

constexpr FieldRange kThreads = {0, bounds::kMaxDeviceThreads};

// Of a target, whether it is the only one or one of several.
constexpr absl::string_view kAboutDevice = "`local` is the profiler-agent of this machine";
constexpr absl::string_view kAboutBackend = "the runtime that executes the network";
constexpr absl::string_view kAboutThreads = "that execute it; 0: as many as the device's agent has";
constexpr absl::string_view kAboutStatistic = "of the latency that is limited and promised";

const std::vector<JobField>& Rows() {
  static const auto* const rows = new std::vector<JobField>{
      {.path = "name", .place = At<&Job::name>, .form = kName, .required = true, .about = "of the search, in files and resource names"},
      {.path = "seed",
       .place = At<&Job::seed>,
       .shared = kSupernet,
       .about = "of every random draw: the same seed and the same evaluations give the same search"},
      {.path = "references", .place = At<&Job::references>, .about = "train the reference networks of the report, each alone"},

      {.path = "dataset.name",
       .place = At<&Job::dataset, &DatasetSpec::name>,
       .form = kName,
       .shared = kSupernet,
       .required = true,
       .about = "of the data set, by which workers know it"},
      {.path = "dataset.format",
       .place = At<&Job::dataset, &DatasetSpec::format>,
       .shared = kSupernet,
       .about = "four IDX files (plain or gzip), or `train/<class>/*.jpg` and `test/<class>/*.jpg`"},
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
       .about = "taken from the training files; the search sees these and never the test files"},

      {.path = "training.steps", .place = At<&Job::training, &TrainingSpec::steps>, .range = kSteps, .shared = kSupernet},
      {.path = "training.batch_size",
       .place = At<&Job::training, &TrainingSpec::batch_size>,
       .range = FieldRange{bounds::kMinBatch, bounds::kMaxBatch},
       .shared = kSupernet,
       .unit = "images"},
      {.path = "training.learning_rate",
       .place = At<&Job::training, &TrainingSpec::learning_rate>,
       .range = kLearningRates,
       .shared = kSupernet,
       .about = "at its peak"},
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
       .about = "exchange left and right of half of the training images. Wrong where that changes what is seen, as with digits and text"},
      {.path = "training.augmentation.shift",
       .place = At<&Job::training, &TrainingSpec::augmentation, &Augmentation::shift>,
       .range = FieldRange{0, bounds::kMaxShift},
       .shared = kSupernet,
       .unit = "pixels",
       .about = "move each training image by up to this, drawn anew every time; 0: none"},
      {.path = "training.phases",
       .place = At<&Job::training, &TrainingSpec::phases>,
       .range = FieldRange{1, bounds::kTrainingPhases},
       .shared = kSupernet,
       .about = "which networks each step trains"},

      {.path = "sampling.networks",
       .place = At<&Job::sampling, &SamplingSpec::networks>,
       .range = FieldRange{bounds::kMinSampledNetworks, bounds::kMaxSampledNetworks},
       .shared = kSamples},
      {.path = "sampling.validation_images",
       .place = At<&Job::sampling, &SamplingSpec::validation_images>,
       .range = FieldRange{.low = bounds::kMinValidationImages, .high_field = "dataset.validation_images"},
       .shared = kSamples,
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
       .about = "size of the returned front at most"},
      {.path = "fine_tune.steps", .place = At<&Job::fine_tune, &FineTuneSpec::steps>, .range = kSteps},
      {.path = "fine_tune.learning_rate", .place = At<&Job::fine_tune, &FineTuneSpec::learning_rate>, .range = kLearningRates},

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

      {.path = "target.device", .place = At<&Job::target, &TargetSpec::device>, .form = kName, .about = kAboutDevice},
      {.path = "target.backend", .place = At<&Job::target, &TargetSpec::backend>, .words = BackendNames(), .about = kAboutBackend},
      {.path = "target.threads", .place = At<&Job::target, &TargetSpec::threads>, .range = kThreads, .about = kAboutThreads},
      {.path = "target.statistic", .place = At<&Job::target, &TargetSpec::statistic>, .about = kAboutStatistic},
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
  return *rows;
}

template <typename Element>
const std::vector<ElementField<Element>>& ElementRows();

template <>
const std::vector<ElementField<TrainingPhase>>& ElementRows() {
  static const auto* const rows = new std::vector<ElementField<TrainingPhase>>{
      {.path = "until",
       .place = Of<&TrainingPhase::until>,
       .required = true,
       .unit = "fraction of the steps",
       .about = "where the phase ends: ascending, the last 1"},
      {.path = "sampling",
       .place = Of<&TrainingPhase::sampling>,
       .required = true,
       .about = "the random and smallest networks learn from the largest one of the same step"},
  };
  return *rows;
}

template <>
const std::vector<ElementField<TargetSpec>>& ElementRows() {
  static const auto* const rows = new std::vector<ElementField<TargetSpec>>{
      {.path = "name", .place = Of<&TargetSpec::name>, .form = kName, .required = true, .about = "in limits, task keys and reports"},
      {.path = "device", .place = Of<&TargetSpec::device>, .form = kName, .about = kAboutDevice},
      {.path = "backend", .place = Of<&TargetSpec::backend>, .words = BackendNames(), .about = kAboutBackend},
      {.path = "threads", .place = Of<&TargetSpec::threads>, .range = kThreads, .about = kAboutThreads},
      {.path = "statistic", .place = Of<&TargetSpec::statistic>, .about = kAboutStatistic},
  };
  return *rows;
}

template <>
const std::vector<ElementField<ObjectiveSpec>>& ElementRows() {
  static const auto* const rows = new std::vector<ElementField<ObjectiveSpec>>{
      {.path = "of", .place = Of<&ObjectiveSpec::of>, .form = kQuantity, .required = true, .about = "each quantity once"},
  };
  return *rows;
}

template <>
const std::vector<ElementField<LimitSpec>>& ElementRows() {
  static const auto* const rows = new std::vector<ElementField<LimitSpec>>{
      {.path = "of", .place = Of<&LimitSpec::of>, .form = kQuantity, .required = true, .about = "each quantity once for each target"},
      {.path = "target", .place = Of<&LimitSpec::target>, .about = "the name of the one that it is for; without it, of each"},
      {.path = "at_most",
       .place = Of<&LimitSpec::at_most>,
       .form = kBound,
       .none_at_zero = true,
       .about = "where less is better; with `than` a share in %"},
      {.path = "at_least",
       .place = Of<&LimitSpec::at_least>,
       .form = kBound,
       .none_at_zero = true,
       .about = "where more is better, as with accuracy"},
      {.path = "than",
       .place = Of<&LimitSpec::than>,
       .words = RelativeTo(),
       .about =
           "the network of the space, with 8 bits in every layer, that the share is of; in files also a preset, for `size`, `macs` and "
           "`parameters`"},
      {.path = "confidence",
       .place = Of<&LimitSpec::confidence>,
       .range = FieldRange{bounds::kMinConfidence, bounds::kMaxConfidence},
       .about = "that a network whose latency was only predicted keeps the limit"},
  };
  return *rows;
}

/// What is at a place.
struct PlaceReader {
  FieldValue operator()(const std::string* text) const { return absl::string_view(*text); }
  FieldValue operator()(const bool* value) const { return *value; }
  FieldValue operator()(const int* value) const { return int64_t{*value}; }
  FieldValue operator()(const int64_t* value) const { return *value; }
  FieldValue operator()(const uint64_t* value) const { return *value; }
  FieldValue operator()(const double* value) const { return *value; }
  FieldValue operator()(const WordPlace& place) const { return ChosenWord{*place.index, place.names}; }
  template <typename Element>
  FieldValue operator()(const std::vector<Element>* elements) const {
    return absl::MakeConstSpan(*elements);
  }
};

template <typename Owner>
FieldValue ValueIn(const FieldOf<Owner>& field, const Owner& owner) {
  return std::visit(PlaceReader{}, field.place(const_cast<Owner&>(owner)));  // nothing is written there
}

/// What the field `path` of the job is, which is a whole number.
double NumberAt(absl::string_view path, const SearchJob& job) {
  for (const JobField& field : Rows()) {
    if (field.path == path) return static_cast<double>(std::get<int64_t>(ValueOf(field, job)));
  }
  return 0;
}

std::string SecondsText(double value) { return absl::StrCat(value, " s"); }

/// Checks the value of one field, of a job or of an element of one of its lists.
template <typename Owner>
struct FieldChecker {
  const FieldOf<Owner>& field;
  std::string path;  // from the job's root
  const SearchJob& job;
  FieldViolations& violations;

  void Fail(absl::string_view message) const { violations.Add(path, message); }

  void operator()(absl::string_view text) const {
    if (field.form == kName) {
      if (const absl::Status status = CheckPlainName(text); !status.ok()) Fail(status.message());
    } else if (field.form == kDirectory) {
      bool inside = !text.empty() && text[0] != '/' && text.size() <= bounds::kDirectoryBytes;
      for (const absl::string_view part : absl::StrSplit(text, '/')) inside = inside && part != "..";
      const auto is_control = [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); };
      if (!inside) {
        Fail(absl::StrCat("expected a path below the data directory, without \"..\", found \"", text, "\""));
      } else if (!IsUtf8(text) || std::any_of(text.begin(), text.end(), is_control)) {
        Fail(absl::StrCat("expected UTF-8 without control characters, found \"", text, "\""));
      }
    } else if (!field.words.empty() && std::find(field.words.begin(), field.words.end(), text) == field.words.end()) {
      Fail(absl::StrCat("expected ", absl::StrJoin(field.words, " or "), ", found \"", text, "\""));
    }
  }
  void operator()(bool) const {}
  void operator()(uint64_t) const {}
  void operator()(const ChosenWord&) const {}
  void operator()(int64_t value) const {
    if (!field.range) return;
    const FieldRange& range = *field.range;
    const auto low = static_cast<int64_t>(range.low_field.empty() ? range.low : NumberAt(range.low_field, job));
    const auto high = static_cast<int64_t>(range.high_field.empty() ? range.high : NumberAt(range.high_field, job));
    if (value < low || value > high) Fail(absl::StrCat("expected a number from ", low, " to ", high, ", found ", value));
  }
  void operator()(double value) const {
    if (!field.range || (value >= field.range->low && value <= field.range->high)) return;
    const FieldRange& range = *field.range;
    if (field.form == kSeconds || field.form == kHours) {
      Fail(absl::StrCat("expected 0 (no bound) to ", range.high / (365 * 86400), " years, found ", SecondsText(value)));
    } else {
      Fail(absl::StrCat("expected a number from ", range.low, " to ", range.high, ", found ", value));
    }
  }
  void operator()(absl::Span<const ObjectiveSpec>) const { CheckObjectives(job, violations); }
  void operator()(absl::Span<const LimitSpec>) const { CheckLimits(job, violations); }
  /// The rows of a target are those of `target`, and checked as these are.
  void operator()(absl::Span<const TargetSpec> targets) const {
    CheckTargets(job, violations);
    if (targets.size() > bounds::kMaxTargets) return;
    for (size_t i = 0; i < targets.size(); ++i) {
      for (const ElementField<TargetSpec>& part : ElementRows<TargetSpec>()) {
        if (part.path == "name") continue;  // CheckTargets did
        std::visit(FieldChecker<TargetSpec>{part, absl::StrCat(path, "[", i, "].", part.path), job, violations}, ValueOf(part, targets[i]));
      }
    }
  }
  void operator()(absl::Span<const TrainingPhase> phases) const {
    const auto most = static_cast<size_t>(field.range->high);
    if (phases.size() > most) return Fail(absl::StrCat("expected at most ", most, ", found ", phases.size()));
    if (phases.empty()) return Fail("expected at least one phase, found none");
    double previous = 0;
    const auto until_of = [&](size_t i) { return absl::StrCat(path, "[", i, "].until"); };
    for (size_t i = 0; i < phases.size(); ++i) {
      const double until = phases[i].until;
      if (!(until > previous && until <= 1)) {
        violations.Add(until_of(i), absl::StrCat("expected a fraction above ", previous, " and at most 1, found ", until));
      }
      previous = until;
    }
    if (previous != 1) violations.Add(until_of(phases.size() - 1), absl::StrCat("expected the last phase to end at 1, found ", previous));
  }
};

struct FieldDigester {
  DigestBuilder& digest;

  void operator()(absl::string_view text) const { digest.Add(text); }
  void operator()(bool value) const { digest.Add(int64_t{value}); }
  void operator()(int64_t value) const { digest.Add(value); }
  void operator()(uint64_t value) const { digest.Add(static_cast<int64_t>(value)); }
  void operator()(double value) const { digest.Add(absl::StrFormat("%.17g", value)); }
  void operator()(const ChosenWord& choice) const { digest.Add(choice.names[choice.index]); }
  template <typename Element>
  void operator()(absl::Span<const Element> elements) const {
    digest.Add(static_cast<int64_t>(elements.size()));
    for (const Element& element : elements) {
      for (const ElementField<Element>& field : ElementRows<Element>()) std::visit(*this, ValueOf(field, element));
    }
  }
};

// ---- the tables of docs/job-file.md ----

std::string Number(double value) { return absl::StrReplaceAll(absl::StrFormat("%.12g", value), {{"e-0", "e-"}, {"e+0", "e"}}); }

std::string Words(absl::Span<const absl::string_view> words) {
  return absl::StrJoin(words, ", ", [](std::string* out, absl::string_view word) { absl::StrAppend(out, "`", word, "`"); });
}

bool IsList(const FieldValue& value) {
  return std::holds_alternative<absl::Span<const TrainingPhase>>(value) || std::holds_alternative<absl::Span<const TargetSpec>>(value) ||
         std::holds_alternative<absl::Span<const ObjectiveSpec>>(value) || std::holds_alternative<absl::Span<const LimitSpec>>(value);
}

template <typename Owner>
std::string TypeInMarkdown(const FieldOf<Owner>& field, const FieldValue& value) {
  if (!field.words.empty()) return Words(field.words);
  switch (field.form) {
    case kName:
      return "name";
    case kDirectory:
      return "path";
    case kQuantity:
      return "quantity";
    case kBound:
      return "value with its unit";
    case kSeconds:
      return "long time";
    case kHours:
      return "number of hours";
    case kPlain:
      break;
  }
  if (const auto* const choice = std::get_if<ChosenWord>(&value)) return Words(choice->names);
  std::string type = "number";
  if (std::holds_alternative<bool>(value)) type = "bool";
  if (std::holds_alternative<int64_t>(value)) type = "whole";
  if (std::holds_alternative<uint64_t>(value)) type = "whole ≥ 0";
  if (IsList(value)) type = "list of maps";
  if (!field.unit.empty()) absl::StrAppend(&type, ", ", field.unit);
  if (!field.range) return type;
  const auto end = [](absl::string_view other, double number) { return other.empty() ? Number(number) : absl::StrCat("`", other, "`"); };
  return absl::StrCat(type, ", ", end(field.range->low_field, field.range->low), " to ", end(field.range->high_field, field.range->high));
}

/// A default.
struct DefaultInMarkdown {
  bool none_at_zero;

  std::string operator()(absl::string_view text) const { return text.empty() ? "" : absl::StrCat("`", text, "`"); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return none_at_zero && value == 0 ? "none" : absl::StrCat(value); }
  std::string operator()(uint64_t value) const { return absl::StrCat(value); }
  std::string operator()(double value) const { return none_at_zero && value == 0 ? "none" : Number(value); }
  std::string operator()(const ChosenWord& choice) const { return absl::StrCat("`", choice.names[choice.index], "`"); }
  std::string operator()(absl::Span<const TrainingPhase> phases) const {
    return absl::StrJoin(phases, ", then ", [](std::string* out, const TrainingPhase& phase) {
      absl::StrAppend(out, "`", Name(phase.sampling), "` to ", Number(phase.until));
    });
  }
  std::string operator()(absl::Span<const ObjectiveSpec> objectives) const {
    return absl::StrJoin(objectives, ", ",
                         [](std::string* out, const ObjectiveSpec& objective) { absl::StrAppend(out, "`", objective.of, "`"); });
  }
  std::string operator()(absl::Span<const TargetSpec>) const { return "none"; }
  std::string operator()(absl::Span<const LimitSpec>) const { return "none"; }
};

template <typename Owner>
std::string RowInMarkdown(const FieldOf<Owner>& field, absl::string_view key) {
  const Owner defaults{};
  const FieldValue value = ValueOf(field, defaults);
  std::string standard = field.required ? "required" : std::visit(DefaultInMarkdown{field.none_at_zero}, value);
  if (!field.derived.empty()) absl::StrAppend(&standard, standard.empty() ? "" : ", ", field.derived);
  return absl::StrCat("| `", key, "` | ", TypeInMarkdown(field, value), " | ", standard, " | ", field.about,
                      field.about.empty() ? "|\n" : " |\n");
}

/// Appends the rows of a list's elements; nothing for what is no list.
struct ElementsInMarkdown {
  absl::string_view key;
  std::string& table;

  template <typename Element>
  void operator()(absl::Span<const Element>) const {
    for (const ElementField<Element>& field : ElementRows<Element>())
      absl::StrAppend(&table, RowInMarkdown(field, absl::StrCat(key, "[].", field.path)));
  }
  template <typename Value>
  void operator()(const Value&) const {}
};

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

FieldValue ValueOf(const JobField& field, const SearchJob& job) { return ValueIn(field, job); }
template <typename Element>
FieldValue ValueOf(const ElementField<Element>& field, const Element& element) {
  return ValueIn(field, element);
}
template FieldValue ValueOf(const ElementField<TrainingPhase>&, const TrainingPhase&);
template FieldValue ValueOf(const ElementField<TargetSpec>&, const TargetSpec&);
template FieldValue ValueOf(const ElementField<ObjectiveSpec>&, const ObjectiveSpec&);
template FieldValue ValueOf(const ElementField<LimitSpec>&, const LimitSpec&);

absl::Status SetWord(absl::string_view name, const WordPlace& place) {
  const absl::StatusOr<uint8_t> index = IndexOfWord(name, place.names);
  if (!index.ok()) return index.status();
  *place.index = *index;
  return absl::OkStatus();
}

void CheckFields(const SearchJob& job, absl::string_view prefix, FieldViolations& violations) {
  for (const JobField& field : Rows()) {
    if (absl::StartsWith(field.path, prefix))
      std::visit(FieldChecker<SearchJob>{field, std::string(field.path), job, violations}, ValueOf(field, job));
  }
}

void AddFields(const SearchJob& job, absl::string_view prefix, SharedBy least, DigestBuilder& digest) {
  for (const JobField& field : Rows()) {
    if (field.shared < least || !absl::StartsWith(field.path, prefix)) continue;
    digest.Add(field.path);
    std::visit(FieldDigester{digest}, ValueOf(field, job));
  }
}

std::string FieldsAsMarkdown(absl::string_view section) {
  std::string table = "| key | type, unit | default | meaning |\n|---|---|---|---|\n";
  for (const JobField& field : Rows()) {
    const absl::string_view path = field.file_path();
    const bool here = section.empty() ? path.find('.') == absl::string_view::npos : absl::StartsWith(path, section);
    if (!here) continue;
    const absl::string_view key = absl::StripPrefix(path, section);
    absl::StrAppend(&table, RowInMarkdown(field, key));
    std::visit(ElementsInMarkdown{key, table}, ValueOf(field, SearchJob{}));
  }
  return table;
}

}  // namespace hanas
