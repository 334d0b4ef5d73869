// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_reader.h"

#include <algorithm>
#include <cmath>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "config/spelling.h"
#include "core/base/quantity.h"
#include "core/base/text.h"
#include "core/base/utf8.h"

namespace hanas::config {
namespace {

constexpr size_t kMaxQuoted = 60;

std::string Quote(absl::string_view text) {
  if (text.size() > kMaxQuoted) return absl::StrCat("\"", CutUtf8(text, kMaxQuoted), "…\"");
  return absl::StrCat("\"", text, "\"");
}

std::string Describe(const YAML::Node& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return Quote(node.Scalar());
  return "nothing";
}

absl::Status Mismatch(absl::string_view expected, const Scalar& scalar) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", expected, ", found ", scalar.quoted ? "the text " : "", Quote(scalar.text)));
}

template <typename T>
absl::Status ParseWhole(const Scalar& scalar, absl::string_view expected, T& out) {
  return !scalar.quoted && absl::SimpleAtoi(scalar.text, &out) ? absl::OkStatus() : Mismatch(expected, scalar);
}

template <typename T, typename U>
absl::Status Assign(absl::StatusOr<T> value, U& out) {
  if (value.ok()) out = *value;
  return value.status();
}

}  // namespace

absl::string_view ParentPath(absl::string_view path) {
  const size_t end = path.find_last_of(".[");
  return end == absl::string_view::npos ? absl::string_view() : path.substr(0, end);
}

void SourceMap::SetLocation(absl::string_view path, const YAML::Mark& mark) {
  if (!mark.is_null()) locations_[path] = {mark.line + 1, mark.column + 1};
}

void SourceMap::Fail(absl::string_view path, absl::string_view message) {
  problems_.push_back({Locate(path), Printable(path), Printable(message)});
}

std::string SourceMap::FilePath(absl::string_view job_path) const {
  for (absl::string_view prefix = job_path; !prefix.empty(); prefix = ParentPath(prefix)) {
    const auto found = origins_.find(prefix);
    if (found != origins_.end()) return absl::StrCat(found->second, job_path.substr(prefix.size()));
  }
  return std::string(job_path);
}

Location SourceMap::Locate(absl::string_view file_path) const {
  for (absl::string_view prefix = file_path; !prefix.empty(); prefix = ParentPath(prefix)) {
    const auto found = locations_.find(prefix);
    if (found != locations_.end()) return found->second;
  }
  return {};
}

absl::Status ParseScalar(const Scalar& scalar, std::string& out) {
  out = scalar.text;
  return absl::OkStatus();
}
absl::Status ParseScalar(const Scalar& scalar, bool& out) {
  if (scalar.quoted || (scalar.text != "true" && scalar.text != "false")) return Mismatch("true or false", scalar);
  out = scalar.text == "true";
  return absl::OkStatus();
}
absl::Status ParseScalar(const Scalar& scalar, int& out) { return ParseWhole(scalar, "a whole number", out); }
absl::Status ParseScalar(const Scalar& scalar, int64_t& out) { return ParseWhole(scalar, "a whole number", out); }
absl::Status ParseScalar(const Scalar& scalar, uint64_t& out) { return ParseWhole(scalar, "a whole number, not negative", out); }
absl::Status ParseScalar(const Scalar& scalar, double& out) {
  double value = 0;
  if (scalar.quoted || !absl::SimpleAtod(scalar.text, &value) || !std::isfinite(value)) return Mismatch("a number", scalar);
  out = value;
  return absl::OkStatus();
}
absl::Status ParseScalar(const Scalar& scalar, Seconds& out) { return Assign(ParseSeconds(scalar.text), out.value); }
absl::Status ParseScalar(const Scalar& scalar, Precision& out) { return Assign(PrecisionFromString(scalar.text), out); }
absl::Status ParseScalar(const Scalar& scalar, Activation& out) { return Assign(FromName<Activation>(scalar.text), out); }
absl::Status ParseScalar(const Scalar& scalar, BlockKind& out) { return Assign(FromName<BlockKind>(scalar.text), out); }
absl::Status ParseScalar(const Scalar& scalar, Downsample& out) { return Assign(FromName<Downsample>(scalar.text), out); }
absl::Status ParseScalar(const Scalar& scalar, GlobalPool& out) { return Assign(FromName<GlobalPool>(scalar.text), out); }
absl::Status ParseScalar(const Scalar& scalar, SqueezeStyle& out) { return Assign(FromName<SqueezeStyle>(scalar.text), out); }
absl::Status ParseScalar(const Scalar& scalar, WordPlace& out) { return SetWord(scalar.text, out); }

MapReader::MapReader(const YAML::Node& node, std::string path, SourceMap& source) : path_(std::move(path)), source_(source) {
  if (!node.IsMap()) {
    source_.Fail(path_, absl::StrCat("expected a map of keys, found ", Describe(node)));
    return;
  }
  for (const auto& pair : node) {
    if (!pair.first.IsScalar()) {
      source_.SetLocation(path_.empty() ? "?" : path_, pair.first.Mark());
      source_.Fail(path_.empty() ? "?" : path_, absl::StrCat("expected a word as key, found ", Describe(pair.first)));
      continue;
    }
    entries_.push_back({pair.first.Scalar(), pair.first.Mark(), pair.second});
  }
}

bool MapReader::Has(absl::string_view key) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
}

std::optional<YAML::Node> MapReader::Take(absl::string_view key, Need need) {
  known_.emplace_back(key);
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  if (entry == entries_.end()) {
    if (need == Need::kRequired) source_.Fail(PathOf(key), "expected this key, which has no default, found none");
    return std::nullopt;
  }
  source_.SetLocation(PathOf(key), entry->value.IsNull() ? entry->mark : entry->value.Mark());
  return entry->value;
}

std::vector<std::pair<std::string, YAML::Node>> MapReader::ReadMaps(absl::string_view key, Need need) {
  std::vector<std::pair<std::string, YAML::Node>> maps;
  const std::optional<YAML::Node> node = Take(key, need);
  if (!node || !CheckList(*node, PathOf(key))) return maps;
  for (size_t i = 0; i < node->size(); ++i) {
    maps.emplace_back(absl::StrCat(PathOf(key), "[", i, "]"), (*node)[i]);
    source_.SetLocation(maps.back().first, (*node)[i].Mark());
  }
  return maps;
}

void MapReader::Finish() {
  std::vector<std::string> seen;
  for (const Entry& entry : entries_) {
    const bool known = std::find(known_.begin(), known_.end(), entry.key) != known_.end();
    const std::string path = PathOf(entry.key);
    if (!known) {
      source_.SetLocation(path, entry.mark);
      const std::string closest = ClosestWord(entry.key, known_);
      source_.Fail(path, closest.empty() ? absl::StrCat("unknown key ", Quote(entry.key), ", expected one of ", absl::StrJoin(known_, ", "))
                                         : absl::StrCat("unknown key ", Quote(entry.key), ", did you mean \"", closest, "\"?"));
    } else if (std::find(seen.begin(), seen.end(), entry.key) != seen.end()) {
      source_.SetLocation(path, entry.mark);
      source_.Fail(path, absl::StrCat("expected each key once, found ", Quote(entry.key), " again"));
    }
    seen.push_back(entry.key);
  }
}

std::optional<Scalar> MapReader::ToScalar(const YAML::Node& node, const std::string& path) {
  if (node.IsScalar()) return Scalar{node.Scalar(), node.Tag() == "!"};
  source_.Fail(path, absl::StrCat("expected a single value, found ", Describe(node)));
  return std::nullopt;
}

bool MapReader::CheckList(const YAML::Node& node, const std::string& path) {
  if (node.IsSequence()) return true;
  source_.Fail(path, absl::StrCat("expected a list, found ", Describe(node)));
  return false;
}

}  // namespace hanas::config
