// SPDX-License-Identifier: Apache-2.0
#include "coordinator/app/loop.h"

#include "absl/strings/str_cat.h"
#include "telemetry/event_log.h"

namespace hanas::coordinator {
namespace {

constexpr absl::Duration kSweepInterval = absl::Milliseconds(500);
// Beyond the time that it asked for, a wait lasts so long only when the process does not run. The shortest ttl there is.
constexpr absl::Duration kStoodStill = absl::Seconds(1);

}  // namespace

void Loop::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Loop::Stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

absl::Status Loop::ready() const {
  const absl::Duration since = clock_->Monotonic() - absl::Milliseconds(beat_ms_.load());
  if (since > kWedgedAfter) return absl::UnavailableError(absl::StrCat("the loop has not moved for ", absl::FormatDuration(since)));
  if (failing_) return absl::UnavailableError("the state cannot be written or read; the log says why");
  return absl::OkStatus();
}

void Loop::Run() {
  absl::Duration gauges_at = -absl::InfiniteDuration();
  telemetry::EventLimiter limiter;
  while (!stopping_) {
    const absl::Duration asked = clock_->Monotonic();
    app_->WaitForChange(kSweepInterval);
    const absl::Duration begin = clock_->Monotonic();
    if (const absl::Duration late = begin - asked - kSweepInterval; late >= kStoodStill) {
      telemetry::LogEvent(telemetry::Severity::kWarning, "stood_still", {{"seconds", absl::StrCat(absl::ToDoubleSeconds(late))}});
      app_->StoodStill();
    }
    const absl::Status status = app_->RunOnce();
    const absl::Duration end = clock_->Monotonic();
    metrics_->Observe(telemetry::Metric::kLoopRunSeconds, {}, absl::ToDoubleSeconds(end - begin));
    // What failed is tried again with the next run.
    failing_ = !status.ok();
    if (!status.ok()) limiter.Log(end, telemetry::Severity::kError, "step_failed", {{"status", status.ToString()}});
    if (end - gauges_at >= kSweepInterval) {
      app_->RecordGauges(*metrics_);
      gauges_at = end;
    }
    Beat();
  }
}

}  // namespace hanas::coordinator
