// SPDX-License-Identifier: Apache-2.0
#include "coordinator/app/candidates.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "coordinator/app/round_step.h"
#include "coordinator/app/task_key.h"

namespace hanas::coordinator {

void CandidateIndex::AddAsked(const SearchView& view) {
  // Tasks are made in the order in which their networks were asked.
  const std::vector<uint64_t>& tasks = view.search().tasks_in_order;
  for (; tasks_seen_ < tasks.size(); ++tasks_seen_) {
    const TaskRecord& task = *view.state().FindTask(tasks[tasks_seen_]);
    const auto* work = std::get_if<EvaluateWork>(&task.work);
    if (work == nullptr) continue;
    first_[task.key] = entries_.size();
    for (const Architecture& architecture : work->architectures) entries_.push_back({.architecture = architecture});
  }
}

absl::Status CandidateIndex::AddResults(const SearchView& view) {
  const std::vector<uint64_t>& results = view.search().results;
  if (results_seen_ == results.size()) return absl::OkStatus();
  std::vector<size_t> judged;  // anew
  for (; results_seen_ < results.size(); ++results_seen_) {
    const TaskRecord& task = *view.state().FindTask(results[results_seen_]);
    if (const auto* evaluated = std::get_if<EvaluateOutcome>(&*task.outcome)) {
      const absl::StatusOr<const CandidateScorer*> scorer = context_->Scorer(view);
      if (!scorer.ok()) return scorer.status();
      const size_t first = first_.at(task.key);
      for (size_t i = 0; i < evaluated->scores.size(); ++i) {
        Entry& entry = entries_[first + i];
        entry.score = evaluated->scores[i];
        entry.worker = task.party;
        entry.cost = (*scorer)->ScoreOne(entry.architecture);
        entry.evaluated = true;
        ++total_;
        judged.push_back(first + i);
      }
    }
    const auto* measured = std::get_if<MeasureNetworksOutcome>(&*task.outcome);
    // A round's networks are measured in the same pieces as they are evaluated.
    std::optional<TaskKey> key = measured == nullptr ? std::nullopt : ParseTaskKey(task.key);
    if (!key.has_value() || key->stage != TaskStage::kRoundMeasure) continue;
    key->stage = TaskStage::kRoundEvaluate;
    const auto first = first_.find(key->ToString());
    if (first == first_.end()) continue;
    for (size_t i = 0; i < measured->rows.size(); ++i) {
      const size_t index = first->second + i;
      entries_[index].measured_us = StatisticUs(measured->rows[i], view.job().target.statistic);
      // A member of the front that turns out slower may uncover others.
      if (index == closest_ || std::find(front_.begin(), front_.end(), index) != front_.end()) calibrated_rounds_ = -1;
      if (entries_[index].evaluated) judged.push_back(index);
    }
  }
  if (calibrated_rounds_ == static_cast<int>(view.record().rounds.size())) {
    for (const size_t index : judged) Judge(view, index);
  }
  return absl::OkStatus();
}

void CandidateIndex::Judge(const SearchView& view, size_t index) {
  Entry& entry = entries_[index];
  const Limits& limits = view.job().target.limits;
  CostVector costs = CostsOf(entry.cost, calibration_);
  const bool measured = entry.measured_us > 0;
  if (measured) costs[kLatencyCost] = entry.measured_us;
  entry.latency_us = costs[kLatencyCost];
  entry.violation = TotalViolation(costs, LimitsOf(limits, measured ? limits.latency_ms * 1000 : LatencyBound(view, calibration_)));
  if (entry.violation > 0) {
    if (!any_outside_ || entry.violation < entries_[closest_].violation) closest_ = index;
    any_outside_ = true;
    return;
  }
  // Ascending in latency and in accuracy: what stands before is faster, so it must be less accurate.
  const auto faster = [&](size_t other, double us) { return entries_[other].latency_us < us; };
  const auto accuracy = [&](size_t other) { return entries_[other].score.fraction(); };
  auto at = std::lower_bound(front_.begin(), front_.end(), entry.latency_us, faster);
  if (at != front_.begin() && accuracy(*std::prev(at)) >= accuracy(index)) return;
  if (at != front_.end() && entries_[*at].latency_us == entry.latency_us && accuracy(*at) >= accuracy(index)) return;
  const auto last = std::find_if(at, front_.end(), [&](size_t other) { return accuracy(other) > accuracy(index); });
  at = front_.erase(at, last);
  front_.insert(at, index);
}

absl::Status CandidateIndex::Recalibrate(const SearchView& view) {
  const auto rounds = static_cast<int>(view.record().rounds.size());
  if (calibrated_rounds_ == rounds) return absl::OkStatus();
  const absl::StatusOr<FittedLatency> latency = context_->FitLatency(view, rounds);
  if (!latency.ok()) return latency.status();
  calibration_ = latency->fit.calibration;
  calibrated_rounds_ = rounds;
  front_.clear();
  any_outside_ = false;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].evaluated) Judge(view, i);
  }
  return absl::OkStatus();
}

absl::Status CandidateIndex::Update(const SearchView& view) {
  if (!view.record().profile.has_value()) return absl::OkStatus();  // it has no costs yet for what others evaluated with its supernet
  AddAsked(view);
  if (absl::Status status = AddResults(view); !status.ok()) return status;
  return total_ > 0 ? Recalibrate(view) : absl::OkStatus();
}

CandidateRow CandidateIndex::RowOf(size_t index) const {
  const Entry& entry = entries_[index];
  return {.sequence = static_cast<int64_t>(index) + 1,
          .architecture = entry.architecture,
          .score = entry.score,
          .latency_us = entry.latency_us,
          .latency_measured = entry.measured_us > 0,
          .size_bytes = entry.cost.size_bytes,
          .worker = entry.worker};
}

CandidatePage CandidateIndex::Page(int64_t after, int max) const {
  CandidatePage page = {.candidates = {}, .more = false, .total = total_};
  for (auto i = static_cast<size_t>(std::max<int64_t>(0, after)); i < entries_.size(); ++i) {
    if (!entries_[i].evaluated) continue;
    if (page.candidates.size() == static_cast<size_t>(max)) {
      page.more = true;
      break;
    }
    page.candidates.push_back(RowOf(i));
  }
  return page;
}

std::vector<CandidateRow> CandidateIndex::Front() const {
  std::vector<CandidateRow> rows;
  rows.reserve(front_.size());
  for (const size_t index : front_) rows.push_back(RowOf(index));
  if (rows.empty() && any_outside_) rows.push_back(RowOf(closest_));
  return rows;
}

}  // namespace hanas::coordinator
