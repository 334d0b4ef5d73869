// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/shell_word.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace hanas::cli {
namespace {

bool IsPlain(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("-_./:,+@%", c); }

}  // namespace

std::string ShellWord(absl::string_view text) {
  if (!text.empty() && std::all_of(text.begin(), text.end(), IsPlain)) return std::string(text);
  // Nothing has a meaning within single quotes, and a single quote cannot stand there.
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string ShellCommand(const std::vector<std::string>& words) {
  return absl::StrJoin(words, " ", [](std::string* out, const std::string& word) { absl::StrAppend(out, ShellWord(word)); });
}

std::string PathArgument(absl::string_view path) { return absl::StrCat(absl::StartsWith(path, "-") ? "./" : "", path); }

}  // namespace hanas::cli
