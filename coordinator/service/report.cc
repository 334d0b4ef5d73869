// SPDX-License-Identifier: Apache-2.0
#include "coordinator/service/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "coordinator/reporting/conclusions.h"
#include "coordinator/service/search_convert.h"
#include "coordinator/service/task_convert.h"
#include "coordinator/store/codec/data_codec.h"
#include "core/bound/fit_picture.h"
#include "core/job/goals.h"
#include "rpc/convert/findings.h"
#include "rpc/convert/job.h"
#include "rpc/convert/space.h"

namespace hanas::coordinator {
namespace {

const char* Role(const MemberRecord& member) { return member.reference ? "reference" : "member"; }

std::string TrainingNote(const ReportMember& member) {
  const std::string then = member.record.final_steps > 0 ? absl::StrCat(", then trained on for ", member.record.final_steps) : "";
  switch (member.record.training) {
    case TrainingKind::kFineTune:
      return absl::StrCat("from the supernet, fine-tuned for ", member.record.steps, " steps", then);
    case TrainingKind::kAlone:
      return absl::StrCat("trained alone for ", member.record.steps, " steps", then,
                          member.record.opponent.has_value()
                              ? absl::StrCat(": ", member.record.opponent->preset, " x", member.record.opponent->factor)
                              : "");
    case TrainingKind::kSupernet:
    case TrainingKind::kTeacher:
    case TrainingKind::kFinal:
      break;
  }
  return "";
}

void FillMeasured(const ReportMember& member, v1::Member& out) {
  const NetworkMeasurement& device = member.verified.device;
  out.set_latency_p50_us(device.p50_us);
  out.set_latency_p90_us(device.p90_us);
  out.set_latency_p99_us(device.p99_us);
  out.set_latency_cv(device.cv);
  out.set_latency_rounds(device.rounds);
  out.set_latency_noisy(device.noisy);
  out.set_predicted_latency_us(member.record.predicted_us);
  const bool predicted = member.record.predicted_us > 0 && member.measured_us > 0;
  out.set_predicted_error(predicted ? (member.record.predicted_us - member.measured_us) / member.measured_us : 0);
  out.set_exported_latency_p50_us(member.verified.exported_latency.p50_us);
  out.set_exported_runtime(member.verified.exported_runtime);
  out.set_reopened_correct(member.verified.reopened.score.correct);
  out.set_reopened_differing(member.verified.reopened.differing);
  out.set_device_correct(member.verified.device_accuracy.score.correct);
  out.set_device_differing(member.verified.device_accuracy.differing);
  out.set_worker_correct(member.bound.test.correct);
  out.set_runtime_agreement_images(member.verified.compared);
  if (member.verified.compared > 0) {
    out.set_runtime_agreement(static_cast<double>(member.verified.agreeing) / static_cast<double>(member.verified.compared));
  }
}

v1::Member ToProto(const ReportMember& member, absl::Span<const ClassPictures> classes) {
  v1::Member out;
  out.set_id(member.record.id);
  out.set_role(Role(member.record));
  out.set_note(TrainingNote(member));
  *out.mutable_architecture() = rpc::ToProto(member.record.architecture);
  out.set_architecture_text(member.text);
  out.set_architecture_json(member.json);
  out.set_precision(member.precision);
  for (const ReportWordChoice& choice : member.word_choices) {
    v1::WordChoice& word = *out.add_word_choices();
    word.set_gene(choice.gene);
    word.set_choice(choice.choice);
    word.set_predicted_latency_us(choice.predicted_us);
    for (const ReportWordChoice::Other& other : choice.others) {
      v1::WordChoice::Other& out_other = *word.add_others();
      out_other.set_choice(other.choice);
      out_other.set_predicted_latency_us(other.predicted_us);
    }
  }
  out.set_test_correct(member.verified.exported.correct);
  out.set_test_images(member.verified.exported.images);
  out.set_test_accuracy(member.accuracy());
  out.set_test_accuracy_stddev(member.accuracy_stddev());
  out.set_validation_accuracy_shared(member.record.shared.fraction());
  out.set_validation_accuracy_fine_tuned(member.record.fine_tuned.fraction());
  out.mutable_class_correct()->Assign(member.verified.class_correct.begin(), member.verified.class_correct.end());
  out.set_test_among_five(member.verified.among_five);
  out.set_balanced_accuracy(BalancedAccuracy(member.verified.class_correct, classes));
  FillMeasured(member, out);
  out.set_size_bytes(member.cost.size_bytes);
  out.set_peak_memory_bytes(member.cost.peak_memory_bytes);
  out.set_macs(member.cost.macs);
  out.set_parameters(member.cost.parameters);
  out.set_training_steps(member.record.steps + member.record.final_steps);
  out.set_final_steps(member.record.final_steps);
  out.set_training_seconds(member.training_seconds);
  out.set_onnx_file(absl::StrCat(member.record.id, ".onnx"));
  out.set_onnx_sha256(member.bound.onnx.sha256);
  out.set_onnx_bytes(member.bound.onnx.size_bytes);
  out.set_model_file(absl::StrCat(member.record.id, ".hanas"));
  out.set_model_sha256(member.bound.bound_model.sha256);
  out.set_model_bytes(member.bound.bound_model.size_bytes);
  out.set_within_limits(member.within_limits);
  if (member.record.opponent.has_value()) {
    v1::Opponent& opponent = *out.mutable_opponent();
    opponent.set_family(member.record.opponent->family);
    opponent.set_preset(member.record.opponent->preset);
    opponent.set_factor(member.record.opponent->factor);
  }
  return out;
}

void FillTrust(const ReportData& data, v1::Report& out) {
  v1::LatencyTrust& latency = *out.mutable_latency_trust();
  latency.set_scale(data.latency.fit.calibration.scale);
  latency.set_offset_us(data.latency.fit.calibration.offset_us);
  latency.set_fitted_networks(data.latency.num_fitted);
  latency.set_held_out_networks(data.latency.held_out.num_pairs);
  if (data.latency.held_out.num_pairs > 0) {  // what a small space has none left for is not measured
    latency.set_held_out_mape(data.latency.held_out.mape);
    latency.set_held_out_max_error(data.latency.held_out.max_relative_error);
    latency.set_uncalibrated_mape(data.latency.uncalibrated.mape);
  }
  if (data.latency.held_out.num_pairs > 1) latency.set_held_out_spearman(data.latency.held_out.spearman);
  for (const ReportPair& pair : data.pairs) {
    v1::LatencyPair& row = *latency.add_pairs();
    row.set_architecture_text(pair.text);
    row.set_sum_us(pair.sum_us);
    row.set_predicted_us(pair.predicted_us);
    row.set_measured_us(pair.measured_us);
    row.set_cv(pair.cv);
    row.set_held_out(pair.held_out);
  }
  v1::PredictorTrust& predictor = *out.mutable_predictor_trust();
  predictor.set_held_out_tau(data.predictor.held_out_tau);
  predictor.set_held_out_rmse(data.predictor.held_out_rmse);
  predictor.set_trained_on(static_cast<int32_t>(data.predictor_networks));
  predictor.set_kind(data.predictor.kind);
}

void FillProfile(const ProfileRecord& profile, v1::Report& out) {
  for (const RangeRecord& range : profile.ranges) {
    v1::Range& row = *out.add_reachable();
    row.set_metric(range.metric);
    row.set_low(range.low);
    row.set_high(range.high);
  }
  out.set_share_within_limits(profile.share_within_limits);
  out.set_share_samples(profile.share_samples);
  out.set_operator_keys(profile.operator_keys);
  out.set_operator_cv_median(profile.operator_cv_median);
}

void FillSearch(const ReportData& data, v1::Report& out) {
  for (const RoundRecord& round : data.target().rounds) {
    v1::SearchRound& row = *out.add_rounds();
    row.set_round(round.round);
    row.set_evaluations(round.evaluations);
    row.set_held_out_tau(round.held_out_tau);
    row.set_hypervolume(round.hypervolume);
    if (round.latency_mape.has_value()) row.set_latency_mape(*round.latency_mape);
    row.set_front_size(round.front_size);
  }
  double reference_seconds = 0;
  for (const ReportMember& reference : data.references) reference_seconds += reference.training_seconds;
  for (const PhaseRecord& phase : data.record.phases) {
    v1::PhaseProgress& row = *out.add_phases();
    row = ToProto(phase);
    // What plain networks took is in `compute`, where it is not mixed with wall time.
    if (phase.phase == SearchPhase::kVerifying && !data.references.empty() && !data.family.has_value())
      row.set_note(absl::StrFormat("of which %.1f s trained the references", reference_seconds));
  }
  out.set_candidates_scored(data.record.candidates_scored);
  if (data.record.scoring_seconds > 0)
    out.set_candidates_per_second(static_cast<double>(data.record.candidates_scored) / data.record.scoring_seconds);
}

void FillFamily(const FamilyData& family, size_t num_targets, v1::Report& out) {
  for (const FamilyComparison& comparison : family.comparisons) {
    v1::FamilyComparison& row = *out.add_comparisons();
    row.set_member(comparison.member);
    row.set_family(comparison.family);
    // The wire's numbers begin after 0.
    row.set_basis(static_cast<v1::FamilyComparison::Basis>(static_cast<int>(comparison.at_latency.basis) + 1));
    row.set_family_accuracy(comparison.at_latency.accuracy);
    row.set_difference(comparison.difference);
    row.set_stddev(comparison.stddev);
  }
  v1::FrontVolumes& volumes = *out.mutable_volumes();
  volumes.set_reference_latency_us(family.corner.latency_us);
  volumes.set_reference_error(family.corner.error);
  for (const FrontVolume& volume : family.volumes) {
    v1::FrontVolumes::Volume& row = *volumes.add_volumes();
    row.set_of(volume.of);
    row.set_hypervolume(volume.hypervolume);
  }
  v1::Compute& compute = *out.mutable_compute();
  compute.set_search_seconds(family.compute.search_seconds());
  compute.set_opponents_seconds(family.compute.opponents_seconds);
  compute.set_shared_seconds(family.compute.shared_seconds);
  compute.set_per_target_seconds(family.compute.targets_seconds / static_cast<double>(num_targets));
  if (family.break_even_targets.has_value()) compute.set_break_even_targets(*family.break_even_targets);
}

}  // namespace

v1::Report MakeReport(const ReportData& data) {
  v1::Report out;
  out.set_search(absl::StrCat("searches/", data.record.id));
  out.set_job_digest(data.record.job_digest.ToHex());
  out.set_dataset(data.job.dataset.name);
  out.set_dataset_digest(data.record.dataset_digest);
  out.set_space(data.job.space.name);
  out.set_screening(HasSupernet(data.job) ? v1::SCREENING_SUPERNET : v1::SCREENING_ALONE);
  out.set_log10_networks(data.log10_networks);
  // Searches of earlier builds, which do not know their classes, took the size of the first picture.
  const bool fitted = std::any_of(data.front.begin(), data.front.end(), [](const auto& m) { return !m.verified.class_correct.empty(); });
  if (fitted && data.job.dataset.format == DatasetFormat::kImageFolder) {
    const PictureForm form = {.side = *std::max_element(data.job.space.resolutions.begin(), data.job.space.resolutions.end()),
                              .fit = data.job.dataset.fit};
    for (std::string& step : PictureSteps(form, data.job.space.input_channels)) out.add_preparation(std::move(step));
  }
  *out.mutable_device() = ToProto(data.target().device);
  for (const Quantity objective : data.goals.objectives) out.add_objectives()->set_of(std::string(RowOf(objective).name));
  const std::vector<size_t> own_limits = LimitsFor(data.job, data.target_spec());
  for (size_t i = 0; i < own_limits.size(); ++i) {
    LimitSpec limit = data.job.limits[own_limits[i]];
    const Quantity of = *QuantityNamed(limit.of);
    (RowOf(of).more_is_better ? limit.at_least : limit.at_most) = CostOf(of, data.goals.limits[i].limit);
    limit.than.clear();
    limit.target.clear();
    *out.add_limits() = rpc::ToProto(limit);
  }
  out.set_statistic(rpc::ToProto(data.target_spec().statistic));
  out.set_target(data.target_spec().name);
  for (const TargetSpec& target : data.job.targets) out.add_targets(target.name);
  for (const ReportMember& member : data.front) *out.add_front() = ToProto(member, data.survey.classes);
  for (const ReportMember& member : data.references) *out.add_references() = ToProto(member, data.survey.classes);
  for (const ReportLeftOut& left_out : data.left_out) {
    v1::LeftOut& row = *out.add_left_out();
    row.set_id(left_out.member.id);
    row.set_role(Role(left_out.member));
    row.set_architecture_text(left_out.text);
    row.set_error_code(left_out.record.error_code);
    row.set_error(left_out.record.error);
  }
  for (const ReportSetAside& set_aside : data.set_aside) {
    v1::SetAside& row = *out.add_set_aside();
    row.set_id(set_aside.member.id);
    row.set_architecture_text(set_aside.text);
    row.set_training_steps(set_aside.member.steps);
    row.set_validation_accuracy(set_aside.member.fine_tuned.fraction());
    row.set_predicted_latency_us(set_aside.member.predicted_us);
  }
  FillTrust(data, out);
  if (data.target().profile.has_value()) FillProfile(*data.target().profile, out);
  FillSearch(data, out);
  if (data.family.has_value()) FillFamily(*data.family, TargetsOf(data.job).size(), out);
  for (const OperatorComparison& comparison : data.comparisons) {
    v1::OperatorFinding& finding = *out.add_findings();
    finding.set_operator_text(comparison.operator_text);
    finding.set_int8_us(comparison.int8_us);
    finding.set_float_us(comparison.float_us);
    finding.set_sentence(ComparisonSentence(comparison));
  }
  out.set_test_images(data.test_images);
  for (const Warning& warning : Warnings(data)) *out.add_warnings() = rpc::ToProto(warning);
  for (const ClassPictures& pictures : data.survey.classes) *out.add_classes() = rpc::ToProto(pictures);
  for (std::string& sentence : Conclusions(data)) out.add_sentences(std::move(sentence));
  for (std::string& step : NextSteps(data)) out.add_next_steps(std::move(step));
  return out;
}

}  // namespace hanas::coordinator
