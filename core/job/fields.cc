// SPDX-License-Identifier: Apache-2.0
#include "core/job/fields.h"

#include <algorithm>
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

namespace hanas {
namespace {

using enum FieldForm;

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
  for (const JobField& field : JobFields()) {
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
  void operator()(absl::Span<const TargetSpec> targets) const {
    CheckTargets(job, violations);
    if (targets.size() > bounds::kMaxTargets) return;
    for (size_t i = 0; i < targets.size(); ++i) {
      for (const ElementField<TargetSpec>& part : ElementFields<TargetSpec>()) {
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
      for (const ElementField<Element>& field : ElementFields<Element>()) std::visit(*this, ValueOf(field, element));
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
    for (const ElementField<Element>& field : ElementFields<Element>())
      absl::StrAppend(&table, RowInMarkdown(field, absl::StrCat(key, "[].", field.path)));
  }
  template <typename Value>
  void operator()(const Value&) const {}
};

bool AreEqualIn(const JobField& field, const SearchJob& a, const SearchJob& b) {
  const auto digest_of = [&field](const SearchJob& job) {
    DigestBuilder builder;
    std::visit(FieldDigester{builder}, ValueOf(field, job));
    return builder.Build();
  };
  return digest_of(a) == digest_of(b);
}

}  // namespace

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
  for (const JobField& field : JobFields()) {
    if (absl::StartsWith(field.path, prefix))
      std::visit(FieldChecker<SearchJob>{field, std::string(field.path), job, violations}, ValueOf(field, job));
  }
}

std::vector<absl::string_view> FieldsOfOtherScreening(const SearchJob& job) {
  const SearchJob defaults;
  std::vector<absl::string_view> paths;
  for (const JobField& field : JobFields()) {
    const bool has_a_part = !field.only_with.has_value() || *field.only_with == job.screening;
    if (!has_a_part && !AreEqualIn(field, job, defaults)) paths.push_back(field.file_path());
  }
  return paths;
}

void AddFields(const SearchJob& job, absl::string_view prefix, SharedBy least, DigestBuilder& digest) {
  const SearchJob defaults;
  for (const JobField& field : JobFields()) {
    if (field.shared < least || !absl::StartsWith(field.path, prefix)) continue;
    if (field.came_later && AreEqualIn(field, job, defaults)) continue;
    digest.Add(field.path);
    std::visit(FieldDigester{digest}, ValueOf(field, job));
  }
}

std::string FieldsAsMarkdown(absl::string_view section) {
  std::string table = "| key | type, unit | default | meaning |\n|---|---|---|---|\n";
  for (const JobField& field : JobFields()) {
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
