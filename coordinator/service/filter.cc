// SPDX-License-Identifier: Apache-2.0
#include "coordinator/service/filter.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/log/absl_check.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/field_violation.h"
#include "core/base/utf8.h"
#include "rpc/enum_word.h"

namespace hanas::coordinator {
namespace {

using ::google::protobuf::EnumDescriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

// A filter is looked at for every element of a list.
constexpr size_t kMaxBytes = 1000;
constexpr size_t kShownBytes = 40;  // in messages

constexpr std::array<absl::string_view, 8> kSearchFields = {"name",         "spec.name", "spec.dataset.name", "phase",
                                                            "paused_phase", "finishing", "error_code",        "job_digest"};
constexpr std::array<absl::string_view, 7> kTaskFields = {"name", "key", "state", "holder", "attempt", "failures", "error_code"};
constexpr std::array<absl::string_view, 6> kCandidateFields = {"sequence",         "accuracy",   "latency_us",
                                                               "latency_measured", "size_bytes", "worker"};
constexpr std::array<absl::string_view, 10> kWorkerFields = {"name",   "display_name", "state",           "host_id",      "version",
                                                             "search", "draining",     "completed_tasks", "failed_tasks", "info.datasets"};
constexpr std::array<absl::string_view, 13> kDeviceFields = {"name",
                                                             "display_name",
                                                             "state",
                                                             "health",
                                                             "host_id",
                                                             "version",
                                                             "search",
                                                             "device_class",
                                                             "draining",
                                                             "completed_tasks",
                                                             "failed_tasks",
                                                             "info.device.cpu",
                                                             "info.device.backend"};

bool IsSpace(char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); }
bool IsOperator(char c) { return c == '=' || c == '!' || c == '<' || c == '>' || c == ':'; }

std::string Quoted(absl::string_view text) {
  if (text.empty()) return "its end";
  // A piece may begin or end within a character: then its bytes are told.
  const absl::string_view piece = CutUtf8(text, kShownBytes);
  return absl::StrCat("\"", IsUtf8(piece) ? absl::Utf8SafeCHexEscape(piece) : absl::CHexEscape(piece), "\"");
}

std::string WordsOf(const EnumDescriptor& type) {
  std::vector<std::string> words;
  for (int i = 0; i < type.value_count(); ++i) words.push_back(rpc::EnumWord(*type.value(i)));
  return absl::StrJoin(words, ", ");
}

}  // namespace

class Filter::Parser {
 public:
  Parser(absl::string_view text, const google::protobuf::Descriptor& type, absl::Span<const absl::string_view> fields)
      : text_(text), type_(type), fields_(fields) {}

  absl::StatusOr<Filter> Parse() {
    Filter filter;
    if (text_.size() > kMaxBytes) return Expected(0, absl::StrCat("at most ", kMaxBytes, " bytes"), absl::StrCat(text_.size()));
    SkipSpace();
    if (at_ == text_.size()) return filter;
    while (true) {
      absl::StatusOr<Comparison> comparison = ReadComparison();
      if (!comparison.ok()) return comparison.status();
      filter.comparisons_.push_back(*std::move(comparison));
      SkipSpace();
      if (at_ == text_.size()) return filter;
      const size_t begin = at_;
      if (const absl::string_view word = ReadWord(); word != "AND") {
        return Expected(begin, "AND or the end", word.empty() ? Quoted(text_.substr(begin, 1)) : Quoted(word));
      }
    }
  }

 private:
  absl::Status Expected(size_t at, absl::string_view what, absl::string_view found) const {
    FieldViolations violations;
    violations.Add("filter", absl::StrCat("at character ", at + 1, ": expected ", what, ", found ", found));
    return violations.ToStatus();
  }

  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  }

  absl::string_view ReadWord() {
    const size_t begin = at_;
    while (at_ < text_.size() && !IsSpace(text_[at_]) && !IsOperator(text_[at_]) && text_[at_] != '"') ++at_;
    return text_.substr(begin, at_ - begin);
  }

  absl::StatusOr<Comparison> ReadComparison() {
    SkipSpace();
    const size_t begin = at_;
    const absl::string_view name = ReadWord();
    if (std::find(fields_.begin(), fields_.end(), name) == fields_.end()) {
      return Expected(begin, absl::StrCat("a field, one of ", absl::StrJoin(fields_, ", ")),
                      Quoted(name.empty() ? text_.substr(begin, 1) : name));
    }
    Comparison comparison;
    const google::protobuf::Descriptor* type = &type_;
    for (const absl::string_view part : absl::StrSplit(name, '.')) {
      const FieldDescriptor* const field = type->FindFieldByName(std::string(part));
      ABSL_CHECK(field != nullptr) << type->full_name() << " has no field " << part;
      comparison.path.push_back(field);
      type = field->message_type();
    }
    const FieldDescriptor& field = *comparison.path.back();
    if (absl::Status status = ReadRelation(field, comparison.relation); !status.ok()) return status;
    if (absl::Status status = ReadValue(field, comparison.value); !status.ok()) return status;
    return comparison;
  }

  absl::Status ReadRelation(const FieldDescriptor& field, Relation& relation) {
    SkipSpace();
    const size_t begin = at_;
    while (at_ < text_.size() && IsOperator(text_[at_]) && at_ - begin < 2) ++at_;
    absl::string_view found = text_.substr(begin, at_ - begin);
    static constexpr std::array<absl::string_view, 7> kSigns = {"=", "!=", "<", "<=", ">", ">=", ":"};
    std::vector<absl::string_view> allowed;
    if (!field.is_repeated()) allowed = {"=", "!="};
    if (!field.is_repeated() && IsNumber(field)) allowed.insert(allowed.end(), kSigns.begin() + 2, kSigns.begin() + 6);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) allowed.emplace_back(":");
    if (std::find(allowed.begin(), allowed.end(), found) == allowed.end()) {
      if (found.empty()) found = text_.substr(begin, 1);
      return Expected(begin, absl::StrCat("one of ", absl::StrJoin(allowed, " ")), Quoted(found));
    }
    relation = static_cast<Relation>(std::find(kSigns.begin(), kSigns.end(), found) - kSigns.begin());
    return absl::OkStatus();
  }

  /// A word, or what stands in quotes.
  absl::Status ReadText(std::string& value) {
    SkipSpace();
    const size_t begin = at_;
    if (at_ == text_.size() || text_[at_] != '"') {
      value = std::string(ReadWord());
      return value.empty() ? Expected(begin, "a value", Quoted(text_.substr(begin, 1))) : absl::OkStatus();
    }
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') {
        if (++at_ == text_.size()) break;
        if (text_[at_] != '"' && text_[at_] != '\\') return Expected(at_, "\\\" or \\\\", Quoted(text_.substr(at_ - 1, 2)));
      }
      value.push_back(text_[at_]);
    }
    if (at_ == text_.size()) return Expected(begin, "a text that ends with a quote", Quoted(text_.substr(begin)));
    ++at_;
    return absl::OkStatus();
  }

  absl::Status ReadValue(const FieldDescriptor& field, std::variant<std::string, bool, int64_t, double>& value) {
    SkipSpace();
    const size_t begin = at_;
    std::string text;
    if (absl::Status status = ReadText(text); !status.ok()) return status;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        value = std::move(text);
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_BOOL:
        if (text != "true" && text != "false") return Expected(begin, "true or false", Quoted(text));
        value = text == "true";
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_ENUM: {
        const auto* const enumerator = rpc::FindEnumWord(*field.enum_type(), text);
        if (enumerator == nullptr) return Expected(begin, absl::StrCat("one of ", WordsOf(*field.enum_type())), Quoted(text));
        value = int64_t{enumerator->number()};
        return absl::OkStatus();
      }
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        double number = 0;
        if (!absl::SimpleAtod(text, &number) || !std::isfinite(number)) return Expected(begin, "a number", Quoted(text));
        value = number;
        return absl::OkStatus();
      }
      default: {
        int64_t number = 0;
        if (!absl::SimpleAtoi(text, &number)) return Expected(begin, "a whole number", Quoted(text));
        value = number;
        return absl::OkStatus();
      }
    }
  }

  static bool IsNumber(const FieldDescriptor& field) {
    return field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE || field.cpp_type() == FieldDescriptor::CPPTYPE_INT32 ||
           field.cpp_type() == FieldDescriptor::CPPTYPE_INT64;
  }

  const absl::string_view text_;
  const google::protobuf::Descriptor& type_;
  const absl::Span<const absl::string_view> fields_;
  size_t at_ = 0;
};

absl::StatusOr<Filter> Filter::Parse(absl::string_view text, const google::protobuf::Descriptor& type,
                                     absl::Span<const absl::string_view> fields) {
  return Parser(text, type, fields).Parse();
}

bool Filter::Matches(const Message& message) const {
  return std::all_of(comparisons_.begin(), comparisons_.end(), [&](const Comparison& one) { return Holds(one, message); });
}

bool Filter::Holds(const Comparison& comparison, const Message& message) {
  const Message* owner = &message;
  for (size_t i = 0; i + 1 < comparison.path.size(); ++i) owner = &owner->GetReflection()->GetMessage(*owner, comparison.path[i]);
  const google::protobuf::Reflection& reflection = *owner->GetReflection();
  const FieldDescriptor* const field = comparison.path.back();
  const auto compare = [&](const auto& found) {
    const auto& value = std::get<std::decay_t<decltype(found)>>(comparison.value);
    switch (comparison.relation) {
      case Relation::kEqual:
        return found == value;
      case Relation::kNotEqual:
        return found != value;
      case Relation::kLess:
        return found < value;
      case Relation::kLessOrEqual:
        return found <= value;
      case Relation::kGreater:
        return found > value;
      case Relation::kGreaterOrEqual:
        return found >= value;
      case Relation::kHas:
        break;  // of texts alone
    }
    return false;
  };
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string& value = std::get<std::string>(comparison.value);
      if (field->is_repeated()) {
        for (int i = 0; i < reflection.FieldSize(*owner, field); ++i) {
          if (reflection.GetRepeatedString(*owner, field, i) == value) return true;
        }
        return false;
      }
      const std::string found = reflection.GetString(*owner, field);
      return comparison.relation == Relation::kHas ? absl::StrContainsIgnoreCase(found, value) : compare(found);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return compare(reflection.GetBool(*owner, field));
    case FieldDescriptor::CPPTYPE_ENUM:
      return compare(int64_t{reflection.GetEnumValue(*owner, field)});
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return compare(reflection.GetDouble(*owner, field));
    case FieldDescriptor::CPPTYPE_INT32:
      return compare(int64_t{reflection.GetInt32(*owner, field)});
    default:
      return compare(int64_t{reflection.GetInt64(*owner, field)});
  }
}

absl::Span<const absl::string_view> SearchFilterFields() { return kSearchFields; }
absl::Span<const absl::string_view> TaskFilterFields() { return kTaskFields; }
absl::Span<const absl::string_view> CandidateFilterFields() { return kCandidateFields; }
absl::Span<const absl::string_view> WorkerFilterFields() { return kWorkerFields; }
absl::Span<const absl::string_view> DeviceFilterFields() { return kDeviceFields; }

}  // namespace hanas::coordinator
