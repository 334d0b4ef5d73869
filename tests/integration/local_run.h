// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_INTEGRATION_LOCAL_RUN_H_
#define HANAS_TESTS_INTEGRATION_LOCAL_RUN_H_

#include <sys/types.h>

#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "hanas/v1/search.pb.h"

namespace hanas {

/// A folder with a small drawn data set, and a place for run directories. Removed when destroyed.
class Workspace {
 public:
  /// `num_train` and `num_test` images below data/drawn.
  Workspace(int64_t num_train, int64_t num_test);
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  std::string File(const std::string& relative) const { return path_ + "/" + relative; }
  std::string data() const { return File("data"); }

 private:
  std::string path_;
};

/// The folder of the built programs, HANAS_BIN_DIR; empty when a program is missing there.
std::string ProgramFolder();

/// One `hanas run` as a process, with its output on a pipe.
class LocalRun {
 public:
  explicit LocalRun(std::vector<std::string> arguments);
  /// Kills what is left.
  ~LocalRun();
  LocalRun(const LocalRun&) = delete;
  LocalRun& operator=(const LocalRun&) = delete;

  /// Reads lines until one holds `text`; false when the output ended first. Everything read is kept in output().
  bool ReadUntil(const std::string& text);
  void Signal(int signal) const;
  /// Reads the rest and waits. The exit status, or 128 + signal.
  int Wait();
  const std::string& output() const { return output_; }

 private:
  pid_t pid_ = 0;
  FILE* stream_ = nullptr;
  std::string output_;
};

/// run.json of a run directory.
struct RunFile {
  std::string address;
  std::string search;
  std::map<std::string, pid_t> pids;
  std::map<std::string, int> starts;
};
absl::StatusOr<RunFile> ReadRunFile(const std::string& directory);

/// report.json of a run directory.
absl::StatusOr<v1::Report> ReadReport(const std::string& directory);

/// Of the status of a run that came to its end with a report. Networks that are trained for a few steps may be no better than guessing,
/// which has a status of its own (ExitCode::kGuessing).
inline auto IsDone() { return ::testing::AnyOf(0, 15); }

/// Follows the run's search, over breaks of the coordinator, until `holds` answers true. Returns every event that is not progress, in
/// order; DEADLINE_EXCEEDED when the search ended first.
absl::StatusOr<std::vector<v1::SearchEvent>> FollowUntil(const RunFile& run, const std::function<bool(const v1::SearchEvent&)>& holds);

}  // namespace hanas

#endif  // HANAS_TESTS_INTEGRATION_LOCAL_RUN_H_
