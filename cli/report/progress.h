// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_REPORT_PROGRESS_H_
#define HANAS_CLI_REPORT_PROGRESS_H_

#include <deque>
#include <string>
#include <utility>

#include "proto/hanas/v1/search.pb.h"

namespace hanas::cli {

/// Turns the progress of a search into one line: phase, done of total, share, rate, time left. The rate is that of the last half minute of
/// the phase. Pure: the time is the server's count of seconds in the phase.
///
/// Thread-compatible.
class ProgressMeter {
 public:
  void Add(const v1::PhaseProgress& progress);
  bool empty() const { return history_.empty(); }
  /// "training    120/600 steps   20 %   3.1/s   2 min 35 s left   loss 1.23", cut to `max_width` characters (0: not cut).
  std::string Line(size_t max_width) const;

 private:
  double Rate() const;

  v1::PhaseProgress last_;
  std::deque<std::pair<double, double>> history_;  // (seconds, done), of the current phase
};

/// The first `max_width` characters of UTF-8 `text`, ending in "…" when something was cut; 0: all of it. Thread-safe.
std::string CutToWidth(const std::string& text, size_t max_width);

}  // namespace hanas::cli

#endif  // HANAS_CLI_REPORT_PROGRESS_H_
