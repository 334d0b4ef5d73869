// SPDX-License-Identifier: Apache-2.0
#include "coordinator/reporting/conclusions.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "coordinator/judging/standing.h"
#include "coordinator/reporting/family_sentences.h"
#include "core/base/quantity.h"
#include "core/statistics/guessing.h"

namespace hanas::coordinator {
namespace {

constexpr double kSameSpeed = 1.02;  // ratios closer to 1 are the same, given the spread of measurements

/// Difference of accuracies in points, and whether it is outside the noise.
struct Difference {
  double points = 0;
  bool outside_noise = false;
};

Difference Compare(const ReportMember& a, const ReportMember& b) {
  const double difference = a.accuracy() - b.accuracy();
  return {100 * difference, IsOutsideNoise(difference, std::hypot(a.accuracy_stddev(), b.accuracy_stddev()))};
}

std::string SpeedText(double ratio) {
  if (ratio > kSameSpeed) return absl::StrFormat("%.1fx faster", ratio);
  if (ratio < 1 / kSameSpeed) return absl::StrFormat("%.1fx slower", 1 / ratio);
  return "as fast";
}

std::string PointsText(const Difference& difference) {
  return absl::StrFormat("%+.1f points, %s the noise", difference.points, difference.outside_noise ? "outside" : "within");
}

/// Speed and accuracy, then the job's other objectives.
std::string AgainstText(const ReportData& data, const ReportMember& member, const ReportMember& reference) {
  std::string text =
      absl::StrFormat("%s at %s", SpeedText(reference.measured_us / member.measured_us), PointsText(Compare(member, reference)));
  for (const Quantity objective : data.goals.objectives) {
    if (objective == Quantity::kLatency || objective == Quantity::kAccuracy) continue;
    const size_t cost = IndexOf(objective);
    absl::StrAppendFormat(&text, ", with %.2fx the %s", member.costs[cost] / reference.costs[cost], RowOf(objective).label);
  }
  return text;
}

const ReportMember* Find(const std::vector<ReportMember>& members, const std::string& id) {
  const auto found = std::find_if(members.begin(), members.end(), [&](const ReportMember& member) { return member.record.id == id; });
  return found == members.end() ? nullptr : &*found;
}

/// How a member compares in one objective: above 0 it is better, below 0 worse, 0 when the difference is within the noise.
int Verdict(Quantity objective, const ReportMember& member, const ReportMember& reference) {
  if (objective == Quantity::kAccuracy) {
    const Difference difference = Compare(member, reference);
    return !difference.outside_noise ? 0 : difference.points > 0 ? 1 : -1;
  }
  const double ratio = reference.costs[IndexOf(objective)] / member.costs[IndexOf(objective)];
  return ratio > kSameSpeed ? 1 : ratio < 1 / kSameSpeed ? -1 : 0;
}

/// A member wins when it is better in one of the job's objectives and worse in none.
bool Wins(const ReportData& data, const ReportMember& member, const ReportMember& reference) {
  bool better = false;
  for (const Quantity objective : data.goals.objectives) {
    const int verdict = Verdict(objective, member, reference);
    if (verdict < 0) return false;
    better = better || verdict > 0;
  }
  return better;
}

/// The first member that wins against the reference; without one, the first that is not less accurate outside the noise; without that, the
/// most accurate one. The front is in the order of latency.
const ReportMember& BestAgainst(const ReportData& data, const ReportMember& reference) {
  const std::vector<ReportMember>& front = data.front;
  const auto winner = std::find_if(front.begin(), front.end(), [&](const ReportMember& member) { return Wins(data, member, reference); });
  if (winner != front.end()) return *winner;
  for (const ReportMember& member : front) {
    const Difference difference = Compare(member, reference);
    if (difference.points >= 0 || !difference.outside_noise) return member;
  }
  return *std::max_element(front.begin(), front.end(),
                           [](const ReportMember& a, const ReportMember& b) { return a.accuracy() < b.accuracy(); });
}

std::string AgainstReference(const ReportData& data, const ReportMember& reference, const std::string& name) {
  const ReportMember& best = BestAgainst(data, reference);
  const std::string text = absl::StrCat(best.record.id, " is ", AgainstText(data, best, reference));
  if (Wins(data, best, reference)) return absl::StrCat("Against ", name, ", ", text, ".");
  return absl::StrCat("The search did not beat ", name, ": ", text, ".");
}

/// Whether nobody who has `other` needs `member`: it is as good in every objective, and better in one, or the same and before it in the
/// list.
bool Dominates(const ReportData& data, const ReportMember& other, const ReportMember& member, bool before) {
  bool better = before;
  for (const Quantity objective : data.goals.objectives) {
    const size_t cost = IndexOf(objective);
    if (other.costs[cost] > member.costs[cost]) return false;
    better = better || other.costs[cost] < member.costs[cost];
  }
  return better;
}

std::vector<Warning> DominatedMembers(const ReportData& data) {
  const std::vector<ReportMember>& front = data.front;
  std::vector<Warning> warnings;
  for (size_t i = 0; i < front.size(); ++i) {
    const ReportMember& member = front[i];
    for (size_t j = 0; j < front.size(); ++j) {
      if (i == j || !Dominates(data, front[j], member, j < i)) continue;
      warnings.push_back({std::string(kDominatedMember),
                          absl::StrCat("As trained, ", member.record.id, " is dominated by ", front[j].record.id, ", which is ",
                                       AgainstText(data, front[j], member), "."),
                          {member.record.id}});
      break;
    }
  }
  return warnings;
}

/// The share of pictures for which always naming the most frequent class is right, as far as is known.
double GuessedShare(const ReportData& data) {
  return data.survey.classes.empty() ? 1.0 / data.job.space.num_classes : LargestTestShare(data.survey.classes);
}

std::vector<std::string> NoBetterThanGuessing(const ReportData& data) {
  const double share = GuessedShare(data);
  std::vector<std::string> members;
  for (const ReportMember& member : data.front) {
    const Score& score = member.verified.exported;
    if (!IsBetterThanGuessing(score.correct, score.images, share)) members.push_back(member.record.id);
  }
  return members;
}

bool OnlyGuesses(const ReportData& data) { return !data.front.empty() && NoBetterThanGuessing(data).size() == data.front.size(); }

std::vector<Warning> GuessingMembers(const ReportData& data) {
  std::vector<std::string> members = NoBetterThanGuessing(data);
  if (members.empty()) return {};
  const bool all = members.size() == data.front.size();
  std::string text = absl::StrFormat(
      "%s no better than guessing, which is right for %.1f %% of the test images. Labels that mean nothing look like this, and training "
      "that "
      "failed.",
      all ? "Every network of the front is" : absl::StrCat(absl::StrJoin(members, ", "), members.size() == 1 ? " is" : " are"),
      100 * GuessedShare(data));
  return {{std::string(kNoBetterThanGuessing), std::move(text), std::move(members)}};
}

std::string StepsText(const ReportMember& reference) { return absl::StrCat("trained alone for ", reference.record.steps, " steps"); }

void AddReferences(const ReportData& data, std::vector<std::string>& sentences) {
  if (const ReportMember* largest = Find(data.references, "largest-8bit")) {
    sentences.push_back(AgainstReference(data, *largest, absl::StrCat("the largest network at 8 bits, ", StepsText(*largest))));
  }
  if (const ReportMember* middle = Find(data.references, "middle-8bit")) {
    sentences.push_back(AgainstReference(data, *middle, absl::StrCat("the middle network at 8 bits, ", StepsText(*middle))));
  }
  if (const ReportMember* middle = Find(data.references, "middle-8bit-long")) {
    sentences.push_back(AgainstReference(data, *middle,
                                         absl::StrCat("the middle network at 8 bits, ", StepsText(*middle), " (as many as ",
                                                      HasSupernet(data.job) ? "the supernet" : "screening", " and a member together)")));
  }
}

}  // namespace

std::string ComparisonSentence(const OperatorComparison& comparison) {
  const std::string shapes = absl::StrCat(comparison.num_shapes, " shapes, ", FormatMicroseconds(comparison.int8_us), " against ",
                                          FormatMicroseconds(comparison.float_us), " in all");
  const double ratio = comparison.int8_us / comparison.float_us;
  if (ratio > kSameSpeed)
    return absl::StrFormat("%s is %.1fx slower in int8 than in float32 here (%s)", comparison.operator_text, ratio, shapes);
  if (ratio < 1 / kSameSpeed)
    return absl::StrFormat("%s is %.1fx faster in int8 than in float32 here (%s)", comparison.operator_text, 1 / ratio, shapes);
  return absl::StrFormat("%s is as fast in int8 as in float32 here (%s)", comparison.operator_text, shapes);
}

std::vector<Warning> Warnings(const ReportData& data) {
  std::vector<Warning> warnings = data.survey.warnings;
  const auto add = [&](std::vector<Warning> more) { std::move(more.begin(), more.end(), std::back_inserter(warnings)); };
  add(GuessingMembers(data));
  add(DominatedMembers(data));
  for (const ReportMember& member : data.front) {
    if (!member.within_limits)
      add({{std::string(kLimitBroken), absl::StrCat(member.record.id, " breaks its limits as measured."), {member.record.id}}});
  }
  return warnings;
}

std::vector<std::string> Conclusions(const ReportData& data) {
  std::vector<std::string> sentences;
  if (data.front.empty()) return {"The search returned no network."};
  const auto [worst, best] = std::minmax_element(data.front.begin(), data.front.end(),
                                                 [](const ReportMember& a, const ReportMember& b) { return a.accuracy() < b.accuracy(); });
  const std::string fastest = FormatMicroseconds(data.front.front().measured_us);
  sentences.push_back(
      data.front.size() == 1
          ? absl::StrFormat("One network, with %.1f %% of %d test images at %s.", 100 * best->accuracy(), data.test_images, fastest)
          : absl::StrFormat("%d networks from %.1f to %.1f %% on %d test images, from %s to %s.", data.front.size(),
                            100 * worst->accuracy(), 100 * best->accuracy(), data.test_images, fastest,
                            FormatMicroseconds(data.front.back().measured_us)));
  if (data.record.finishing)
    sentences.push_back(absl::StrCat("The search was finished early (", data.record.finish_reason, "): this is the best it had found."));
  if (data.searched_whole && data.record.finish_reason.empty()) {
    sentences.push_back(absl::StrFormat("Every one of the space's networks was evaluated and measured (%.0f): no predictor was needed.",
                                        std::pow(10, data.log10_networks)));
  }
  for (const Warning& warning : Warnings(data)) sentences.push_back(warning.text);
  AddReferences(data, sentences);
  for (std::string& sentence : FamilySentences(data)) sentences.push_back(std::move(sentence));
  return sentences;
}

std::vector<std::string> NextSteps(const ReportData& data) {
  if (OnlyGuesses(data)) {
    return {
        "Look at a few pictures of each class first: are their labels right? Then train for longer, or with another "
        "training.learning_rate; "
        "as it is, no network has learned anything that could be compared."};
  }
  std::vector<std::string> steps;
  if (data.predictor_networks > 0 && data.predictor.held_out_tau < 0.5) {
    steps.push_back(absl::StrFormat("The accuracy predictor ranks unseen networks with tau %.2f: raise sampling.networks or %s.",
                                    data.predictor.held_out_tau, HasSupernet(data.job) ? "sampling.validation_images" : "sampling.steps"));
  }
  if (data.latency.held_out.mape > 0.05) {
    steps.push_back(
        absl::StrFormat("Latency is predicted with %.1f %% error: raise measure.calibration_networks, or measure on a quieter machine.",
                        100 * data.latency.held_out.mape));
  }
  if (const ReportMember* middle = Find(data.references, "middle-8bit-long"); middle != nullptr && !data.front.empty()) {
    if (!Wins(data, BestAgainst(data, *middle), *middle)) {
      const absl::string_view last = data.job.final.steps > 0 ? "final.steps" : "fine_tune.steps";
      steps.push_back(HasSupernet(data.job)
                          ? absl::StrCat("A network trained alone for the whole budget is not beaten: raise training.steps and ", last,
                                         ", weight sharing pays off late.")
                          : absl::StrCat("A network trained alone for the whole budget is not beaten: raise ", last, "."));
    }
  }
  const bool tight = data.target().profile.has_value() && data.target().profile->share_within_limits < 0.01;
  if (tight)
    steps.push_back("The limits keep less than 1 % of the space: add smaller choices to the space, so that more of it can be searched.");
  steps.push_back(absl::StrCat("Networks that are to be shipped deserve longer training: raise ",
                               data.job.final.steps > 0 ? "final" : "fine_tune", ".steps from ",
                               data.job.final.steps > 0 ? data.job.final.steps : data.job.fine_tune.steps, "."));
  return steps;
}

}  // namespace hanas::coordinator
