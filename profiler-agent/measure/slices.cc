// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/measure/slices.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "core/statistics/statistics.h"

namespace hanas {
namespace {

constexpr int kCanaryRuns = 7;
constexpr int kFirstCanaryReadings = 5;
constexpr size_t kBaselineWindow = 31;
constexpr size_t kEnoughUndisturbed = 3;
// A host that is busy all the time cannot be waited out: of n slices at most this many and n / 2 are repeated.
constexpr int kFreeRejections = 4;

}  // namespace

double RoundCv(std::vector<double> rounds) {
  std::sort(rounds.begin(), rounds.end());
  rounds.resize(rounds.size() - rounds.size() / 4);
  return rounds.size() < 2 ? 0 : CoefficientOfVariation(rounds);
}

SliceRunner::SliceRunner(size_t count, const MeasureOptions& options, const MeasureEnvironment& environment)
    : options_(options), environment_(environment), entries_(count) {}

absl::Status SliceRunner::Resume(absl::Span<const Round> done) {
  for (const Round& round : done) {
    for (const VisitRow& row : round.rows) {
      const bool fits =
          row.index >= 0 && static_cast<size_t>(row.index) < entries_.size() && round.round >= 0 && round.round < options_.max_rounds;
      if (!fits || !std::isfinite(row.flushed_us) || !(row.flushed_us > 0) || !std::isfinite(row.hot_us) || !(row.hot_us > 0)) {
        return absl::InvalidArgumentError(absl::StrCat("measure: expected rows of ", entries_.size(), " items and ", options_.max_rounds,
                                                       " rounds with positive times to resume from, found item ", row.index, " of round ",
                                                       round.round, " with ", row.flushed_us, " and ", row.hot_us, " us"));
      }
      for (const Entry& entry : entries_[static_cast<size_t>(row.index)]) {
        if (entry.round == round.round) {
          return absl::InvalidArgumentError(
              absl::StrCat("measure: item ", row.index, " of round ", round.round, " is there twice in the rounds to resume from"));
        }
      }
      entries_[static_cast<size_t>(row.index)].push_back({row, round.round, round.disturbed});
    }
  }
  return absl::OkStatus();
}

absl::Status SliceRunner::Run(const Visit& visit, const RoundCallback& on_round) {
  const int64_t begin = environment_.clock->NowNanoseconds();
  const HostReading before = environment_.host == nullptr ? HostReading{} : environment_.host->Read();
  for (int i = 0; i < kFirstCanaryReadings && environment_.canary != nullptr; ++i) {
    const absl::StatusOr<double> reading = ReadCanary();
    if (!reading.ok()) return reading.status();
    canary_history_.push_back(*reading);
    last_canary_ = *reading;
  }
  for (int round = 0; round < options_.max_rounds; ++round) {
    std::vector<int> pending = Pending(round);
    CounterRandom random(options_.seed, "measure/order", static_cast<uint64_t>(round));
    random.Shuffle(absl::MakeSpan(pending));
    for (size_t next = 0; next < pending.size();) {
      size_t taken = 0;
      if (absl::Status status = RunSlice(absl::MakeConstSpan(pending).subspan(next), round, visit, on_round, taken); !status.ok())
        return status;
      next += taken;
    }
  }
  if (environment_.host != nullptr) state_.host = Between(before, environment_.host->Read());
  state_.seconds = static_cast<double>(environment_.clock->NowNanoseconds() - begin) * 1e-9;
  return absl::OkStatus();
}

std::vector<int> SliceRunner::Pending(int round) const {
  std::vector<int> pending;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const bool there = std::any_of(entries_[i].begin(), entries_[i].end(), [&](const Entry& entry) { return entry.round == round; });
    if (there || (round >= options_.rounds && !Noisy(i))) continue;
    pending.push_back(static_cast<int>(i));
  }
  return pending;
}

absl::Status SliceRunner::RunSlice(absl::Span<const int> pending, int round, const Visit& visit, const RoundCallback& on_round,
                                   size_t& taken) {
  absl::Duration cool_down = options_.first_cool_down;
  for (int attempt = 0;; ++attempt) {
    const double before = last_canary_;
    absl::StatusOr<std::vector<VisitRow>> rows = VisitSome(pending, visit);
    if (!rows.ok()) return rows.status();
    Round result{.round = round, .rows = *std::move(rows)};
    if (environment_.canary != nullptr) {
      const absl::StatusOr<double> after = ReadCanary();
      if (!after.ok()) return after.status();
      last_canary_ = *after;
      result.canary_ratio = std::max(before, *after) / Baseline();
    }
    const bool calm = result.canary_ratio <= 1 + options_.canary_tolerance;
    if (!calm && attempt < options_.max_slice_repeats && MayReject()) {
      ++state_.rejected_slices;
      if (result.canary_ratio > 1 + options_.cool_down_above) {
        environment_.sleeper->Sleep(cool_down);
        cool_down *= 2;
        const absl::StatusOr<double> rested = ReadCanary();
        if (!rested.ok()) return rested.status();
        last_canary_ = *rested;
      }
      continue;
    }
    result.disturbed = !calm;
    taken = result.rows.size();
    Keep(result);
    return on_round ? on_round(result) : absl::OkStatus();
  }
}

absl::StatusOr<std::vector<VisitRow>> SliceRunner::VisitSome(absl::Span<const int> pending, const Visit& visit) {
  std::vector<VisitRow> rows;
  const int64_t begin = environment_.clock->NowNanoseconds();
  for (const int index : pending) {
    if (environment_.cancelled && environment_.cancelled()) return absl::CancelledError("measure: cancelled");
    absl::StatusOr<VisitRow> row = visit(index);
    if (!row.ok()) return row.status();
    row->index = index;
    rows.push_back(*row);
    if (environment_.clock->NowNanoseconds() - begin >= absl::ToInt64Nanoseconds(options_.slice)) break;
  }
  return rows;
}

absl::StatusOr<double> SliceRunner::ReadCanary() {
  std::vector<double> runs;
  for (int i = 0; i <= kCanaryRuns; ++i) {
    const int64_t begin = environment_.clock->NowNanoseconds();
    if (absl::Status status = environment_.canary->Run(); !status.ok()) return status;
    if (i > 0) runs.push_back(static_cast<double>(environment_.clock->NowNanoseconds() - begin) / 1000);  // the first warms up
  }
  return Quantile(runs, 0.25);
}

/// Follows lasting changes of the host: disturbed slices that were kept count too.
double SliceRunner::Baseline() const {
  const size_t from = canary_history_.size() > kBaselineWindow ? canary_history_.size() - kBaselineWindow : 0;
  return Median(absl::MakeConstSpan(canary_history_).subspan(from));
}

bool SliceRunner::MayReject() const { return state_.rejected_slices < kFreeRejections + kept_slices_ / 2; }

void SliceRunner::Keep(const Round& round) {
  ++kept_slices_;
  if (environment_.canary != nullptr) canary_history_.push_back(last_canary_);
  state_.worst_canary_ratio = std::max(state_.worst_canary_ratio, round.canary_ratio);
  state_.disturbed_slices += round.disturbed ? 1 : 0;
  for (const VisitRow& row : round.rows) entries_[static_cast<size_t>(row.index)].push_back({row, round.round, round.disturbed});
}

std::vector<VisitRow> SliceRunner::Rows(size_t index) const {
  std::vector<VisitRow> calm;
  std::vector<VisitRow> all;
  for (const Entry& entry : entries_[index]) {
    all.push_back(entry.row);
    if (!entry.disturbed) calm.push_back(entry.row);
  }
  return calm.size() >= kEnoughUndisturbed ? calm : all;
}

double SliceRunner::Cv(size_t index) const {
  std::vector<double> times;
  for (const VisitRow& row : Rows(index)) times.push_back(row.flushed_us);
  return RoundCv(std::move(times));
}

bool SliceRunner::Noisy(size_t index) const {
  std::vector<double> times;
  for (const VisitRow& row : Rows(index)) times.push_back(row.flushed_us);
  const double middle = times.empty() ? 0 : Median(times);
  const double cv = RoundCv(std::move(times));
  return cv > options_.target_cv && cv * middle > options_.negligible_us;
}

}  // namespace hanas
