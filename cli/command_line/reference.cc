// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line/reference.h"

#include <CLI/CLI.hpp>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "cli/command_line/words.h"
#include "cli/commands/exit_code.h"

namespace hanas::cli {
namespace {

constexpr char kIntroduction[] = R"(# The command line

<!-- Written by `hanas __reference`; a test holds it to the program. Change cli/command_line and write it again. -->

`hanas run` searches on this machine and needs nothing else. The other verbs about searches ask a coordinator, which `--coordinator` or
`HANAS_COORDINATOR` names (default `127.0.0.1:7700`). A search is named `searches/7`, or just `7`. `hanas help VERB` says in a terminal what
this page says.

## Output

| `-o` | what is printed |
|---|---|
| `table` | for people; may change from version to version |
| `json` | the resource as protobuf JSON (`proto/hanas/v1`), default values included, with words for enumerators (`FAILED`, not `PHASE_FAILED`); a list is the response of its List method with all pages in one. `watch` prints one event a line; `explain` an object of `search`, `tasks`, `workers` and `devices` |
| `yaml` | the same content as YAML |
| `name` | names only, one a line, for shell loops; for `watch`, sequence numbers |

Results go to standard output, everything said about them to standard error. Colours are used on a terminal only, and not when `NO_COLOR` is
set or `TERM` is `dumb`.

## Environment

| variable | meaning |
|---|---|
| `HANAS_COORDINATOR` | where the coordinator listens, HOST:PORT or unix:/PATH; `--coordinator` comes before it |
| `HANAS_INSECURE_CONNECT` | `true` allows a coordinator on another machine, without encryption, as `--insecure-connect` does |
| `HANAS_TOKEN_FILE` | the file with the token that a coordinator on TCP asks for; `--token-file` comes before it. Nobody but its owner may read it |
| `HANAS_TOKEN` | the token itself, where there is no such file: in containers. Without either it is in `$XDG_STATE_HOME/hanas/token` (`~/.local/state/hanas/token`), where the first coordinator of the user puts it |
| `HANAS_DATA_DIR` | where `hanas run` finds data sets; `--data` comes before it |
| `NO_COLOR` | when set to anything: no colours |

## Shell completion

    source <(hanas completion bash)                       # in ~/.bashrc
    hanas completion zsh > "${fpath[1]}/_hanas"           # once

)";

/// Text for a cell of a table.
std::string Cell(absl::string_view text) { return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}}); }

std::string NameOf(const CLI::Option& option) {
  if (option.get_positional()) return option.get_type_name();
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  const bool value = option.get_items_expected_max() > 0;
  return absl::StrCat(absl::StrJoin(names, ", "), value ? " " : "", value ? option.get_type_name() : "");
}

std::string Arguments(const CLI::App& verb) {
  std::string rows;
  for (const CLI::Option* option : verb.get_options()) {
    if (option == verb.get_help_ptr()) continue;
    std::vector<std::string> words = WordsOfType(option->get_type_name());
    // The description may name them already.
    if (!words.empty() && absl::StrContains(option->get_description(), words.front())) words.clear();
    absl::StrAppend(&rows, "| `", NameOf(*option), "` | ", Cell(option->get_description()), words.empty() ? "" : ": ",
                    words.empty() ? "" : absl::StrCat("`", absl::StrJoin(words, "`, `"), "`"), " | ",
                    option->get_required()              ? "required"
                    : option->get_default_str().empty() ? ""
                                                        : absl::StrCat("`", option->get_default_str(), "`"),
                    " |\n");
  }
  return rows.empty() ? "" : "\n| argument | meaning | default |\n|---|---|---|\n" + rows;
}

/// The footer: paragraphs, then "Example:" and the example.
std::string Details(const CLI::App& verb) {
  const std::string footer = verb.get_footer();
  const size_t example = footer.rfind("Example:\n");
  const std::string text = footer.substr(0, example);
  return absl::StrCat(text.empty() ? "" : "\n", absl::StripSuffix(text, "\n"), example == std::string::npos ? "" : "\n    ",
                      example == std::string::npos ? "" : absl::StripPrefix(footer.substr(example + 9), "  "), "\n");
}

void AddVerb(const CLI::App& verb, const std::string& parent, std::string& out) {
  const std::string name = absl::StrCat(parent, " ", verb.get_name());
  absl::StrAppend(&out, "### `", name, "`\n\n", verb.get_description(), ".\n", Details(verb), Arguments(verb), "\n");
  for (const std::string& sub : VerbsOf(verb)) AddVerb(*verb.get_subcommand(sub), name, out);
}

}  // namespace

std::string ReferencePage(const CLI::App& app) {
  std::string out = kIntroduction;
  std::string group;
  for (const std::string& verb : VerbsOf(app)) {
    const CLI::App& sub = *app.get_subcommand(verb);
    if (sub.get_group() != group) absl::StrAppend(&out, "## ", sub.get_group(), "\n\n");
    group = sub.get_group();
    AddVerb(sub, app.get_name(), out);
  }
  absl::StrAppend(&out, "## Exit codes\n\nEvery verb uses the same ones.\n\n| code | meaning |\n|---|---|\n");
  for (const ExitCodeMeaning& row : ExitCodes()) absl::StrAppend(&out, "| ", static_cast<int>(row.code), " | ", Cell(row.meaning), " |\n");
  return out;
}

std::string ExitCodesText() {
  std::string out = "Exit codes, the same for every verb:\n";
  for (const ExitCodeMeaning& row : ExitCodes()) absl::StrAppendFormat(&out, "  %-4d %s\n", static_cast<int>(row.code), row.meaning);
  return out;
}

}  // namespace hanas::cli
