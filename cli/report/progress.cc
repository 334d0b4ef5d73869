// SPDX-License-Identifier: Apache-2.0
#include "cli/report/progress.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/report/palette.h"
#include "cli/report/table.h"
#include "core/base/quantity.h"
#include "rpc/enum_word.h"

namespace hanas::cli {
namespace {

constexpr double kRateWindowSeconds = 30;
constexpr double kSecondsBeforeEstimate = 5;
constexpr double kSmoothingSeconds = 10;
constexpr size_t kMaxHistory = 512;

}  // namespace

void ProgressMeter::Add(const v1::PhaseProgress& progress) {
  const bool other_phase = progress.phase() != last_.phase() || progress.unit() != last_.unit();
  const bool went_back = !history_.empty() && (progress.done() < last_.done() || progress.seconds() < last_.seconds());
  if (other_phase || went_back) {
    history_.clear();
    seconds_left_.reset();
  }
  if (history_.empty()) first_seconds_ = progress.seconds();
  const double elapsed = history_.empty() ? 0 : progress.seconds() - last_.seconds();
  last_ = progress;
  history_.emplace_back(progress.seconds(), static_cast<double>(progress.done()));
  const double window = std::max(kRateWindowSeconds, (progress.seconds() - first_seconds_) / 2);
  while (history_.size() > 2 && history_[1].first < progress.seconds() - window) history_.pop_front();
  if (history_.size() > kMaxHistory) {
    // Every second point is enough for a rate.
    for (size_t i = 1; i < history_.size() - 1; ++i) history_.erase(history_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  UpdateSecondsLeft(elapsed);
}

double ProgressMeter::Rate() const {
  if (history_.size() < 2) return 0;
  const double seconds = history_.back().first - history_.front().first;
  return seconds > 0 ? (history_.back().second - history_.front().second) / seconds : 0;
}

void ProgressMeter::UpdateSecondsLeft(double elapsed) {
  const double rate = Rate();
  if (last_.total() <= 0 || rate <= 0 || last_.seconds() - first_seconds_ < kSecondsBeforeEstimate) return;
  const double estimate = static_cast<double>(last_.total() - std::min(last_.done(), last_.total())) / rate;
  if (!seconds_left_) {
    seconds_left_ = estimate;
    return;
  }
  const double expected = std::max(0.0, *seconds_left_ - elapsed);
  seconds_left_ = expected + (estimate - expected) * (1 - std::exp(-elapsed / kSmoothingSeconds));
}

std::string ProgressMeter::Line(size_t max_width) const {
  if (history_.empty()) return "";
  std::string line = absl::StrFormat("%-10s", absl::AsciiStrToLower(rpc::EnumWord(last_.phase())));
  if (last_.total() > 0) {
    const double share = std::min(1.0, static_cast<double>(last_.done()) / static_cast<double>(last_.total()));
    absl::StrAppendFormat(&line, " %d/%d %s  %.0f %%", last_.done(), last_.total(), last_.unit(), 100 * share);
    if (const double rate = Rate(); rate > 0)
      absl::StrAppend(&line, "  ", rate >= 1 ? absl::StrFormat("%.1f/s", rate) : absl::StrFormat("%.1f/min", 60 * rate));
    if (seconds_left_ && last_.done() < last_.total()) absl::StrAppend(&line, "  ", FormatSeconds(*seconds_left_), " left");
  }
  if (!last_.note().empty()) absl::StrAppend(&line, "  ", OneLine(last_.note()));
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
