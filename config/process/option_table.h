// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CONFIG_PROCESS_OPTION_TABLE_H_
#define HANAS_CONFIG_PROCESS_OPTION_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::config {

/// What a program is, for its --help and the reference page.
struct ProgramText {
  std::string name;             // "hanas-worker"
  std::string variable_prefix;  // "HANAS_WORKER_"
  std::string summary;          // what it is and does, in a paragraph
  std::string example;          // a whole command line
};

/// One description of an option. It serves the flag (--lease-ttl-seconds), the key of the file (lease_ttl_seconds), the variable
/// (HANAS_COORDINATOR_LEASE_TTL_SECONDS), --help and the reference page.
struct OptionText {
  std::string name;          // "lease-ttl-seconds": with its unit, when it has one
  std::string value;         // what stands for its value in --help: "SECONDS"
  std::string help;          // sentences: what it does, the meaning of special values
  std::string default_text;  // said instead of the default, where that depends on the machine
  std::string variable;      // another variable than the one that follows from the name; empty: that one
  bool required = false;
};

/// What the command line asks for.
enum class Action : int { kRun, kHelp, kVersion, kCheckConfig, kReference };

struct ParsedOptions {
  Action action = Action::kRun;
  std::vector<std::string> warnings;  // for people: a variable that looks misspelt
};

using Environment = std::map<std::string, std::string>;
/// Of this process.
Environment ProcessEnvironment();

/// The options of a program, bound to variables that hold their defaults until Parse. A flag wins over a variable, a variable over the file
/// of --config, and that over the default.
///
/// Borrows the variables. Thread-compatible.
class OptionTable {
 public:
  explicit OptionTable(ProgramText program);

  void Add(OptionText text, std::string* value);
  void Add(OptionText text, bool* value);  // its flag takes no value; "--name=false" is possible
  void Add(OptionText text, int* value, int low, int high);
  void Add(OptionText text, double* value, double low, double high);
  void AddChoice(OptionText text, std::string* value, std::vector<std::string> choices);

  /// A condition on the values, checked at the end of Parse. Its message is said of `option` and where that was set.
  void AddCheck(std::string option, std::function<absl::Status()> check);

  /// Reads the command line, the environment and the file, and checks everything. Returns INVALID_ARGUMENT with one line for each mistake:
  /// where it is (flag, variable, file:line:column), what was expected and what was found. For kHelp, kVersion and kReference nothing is
  /// read but the command line.
  absl::StatusOr<ParsedOptions> Parse(int argc, const char* const* argv, const Environment& environment);

  /// The values in force as a YAML file, with the origin of each as a comment. After Parse.
  std::string Effective() const;
  std::string Help() const;
  /// The options as a Markdown table.
  std::string Reference() const;

 private:
  enum class Origin : int { kDefault, kFile, kVariable, kFlag };
  struct Option {
    OptionText text;
    bool is_switch = false;
    std::string default_text;
    std::function<absl::Status(absl::string_view)> set;
    std::function<std::string()> get;
    Origin origin = Origin::kDefault;
    std::string where;    // of the value: "--threads", "HANAS_WORKER_THREADS", "worker.yaml:3:10: threads"
    bool failed = false;  // the value could not be read: checks would say nothing true
  };
  struct Check {
    std::string option;
    std::function<absl::Status()> check;
  };
  struct Given;  // what stands on the command line

  void AddOption(OptionText text, std::function<absl::Status(absl::string_view)> set, std::function<std::string()> get);
  std::string VariableOf(const OptionText& text) const;
  Option* Find(absl::string_view name);
  void Assign(Option& option, absl::string_view value, Origin origin, std::string where);
  absl::Status ReadCommandLine(int argc, const char* const* argv, Given& given);
  void ReadFile(const std::string& path);
  void ReadEnvironment(const Environment& environment);
  void WarnOfVariables(const Environment& environment, std::vector<std::string>& warnings) const;
  void RunChecks();

  ProgramText program_;
  std::vector<Option> options_;
  std::vector<Check> checks_;
  std::vector<std::string> mistakes_;
};

}  // namespace hanas::config

#endif  // HANAS_CONFIG_PROCESS_OPTION_TABLE_H_
