// SPDX-License-Identifier: Apache-2.0
#include "coordinator/judging/candidates.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "coordinator/judging/goals.h"
#include "coordinator/state/task_key.h"

namespace hanas::coordinator {

void CandidateIndex::AddAsked(const SearchView& view) {
  // Tasks are made in the order in which their networks were asked.
  const std::vector<uint64_t>& tasks = view.search().tasks_in_order;
  for (; tasks_seen_ < tasks.size(); ++tasks_seen_) {
    const TaskRecord& task = *view.state().FindTask(tasks[tasks_seen_]);
    const auto* work = std::get_if<EvaluateWork>(&task.work);
    const std::optional<TaskKey> key = ParseTaskKey(task.key);
    if (work == nullptr || (key.has_value() && key->stage == TaskStage::kMemberScreen)) continue;
    first_[task.key] = entries_.size();
    const bool of_round = key.has_value() && key->stage == TaskStage::kRoundEvaluate;
    for (const Architecture& architecture : work->architectures) {
      if (of_round) of_rounds_.emplace(architecture, entries_.size());
      entries_.push_back({.architecture = architecture});
    }
  }
}

absl::Status CandidateIndex::AddScores(const SearchView& view, const TaskRecord& task, const EvaluateOutcome& evaluated,
                                       std::vector<size_t>& changed) {
  const absl::StatusOr<const CandidateScorer*> scorer = context_->Scorer(view);
  if (!scorer.ok()) return scorer.status();
  const size_t first = first_.at(task.key);
  for (size_t i = 0; i < evaluated.scores.size(); ++i) {
    Entry& entry = entries_[first + i];
    entry.score = evaluated.scores[i];
    entry.worker = task.party;
    entry.cost = (*scorer)->ScoreOne(entry.architecture);
    entry.evaluated = true;
    ++total_;
    changed.push_back(first + i);
  }
  return absl::OkStatus();
}

void CandidateIndex::AddTimes(const SearchView& view, const TaskRecord& task, const MeasureNetworksOutcome& measured,
                              std::vector<size_t>& changed) {
  const std::optional<TaskKey> key = ParseTaskKey(task.key);
  if (!key.has_value() || key->stage != TaskStage::kRoundMeasure || key->target != view.target_spec().name) return;
  const auto& work = std::get<MeasureNetworksWork>(task.work);
  for (size_t i = 0; i < measured.rows.size(); ++i) {
    const auto asked = of_rounds_.find(work.architectures[i]);
    if (asked == of_rounds_.end()) continue;
    const size_t index = asked->second;
    entries_[index].measured_us = StatisticUs(measured.rows[i], view.target_spec().statistic);
    // A member of the front that turns out slower may uncover others.
    if (index == closest_ || front_.Contains(index)) calibrated_rounds_ = -1;
    if (entries_[index].evaluated) changed.push_back(index);
  }
}

absl::Status CandidateIndex::AddResults(const SearchView& view) {
  const std::vector<uint64_t>& results = view.search().results;
  if (results_seen_ == results.size()) return absl::OkStatus();
  std::vector<size_t> changed;
  for (; results_seen_ < results.size(); ++results_seen_) {
    const TaskRecord& task = *view.state().FindTask(results[results_seen_]);
    if (const auto* evaluated = std::get_if<EvaluateOutcome>(&*task.outcome)) {
      if (absl::Status status = AddScores(view, task, *evaluated, changed); !status.ok()) return status;
    } else if (const auto* measured = std::get_if<MeasureNetworksOutcome>(&*task.outcome)) {
      AddTimes(view, task, *measured, changed);
    }
  }
  if (calibrated_rounds_ == static_cast<int>(view.target().rounds.size())) {
    for (const size_t index : changed) Judge(index);
  }
  return absl::OkStatus();
}

void CandidateIndex::Judge(size_t index) {
  Entry& entry = entries_[index];
  CostVector costs = CostsOf(entry.cost, calibration_, entry.score.fraction());
  const bool measured = entry.measured_us > 0;
  if (measured) costs[IndexOf(Quantity::kLatency)] = entry.measured_us;
  entry.latency_us = costs[IndexOf(Quantity::kLatency)];
  const Evaluation evaluation = EvaluationOf(goals_, costs, measured ? goals_.limits : limits_for_predictions_);
  entry.violation = evaluation.violation;
  if (entry.violation <= 0) {
    front_.Insert(index, evaluation.objectives);
    return;
  }
  if (!any_outside_ || entry.violation < entries_[closest_].violation) closest_ = index;
  any_outside_ = true;
}

absl::Status CandidateIndex::Recalibrate(const SearchView& view) {
  const auto rounds = static_cast<int>(view.target().rounds.size());
  if (calibrated_rounds_ == rounds) return absl::OkStatus();
  const absl::StatusOr<FittedLatency> latency = context_->FitLatency(view, rounds);
  if (!latency.ok()) return latency.status();
  const absl::StatusOr<const Goals*> goals = context_->GoalsOfJob(view);
  if (!goals.ok()) return goals.status();
  goals_ = **goals;
  calibration_ = latency->fit.calibration;
  limits_for_predictions_ = LimitsForPredictions(goals_.limits, calibration_);
  calibrated_rounds_ = rounds;
  front_.Clear();
  any_outside_ = false;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].evaluated) Judge(i);
  }
  return absl::OkStatus();
}

absl::Status CandidateIndex::Update(const SearchView& view) {
  if (!view.target().profile.has_value()) return absl::OkStatus();  // it has no costs yet for what others evaluated with its supernet
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
  rows.reserve(front_.members().size());
  for (const FrontIndex::Member& member : front_.members()) rows.push_back(RowOf(member.id));
  std::stable_sort(rows.begin(), rows.end(), [](const CandidateRow& a, const CandidateRow& b) { return a.latency_us < b.latency_us; });
  if (rows.empty() && any_outside_) rows.push_back(RowOf(closest_));
  return rows;
}

}  // namespace hanas::coordinator
