// SPDX-License-Identifier: Apache-2.0
#include "coordinator/reporting/family_sentences.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "coordinator/judging/standing.h"
#include "core/base/quantity.h"

namespace hanas::coordinator {
namespace {

const ReportMember* FindOpponent(const ReportData& data, const std::string& family) {
  const auto found = std::find_if(data.references.begin(), data.references.end(), [&](const ReportMember& reference) {
    return reference.record.opponent.has_value() && reference.record.opponent->family == family;
  });
  return found == data.references.end() ? nullptr : &*found;
}

std::string NumberOf(size_t count, absl::string_view one, absl::string_view several) {
  return absl::StrCat(count, " ", count == 1 ? one : several);
}

/// "member-1 +1.2 ± 0.4 points".
std::string DifferenceText(const std::string& member, double difference, double stddev) {
  return absl::StrFormat("%s %+.1f ± %.1f", member, 100 * difference, 100 * stddev);
}

std::string AgainstFamily(const ReportData& data, const std::string& family) {
  std::vector<std::string> differences;
  double sum = 0;
  size_t better = 0;
  size_t worse = 0;
  size_t alone = 0;
  size_t beyond = 0;
  for (const FamilyComparison& comparison : data.family->comparisons) {
    if (comparison.family != family) continue;
    if (comparison.at_latency.basis == FamilyBasis::kNoneAsFast) {
      ++alone;
      continue;
    }
    // A network that is slower than all it is compared with says nothing by being more accurate.
    if (comparison.at_latency.basis == FamilyBasis::kSlowest && comparison.difference > 0) {
      ++beyond;
      continue;
    }
    differences.push_back(DifferenceText(comparison.member, comparison.difference, comparison.stddev));
    sum += comparison.difference;
    const bool outside = IsOutsideNoise(comparison.difference, comparison.stddev);
    better += outside && comparison.difference > 0 ? 1 : 0;
    worse += outside && comparison.difference < 0 ? 1 : 0;
  }
  const auto networks =
      static_cast<size_t>(std::count_if(data.references.begin(), data.references.end(), [&](const ReportMember& reference) {
        return reference.record.opponent.has_value() && reference.record.opponent->family == family;
      }));
  const ReportMember* any = FindOpponent(data, family);
  std::string text =
      absl::StrCat("Against ", NumberOf(networks, "plain network", "plain networks"), " of the family ", family, " (",
                   any->record.opponent->preset, ", scaled in width), each trained alone for a member's share of the compute");
  if (differences.empty() && beyond == 0) return absl::StrCat(text, ": no plain network of the family is as fast as any member.");
  if (differences.empty()) {
    text += ": none can be compared.";
  } else {
    absl::StrAppendFormat(&text, ", at the members' latencies: %s points, %+.1f on average; %d better and %d worse outside the noise.",
                          absl::StrJoin(differences, ", "), 100 * sum / static_cast<double>(differences.size()), better, worse);
  }
  if (beyond > 0)
    absl::StrAppend(&text, " ", NumberOf(beyond, "member is", "members are"),
                    " more accurate and slower than every network of the family.");
  if (alone > 0) {
    absl::StrAppend(&text, " For ", NumberOf(alone, "member", "members"), " no plain network of the family is as fast.");
  }
  return text;
}

double Validated(const ReportMember& member) {
  const Score& score = member.record.fine_tuned.images > 0 ? member.record.fine_tuned : member.record.shared;
  return score.fraction();
}

/// Against the member that validation images say is the most accurate, which is what somebody would take who wants one network.
std::string AgainstAllIn(const ReportData& data, const ReportMember& all_in) {
  const ReportMember& best = *std::max_element(data.front.begin(), data.front.end(),
                                               [](const ReportMember& a, const ReportMember& b) { return Validated(a) < Validated(b); });
  const double difference = best.accuracy() - all_in.accuracy();
  const double stddev = std::hypot(best.accuracy_stddev(), all_in.accuracy_stddev());
  return absl::StrFormat(
      "All-in: one plain network (%s x%g) that got the whole compute of the search, %d steps, has %.1f ± %.1f %% at %s; the member that "
      "validation images prefer is %s points from it, %s the noise, at %s.",
      all_in.record.opponent->preset, all_in.record.opponent->factor, all_in.record.steps, 100 * all_in.accuracy(),
      100 * all_in.accuracy_stddev(), FormatMicroseconds(all_in.measured_us), DifferenceText(best.record.id, difference, stddev),
      IsOutsideNoise(difference, stddev) ? "outside" : "within", FormatMicroseconds(best.measured_us));
}

std::string VolumesText(const FamilyData& family) {
  std::vector<std::string> parts;
  for (const FrontVolume& volume : family.volumes) parts.push_back(absl::StrFormat("%s %.3f", volume.of, volume.hypervolume));
  return absl::StrFormat("Hypervolume over latency and error, up to %s and %.1f %%, larger is better: %s.",
                         FormatMicroseconds(family.corner.latency_us), 100 * family.corner.error, absl::StrJoin(parts, ", "));
}

std::string ComputeText(const FamilyData& family) {
  std::string text =
      absl::StrFormat("The search took %.0f s of compute; its plain networks took %.0f s more, which are not part of the search's.",
                      family.compute.search_seconds(), family.compute.opponents_seconds);
  // For one target it is nearly always one: the network with the whole compute costs what the search does.
  if (!family.break_even_targets.has_value() || *family.break_even_targets == 1) return text;
  const int64_t targets = *family.break_even_targets;
  absl::StrAppend(&text, " From ", targets,
                  " targets on, fronts for all of them cost no more than one such network with the whole compute for each.");
  return text;
}

}  // namespace

std::vector<std::string> FamilySentences(const ReportData& data) {
  if (!data.family.has_value() || data.front.empty()) return {};
  std::vector<std::string> sentences;
  for (const std::string& family : data.family->families) sentences.push_back(AgainstFamily(data, family));
  const ReportMember* all_in = FindOpponent(data, kAllIn);
  if (all_in != nullptr) sentences.push_back(AgainstAllIn(data, *all_in));
  if (sentences.empty()) {
    sentences.emplace_back("There is no plain network to compare with: none keeps the limits, or none could be trained.");
  } else {
    sentences.push_back(VolumesText(*data.family));
    sentences.emplace_back(
        "One search is one seed, and ± is the binomial error of the test images alone: a gain over plain networks may only be claimed as a "
        "mean over pairs of searches and plain networks with the same seeds.");
  }
  sentences.push_back(ComputeText(*data.family));
  return sentences;
}

}  // namespace hanas::coordinator
