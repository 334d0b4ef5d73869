// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/outcome_check.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <string>
#include <variant>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"
#include "core/base/plain_name.h"
#include "core/base/utf8.h"
#include "core/family/convnet/convnet_space.h"
#include "core/predictor/predictor_weights.h"

namespace hanas::coordinator {
namespace {

constexpr int kMaxRound = 1'000'000;
constexpr size_t kMaxDigestBytes = 128;
constexpr size_t kMaxWarnings = 20;
constexpr size_t kMaxWarningBytes = 4096;

absl::Status Expected(const TaskRecord& task, absl::string_view what, absl::string_view found) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", what, ", found ", found, " for ", task.key, " (tasks/", task.id, ")"));
}

bool IsTime(double us) { return std::isfinite(us) && us > 0; }
bool IsFromZero(double number) { return std::isfinite(number) && number >= 0; }

absl::Status CheckScore(const TaskRecord& task, const Score& score) {
  if (score.images > 0 && score.correct >= 0 && score.correct <= score.images && std::isfinite(score.loss)) return absl::OkStatus();
  return Expected(task, "a finite loss and correct images among some",
                  absl::StrCat(score.correct, " of ", score.images, ", loss ", score.loss));
}

/// What is said of classes, if anything is, makes up the whole.
absl::Status CheckClasses(const State& state, const TaskRecord& task, const VerifyOutcome& outcome) {
  const std::vector<int64_t>& parts = outcome.class_correct;
  const Score& whole = outcome.exported;
  if (parts.empty() && outcome.among_five == 0) return absl::OkStatus();
  const int num_classes = state.searches.at(task.search).job->space.num_classes;
  if (parts.size() != static_cast<size_t>(num_classes))
    return Expected(task, absl::StrCat("correct images of ", num_classes, " classes"), absl::StrCat("those of ", parts.size()));
  // None exceeds the whole, so that their sum cannot overflow.
  const bool within = std::all_of(parts.begin(), parts.end(), [&](int64_t part) { return part >= 0 && part <= whole.correct; });
  if (within && std::accumulate(parts.begin(), parts.end(), int64_t{0}) == whole.correct && outcome.among_five >= whole.correct &&
      outcome.among_five <= whole.images) {
    return absl::OkStatus();
  }
  return Expected(task, absl::StrCat(whole.correct, " correct images shared out to classes, and as many or more among the first five"),
                  absl::StrCat("other ones, and ", outcome.among_five));
}

absl::Status CheckNetwork(const TaskRecord& task, const NetworkMeasurement& row) {
  if (IsTime(row.p50_us) && IsTime(row.p90_us) && IsTime(row.p99_us) && row.p50_us <= row.p90_us && row.p90_us <= row.p99_us &&
      std::isfinite(row.cv)) {
    return absl::OkStatus();
  }
  return Expected(task, "finite times above 0 with p50 <= p90 <= p99",
                  absl::StrCat(row.p50_us, ", ", row.p90_us, ", ", row.p99_us, " us, CV ", row.cv));
}

/// A second reading is of as many images as `reported`, and can differ in what it got right by no more images than it sees differently.
absl::Status CheckReading(const TaskRecord& task, const Score& reported, const SecondReading& reading) {
  if (absl::Status status = CheckScore(task, reading.score); !status.ok()) return status;
  if (reading.score.images == reported.images && reading.differing >= std::abs(reading.score.correct - reported.correct) &&
      reading.differing <= reported.images) {
    return absl::OkStatus();
  }
  return Expected(task, absl::StrCat("a second reading of ", reported.images, " images that tells of those it sees differently"),
                  absl::StrCat(reading.score.correct, " of ", reading.score.images, " correct where the first had ", reported.correct, ", ",
                               reading.differing, " seen differently"));
}

bool IsText(absl::string_view text, size_t max_bytes) { return text.size() <= max_bytes && IsUtf8(text) && IsOneLine(text); }

/// A survey is checked as it goes into reports unchanged.
absl::Status CheckSurvey(const TaskRecord& task, const Survey& survey) {
  if (survey.classes.size() > static_cast<size_t>(bounds::kMaxClasses))
    return Expected(task, absl::StrCat("at most ", bounds::kMaxClasses, " classes"), absl::StrCat(survey.classes.size()));
  for (const ClassPictures& pictures : survey.classes) {
    if (pictures.train < 0 || pictures.test < 0 || !IsText(pictures.name, bounds::kDirectoryBytes)) {
      return Expected(task, "classes with names of one line in UTF-8 and numbers of pictures",
                      absl::StrCat("\"", absl::CHexEscape(pictures.name), "\" with ", pictures.train, " and ", pictures.test));
    }
  }
  if (survey.warnings.size() > kMaxWarnings)
    return Expected(task, absl::StrCat("at most ", kMaxWarnings, " warnings"), absl::StrCat(survey.warnings.size()));
  for (const Warning& warning : survey.warnings) {
    if (warning.code.empty() || !warning.members.empty() || !IsText(warning.code, bounds::kNameBytes) ||
        !IsText(warning.text, kMaxWarningBytes)) {
      return Expected(task, absl::StrCat("warnings about the data with a code and at most ", kMaxWarningBytes, " bytes of UTF-8"),
                      absl::StrCat("\"", absl::CHexEscape(warning.code), "\" with ", warning.text.size(), " bytes"));
    }
  }
  return absl::OkStatus();
}

struct Checker {
  const State& state;
  const TaskRecord& task;
  const Outcome& outcome;

  template <typename T>
  const T& Of() const {
    return std::get<T>(outcome);
  }

  /// Of an outcome that says on which data set it was made: the one that the search began with.
  template <typename T>
  absl::Status CheckDataset(const T& o) const {
    if (std::max(o.dataset_digest.size(), o.dataset_files.size()) > kMaxDigestBytes) {
      return Expected(task, absl::StrCat("digests of at most ", kMaxDigestBytes, " bytes"),
                      absl::StrCat(o.dataset_digest.size(), " and ", o.dataset_files.size()));
    }
    const SearchState* search = state.FindSearch(task.search);
    const std::string began_with = search == nullptr ? "" : search->record.dataset_digest;
    if (!began_with.empty() && !o.dataset_digest.empty() && o.dataset_digest != began_with)
      return Expected(task, absl::StrCat("work on the data set ", began_with), o.dataset_digest);
    return absl::OkStatus();
  }

  absl::Status operator()(const TrainWork& work) const {
    const auto& o = Of<TrainOutcome>();
    if (o.step < work.from_step || o.step > work.to_step || o.reached_end != (o.step == work.to_step)) {
      return Expected(task, absl::StrCat("a step from ", work.from_step, " to ", work.to_step, ", the last one when the end was reached"),
                      absl::StrCat(o.step, o.reached_end ? " at the end" : " before the end"));
    }
    if (!IsFromZero(o.images_per_second)) return Expected(task, "a finite rate of 0 or more", absl::StrCat(o.images_per_second));
    return CheckDataset(o);
  }
  absl::Status operator()(const EvaluateWork& work) const {
    const auto& o = Of<EvaluateOutcome>();
    if (o.scores.size() != work.architectures.size())
      return Expected(task, absl::StrCat(work.architectures.size(), " accuracies"), absl::StrCat(o.scores.size()));
    for (const Score& score : o.scores) {
      if (absl::Status status = CheckScore(task, score); !status.ok()) return status;
    }
    return CheckDataset(o);
  }
  absl::Status operator()(const FitWork&) const {
    const absl::StatusOr<PredictorWeights> weights = ParsePredictor(Of<FitOutcome>().predictor);
    if (!weights.ok()) return Expected(task, "a predictor", weights.status().message());
    const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(state.searches.at(task.search).job->space);
    if (space.ok() && weights->space_digest == space->space().digest()) return absl::OkStatus();
    return Expected(task, "a predictor of the search's space", weights->space_digest.ToHex());
  }
  absl::Status operator()(const BindWork&) const { return CheckScore(task, Of<BindOutcome>().test); }
  absl::Status operator()(const PackWork&) const {
    const auto& o = Of<PackOutcome>();
    return o.num_images > 0 ? CheckSurvey(task, o.survey) : Expected(task, "packed images", "none");
  }
  absl::Status operator()(const MeasureOperatorsWork& work) const {
    const auto& o = Of<MeasureOperatorsOutcome>();
    if (o.rows.size() != work.keys.size()) return Expected(task, absl::StrCat(work.keys.size(), " rows"), absl::StrCat(o.rows.size()));
    for (size_t i = 0; i < o.rows.size(); ++i) {
      if (o.rows[i].key != work.keys[i]) return Expected(task, absl::StrCat("row ", i, " for \"", work.keys[i], "\""), o.rows[i].key);
      if (!IsTime(o.rows[i].flushed_us) || !IsTime(o.rows[i].hot_us) || !std::isfinite(o.rows[i].cv)) {
        return Expected(task, absl::StrCat("finite times above 0 for \"", work.keys[i], "\""),
                        absl::StrCat(o.rows[i].flushed_us, ", ", o.rows[i].hot_us));
      }
    }
    return absl::OkStatus();
  }
  absl::Status operator()(const MeasureNetworksWork& work) const {
    const auto& o = Of<MeasureNetworksOutcome>();
    if (o.rows.size() != work.architectures.size())
      return Expected(task, absl::StrCat(work.architectures.size(), " rows"), absl::StrCat(o.rows.size()));
    for (const NetworkMeasurement& row : o.rows) {
      if (absl::Status status = CheckNetwork(task, row); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  absl::Status operator()(const VerifyWork&) const {
    const auto& o = Of<VerifyOutcome>();
    if (absl::Status status = CheckNetwork(task, o.device); !status.ok()) return status;
    if (absl::Status status = CheckNetwork(task, o.exported_latency); !status.ok()) return status;
    if (o.agreeing < 0 || o.agreeing > o.compared)
      return Expected(task, "agreeing images among those compared", absl::StrCat(o.agreeing, " of ", o.compared));
    if (absl::Status status = CheckScore(task, o.exported); !status.ok()) return status;
    if (absl::Status status = CheckClasses(state, task, o); !status.ok()) return status;
    if (absl::Status status = CheckReading(task, o.exported, o.reopened); !status.ok()) return status;
    return CheckReading(task, o.exported, o.device_accuracy);
  }
};

}  // namespace

absl::Status CheckOutcome(const State& state, const TaskRecord& task, const Outcome& outcome) {
  if (outcome.index() != task.work.index()) return Expected(task, "the outcome of its own kind of work", "another kind");
  const double seconds = std::visit([](const auto& of_any_kind) { return of_any_kind.seconds; }, outcome);
  if (!IsFromZero(seconds)) return Expected(task, "finite seconds of 0 or more", absl::StrCat(seconds));
  return std::visit(Checker{state, task, outcome}, task.work);
}

absl::Status CheckRound(const TaskRecord& task, const RecordedRound& round) {
  size_t asked = 0;
  if (const auto* operators = std::get_if<MeasureOperatorsWork>(&task.work)) asked = operators->keys.size();
  if (const auto* networks = std::get_if<MeasureNetworksWork>(&task.work)) asked = networks->architectures.size();
  if (asked == 0) return Expected(task, "a task that measures operators or networks", "another kind");
  if (round.round < 0 || round.round > kMaxRound || round.rows.size() > asked) {
    return Expected(task, absl::StrCat("a round of at most ", asked, " rows"),
                    absl::StrCat("round ", round.round, " of ", round.rows.size()));
  }
  for (const RoundMeasurement& row : round.rows) {
    if (row.index < 0 || row.index >= static_cast<int>(asked) || !IsTime(row.flushed_us) || !IsTime(row.hot_us)) {
      return Expected(task, absl::StrCat("finite times above 0 for an index below ", asked),
                      absl::StrCat(row.flushed_us, " us for ", row.index));
    }
  }
  return absl::OkStatus();
}

}  // namespace hanas::coordinator
