// SPDX-License-Identifier: Apache-2.0
#include "config/job_file.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/space_reader.h"
#include "config/yaml_outline.h"
#include "config/yaml_reader.h"
#include "core/base/bounds.h"
#include "core/base/utf8.h"

namespace hanas::config {
namespace {

constexpr size_t kMostLines = 50;  // of mistakes, which a reader mends in turn

DatasetSpec ReadDataset(const YAML::Node& node, SourceMap& source) {
  MapReader reader(node, "dataset", source);
  DatasetSpec dataset;
  reader.Read("name", dataset.name, Need::kRequired);
  reader.Read("format", dataset.format);
  if (!reader.Read("directory", dataset.directory)) {
    dataset.directory = dataset.name;
    source.SetOrigin("dataset.directory", "dataset.name");
  }
  reader.Read("validation_images", dataset.validation_images);
  reader.Finish();
  return dataset;
}

std::vector<TrainingPhase> ReadPhases(MapReader& training, std::vector<TrainingPhase> defaults, SourceMap& source) {
  const bool present = training.Has("phases");
  std::vector<TrainingPhase> phases;
  for (const auto& [path, node] : training.ReadMaps("phases")) {
    MapReader reader(node, path, source);
    TrainingPhase& phase = phases.emplace_back();
    reader.Read("until", phase.until, Need::kRequired);
    reader.Read("sampling", phase.sampling, Need::kRequired);
    reader.Finish();
  }
  return present ? phases : defaults;
}

TrainingSpec ReadTraining(const YAML::Node& node, SourceMap& source) {
  MapReader reader(node, "training", source);
  TrainingSpec training;
  reader.Read("steps", training.steps);
  reader.Read("batch_size", training.batch_size);
  reader.Read("learning_rate", training.learning_rate);
  reader.Read("weight_decay", training.weight_decay);
  reader.Read("label_smoothing", training.label_smoothing);
  reader.Read("warmup", training.warmup);
  reader.Read("clip_norm", training.clip_norm);
  training.phases = ReadPhases(reader, training.phases, source);
  reader.Finish();
  return training;
}

SamplingSpec ReadSampling(const YAML::Node& node, SourceMap& source) {
  MapReader reader(node, "sampling", source);
  SamplingSpec sampling;
  reader.Read("networks", sampling.networks);
  reader.Read("validation_images", sampling.validation_images);
  reader.Read("calibration_images", sampling.calibration_images);
  reader.Finish();
  return sampling;
}

EvolutionSpec ReadEvolution(const YAML::Node& node, SourceMap& source) {
  MapReader reader(node, "evolution", source);
  EvolutionSpec evolution;
  reader.Read("rounds", evolution.rounds);
  reader.Read("evaluations_per_round", evolution.evaluations_per_round);
  reader.Read("population", evolution.population);
  reader.Read("surrogate_evaluations", evolution.surrogate_evaluations);
  reader.Read("window", evolution.window);
  reader.Finish();
  return evolution;
}

FineTuneSpec ReadFineTune(const YAML::Node& node, SourceMap& source) {
  MapReader reader(node, "fine_tune", source);
  FineTuneSpec fine_tune;
  reader.Read("members", fine_tune.members);
  reader.Read("steps", fine_tune.steps);
  reader.Read("learning_rate", fine_tune.learning_rate);
  reader.Finish();
  return fine_tune;
}

MeasureSpec ReadMeasure(const YAML::Node& node, SourceMap& source) {
  MapReader reader(node, "measure", source);
  MeasureSpec measure;
  reader.Read("rounds", measure.rounds);
  if (!reader.Read("max_rounds", measure.max_rounds)) measure.max_rounds = std::max(measure.max_rounds, measure.rounds);
  reader.Read("calibration_networks", measure.calibration_networks);
  reader.Read("held_out_networks", measure.held_out_networks);
  reader.Finish();
  return measure;
}

Limits ReadLimits(const YAML::Node& node, SourceMap& source) {
  MapReader reader(node, "target.limits", source);
  Milliseconds latency;
  ByteSize size;
  ByteSize peak_memory;
  reader.Read("latency", latency);
  reader.Read("size", size);
  reader.Read("peak_memory", peak_memory);
  reader.Finish();
  source.SetOrigin("target.limits.latency_ms", "target.limits.latency");
  source.SetOrigin("target.limits.size_bytes", "target.limits.size");
  source.SetOrigin("target.limits.peak_memory_bytes", "target.limits.peak_memory");
  return {.latency_ms = latency.value, .size_bytes = size.bytes, .peak_memory_bytes = peak_memory.bytes};
}

TargetSpec ReadTarget(const YAML::Node& node, SourceMap& source) {
  MapReader reader(node, "target", source);
  TargetSpec target;
  reader.Read("device", target.device);
  reader.Read("backend", target.backend);
  reader.Read("statistic", target.statistic);
  if (const auto limits = reader.Take("limits")) target.limits = ReadLimits(*limits, source);
  reader.Finish();
  return target;
}

BudgetSpec ReadBudget(const YAML::Node& node, SourceMap& source) {
  MapReader reader(node, "budget", source);
  BudgetSpec budget;
  Seconds max_wall;
  double device_hours = 0;
  reader.Read("max_wall", max_wall);
  reader.Read("device_hours", device_hours);
  reader.Read("evaluations", budget.max_evaluations);
  reader.Finish();
  source.SetOrigin("budget.max_wall_seconds", "budget.max_wall");
  source.SetOrigin("budget.max_device_seconds", "budget.device_hours");
  source.SetOrigin("budget.max_evaluations", "budget.evaluations");
  budget.max_wall_seconds = max_wall.value;
  budget.max_device_seconds = 3600 * device_hours;
  return budget;
}

SearchJob ReadJob(const YAML::Node& root, SourceMap& source) {
  MapReader reader(root, "", source);
  SearchJob job;
  reader.Read("name", job.name, Need::kRequired);
  reader.Read("seed", job.seed);
  if (const auto node = reader.Take("dataset", Need::kRequired)) job.dataset = ReadDataset(*node, source);
  if (const auto node = reader.Take("space", Need::kRequired)) job.space = ReadSpace(*node, "space", job.name, source);
  if (const auto node = reader.Take("training")) job.training = ReadTraining(*node, source);
  if (const auto node = reader.Take("sampling")) job.sampling = ReadSampling(*node, source);
  if (const auto node = reader.Take("evolution")) job.evolution = ReadEvolution(*node, source);
  if (const auto node = reader.Take("fine_tune")) job.fine_tune = ReadFineTune(*node, source);
  if (const auto node = reader.Take("measure")) job.measure = ReadMeasure(*node, source);
  if (const auto node = reader.Take("target")) job.target = ReadTarget(*node, source);
  if (const auto node = reader.Take("budget")) job.budget = ReadBudget(*node, source);
  reader.Read("references", job.references);
  reader.Finish();
  return job;
}

absl::Status TooLarge(absl::string_view file_name, uint64_t bytes) {
  return absl::InvalidArgumentError(
      absl::StrCat(file_name, ": expected a job of at most ", bounds::kJobFileBytes, " bytes, found ", bytes));
}

/// That the bytes are text at all; what YAML makes of it is another matter.
absl::Status CheckText(absl::string_view text, absl::string_view file_name) {
  if (absl::StartsWith(text, "\xff\xfe") || absl::StartsWith(text, "\xfe\xff")) {
    return absl::InvalidArgumentError(absl::StrCat(file_name, ":1:1: expected UTF-8, found UTF-16; save the file as UTF-8"));
  }
  size_t wrong = text.find('\0');
  absl::string_view found = "a byte 0";
  if (wrong == absl::string_view::npos) {
    found = "bytes that are not UTF-8";
    for (wrong = 0; wrong < text.size();) {
      const size_t length = Utf8SequenceLength(text.substr(wrong));
      if (length == 0) break;
      wrong += length;
    }
    if (wrong == text.size()) return absl::OkStatus();
  }
  const absl::string_view before = text.substr(0, wrong);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_begin = before.rfind('\n') + 1;  // 0 in the first line
  return absl::InvalidArgumentError(
      absl::StrCat(file_name, ":", line, ":", wrong - line_begin + 1, ": expected text in UTF-8, found ", found));
}

/// Whether one of the paths is the other or an ancestor of it.
bool AreRelated(absl::string_view a, absl::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return absl::StartsWith(b, a) && (a.size() == b.size() || b[a.size()] == '.' || b[a.size()] == '[');
}

/// What core finds wrong, mapped to the file, without what follows from a problem of reading.
std::vector<Problem> AllProblems(const SearchJob& job, const SourceMap& source) {
  std::vector<Problem> problems = source.problems();
  FieldViolations violations;
  ValidateSearchJob(job, violations);
  for (const FieldViolation& violation : violations.items()) {
    const std::string path = source.FilePath(violation.path);
    const auto explains = [&](const Problem& problem) { return AreRelated(problem.path, path); };
    if (std::any_of(source.problems().begin(), source.problems().end(), explains)) continue;
    problems.push_back({source.Locate(path), path, violation.message});
  }
  const auto key = [](const Problem& p) { return std::tie(p.location.line, p.location.column, p.path, p.message); };
  std::stable_sort(problems.begin(), problems.end(), [&](const Problem& a, const Problem& b) { return key(a) < key(b); });
  problems.erase(std::unique(problems.begin(), problems.end(), [&](const Problem& a, const Problem& b) { return key(a) == key(b); }),
                 problems.end());
  return problems;
}

std::string Line(absl::string_view file, const Location& location, absl::string_view path, absl::string_view message) {
  return absl::StrCat(file, ":", location.line, ":", location.column, ": ", path, path.empty() ? "" : ": ", message);
}

absl::StatusOr<YAML::Node> LoadYaml(absl::string_view text, absl::string_view file_name) {
  try {
    const std::string copy(text);
    if (const std::optional<Problem> excess = FindExcess(copy)) {
      return absl::InvalidArgumentError(Line(file_name, excess->location, excess->path, excess->message));
    }
    return YAML::Load(copy);
  } catch (const YAML::Exception& error) {
    const Location location = error.mark.is_null() ? Location{} : Location{error.mark.line + 1, error.mark.column + 1};
    return absl::InvalidArgumentError(Line(file_name, location, "", absl::StrCat("expected YAML, found a mistake: ", error.msg)));
  }
}

}  // namespace

absl::StatusOr<JobFile> JobFile::Parse(absl::string_view text, absl::string_view file_name) {
  if (text.size() > bounds::kJobFileBytes) return TooLarge(file_name, text.size());
  if (absl::Status status = CheckText(text, file_name); !status.ok()) return status;
  try {
    absl::StatusOr<YAML::Node> root = LoadYaml(text, file_name);
    if (!root.ok()) return root.status();
    auto source = std::make_shared<SourceMap>();
    SearchJob job = ReadJob(*root, *source);
    std::vector<std::string> lines;
    const std::vector<Problem> problems = AllProblems(job, *source);
    for (const Problem& problem : problems) {
      if (lines.size() == kMostLines) {
        lines.push_back(absl::StrCat(file_name, ": and ", problems.size() - kMostLines, " more mistakes"));
        break;
      }
      lines.push_back(Line(file_name, problem.location, problem.path, problem.message));
    }
    if (!lines.empty()) return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
    return JobFile(std::string(file_name), std::move(job), std::move(source));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(file_name, ":1:1: expected YAML, found a mistake: ", error.what()));
  }
}

absl::StatusOr<JobFile> JobFile::Load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("expected a job file that can be read, found none at ", path));
  std::error_code error;
  const uint64_t size = std::filesystem::is_regular_file(path, error) ? std::filesystem::file_size(path, error) : 0;
  if (!error && size > bounds::kJobFileBytes) return TooLarge(path, size);
  std::string text(bounds::kJobFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || file.gcount() < 0) return absl::DataLossError(absl::StrCat("reading the job file failed: ", path));
  text.resize(static_cast<size_t>(file.gcount()));
  return Parse(text, path);
}

std::string JobFile::Describe(const FieldViolation& violation) const {
  const std::string path = source_->FilePath(violation.path);
  return Line(file_name_, source_->Locate(path), path, violation.message);
}

}  // namespace hanas::config
