// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_SUPERVISE_RUN_DIRECTORY_H_
#define HANAS_CLI_SUPERVISE_RUN_DIRECTORY_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::cli {

/// run.json: what is known of the last run, for other programs and for the next run.
struct RunFile {
  struct Process {
    std::string name;
    int pid = 0;  // 0: it does not run
    int starts = 0;
  };
  std::string address;  // of the coordinator: what --coordinator takes
  std::string search;   // empty until it is submitted
  std::vector<Process> processes;
};

/// The folder of one search on this machine:
///   lock          held (flock) while a run uses the folder; freed by the system when the run dies
///   job.digest    of the job the folder belongs to, and its name
///   run.json      RunFile
///   state/        the coordinator's; parties/, the workers' and the agent's; cache/; logs/, one file for each process; data/, when none
///   was
///                 given
///   models/, report.json, front.svg   the results
///
/// All but the results is this user's alone, whatever the umask is, and so is the folder itself when Open makes it: one chmod of the folder
/// shares the results and nothing else.
///
/// Movable; the lock is held until it is destroyed. Thread-compatible.
class RunDirectory {
 public:
  /// Makes the folder when there is none and locks it. Returns FAILED_PRECONDITION when another run holds it (reason DIRECTORY_IN_USE),
  /// when it belongs to another job (reason OTHER_JOB), and when it has files but no job (reason NOT_A_RUN_DIRECTORY); messages say what to
  /// do. Else the errno's status.
  static absl::StatusOr<RunDirectory> Open(const std::string& path, absl::string_view job_name, absl::string_view job_digest);

  RunDirectory(RunDirectory&& other) noexcept;
  RunDirectory& operator=(RunDirectory&&) = delete;
  ~RunDirectory();

  const std::string& path() const { return path_; }
  std::string File(absl::string_view relative) const;
  /// Whether an earlier run began this job here.
  bool resumes() const { return resumes_; }
  /// Folders in it that others could enter until Open took that right away, for the caller to say so.
  const std::vector<std::string>& tightened() const { return tightened_; }

  /// Whether its disk has no room for what a process writes at once.
  bool IsDiskFull() const;

  /// Replaces run.json. Returns the errno's status.
  absl::Status WriteRunFile(const RunFile& run) const;
  /// Returns NOT_FOUND when there is none, DATA_LOSS when it cannot be read as one.
  absl::StatusOr<RunFile> ReadRunFile() const;

 private:
  RunDirectory(std::string path, int lock, bool resumes) : path_(std::move(path)), lock_(lock), resumes_(resumes) {}

  std::string path_;
  int lock_ = -1;
  bool resumes_ = false;
  std::vector<std::string> tightened_;
};

/// The last `max_lines` lines of a file, for error messages; empty when it cannot be read. Reads the last 16 KiB only.
std::string LastLines(const std::string& path, int max_lines);

}  // namespace hanas::cli

#endif  // HANAS_CLI_SUPERVISE_RUN_DIRECTORY_H_
