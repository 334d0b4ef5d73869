// SPDX-License-Identifier: Apache-2.0
#include "config/goals_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/presets.h"
#include "config/spelling.h"
#include "core/base/bounds.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"
#include "core/lowering/lowering.h"
#include "core/quantity/quantity_table.h"

namespace hanas::config {
namespace {

/// Where an element of the job's list is, as violations name it.
std::string InJob(absl::string_view list, size_t index) { return absl::StrCat(list, "[", index, "]"); }

std::optional<Quantity> NamedIn(const std::string& name, const std::string& path, SourceMap& source) {
  const std::optional<Quantity> quantity = QuantityNamed(name);
  if (quantity) return quantity;
  std::vector<std::string> known;
  for (const QuantityRow& row : Quantities()) known.emplace_back(row.name);
  const std::string closest = ClosestWord(name, known);
  source.Fail(path, closest.empty() ? absl::StrCat("expected one of ", QuantityNames(), ", found \"", name, "\"")
                                    : absl::StrCat("expected a quantity, found \"", name, "\", did you mean \"", closest, "\"?"));
  return std::nullopt;
}

/// The side of `limit` on which more or less of a quantity is better.
double& SideOf(const QuantityRow& row, LimitSpec& limit) { return row.more_is_better ? limit.at_least : limit.at_most; }

/// Puts the value of a bound that was written into `out`. 0 stands for a bound that was not written, so it cannot be one.
void ReadValue(const std::string& text, const std::string& place, const absl::StatusOr<double>& value, SourceMap& source, double& out) {
  if (!value.ok()) {
    source.Fail(place, value.status().message());
  } else if (*value == 0) {
    source.Fail(place, absl::StrCat("expected more than 0, found \"", text, "\""));
  } else {
    out = *value;
  }
}

void ReadShortForm(const YAML::Node& node, const std::string& path, SourceMap& source, std::vector<LimitSpec>& limits) {
  MapReader reader(node, path, source);
  for (const QuantityRow& row : Quantities()) {
    std::string text;
    if (!reader.Read(row.name, text)) continue;
    LimitSpec limit = {.of = std::string(row.name)};
    const std::string place = reader.PathOf(row.name);
    ReadValue(text, place, ParseValue(row.id, text), source, SideOf(row, limit));
    for (const char* part : {".of", ".at_most", ".at_least"}) source.SetOrigin(InJob("limits", limits.size()) + part, place);
    limits.push_back(std::move(limit));
  }
  reader.Finish();
}

void ReadBound(MapReader& reader, absl::string_view key, std::optional<Quantity> of, bool relative, double& place) {
  std::string text;
  if (!reader.Read(key, text) || !of) return;
  ReadValue(text, reader.PathOf(key), relative ? ParsePercent(text) : ParseValue(*of, text), reader.source(), place);
}

void ReadLimit(const YAML::Node& node, const std::string& path, SourceMap& source, std::vector<LimitSpec>& limits) {
  MapReader reader(node, path, source);
  LimitSpec limit;
  const bool named = reader.Read("of", limit.of, Need::kRequired);
  const std::optional<Quantity> of = named ? NamedIn(limit.of, reader.PathOf("of"), source) : std::nullopt;
  reader.Read("target", limit.target);
  reader.Read("than", limit.than);
  ReadBound(reader, "at_most", of, !limit.than.empty(), limit.at_most);
  ReadBound(reader, "at_least", of, !limit.than.empty(), limit.at_least);
  reader.Read("confidence", limit.confidence);
  reader.Finish();
  source.SetOrigin(InJob("limits", limits.size()), path);
  limits.push_back(std::move(limit));
}

bool IsOfTheSpace(absl::string_view name) {
  const absl::Span<const absl::string_view> networks = RelativeTo();
  return std::find(networks.begin(), networks.end(), name) != networks.end();
}

/// What the largest 8-bit network of `preset` has of a quantity that the network alone decides.
absl::StatusOr<double> ValueOfPreset(const Preset& preset, const SpaceSpec& job_space, Quantity of) {
  SpaceSpec spec = SpecOf(preset);
  // Classes that no space can have are a mistake of their own.
  if (job_space.num_classes >= bounds::kMinClasses && job_space.num_classes <= bounds::kMaxClasses)
    spec.num_classes = job_space.num_classes;
  absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(spec);
  if (!space.ok()) return space.status();
  const Lowering lowering(*std::move(space));
  const Cost cost = GraphCost(lowering.Lower(lowering.space().Largest({8, 8})));
  switch (of) {
    case Quantity::kSize:
      return static_cast<double>(cost.size_bytes);
    case Quantity::kMacs:
      return static_cast<double>(cost.macs);
    case Quantity::kParameters:
      return static_cast<double>(cost.parameters);
    case Quantity::kAccuracy:
    case Quantity::kLatency:
    case Quantity::kPeakMemory:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat("expected ", absl::StrJoin(RelativeTo(), ", "), ": the ", RowOf(of).label,
                                                 " of a preset is not known before it is measured, found the preset ", preset.name));
}

}  // namespace

std::vector<ObjectiveSpec> ReadObjectives(const YAML::Node& node, const std::string& path, SourceMap& source) {
  std::vector<ObjectiveSpec> objectives;
  if (!node.IsSequence()) {
    source.Fail(path, "expected a list of quantities such as [accuracy, latency]");
    return objectives;
  }
  for (size_t i = 0; i < node.size(); ++i) {
    const std::string place = absl::StrCat(path, "[", i, "]");
    source.SetLocation(place, node[i].Mark());
    ObjectiveSpec objective;
    if (node[i].IsScalar()) {
      objective.of = node[i].Scalar();
      source.SetOrigin(absl::StrCat(InJob("objectives", i), ".of"), place);
      NamedIn(objective.of, place, source);
    } else {
      MapReader reader(node[i], place, source);
      if (reader.Read("of", objective.of, Need::kRequired)) NamedIn(objective.of, reader.PathOf("of"), source);
      reader.Finish();
    }
    objectives.push_back(std::move(objective));
  }
  return objectives;
}

void ReadLimits(const YAML::Node& node, const std::string& path, SourceMap& source, std::vector<LimitSpec>& limits) {
  if (node.IsMap()) return ReadShortForm(node, path, source, limits);
  if (!node.IsSequence()) return source.Fail(path, "expected a map such as {latency: 1 ms, size: 80 kB}, or a list of maps");
  for (size_t i = 0; i < node.size(); ++i) {
    const std::string place = absl::StrCat(path, "[", i, "]");
    source.SetLocation(place, node[i].Mark());
    ReadLimit(node[i], place, source, limits);
  }
}

void ReadLimitsOf(const TargetSpec& target, const YAML::Node& node, const std::string& path, SourceMap& source,
                  std::vector<LimitSpec>& limits) {
  const size_t first = limits.size();
  ReadLimits(node, path, source, limits);
  for (size_t i = first; i < limits.size(); ++i) {
    if (!limits[i].target.empty())
      source.Fail(path, absl::StrCat("expected limits of this target, found one of \"", limits[i].target, "\""));
    limits[i].target = target.name;
    if (!target.name.empty()) continue;
    // That the target has no name is told, at the place where this leads to; nothing else can be said of whom its limits are for.
    limits[i].target = "?";
    source.SetOrigin(InJob("limits", i) + ".target", absl::StrCat(ParentPath(path), ".name"));
  }
}

void ResolvePresets(SearchJob& job, SourceMap& source) {
  if (job.limits.size() > kNumQuantities * TargetsOf(job).size()) return;  // is refused, and each preset would be lowered
  for (size_t i = 0; i < job.limits.size(); ++i) {
    LimitSpec& limit = job.limits[i];
    const std::optional<Quantity> of = QuantityNamed(limit.of);
    if (!of || limit.than.empty() || IsOfTheSpace(limit.than)) continue;
    const std::string path = source.FilePath(absl::StrCat(InJob("limits", i), ".than"));
    const absl::StatusOr<Preset> preset = FindPreset(limit.than);
    if (!preset.ok()) {
      source.Fail(path, absl::StrCat("expected ", absl::StrJoin(RelativeTo(), ", "), " or a preset, found \"", limit.than,
                                     "\"; hanas presets lists them"));
      continue;
    }
    const absl::StatusOr<double> whole = ValueOfPreset(*preset, job.space, *of);
    if (!whole.ok()) {
      source.Fail(path, whole.status().message());
      continue;
    }
    limit.at_most *= *whole;
    limit.at_least *= *whole;
    limit.than.clear();
  }
}

}  // namespace hanas::config
