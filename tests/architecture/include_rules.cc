// SPDX-License-Identifier: Apache-2.0
#include "tests/architecture/include_rules.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <map>
#include <optional>
#include <regex>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace hanas::architecture {
namespace {

constexpr size_t kMaxLines = 600;
// Folders whose sources may include anything: they look at every room from outside.
constexpr std::array<absl::string_view, 3> kFreeFolders = {"tests", "benchmarks", "studies"};
// Standard headers that bring input, output, threads or clocks, which core does without.
constexpr std::array<absl::string_view, 14> kHeadersBannedInCore = {
    "chrono",  "condition_variable", "filesystem", "fstream",    "future", "iostream", "istream", "mutex",
    "ostream", "shared_mutex",       "stop_token", "syncstream", "thread", "random"};

struct Include {
  int line = 0;
  bool quoted = false;
  absl::string_view target;
};

std::optional<Include> ParseInclude(absl::string_view text, int line) {
  text = absl::StripLeadingAsciiWhitespace(text);
  if (!absl::ConsumePrefix(&text, "#")) return std::nullopt;
  text = absl::StripLeadingAsciiWhitespace(text);
  if (!absl::ConsumePrefix(&text, "include")) return std::nullopt;
  text = absl::StripLeadingAsciiWhitespace(text);
  if (text.empty() || (text[0] != '"' && text[0] != '<')) return std::nullopt;
  const bool quoted = text[0] == '"';
  const size_t end = text.find(quoted ? '"' : '>', 1);
  if (end == absl::string_view::npos) return std::nullopt;
  return Include{.line = line, .quoted = quoted, .target = text.substr(1, end - 1)};
}

std::vector<Include> ParseIncludes(absl::string_view content) {
  std::vector<Include> includes;
  int line = 0;
  for (absl::string_view text : absl::StrSplit(content, '\n')) {
    if (const auto include = ParseInclude(text, ++line)) includes.push_back(*include);
  }
  return includes;
}

// Whether `path` is `folder` or lies below it.
bool IsBelow(absl::string_view path, absl::string_view folder) {
  return path == folder || (absl::StartsWith(path, folder) && path[folder.size()] == '/');
}

absl::string_view TopFolder(absl::string_view path) { return path.substr(0, path.find('/')); }

bool IsFree(absl::string_view path) { return std::find(kFreeFolders.begin(), kFreeFolders.end(), TopFolder(path)) != kFreeFolders.end(); }

bool IsOurs(absl::string_view path) {
  if (IsFree(path)) return true;
  const std::vector<Room>& rooms = Rooms();
  return std::any_of(rooms.begin(), rooms.end(), [&](const Room& room) { return TopFolder(room.path) == TopFolder(path); });
}

const Room* FindRoom(absl::string_view path) {
  const Room* best = nullptr;
  for (const Room& room : Rooms()) {
    if (IsBelow(path, room.path) && (best == nullptr || room.path.size() > best->path.size())) best = &room;
  }
  return best;
}

bool Matches(absl::string_view entry, absl::string_view room) {
  if (absl::ConsumeSuffix(&entry, "/*")) return room != entry && IsBelow(room, entry);
  return room == entry;
}

bool Allows(const Room& from, const Room& to) {
  if (from.path == to.path) return true;
  return std::any_of(from.may_include.begin(), from.may_include.end(), [&](const std::string& entry) { return Matches(entry, to.path); });
}

std::string CheckOurs(const Room& from, absl::string_view target) {
  if (IsFree(target)) return absl::StrCat(from.path, " is product code and may not include test or benchmark code: ", target);
  const Room* to = FindRoom(target);
  if (to == nullptr) return absl::StrCat("expected a header in a folder of the layout, found ", target);
  if (Allows(from, *to)) return "";
  return absl::StrCat(from.path, " may include {", absl::StrJoin(from.may_include, ", "), "} and itself, found ", target);
}

bool HasPrefix(absl::string_view target, absl::string_view prefix) {
  return absl::EndsWith(prefix, "/") ? absl::StartsWith(target, prefix) : target == prefix;
}

std::string CheckLibrary(const Room& from, absl::string_view target) {
  for (const LibraryRule& rule : LibraryRules()) {
    const bool covered =
        std::any_of(rule.prefixes.begin(), rule.prefixes.end(), [&](const std::string& prefix) { return HasPrefix(target, prefix); });
    if (!covered || std::find(rule.rooms.begin(), rule.rooms.end(), from.path) != rule.rooms.end()) continue;
    return absl::StrCat(rule.library, " headers are kept in {", absl::StrJoin(rule.rooms, ", "), "}, found ", target, " in ", from.path);
  }
  return "";
}

std::string CheckCoreLibrary(absl::string_view target) {
  const bool standard = target.find('/') == absl::string_view::npos && !absl::EndsWith(target, ".h");
  const bool banned = std::find(kHeadersBannedInCore.begin(), kHeadersBannedInCore.end(), target) != kHeadersBannedInCore.end();
  const bool abseil = absl::StartsWith(target, "absl/") && !absl::StartsWith(target, "absl/synchronization/") &&
                      !absl::StartsWith(target, "absl/random/") && !absl::StartsWith(target, "absl/flags/");
  if (abseil || (standard && !banned)) return "";
  return absl::StrCat("core uses C++20 and Abseil only, without input, output, threads, clocks or library randomness; found ", target);
}

// gRPC's generated stubs count as gRPC's headers.
absl::string_view AsLibraryHeader(absl::string_view target) { return absl::EndsWith(target, ".grpc.pb.h") ? "grpcpp/" : target; }

// Where an included header is, or what it is made of: proto/ is a root of its own.
std::string InTheTree(absl::string_view target) { return absl::StrCat(absl::StartsWith(target, "hanas/") ? "proto/" : "", target); }

std::string CheckInclude(const Room& from, const Include& include) {
  if (include.quoted && include.target.find('/') == absl::string_view::npos && CheckLibrary(from, include.target).empty() &&
      !absl::StrContains(include.target, "xnnpack") && !absl::StrContains(include.target, "onnxruntime")) {
    return absl::StrCat("includes are written from the repository root, as \"folder/file.h\", found \"", include.target, "\"");
  }
  if (std::string error = CheckLibrary(from, AsLibraryHeader(include.target)); !error.empty()) return error;
  if (const std::string target = InTheTree(include.target); include.quoted && IsOurs(target)) return CheckOurs(from, target);
  return TopFolder(from.path) == "core" ? CheckCoreLibrary(include.target) : "";
}

std::string ExpectedGuard(absl::string_view path) {
  std::string guard = absl::StrCat("HANAS_", path, "_");
  for (char& c : guard)
    c = std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : '_';
  return guard;
}

}  // namespace

std::vector<Violation> CheckIncludes(absl::string_view path, absl::string_view content) {
  if (IsFree(path)) return {};
  const Room* from = FindRoom(path);
  if (from == nullptr) return {{std::string(path), 1, "expected a source file in a folder of the layout (tests/architecture/layout.cc)"}};
  std::vector<Violation> violations;
  for (const Include& include : ParseIncludes(content)) {
    if (std::string message = CheckInclude(*from, include); !message.empty()) {
      violations.push_back({std::string(path), include.line, std::move(message)});
    }
  }
  return violations;
}

std::vector<Violation> CheckForm(absl::string_view path, absl::string_view content) {
  std::vector<Violation> violations;
  if (!absl::StartsWith(content, "// SPDX-License-Identifier: Apache-2.0\n")) {
    violations.push_back({std::string(path), 1, "expected \"// SPDX-License-Identifier: Apache-2.0\" as the first line"});
  }
  if (absl::EndsWith(path, ".h")) {
    const std::string guard = ExpectedGuard(path);
    if (!absl::StrContains(content, absl::StrCat("#ifndef ", guard, "\n#define ", guard, "\n"))) {
      violations.push_back({std::string(path), 1, absl::StrCat("expected the include guard ", guard)});
    }
  }
  const auto num_lines = static_cast<size_t>(std::count(content.begin(), content.end(), '\n'));
  if (num_lines > kMaxLines) {
    violations.push_back({std::string(path), 1, absl::StrCat("expected at most ", kMaxLines, " lines, found ", num_lines)});
  }
  return violations;
}

std::vector<std::string> TypesDefinedIn(absl::string_view content) {
  static const std::regex* const kDefinition =
      new std::regex(R"(^(?:template <.*> )?(?:struct|class|enum class) (\w+)(?: final)?(?: : .*)? \{)");
  std::vector<std::string> namespaces;
  std::vector<std::string> types;
  for (const absl::string_view line : absl::StrSplit(content, '\n')) {
    std::cmatch match;
    if (absl::string_view name = line; absl::ConsumePrefix(&name, "namespace ") && absl::ConsumeSuffix(&name, " {")) {
      namespaces.emplace_back(name);
    } else if (absl::StartsWith(line, "}  // namespace") && !namespaces.empty()) {
      namespaces.pop_back();
    } else if (std::regex_search(line.data(), line.data() + line.size(), match, *kDefinition)) {
      types.push_back(absl::StrCat(absl::StrJoin(namespaces, "::"), "::", match[1].str()));
    }
  }
  return types;
}

std::vector<std::string> FindCycle(absl::Span<const Room> rooms) {
  std::vector<std::string> trail;
  std::set<std::string> finished;
  std::function<bool(const Room&)> visit = [&](const Room& room) {
    if (finished.contains(room.path)) return false;
    const bool repeated = std::find(trail.begin(), trail.end(), room.path) != trail.end();
    trail.push_back(room.path);
    if (repeated) return true;
    for (const std::string& entry : room.may_include) {
      for (const Room& other : rooms) {
        if (other.path != room.path && Matches(entry, other.path) && visit(other)) return true;
      }
    }
    trail.pop_back();
    finished.insert(room.path);
    return false;
  };
  for (const Room& room : rooms) {
    if (visit(room)) return trail;
  }
  return {};
}

std::vector<std::string> UnknownEntries(absl::Span<const Room> rooms) {
  std::vector<std::string> unknown;
  for (const Room& room : rooms) {
    for (const std::string& entry : room.may_include) {
      if (std::none_of(rooms.begin(), rooms.end(), [&](const Room& other) { return Matches(entry, other.path); })) unknown.push_back(entry);
    }
  }
  return unknown;
}

}  // namespace hanas::architecture
