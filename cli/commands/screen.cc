// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/quantity.h"
#include "core/base/text.h"

namespace hanas::cli {
namespace {

constexpr absl::Duration kPlainInterval = absl::Seconds(10);

size_t TerminalWidth() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  if (size.ws_col < 2) return 2;
  return size.ws_col;
}

void Print(FILE* stream, absl::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

}  // namespace

Screen::Mode Screen::ChooseMode(bool plain, bool quiet) {
  if (quiet) return Mode::kQuiet;
  return !plain && isatty(STDOUT_FILENO) == 1 ? Mode::kTerminal : Mode::kPlain;
}

void Screen::ClearLine() {
  if (line_drawn_) Print(stdout, "\r\x1b[K");
  line_drawn_ = false;
}

void Screen::Say(absl::string_view text) {
  if (mode_ == Mode::kQuiet) return;
  ClearLine();
  Print(stdout, absl::StrFormat("[%11s] %s\n", FormatSeconds(absl::ToDoubleSeconds(absl::Now() - started_)), Printable(text)));
  if (mode_ == Mode::kTerminal && !meter_.empty()) ShowLine(meter_.Line(TerminalWidth() - 1));
}

void Screen::Complain(absl::string_view text) {
  ClearLine();
  Print(stderr, absl::StrFormat("hanas: %s\n", Printable(text)));
}

void Screen::ShowLine(const std::string& line) {
  if (mode_ != Mode::kTerminal) return;
  Print(stdout, "\r\x1b[K" + CutToWidth(line, TerminalWidth() - 1));
  line_drawn_ = true;
}

void Screen::Show(const v1::SearchEvent& event) {
  if (event.kind() != "progress") {
    if (event.has_progress()) meter_.Add(event.progress());
    if (!event.text().empty()) Say(event.kind() == "phase" ? absl::StrCat("== ", absl::AsciiStrToLower(event.text())) : event.text());
    return;
  }
  if (!event.has_progress()) return;
  meter_.Add(event.progress());
  if (mode_ == Mode::kTerminal) return ShowLine(meter_.Line(TerminalWidth() - 1));
  if (absl::Now() - last_plain_ < kPlainInterval) return;
  last_plain_ = absl::Now();
  Say(meter_.Line(0));
}

}  // namespace hanas::cli
