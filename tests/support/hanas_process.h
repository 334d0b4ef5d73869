// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_HANAS_PROCESS_H_
#define HANAS_TESTS_SUPPORT_HANAS_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace hanas {

/// A program of ours below HANAS_BIN_DIR, with the folder; empty when it is not built.
std::string ProgramPath(const std::string& name);

/// What a program that has ended left behind.
struct Ended {
  int code = 0;  // the exit status, or 128 + signal
  std::string out;
  std::string err;
};

/// Runs a program to its end without a terminal. `environment` ("NAME=value") replaces and adds to ours.
Ended RunProgram(const std::string& name, std::vector<std::string> arguments, const std::vector<std::string>& environment = {});

/// A program that runs, with what it prints in one stream: on a pipe, or on a terminal that it controls (columns > 0).
class LiveProgram {
 public:
  LiveProgram(const std::string& name, std::vector<std::string> arguments, const std::vector<std::string>& environment = {},
              int columns = 0);
  /// Kills it when it still runs.
  ~LiveProgram();
  LiveProgram(const LiveProgram&) = delete;
  LiveProgram& operator=(const LiveProgram&) = delete;

  pid_t pid() const { return pid_; }
  /// Reads until output() holds `text` after what an earlier call found; false when the output ended first.
  bool ReadUntil(const std::string& text);
  /// Types on its terminal.
  void Type(const std::string& text) const;
  /// Changes the width of its terminal.
  void Resize(int columns) const;
  void Signal(int signal) const;
  /// Closes our end of what it writes to.
  void StopReading();
  /// Reads the rest and waits. The exit status, or 128 + signal.
  int Wait();
  const std::string& output() const { return output_; }

 private:
  bool ReadSome();

  pid_t pid_ = -1;
  int descriptor_ = -1;
  std::string output_;
  size_t found_ = 0;
};

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_HANAS_PROCESS_H_
