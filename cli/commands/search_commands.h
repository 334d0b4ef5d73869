// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_SEARCH_COMMANDS_H_
#define HANAS_CLI_COMMANDS_SEARCH_COMMANDS_H_

#include <string>
#include <vector>

#include "cli/commands/exit_code.h"
#include "cli/commands/output.h"

namespace hanas::cli {

struct SubmitOptions {
  std::string job_path;
  std::string request_id;  // empty: of the job's digest
  bool validate_only = false;
  bool watch = false;
  bool plain = false;
};

/// `hanas submit`: prints the name of the search, or with validate_only the forecast. The same request id gives the same search.
ExitCode SubmitCommand(const RemoteOptions& remote, const SubmitOptions& options);

/// `hanas list`: those that `filter` holds for, all when it is empty. So the lists below.
ExitCode ListCommand(const RemoteOptions& remote, const std::string& filter);

/// `hanas show`: phases and progress of a search, or its report when it has succeeded.
ExitCode ShowCommand(const RemoteOptions& remote, const std::string& name);

enum class Transition : int { kPause, kResume, kFinish, kCancel };
/// `hanas pause|resume|finish|cancel`.
ExitCode TransitionCommand(const RemoteOptions& remote, const std::string& name, Transition transition);

struct TrainOptions {
  std::string name;
  std::string member;
  std::string target;  // empty: the first
  int64_t steps = 0;   // 0: final.steps of the job
  bool watch = false;
  bool plain = false;
};
/// `hanas train`: trains on, exports and verifies a member that was set aside.
ExitCode TrainCommand(const RemoteOptions& remote, const TrainOptions& options);

struct DeleteOptions {
  std::vector<std::string> names;
  bool cancel = false;  // cancels those that go on
};
/// `hanas delete`: every search of them that it can; the first failure's code.
ExitCode DeleteCommand(const RemoteOptions& remote, const DeleteOptions& options);

/// `hanas replay`: kDiffers when the replay came out differently.
ExitCode ReplayCommand(const RemoteOptions& remote, const std::string& name);

/// `hanas explain`.
ExitCode ExplainCommand(const RemoteOptions& remote, const std::string& name);

/// `hanas tasks`: those in `state` only, when it is not empty ("failed").
ExitCode TasksCommand(const RemoteOptions& remote, const std::string& name, const std::string& state, const std::string& filter);

/// `hanas candidates`: at most `limit` (0: all) of those evaluated so far, or the front of them.
struct CandidatesOptions {
  std::string name;
  std::string target;  // whose latencies and front; empty: the first
  int limit = 1000;
  bool front = false;
  std::string filter;
};
ExitCode CandidatesCommand(const RemoteOptions& remote, const CandidatesOptions& options);

struct ExportOptions {
  std::string name;
  std::string out;
  std::string target;                // empty: each, into a folder of its name
  std::vector<std::string> members;  // empty: all networks of the report
};
/// `hanas export`. What is there already, byte for byte, is not downloaded again.
ExitCode ExportCommand(const RemoteOptions& remote, const ExportOptions& options);

/// `hanas validate`: reads a job and describes its space.
ExitCode ValidateCommand(const std::string& job_path);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_SEARCH_COMMANDS_H_
