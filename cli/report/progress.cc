// SPDX-License-Identifier: Apache-2.0
#include "cli/report/progress.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/report/report_text.h"
#include "cli/report/table.h"

namespace hanas::cli {
namespace {

constexpr double kRateWindowSeconds = 30;

}  // namespace

void ProgressMeter::Add(const v1::PhaseProgress& progress) {
  const bool other_phase = progress.phase() != last_.phase() || progress.unit() != last_.unit();
  const bool went_back = !history_.empty() && (progress.done() < last_.done() || progress.seconds() < last_.seconds());
  if (other_phase || went_back) history_.clear();
  last_ = progress;
  history_.emplace_back(progress.seconds(), static_cast<double>(progress.done()));
  while (history_.size() > 2 && history_[1].first < progress.seconds() - kRateWindowSeconds) history_.pop_front();
}

double ProgressMeter::Rate() const {
  if (history_.size() < 2) return 0;
  const double seconds = history_.back().first - history_.front().first;
  return seconds > 0 ? (history_.back().second - history_.front().second) / seconds : 0;
}

std::string ProgressMeter::Line(size_t max_width) const {
  if (history_.empty()) return "";
  std::string line = absl::StrFormat("%-10s", absl::AsciiStrToLower(v1::Phase_Name(last_.phase())));
  if (last_.total() > 0) {
    const double share = std::min(1.0, static_cast<double>(last_.done()) / static_cast<double>(last_.total()));
    absl::StrAppendFormat(&line, " %d/%d %s  %.0f %%", last_.done(), last_.total(), last_.unit(), 100 * share);
    const double rate = Rate();
    if (rate > 0) {
      absl::StrAppendFormat(&line, "  %s  %s left", rate >= 1 ? absl::StrFormat("%.1f/s", rate) : absl::StrFormat("%.1f/min", 60 * rate),
                            FormatSeconds(static_cast<double>(last_.total() - std::min(last_.done(), last_.total())) / rate));
    }
  }
  if (!last_.note().empty()) absl::StrAppend(&line, "  ", last_.note());
  return CutToWidth(line, max_width);
}

std::string CutToWidth(const std::string& text, size_t max_width) {
  if (max_width == 0 || DisplayWidth(text) <= max_width) return text;
  size_t width = 0;
  size_t end = 0;
  while (end < text.size() && width + 1 < max_width) {
    ++end;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;
    ++width;
  }
  return text.substr(0, end) + "…";
}

}  // namespace hanas::cli
