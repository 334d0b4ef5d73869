// SPDX-License-Identifier: Apache-2.0
#include "config/job_file.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "config/goals_reader.h"
#include "config/space_reader.h"
#include "config/yaml_outline.h"
#include "config/yaml_reader.h"
#include "core/base/bounds.h"
#include "core/base/utf8.h"
#include "core/job/fields.h"
#include "core/job/goals.h"

namespace hanas::config {
namespace {

constexpr size_t kMostLines = 50;  // of mistakes, which a reader mends in turn

/// Reads the scalar at `key` into `place`.
class FieldReader {
 public:
  /// `limits` takes those that stand in an element of a list.
  FieldReader(MapReader& reader, absl::string_view key, FieldForm form, Need need, std::vector<LimitSpec>* limits)
      : reader_(reader), key_(key), form_(form), need_(need), limits_(limits) {}

  /// Return whether the key was there.
  bool operator()(double* place) {
    switch (form_) {
      case FieldForm::kSeconds:
        return ReadAs<Seconds>([&](const Seconds& time) { *place = time.value; });
      case FieldForm::kHours:
        return ReadAs<double>([&](double hours) { *place = 3600 * hours; });
      default:
        return reader_.Read(key_, *place, need_);
    }
  }
  bool operator()(WordPlace place) { return reader_.Read(key_, place, need_); }
  bool operator()(std::vector<TrainingPhase>* phases);
  bool operator()(std::vector<TargetSpec>* targets);
  bool operator()(std::vector<ObjectiveSpec>* objectives) {
    const std::optional<YAML::Node> node = reader_.Take(key_, need_);
    if (node) *objectives = ReadObjectives(*node, reader_.PathOf(key_), reader_.source());
    return node.has_value();
  }
  bool operator()(std::vector<LimitSpec>* limits) {
    const std::optional<YAML::Node> node = reader_.Take(key_, need_);
    if (node) ReadLimits(*node, reader_.PathOf(key_), reader_.source(), *limits);
    return node.has_value();
  }
  template <typename T>
  bool operator()(T* place) {
    return reader_.Read(key_, *place, need_);
  }

 private:
  template <typename T, typename Set>
  bool ReadAs(Set set) {
    T value{};
    const bool there = reader_.Read(key_, value, need_);
    if (there) set(value);
    return there;
  }

  MapReader& reader_;
  absl::string_view key_;
  FieldForm form_;
  Need need_;
  std::vector<LimitSpec>* limits_;
};

template <typename Owner>
bool ReadField(MapReader& reader, absl::string_view key, const FieldOf<Owner>& field, Owner& owner,
               std::vector<LimitSpec>* limits = nullptr) {
  return std::visit(FieldReader(reader, key, field.form, field.required ? Need::kRequired : Need::kOptional, limits), field.place(owner));
}

bool FieldReader::operator()(std::vector<TrainingPhase>* phases) {
  if (!reader_.Has(key_)) return reader_.Take(key_, need_).has_value();
  phases->clear();
  for (const auto& [path, node] : reader_.ReadMaps(key_, need_)) {
    MapReader reader(node, path, reader_.source());
    TrainingPhase& phase = phases->emplace_back();
    for (const ElementField<TrainingPhase>& field : ElementFields<TrainingPhase>()) ReadField(reader, field.path, field, phase);
    reader.Finish();
  }
  return true;
}

bool FieldReader::operator()(std::vector<TargetSpec>* targets) {
  if (!reader_.Has(key_)) return false;
  const auto maps = reader_.ReadMaps(key_, need_);
  if (maps.size() > bounds::kMaxTargets) {  // each may name a preset, which costs
    reader_.source().Fail(reader_.PathOf(key_), absl::StrCat("expected at most ", bounds::kMaxTargets, ", found ", maps.size()));
    return true;
  }
  for (const auto& [path, node] : maps) {
    MapReader reader(node, path, reader_.source());
    TargetSpec& target = targets->emplace_back();
    for (const ElementField<TargetSpec>& field : ElementFields<TargetSpec>()) ReadField(reader, field.path, field, target);
    if (const auto limits = reader.Take("limits")) ReadLimitsOf(target, *limits, reader.PathOf("limits"), reader.source(), *limits_);
    reader.Finish();
  }
  return true;
}

/// The job of a file: every section is the map of the fields that JobFields has below its path; `space` has a reader of its own.
class JobReader {
 public:
  explicit JobReader(SourceMap& source) : source_(source) {}

  SearchJob Read(const YAML::Node& root) {
    ReadSection(root, "");
    ResolvePresets(job_, source_);
    for (const JobField& field : JobFields()) {
      if (field.file_path() != field.path) source_.SetOrigin(std::string(field.path), std::string(field.file_path()));
      if (field.when_absent == nullptr || present_.contains(field.path)) continue;
      field.when_absent(job_);
      source_.SetOrigin(std::string(field.path), std::string(field.derived_from));
    }
    return std::move(job_);
  }

 private:
  void ReadSection(const YAML::Node& node, absl::string_view section) {
    MapReader reader(node, std::string(section), source_);
    const std::string prefix = section.empty() ? "" : absl::StrCat(section, ".");
    absl::flat_hash_set<absl::string_view> sections;
    for (const JobField& field : JobFields()) {
      absl::string_view key = field.file_path();
      if (!absl::ConsumePrefix(&key, prefix)) continue;
      const size_t dot = key.find('.');
      if (dot == absl::string_view::npos) {
        if (ReadField(reader, key, field, job_, &job_.limits)) present_.insert(field.path);
        continue;
      }
      const absl::string_view inner = key.substr(0, dot);
      if (!sections.insert(inner).second) continue;
      const absl::string_view path = field.file_path().substr(0, prefix.size() + dot);
      if (const auto map = reader.Take(inner, NeedOf(path))) ReadSection(*map, path);
    }
    if (section == "target") {  // the limits of a job may stand beside what they are measured on
      if (const auto limits = reader.Take("limits")) ReadLimits(*limits, "target.limits", source_, job_.limits);
    }
    if (section.empty()) {
      if (reader.Has("target") && reader.Has("targets")) source_.Fail("targets", kTargetBesideTargets);
      if (const auto space = reader.Take("space", Need::kRequired)) job_.space = ReadSpace(*space, "space", job_.name, source_);
    }
    reader.Finish();
  }

  /// A section is needed for the fields in it that are.
  static Need NeedOf(absl::string_view section) {
    const absl::Span<const JobField> fields = JobFields();
    const auto required = [&](const JobField& field) {
      return field.required && absl::StartsWith(field.file_path(), absl::StrCat(section, "."));
    };
    return std::any_of(fields.begin(), fields.end(), required) ? Need::kRequired : Need::kOptional;
  }

  SourceMap& source_;
  SearchJob job_;
  absl::flat_hash_set<absl::string_view> present_;
};

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
    SearchJob job = JobReader(*source).Read(*root);
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
  if (std::filesystem::is_directory(path, error))
    return absl::NotFoundError(absl::StrCat("expected a job file, found a directory: ", path));
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
