// SPDX-License-Identifier: Apache-2.0
#include "core/job/goals.h"

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/bounds.h"
#include "core/base/plain_name.h"

namespace hanas {
namespace {

constexpr std::array<absl::string_view, 3> kRelativeTo = {"smallest-8bit", "middle-8bit", "largest-8bit"};

std::string Element(absl::string_view list, size_t index, absl::string_view field) { return absl::StrCat(list, "[", index, "].", field); }

bool IsFor(const LimitSpec& limit, const TargetSpec& target) { return limit.target.empty() || limit.target == target.name; }

/// Whether two elements that name one quantity are about the same.
bool Overlap(const ObjectiveSpec&, const ObjectiveSpec&) { return true; }
bool Overlap(const LimitSpec& a, const LimitSpec& b) { return a.target.empty() || b.target.empty() || a.target == b.target; }

/// The quantity that element `index` of `list` names; a violation when there is none of that name, or an element before names it too.
template <typename Spec>
std::optional<Quantity> CheckName(absl::string_view list, absl::Span<const Spec> specs, size_t index, FieldViolations& violations) {
  const std::string& name = specs[index].of;
  const std::string path = Element(list, index, "of");
  const std::optional<Quantity> quantity = QuantityNamed(name);
  if (!quantity) {
    violations.Add(path, absl::StrCat("expected one of ", QuantityNames(), ", found \"", name, "\""));
    return std::nullopt;
  }
  const auto same = [&](const Spec& spec) { return spec.of == name && Overlap(spec, specs[index]); };
  if (std::any_of(specs.begin(), specs.begin() + static_cast<ptrdiff_t>(index), same))
    violations.Add(path, absl::StrCat("expected each quantity once, found ", name, " again"));
  return quantity;
}

/// The bound of a limit as people read it, also when it is no number that could be one.
std::string BoundText(Quantity of, double value) {
  constexpr double kMostDigits = 1e15;  // beyond, a number with all its digits is no help
  return value >= 0 && value < kMostDigits ? FormatValue(of, value, Rounding::kExact) : absl::StrCat(value);
}

void CheckBound(const QuantityRow& row, const LimitSpec& limit, size_t index, FieldViolations& violations) {
  const absl::string_view right = row.more_is_better ? "at_least" : "at_most";
  const absl::string_view wrong = row.more_is_better ? "at_most" : "at_least";
  const double bound = row.more_is_better ? limit.at_least : limit.at_most;
  if ((row.more_is_better ? limit.at_most : limit.at_least) != 0) {
    violations.Add(Element("limits", index, wrong), absl::StrCat("expected ", right, " for ", row.label, ", of which ",
                                                                 row.more_is_better ? "more" : "less", " is better, found ", wrong));
  }
  const bool relative = !limit.than.empty();
  const double highest = relative ? bounds::kMaxRelativeLimit : row.highest_limit;
  if (bound > 0 && bound <= highest) return;
  if (bound == 0 && (row.more_is_better ? limit.at_most : limit.at_least) != 0) return;  // it was said on the wrong side
  const std::string most = relative ? FormatPercent(highest, Rounding::kExact) : BoundText(row.id, highest);
  const std::string found = bound == 0 ? "none" : relative ? absl::StrCat(100 * bound, " %") : BoundText(row.id, bound);
  violations.Add(Element("limits", index, right), absl::StrCat("expected more than 0 and at most ", most, ", found ", found));
}

}  // namespace

absl::Span<const absl::string_view> RelativeTo() { return kRelativeTo; }

void CheckObjectives(const SearchJob& job, FieldViolations& violations) {
  const std::vector<ObjectiveSpec>& objectives = job.objectives;
  if (objectives.empty() || objectives.size() > bounds::kMaxObjectives) {
    return violations.Add("objectives", absl::StrCat("expected 1 to ", bounds::kMaxObjectives, " quantities, found ", objectives.size()));
  }
  const absl::Span<const TargetSpec> targets = TargetsOf(job);
  // What has too many targets or limits is refused for that, and each pair would be looked at here.
  const bool too_many = targets.size() > bounds::kMaxTargets || job.limits.size() > kNumQuantities * bounds::kMaxTargets;
  bool learns = too_many || std::all_of(targets.begin(), targets.end(),
                                        [&](const TargetSpec& target) { return FindLimit(job, target, Quantity::kAccuracy) != nullptr; });
  for (size_t i = 0; i < objectives.size(); ++i) {
    const std::optional<Quantity> quantity = CheckName<ObjectiveSpec>("objectives", objectives, i, violations);
    learns = learns || !quantity || *quantity == Quantity::kAccuracy;
  }
  if (!learns) {
    violations.Add("objectives",
                   "expected accuracy among the objectives or the limits, found neither: the search would return the smallest network");
  }
}

void CheckLimits(const SearchJob& job, FieldViolations& violations) {
  const absl::Span<const LimitSpec> limits = job.limits;
  const absl::Span<const TargetSpec> targets = TargetsOf(job);
  if (targets.size() > bounds::kMaxTargets) return;  // CheckTargets says so
  const size_t most = kNumQuantities * targets.size();
  if (limits.size() > most) return violations.Add("limits", absl::StrCat("expected at most ", most, ", found ", limits.size()));
  for (size_t i = 0; i < limits.size(); ++i) {
    const LimitSpec& limit = limits[i];
    const auto is_meant = [&](const TargetSpec& target) { return target.name == limit.target; };
    if (!limit.target.empty() && std::none_of(targets.begin(), targets.end(), is_meant)) {
      violations.Add(Element("limits", i, "target"),
                     absl::StrCat(job.targets.empty() ? "expected none, as the job has one target without a name"
                                                      : "expected the name of one of `targets`",
                                  ", found \"", limit.target, "\""));
    }
    const std::optional<Quantity> quantity = CheckName("limits", limits, i, violations);
    if (!quantity) continue;
    const QuantityRow& row = RowOf(*quantity);
    CheckBound(row, limit, i, violations);
    const std::string than = Element("limits", i, "than");
    if (!limit.than.empty() && std::find(kRelativeTo.begin(), kRelativeTo.end(), limit.than) == kRelativeTo.end()) {
      violations.Add(than, absl::StrCat("expected one of ", absl::StrJoin(kRelativeTo, ", "), ", found \"", limit.than, "\""));
    } else if (!limit.than.empty() && row.source == QuantitySource::kImages) {
      violations.Add(than, absl::StrCat("expected an absolute limit, as the ", row.label,
                                        " of a network is not known before it is trained, found one relative to ", limit.than));
    }
    const std::string confidence = Element("limits", i, "confidence");
    if (!(limit.confidence >= bounds::kMinConfidence && limit.confidence <= bounds::kMaxConfidence)) {
      violations.Add(confidence, absl::StrCat("expected a number from ", bounds::kMinConfidence, " to ", bounds::kMaxConfidence, ", found ",
                                              limit.confidence));
    } else if (row.source != QuantitySource::kDevice && limit.confidence != LimitSpec::kLimitConfidence) {
      violations.Add(confidence,
                     absl::StrCat("expected none for ", row.label, ", which is not predicted from measurements, found ", limit.confidence));
    }
  }
}

std::vector<Quantity> ObjectivesOf(const SearchJob& job) {
  std::vector<Quantity> objectives;
  for (const ObjectiveSpec& objective : job.objectives) objectives.push_back(*QuantityNamed(objective.of));
  return objectives;
}

void CheckTargets(const SearchJob& job, FieldViolations& violations) {
  const auto limits_of = [&](const TargetSpec& target) {
    std::vector<LimitSpec> limits;
    for (const size_t i : LimitsFor(job, target)) limits.push_back(job.limits[i]);
    for (LimitSpec& limit : limits) limit.target.clear();
    std::sort(limits.begin(), limits.end(), [](const LimitSpec& a, const LimitSpec& b) { return a.of < b.of; });
    return limits;
  };
  const absl::Span<const TargetSpec> targets = job.targets;
  if (job.limits.size() > kNumQuantities * bounds::kMaxTargets) return;  // CheckLimits says so
  if (targets.size() > bounds::kMaxTargets)
    return violations.Add("targets", absl::StrCat("expected at most ", bounds::kMaxTargets, ", found ", targets.size()));
  for (size_t i = 0; i < targets.size(); ++i) {
    const TargetSpec& target = targets[i];
    if (!IsPlainName(target.name)) continue;  // its row says so
    for (size_t j = 0; j < i; ++j) {
      TargetSpec renamed = targets[j];
      if (renamed.name == target.name) {
        violations.Add(Element("targets", i, "name"), absl::StrCat("expected each name once, found ", target.name, " again"));
        break;
      }
      renamed.name = target.name;
      if (renamed != target || limits_of(targets[j]) != limits_of(target)) continue;
      violations.Add(absl::StrCat("targets[", i, "]"),
                     absl::StrCat("expected another device, backend, number of threads, statistic or limits than ", targets[j].name,
                                  " has, found the same"));
      break;
    }
  }
}

std::vector<size_t> LimitsFor(const SearchJob& job, const TargetSpec& target) {
  std::vector<size_t> limits;
  for (size_t i = 0; i < job.limits.size(); ++i) {
    if (IsFor(job.limits[i], target)) limits.push_back(i);
  }
  return limits;
}

const LimitSpec* FindLimit(const SearchJob& job, const TargetSpec& target, Quantity of) {
  const auto found = std::find_if(job.limits.begin(), job.limits.end(),
                                  [&](const LimitSpec& limit) { return limit.of == RowOf(of).name && IsFor(limit, target); });
  return found == job.limits.end() ? nullptr : &*found;
}

Architecture NetworkNamed(absl::string_view name, const SearchSpace& space) {
  constexpr Precision kEight = {8, 8};
  Architecture network = name == kRelativeTo[0]   ? space.Smallest(kEight)
                         : name == kRelativeTo[1] ? space.Middle(kEight)
                                                  : space.Largest(kEight);
  space.Canonicalise(network);
  return network;
}

}  // namespace hanas
