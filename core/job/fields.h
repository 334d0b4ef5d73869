// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_JOB_FIELDS_H_
#define HANAS_CORE_JOB_FIELDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/digest.h"
#include "core/base/field_violation.h"
#include "core/job/search_job.h"

namespace hanas {

// Every field of a job, once, except those of `space`. The job file, the wire, validation, digests and the tables of docs/job-file.md read
// this table and have no list of their own: one more field is one row here, one member of search_job.h, which also says its default, and
// one field of the same name in the proto. Immutable, hence thread-safe.

/// One of several words. `index` counts in `names`; the wire's number of a word is one more.
struct ChosenWord {
  uint8_t index = 0;
  absl::Span<const absl::string_view> names;
};

/// Where a field is in a job, to write it.
struct WordPlace {
  uint8_t* index = nullptr;
  absl::Span<const absl::string_view> names;
};
using FieldPlace = std::variant<std::string*, bool*, int*, int64_t*, uint64_t*, double*, WordPlace, std::vector<TrainingPhase>*,
                                std::vector<TargetSpec>*, std::vector<ObjectiveSpec>*, std::vector<LimitSpec>*>;

/// What a field of a job is.
using FieldValue = std::variant<absl::string_view, bool, int64_t, uint64_t, double, ChosenWord, absl::Span<const TrainingPhase>,
                                absl::Span<const TargetSpec>, absl::Span<const ObjectiveSpec>, absl::Span<const LimitSpec>>;

/// How a field is written in files and messages.
enum class FieldForm : uint8_t {
  kPlain,      // as its type is
  kName,       // CheckPlainName
  kDirectory,  // below a root, without ".."
  kQuantity,   // the name of one
  kBound,      // of a limit: in files with the unit of its quantity, or "%" of another network's
  kSeconds,    // in files with a unit of time, up to days
  kHours,      // in files a number of hours; in the job seconds
};

/// Both ends are allowed. An end that another field bounds is that field's value; its number here is the bound of the whole.
struct FieldRange {
  double low = 0;
  double high = 0;
  absl::string_view low_field = "";
  absl::string_view high_field = "";
};

/// The widest set of searches that share work only when they agree in a field.
enum class SharedBy : uint8_t {
  kNobody,    // the field tells jobs apart, and nothing else
  kSamples,   // searches share sampled networks only when they agree in it
  kSupernet,  // and not even the supernet otherwise
};

/// A row. `Owner` is what its place is in: a job, or an element of one of its lists.
template <typename Owner>
struct FieldOf {
  absl::string_view path;       // "training.label_smoothing": of the job, of the wire, and of messages
  FieldPlace (*place)(Owner&);  // borrowed from the owner
  FieldForm form = FieldForm::kPlain;
  std::optional<FieldRange> range = std::nullopt;
  absl::Span<const absl::string_view> words = {};  // of a text: what it may be; empty: anything
  SharedBy shared = SharedBy::kNobody;
  bool required = false;                              // has no default
  bool none_at_zero = false;                          // 0 switches off what the field asks for
  std::optional<Screening> only_with = std::nullopt;  // a job with another one leaves the field at its default
  bool came_later = false;                            // jobs were told apart before it came: at its default it is in no digest
  absl::string_view key = "";                         // in files, where it differs: "budget.device_hours"
  void (*when_absent)(Owner&) = nullptr;              // derives the default from other fields, once they are read
  absl::string_view derived_from = "";                // the path of the field to change, where that default is wrong
  absl::string_view derived = "";                     // what the default then is, in the documentation, after the value
  absl::string_view unit = "";                        // "images"
  absl::string_view about = "";                       // in the documentation; Markdown

  absl::string_view file_path() const { return key.empty() ? path : key; }
};
using JobField = FieldOf<SearchJob>;

/// A row of the elements of a list.
template <typename Element>
using ElementField = FieldOf<Element>;

/// In the order of docs/job-file.md.
absl::Span<const JobField> JobFields();
/// Of each element of a list: TrainingPhase, TargetSpec, ObjectiveSpec, LimitSpec. Paths are relative to the element.
template <typename Element>
absl::Span<const ElementField<Element>> ElementFields();

FieldValue ValueOf(const JobField& field, const SearchJob& job);
template <typename Element>
FieldValue ValueOf(const ElementField<Element>& field, const Element& element);

/// Sets the word that `name` is. Returns INVALID_ARGUMENT with what was expected and found.
absl::Status SetWord(absl::string_view name, const WordPlace& place);

/// Adds a violation for every field whose path begins with `prefix` and whose value is outside its row.
void CheckFields(const SearchJob& job, absl::string_view prefix, FieldViolations& violations);

/// The paths, as files have them, of fields that are set and have no part in a job with this screening.
std::vector<absl::string_view> FieldsOfOtherScreening(const SearchJob& job);

/// Adds path and value of every field below `prefix` that `least` or more searches share by.
void AddFields(const SearchJob& job, absl::string_view prefix, SharedBy least, DigestBuilder& digest);

/// The table of docs/job-file.md for the fields whose file path begins with `section`, which is left out of the keys ("training.").
std::string FieldsAsMarkdown(absl::string_view section);

}  // namespace hanas

#endif  // HANAS_CORE_JOB_FIELDS_H_
