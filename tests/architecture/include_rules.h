// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_ARCHITECTURE_INCLUDE_RULES_H_
#define HANAS_TESTS_ARCHITECTURE_INCLUDE_RULES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hanas::architecture {

/// One folder of the layout (or one file, such as a main.cc, that is allowed more than its folder), and what it may include of the others.
/// A room always includes itself. "core/*" stands for every room below core/. A path belongs to the room with the longest matching path.
struct Room {
  std::string path;
  std::vector<std::string> may_include;
};

/// Headers of a library that only some rooms may see. A prefix ends with '/' or is a whole header name.
struct LibraryRule {
  std::string library;
  std::vector<std::string> prefixes;
  std::vector<std::string> rooms;
};

struct Violation {
  std::string file;
  int line = 0;
  std::string message;

  friend bool operator==(const Violation&, const Violation&) = default;
};

/// The layout's table: every room, and every library that is kept in its place.
const std::vector<Room>& Rooms();
const std::vector<LibraryRule>& LibraryRules();

/// What is wrong with the includes of one source file; `path` is relative to the repository root. Pure.
std::vector<Violation> CheckIncludes(absl::string_view path, absl::string_view content);

/// What is wrong with the form of one source file: licence line, include guard, length. Pure.
std::vector<Violation> CheckForm(absl::string_view path, absl::string_view content);

/// The qualified names of the classes, structs and enumerations that a header defines in its namespaces, outside any other. Pure.
std::vector<std::string> TypesDefinedIn(absl::string_view content);

/// The rooms on a cycle of the table, empty when there is none. Pure.
std::vector<std::string> FindCycle(absl::Span<const Room> rooms);

/// A path under which no room lies, as "may_include" entries must not be misspelt. Pure.
std::vector<std::string> UnknownEntries(absl::Span<const Room> rooms);

}  // namespace hanas::architecture

#endif  // HANAS_TESTS_ARCHITECTURE_INCLUDE_RULES_H_
