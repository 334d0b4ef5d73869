// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/command_line/words.h"
#include "cli/commands/farm_commands.h"
#include "cli/commands/remote.h"

namespace hanas::cli {
namespace {

constexpr char kBash[] = R"(# bash completion of hanas: source <(hanas completion bash)
_hanas() {
  local reply current=${COMP_WORDS[COMP_CWORD]}
  mapfile -t reply < <("${COMP_WORDS[0]}" __complete "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
  COMPREPLY=()
  case ${reply[0]-} in
    files) compopt -o default ;;
    dirs)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      ;;
    words) COMPREPLY=("${reply[@]:1}") ;;
  esac
}
complete -F _hanas hanas
)";

constexpr char kZsh[] = R"(#compdef hanas
# zsh completion of hanas: hanas completion zsh > "${fpath[1]}/_hanas"
_hanas() {
  local -a reply
  reply=("${(@f)$("${words[1]}" __complete "${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
  case ${reply[1]} in
    files) _files ;;
    dirs) _files -/ ;;
    words)
      compset -P '--*='
      (( ${#reply} > 1 )) && compadd -- "${(@)reply[2,-1]}"
      ;;
  esac
}
if [ "$funcstack[1]" = "_hanas" ]; then _hanas "$@"; else compdef _hanas hanas; fi
)";

constexpr int kMaxNames = 200;

/// Where the names are asked for.
RemoteOptions RemoteOf(const std::vector<std::string>& words) {
  RemoteOptions remote{
      .coordinator = CoordinatorOfEnvironment(), .insecure_connect = InsecureConnectOfEnvironment().value_or(false), .timeout_seconds = 1};
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--coordinator" && i + 1 < words.size()) remote.coordinator = words[i + 1];
    if (words[i] == "--insecure-connect") remote.insecure_connect = true;
    if (absl::StartsWith(words[i], "--coordinator=")) remote.coordinator = words[i].substr(words[i].find('=') + 1);
  }
  return remote;
}

std::vector<std::string> NamesOfSearches(const RemoteOptions& remote) {
  std::vector<std::string> names;
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return names;
  const absl::StatusOr<v1::ListSearchesResponse> page = (*client)->ListSearches(kMaxNames, "");
  if (!page.ok()) return names;
  for (const v1::Search& search : page->searches()) names.push_back(search.name());
  return names;
}

std::vector<std::string> NamesOfParties(const RemoteOptions& remote) {
  std::vector<std::string> names;
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return names;
  const absl::StatusOr<v1::ListWorkersResponse> workers = (*client)->ListWorkers(kMaxNames, "");
  if (workers.ok()) {
    for (const v1::Worker& worker : workers->workers()) names.push_back(worker.name());
  }
  const absl::StatusOr<v1::ListDevicesResponse> devices = (*client)->ListDevices(kMaxNames, "");
  if (devices.ok()) {
    for (const v1::Device& device : devices->devices()) names.push_back(device.name());
  }
  return names;
}

std::string Words(const std::vector<std::string>& words, absl::string_view prefix) {
  std::string out = "words\n";
  for (const std::string& word : words) {
    if (absl::StartsWith(word, prefix)) absl::StrAppend(&out, word, "\n");
  }
  return out;
}

/// Values of an argument of this type.
std::string Values(const CLI::App& app, const std::string& type, const std::vector<std::string>& words, absl::string_view prefix) {
  if (type == "JOB.yaml") return "files\n";
  if (type == "DIR") return "dirs\n";
  if (type == "SEARCH") return Words(NamesOfSearches(RemoteOf(words)), prefix);
  if (type == "PARTY") return Words(NamesOfParties(RemoteOf(words)), prefix);
  if (type == "TOPIC") {
    std::vector<std::string> topics = VerbsOf(app);
    topics.emplace_back("exit-codes");
    return Words(topics, prefix);
  }
  return Words(WordsOfType(type), prefix);
}

bool TakesValue(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

}  // namespace

std::string CompletionScript(absl::string_view shell) { return shell == "zsh" ? kZsh : kBash; }

std::string Complete(const CLI::App& app, absl::string_view line) {
  std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  const bool new_word = line.empty() || line.back() == ' ' || line.back() == '\t';
  if (new_word || words.empty()) words.emplace_back();
  const std::string current = words.back();
  const CLI::App* verb = &app;
  const CLI::Option* open = nullptr;  // an option whose value comes next
  size_t positional = 0;
  for (size_t i = 1; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (open != nullptr) {
      open = nullptr;
    } else if (absl::StartsWith(word, "-")) {
      const CLI::Option* option = verb->get_option_no_throw(word);
      if (option != nullptr && TakesValue(*option)) open = option;
    } else if (const std::vector<std::string> verbs = VerbsOf(*verb); std::find(verbs.begin(), verbs.end(), word) != verbs.end()) {
      verb = verb->get_subcommand(word);
    } else {
      ++positional;
    }
  }
  if (open != nullptr) return Values(app, open->get_type_name(), words, current);
  if (absl::StartsWith(current, "-")) {
    const size_t equals = current.find('=');
    if (equals == std::string::npos) return Words(FlagsOf(*verb), current);
    const CLI::Option* option = verb->get_option_no_throw(current.substr(0, equals));
    return option == nullptr ? "words\n" : Values(app, option->get_type_name(), words, current.substr(equals + 1));
  }
  if (const std::vector<std::string> verbs = VerbsOf(*verb); !verbs.empty()) return Words(verbs, current);
  for (const CLI::Option* option : verb->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
    if (positional == 0 || option->get_items_expected_max() > 1) return Values(app, option->get_type_name(), words, current);
    --positional;
  }
  return "words\n";
}

}  // namespace hanas::cli
