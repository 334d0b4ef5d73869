// SPDX-License-Identifier: Apache-2.0
#include "config/process/option_table.h"

#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "config/spelling.h"
#include "config/yaml_reader.h"

namespace hanas::config {
namespace {

constexpr char kFamily[] = "HANAS_";
constexpr size_t kMaxFileBytes = 1 << 20;

std::string Key(absl::string_view name) { return absl::StrReplaceAll(name, {{"-", "_"}}); }

std::string Text(double value) { return absl::StrCat(value); }

absl::Status Mismatch(absl::string_view expected, absl::string_view found) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", expected, ", found \"", found, "\""));
}

/// Breaks at spaces, each line after `indent` spaces.
std::string Wrapped(absl::string_view text, size_t indent, size_t width = 110) {
  std::string out;
  size_t column = width;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (column + 1 + word.size() > width) {
      absl::StrAppend(&out, out.empty() ? "" : "\n", std::string(indent, ' '), word);
      column = indent + word.size();
    } else {
      absl::StrAppend(&out, " ", word);
      column += 1 + word.size();
    }
  }
  return out;
}

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& known) {
  const std::string closest = ClosestWord(word, known);
  return closest.empty() ? "" : absl::StrCat("; did you mean ", closest, "?");
}

/// A scalar as YAML, quoted where it must be.
std::string Yaml(const std::string& value, bool is_text) {
  YAML::Emitter emitter;
  if (value.empty()) emitter << YAML::DoubleQuoted;
  emitter << value;
  const YAML::Node read = YAML::Load(emitter.c_str());
  if (is_text && read.IsNull()) return absl::StrCat("\"", value, "\"");
  return emitter.c_str();
}

}  // namespace

/// Values by option, as they stand on the command line.
struct OptionTable::Given {
  std::map<std::string, std::string> values;
  Action action = Action::kRun;
  std::string config;
  bool has_config = false;
};

Environment ProcessEnvironment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const absl::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != text.npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

OptionTable::OptionTable(ProgramText program) : program_(std::move(program)) {}

void OptionTable::AddOption(OptionText text, std::function<absl::Status(absl::string_view)> set, std::function<std::string()> get) {
  Option option;
  option.text = std::move(text);
  option.default_text = option.text.default_text.empty() ? get() : option.text.default_text;
  option.set = std::move(set);
  option.get = std::move(get);
  options_.push_back(std::move(option));
}

void OptionTable::Add(OptionText text, std::string* value) {
  AddOption(
      std::move(text),
      [value](absl::string_view given) {
        *value = std::string(given);
        return absl::OkStatus();
      },
      [value] { return *value; });
}

void OptionTable::Add(OptionText text, bool* value) {
  AddOption(
      std::move(text),
      [value](absl::string_view given) { return absl::SimpleAtob(given, value) ? absl::OkStatus() : Mismatch("true or false", given); },
      [value] { return std::string(*value ? "true" : "false"); });
  options_.back().is_switch = true;
}

void OptionTable::Add(OptionText text, int* value, int low, int high) {
  AddOption(
      std::move(text),
      [=](absl::string_view given) {
        int parsed = 0;
        if (!absl::SimpleAtoi(given, &parsed) || parsed < low || parsed > high) {
          return Mismatch(absl::StrCat("a whole number from ", low, " to ", high), given);
        }
        *value = parsed;
        return absl::OkStatus();
      },
      [value] { return absl::StrCat(*value); });
}

void OptionTable::Add(OptionText text, double* value, double low, double high) {
  AddOption(
      std::move(text),
      [=](absl::string_view given) {
        double parsed = 0;
        if (!absl::SimpleAtod(given, &parsed) || !(parsed >= low && parsed <= high)) {
          return Mismatch(absl::StrCat("a number from ", Text(low), " to ", Text(high)), given);
        }
        *value = parsed;
        return absl::OkStatus();
      },
      [value] { return Text(*value); });
}

void OptionTable::AddChoice(OptionText text, std::string* value, std::vector<std::string> choices) {
  text.value = absl::StrJoin(choices, "|");
  AddOption(
      std::move(text),
      [value, choices = std::move(choices)](absl::string_view given) {
        if (std::find(choices.begin(), choices.end(), given) == choices.end()) {
          return Mismatch(absl::StrCat("one of ", absl::StrJoin(choices, ", ")), given);
        }
        *value = std::string(given);
        return absl::OkStatus();
      },
      [value] { return *value; });
}

void OptionTable::AddCheck(std::string option, std::function<absl::Status()> check) {
  checks_.push_back({std::move(option), std::move(check)});
}

std::string OptionTable::VariableOf(const OptionText& text) const {
  return text.variable.empty() ? absl::StrCat(program_.variable_prefix, absl::AsciiStrToUpper(Key(text.name))) : text.variable;
}

OptionTable::Option* OptionTable::Find(absl::string_view name) {
  const auto found = std::find_if(options_.begin(), options_.end(), [&](const Option& option) { return option.text.name == name; });
  return found == options_.end() ? nullptr : &*found;
}

void OptionTable::Assign(Option& option, absl::string_view value, Origin origin, std::string where) {
  option.origin = origin;
  option.where = std::move(where);
  const absl::Status status = option.set(value);
  option.failed = !status.ok();
  if (option.failed) mistakes_.push_back(absl::StrCat(option.where, ": ", status.message()));
}

absl::Status OptionTable::ReadCommandLine(int argc, const char* const* argv, Given& given) {
  CLI::App app(program_.summary, program_.name);
  app.set_help_flag();
  app.allow_extras();
  bool help = false;
  bool version = false;
  bool check = false;
  bool reference = false;
  app.add_flag("-h,--help", help);
  app.add_flag("--version", version);
  app.add_flag("--check-config", check);
  app.add_flag("--print-reference", reference);
  CLI::Option* const config = app.add_option("--config", given.config)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  std::vector<std::pair<const Option*, CLI::Option*>> flags;
  std::map<std::string, std::string> texts;
  for (const Option& option : options_) {
    std::string& text = texts[option.text.name];
    const std::string flag = absl::StrCat("--", option.text.name);
    CLI::Option* const added = option.is_switch ? app.add_flag(flag, text) : app.add_option(flag, text);
    flags.emplace_back(&option, added->multi_option_policy(CLI::MultiOptionPolicy::TakeLast));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  for (const std::string& extra : app.remaining()) {
    if (!absl::StartsWith(extra, "-")) continue;
    std::vector<std::string> known = {"--help", "--version", "--check-config", "--config"};
    for (const Option& option : options_) known.push_back(absl::StrCat("--", option.text.name));
    const absl::string_view name = absl::string_view(extra).substr(0, extra.find('='));
    return absl::InvalidArgumentError(absl::StrCat("unknown option ", name, DidYouMean(name, known), "; see --help"));
  }
  if (!app.remaining().empty()) {
    return absl::InvalidArgumentError(absl::StrCat("expected options only, found \"", app.remaining().front(), "\"; see --help"));
  }
  for (const auto& [option, flag] : flags) {
    if (flag->count() > 0) given.values[option->text.name] = texts[option->text.name];
  }
  given.has_config = config->count() > 0;
  given.action = help        ? Action::kHelp
                 : version   ? Action::kVersion
                 : reference ? Action::kReference
                 : check     ? Action::kCheckConfig
                             : Action::kRun;
  return absl::OkStatus();
}

void OptionTable::ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (file) content << file.rdbuf();
  if (!file || content.fail() || content.str().size() > kMaxFileBytes) {
    mistakes_.push_back(absl::StrCat("--config: expected a readable file of at most 1 MiB, found ", path));
    return;
  }
  YAML::Node root;
  try {
    root = YAML::Load(content.str());
  } catch (const YAML::Exception& error) {
    mistakes_.push_back(absl::StrCat(path, ":", error.mark.line + 1, ":", error.mark.column + 1, ": ", error.msg));
    return;
  }
  if (root.IsNull()) return;
  SourceMap source;
  MapReader reader(root, "", source);
  for (Option& option : options_) {
    const std::string key = Key(option.text.name);
    std::string value;
    const size_t before = source.problems().size();
    if (!reader.Read(key, value) || source.problems().size() != before) continue;
    const Location location = source.Locate(key);
    Assign(option, value, Origin::kFile, absl::StrCat(path, ":", location.line, ":", location.column, ": ", key));
  }
  reader.Finish();
  for (const Problem& problem : source.problems()) {
    mistakes_.push_back(absl::StrCat(path, ":", problem.location.line, ":", problem.location.column, ": ", problem.message));
  }
}

void OptionTable::ReadEnvironment(const Environment& environment) {
  for (Option& option : options_) {
    const std::string variable = VariableOf(option.text);
    const auto found = environment.find(variable);
    if (found != environment.end()) Assign(option, found->second, Origin::kVariable, variable);
  }
}

void OptionTable::WarnOfVariables(const Environment& environment, std::vector<std::string>& warnings) const {
  std::vector<std::string> known = {absl::StrCat(program_.variable_prefix, "CONFIG")};
  for (const Option& option : options_) known.push_back(VariableOf(option.text));
  for (const auto& [variable, value] : environment) {
    if (!absl::StartsWith(variable, kFamily) || std::find(known.begin(), known.end(), variable) != known.end()) continue;
    // Another program of the family reads its own; ours must be one of ours.
    const bool ours = absl::StartsWith(variable, program_.variable_prefix);
    const bool others = !ours && (absl::StartsWith(variable, "HANAS_COORDINATOR_") || absl::StartsWith(variable, "HANAS_WORKER_") ||
                                  absl::StartsWith(variable, "HANAS_AGENT_"));
    const std::string closest = ClosestWord(variable, known);
    if (others || (!ours && closest.empty())) continue;
    warnings.push_back(absl::StrCat(variable, " is set and has no meaning", DidYouMean(variable, known)));
  }
}

void OptionTable::RunChecks() {
  for (const Option& option : options_) {
    if (!option.text.required || option.failed || !option.get().empty()) continue;
    mistakes_.push_back(absl::StrCat("--", option.text.name, ": expected it on the command line, as ", VariableOf(option.text), " or as ",
                                     Key(option.text.name), " in the file of --config, found none of them"));
  }
  if (!mistakes_.empty()) return;
  for (const Check& check : checks_) {
    const Option* const option = Find(check.option);
    const absl::Status status = check.check();
    if (status.ok()) continue;
    const std::string where = option->where.empty() ? absl::StrCat("--", option->text.name) : option->where;
    mistakes_.push_back(absl::StrCat(where, ": ", status.message()));
  }
}

absl::StatusOr<ParsedOptions> OptionTable::Parse(int argc, const char* const* argv, const Environment& environment) {
  Given given;
  if (absl::Status status = ReadCommandLine(argc, argv, given); !status.ok()) return status;
  ParsedOptions parsed = {.action = given.action};
  if (parsed.action != Action::kRun && parsed.action != Action::kCheckConfig) return parsed;
  const auto config = environment.find(absl::StrCat(program_.variable_prefix, "CONFIG"));
  if (given.has_config) {
    ReadFile(given.config);
  } else if (config != environment.end() && !config->second.empty()) {
    ReadFile(config->second);
  }
  ReadEnvironment(environment);
  for (Option& option : options_) {
    const auto found = given.values.find(option.text.name);
    if (found != given.values.end()) Assign(option, found->second, Origin::kFlag, absl::StrCat("--", option.text.name));
  }
  RunChecks();
  if (!mistakes_.empty()) return absl::InvalidArgumentError(absl::StrJoin(mistakes_, "\n"));
  WarnOfVariables(environment, parsed.warnings);
  return parsed;
}

std::string OptionTable::Effective() const {
  std::string text;
  for (const Option& option : options_) {
    const std::string line = absl::StrCat(Key(option.text.name), ": ", Yaml(option.get(), true));
    absl::StrAppend(&text, line, std::string(line.size() < 48 ? 48 - line.size() : 1, ' '), "# ",
                    option.origin == Origin::kDefault ? "default" : option.where, "\n");
  }
  return text;
}

std::string OptionTable::Help() const {
  const auto entry = [](const std::string& flag, const std::string& help, const std::string& variable) {
    return absl::StrCat("\n  ", flag, "\n", Wrapped(help, 6), "\n", variable.empty() ? "" : absl::StrCat("      ", variable, "\n"));
  };
  std::string text = absl::StrCat(
      Wrapped(absl::StrCat(program_.name, ": ", program_.summary), 0), "\n\nExample:\n  ", program_.example, "\n\n",
      Wrapped("Each option is a flag, a variable of the environment, or a key of the YAML file of --config (the flag's name with _ for -). "
              "A flag wins over a variable, a variable over the file, the file over the default.",
              0),
      "\n\nOptions:\n");
  for (const Option& option : options_) {
    const std::string fallback =
        option.text.required ? "required" : absl::StrCat("default: ", option.default_text.empty() ? "none" : option.default_text);
    absl::StrAppend(&text, entry(absl::StrCat("--", option.text.name, option.is_switch ? "" : absl::StrCat(" ", option.text.value)),
                                 option.text.help, absl::StrCat(VariableOf(option.text), "; ", fallback)));
  }
  absl::StrAppend(
      &text,
      entry("--config FILE", "Reads options from a YAML file. An unknown key is an error.",
            absl::StrCat(program_.variable_prefix, "CONFIG; default: none")),
      entry("--check-config",
            "Validates the command line, the environment and the file, prints the values in force and where each comes from, and "
            "starts nothing.",
            ""),
      entry("--version", "Prints the versions of the program and of its libraries.", ""), entry("-h, --help", "Prints this.", ""));
  return text;
}

std::string OptionTable::Reference() const {
  std::string text =
      absl::StrCat(program_.summary, "\n\n    ", program_.example, "\n\n| flag | variable | default | meaning |\n|---|---|---|---|\n");
  for (const Option& option : options_) {
    const std::string value = option.is_switch ? "" : absl::StrCat(" ", absl::StrReplaceAll(option.text.value, {{"|", "\\|"}}));
    absl::StrAppend(&text, "| `--", option.text.name, value, "` | `", VariableOf(option.text), "` | ",
                    option.text.required          ? "required"
                    : option.default_text.empty() ? "none"
                                                  : absl::StrCat("`", option.default_text, "`"),
                    " | ", option.text.help, " |\n");
  }
  absl::StrAppend(&text, "| `--config FILE` | `", program_.variable_prefix, "CONFIG` | none | Reads options from a YAML file. |\n");
  return text;
}

}  // namespace hanas::config
