// SPDX-License-Identifier: Apache-2.0
// The part of report_data.h about plain networks.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/reporting/report_data.h"

namespace hanas::coordinator {
namespace {

Standing StandingOf(const ReportMember& member) { return {member.measured_us, member.accuracy(), member.accuracy_stddev()}; }

}  // namespace

FamilyData CompareFamilies(const ReportData& data) {
  FamilyData result;
  std::vector<std::vector<Standing>> families;  // each by ascending latency
  for (const ReportMember& reference : data.references) {
    if (!reference.record.opponent.has_value() || reference.record.opponent->family == kAllIn) continue;
    const std::string& family = reference.record.opponent->family;
    const auto known = std::find(result.families.begin(), result.families.end(), family);
    const auto index = static_cast<size_t>(known - result.families.begin());
    if (known == result.families.end()) {
      result.families.push_back(family);
      families.emplace_back();
    }
    families[index].push_back(StandingOf(reference));
  }
  std::vector<Standing> front;
  for (const ReportMember& member : data.front) front.push_back(StandingOf(member));
  std::vector<Standing> all = front;
  for (size_t i = 0; i < families.size(); ++i) {
    std::stable_sort(families[i].begin(), families[i].end(),
                     [](const Standing& a, const Standing& b) { return a.latency_us < b.latency_us; });
    all.insert(all.end(), families[i].begin(), families[i].end());
    for (size_t m = 0; m < front.size(); ++m) {
      FamilyComparison comparison = {.member = data.front[m].record.id, .family = result.families[i]};
      comparison.at_latency = AccuracyAt(families[i], front[m].latency_us);
      if (comparison.at_latency.basis != FamilyBasis::kNoneAsFast) {
        comparison.difference = front[m].accuracy - comparison.at_latency.accuracy;
        comparison.stddev = std::hypot(front[m].stddev, comparison.at_latency.stddev);
      }
      result.comparisons.push_back(std::move(comparison));
    }
  }
  result.corner = CornerOf(data.goals.limits, all);
  result.volumes.push_back({"members", DominatedShare(front, result.corner)});
  for (size_t i = 0; i < families.size(); ++i) result.volumes.push_back({result.families[i], DominatedShare(families[i], result.corner)});
  return result;
}

}  // namespace hanas::coordinator
