// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_SCREEN_H_
#define HANAS_CLI_COMMANDS_SCREEN_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/report/progress.h"
#include "hanas/v1/search.pb.h"

namespace hanas::cli {

/// Standard output while a search runs. On a terminal the progress line stays at the bottom and is redrawn in place; elsewhere it is
/// printed as a plain line, at most every ten seconds. Errors go to standard error.
///
/// Confined to one thread.
class Screen {
 public:
  enum class Mode { kTerminal, kPlain, kQuiet };
  explicit Screen(Mode mode) : mode_(mode), started_(absl::Now()) {}
  ~Screen() { ClearLine(); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  /// kTerminal when standard output is one and `plain` is not asked for.
  static Mode ChooseMode(bool plain, bool quiet);

  /// A line that stays, with the time since the start in front. Nothing when quiet.
  void Say(absl::string_view text);
  /// The same, always, on standard error and without the time.
  void Complain(absl::string_view text);
  /// The same for what goes on all the same.
  void Warn(absl::string_view text) { Complain(absl::StrCat("warning: ", text)); }
  /// An event of the search: progress is drawn, all else said.
  void Show(const v1::SearchEvent& event);
  /// A progress line of another kind, for instance of a download.
  void ShowLine(const std::string& line);
  void ClearLine();

 private:
  Mode mode_;
  absl::Time started_;
  absl::Time last_plain_ = absl::InfinitePast();
  bool line_drawn_ = false;
  ProgressMeter meter_;
};

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_SCREEN_H_
