// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_REPORT_PROGRESS_H_
#define HANAS_CLI_REPORT_PROGRESS_H_

#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "hanas/v1/search.pb.h"

namespace hanas::cli {

/// Turns the progress of a search into one line: phase, done of total, share, rate, time left. The rate looks back over half of what has
/// been seen of the phase, at least half a minute, so that units of uneven cost (the members of VERIFYING) do not make it leap; the time
/// left is said once the phase has been seen for some seconds, and then follows its estimate gradually. Pure: the time is the server's
/// count of seconds in the phase.
///
/// Thread-compatible.
class ProgressMeter {
 public:
  void Add(const v1::PhaseProgress& progress);
  bool empty() const { return history_.empty(); }
  /// "training    120/600 steps   20 %   3.1/s   2 min 35 s left   loss 1.23", cut to `max_width` characters (0: not cut).
  std::string Line(size_t max_width) const;
  /// Nothing until it can be said.
  std::optional<double> seconds_left() const { return seconds_left_; }

 private:
  double Rate() const;
  void UpdateSecondsLeft(double elapsed);

  v1::PhaseProgress last_;
  std::deque<std::pair<double, double>> history_;  // (seconds, done), of the current phase
  double first_seconds_ = 0;                       // of the first progress that was seen of it
  std::optional<double> seconds_left_;
};

/// The first `max_width` characters of UTF-8 `text`, ending in "…" when something was cut; 0: all of it. Thread-safe.
std::string CutToWidth(const std::string& text, size_t max_width);

}  // namespace hanas::cli

#endif  // HANAS_CLI_REPORT_PROGRESS_H_
