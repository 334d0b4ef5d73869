// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line/words.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "config/spelling.h"

namespace hanas::cli {
namespace {

std::string FullName(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : absl::StrCat(FullName(*app.get_parent()), " ", app.get_name());
}

}  // namespace

const std::vector<std::string>& WordsOfType(absl::string_view type) {
  static const auto* const kWords = new absl::flat_hash_map<std::string, std::vector<std::string>>{
      {"FORMAT", {"table", "json", "yaml", "name"}},
      {"STATE", {"ready", "leased", "done", "failed", "cancelled"}},
      {"SHELL", {"bash", "zsh"}},
      {"DATASET", {"fashion-mnist"}},
      {"", {}},
  };
  const auto found = kWords->find(type);
  return found == kWords->end() ? kWords->at("") : found->second;
}

std::string CoordinatorOfEnvironment() {
  const char* environment = std::getenv("HANAS_COORDINATOR");
  return environment == nullptr || *environment == '\0' ? kDefaultCoordinator : environment;
}

absl::StatusOr<bool> InsecureConnectOfEnvironment() {
  const char* environment = std::getenv("HANAS_INSECURE_CONNECT");
  bool allowed = false;
  if (environment == nullptr || *environment == '\0' || absl::SimpleAtob(environment, &allowed)) return allowed;
  return absl::InvalidArgumentError(absl::StrCat("HANAS_INSECURE_CONNECT: expected true or false, found \"", environment, "\""));
}

std::vector<std::string> VerbsOf(const CLI::App& app) {
  std::vector<std::string> verbs;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); }))
    verbs.push_back(verb->get_name());
  return verbs;
}

std::vector<std::string> FlagsOf(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
  return flags;
}

const CLI::App& LastParsed(const CLI::App& app) {
  const CLI::App* last = &app;
  while (!last->get_subcommands().empty()) last = last->get_subcommands().back();
  return *last;
}

std::string HelpHint(const CLI::App& app) { return absl::StrCat("`", FullName(LastParsed(app)), " --help` says more"); }

std::string DescribeLeftOver(const CLI::App& app) {
  const CLI::App& verb = LastParsed(app);
  const std::vector<std::string> left_over = verb.remaining();
  if (left_over.empty()) return "";
  const std::string& word = left_over.front();
  const bool flag = absl::StartsWith(word, "-");
  const std::vector<std::string> known = flag ? FlagsOf(verb) : VerbsOf(verb);
  const std::string closest = config::ClosestWord(word.substr(0, word.find('=')), known);
  const std::string what = flag ? "flag" : known.empty() ? "argument" : "verb";
  return absl::StrCat("unknown ", what, " \"", word, "\" of ", FullName(verb),
                      closest.empty() ? "" : absl::StrCat(", did you mean \"", closest, "\"?"), closest.empty() ? "; " : " ",
                      HelpHint(app));
}

}  // namespace hanas::cli
