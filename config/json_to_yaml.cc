// SPDX-License-Identifier: Apache-2.0
#include "config/json_to_yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <exception>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace hanas::config {
namespace {

/// Whether readers of YAML take the plain word for the same string. Stricter than the language: letters first, then what names, paths and
/// digests are made of.
bool IsSafePlain(absl::string_view text) {
  // Words that YAML 1.1 readers take for booleans and nulls.
  static constexpr std::array<absl::string_view, 9> kWords = {"y", "n", "yes", "no", "true", "false", "on", "off", "null"};
  if (text.empty() || !(absl::ascii_isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_')) return false;
  if (std::any_of(kWords.begin(), kWords.end(), [&](absl::string_view word) { return absl::EqualsIgnoreCase(word, text); })) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == '/' || c == '+';
  });
}

void Emit(const YAML::Node& node, YAML::Emitter& out) {
  if (node.IsMap()) {
    out << YAML::BeginMap;
    for (const auto& pair : node) {
      out << YAML::Key;
      Emit(pair.first, out);
      out << YAML::Value;
      Emit(pair.second, out);
    }
    out << YAML::EndMap;
  } else if (node.IsSequence()) {
    if (node.size() == 0) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const YAML::Node& element : node) Emit(element, out);
    out << YAML::EndSeq;
  } else if (node.IsScalar() && node.Tag() == "!") {
    if (!IsSafePlain(node.Scalar())) out << YAML::DoubleQuoted;
    out << node.Scalar();
  } else if (node.IsScalar()) {
    out << node.Scalar();
  } else {
    out << YAML::Null;
  }
}

}  // namespace

absl::StatusOr<std::string> JsonToYaml(absl::string_view json) {
  try {
    YAML::Emitter out;
    // JSON is YAML: its strings are the quoted scalars.
    Emit(YAML::Load(std::string(json)), out);
    if (!out.good()) return absl::InvalidArgumentError(absl::StrCat("cannot write YAML: ", out.GetLastError()));
    return absl::StrCat(out.c_str(), "\n");
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("expected JSON, found a mistake: ", error.what()));
  }
}

}  // namespace hanas::config
