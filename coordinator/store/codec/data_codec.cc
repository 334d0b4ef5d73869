// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/codec/data_codec.h"

#include "rpc/convert/findings.h"

namespace hanas::coordinator {
namespace {

v1::SecondReading ToProto(const SecondReading& reading) {
  v1::SecondReading proto;
  *proto.mutable_accuracy() = coordinator::ToProto(reading.score);
  proto.set_differing(reading.differing);
  return proto;
}
SecondReading FromProto(const v1::SecondReading& proto) {
  return {.score = coordinator::FromProto(proto.accuracy()), .differing = proto.differing()};
}

}  // namespace

v1::ArtifactRef ToProto(const ArtifactRef& artifact) {
  v1::ArtifactRef proto;
  proto.set_sha256(artifact.sha256);
  proto.set_size_bytes(artifact.size_bytes);
  return proto;
}
ArtifactRef FromProto(const v1::ArtifactRef& proto) { return {.sha256 = proto.sha256(), .size_bytes = proto.size_bytes()}; }

v1::Accuracy ToProto(const Score& score) {
  v1::Accuracy proto;
  proto.set_correct(score.correct);
  proto.set_images(score.images);
  proto.set_loss(score.loss);
  return proto;
}
Score FromProto(const v1::Accuracy& proto) { return {.correct = proto.correct(), .images = proto.images(), .loss = proto.loss()}; }

v1::DeviceContext ToProto(const DeviceDescription& device) {
  v1::DeviceContext proto;
  proto.set_device(device.device);
  proto.set_host(device.host);
  proto.set_cpu(device.cpu);
  proto.set_isa(device.isa);
  proto.set_backend(device.backend);
  proto.set_backend_version(device.backend_version);
  proto.set_threads(device.threads);
  proto.set_governor(device.governor);
  return proto;
}
DeviceDescription FromProto(const v1::DeviceContext& proto) {
  return {.device = proto.device(),
          .host = proto.host(),
          .cpu = proto.cpu(),
          .isa = proto.isa(),
          .backend = proto.backend(),
          .backend_version = proto.backend_version(),
          .threads = proto.threads(),
          .governor = proto.governor()};
}

v1::HostState ToProto(const HostObservation& host) {
  v1::HostState proto;
  if (host.load_average.has_value()) proto.set_load_average(*host.load_average);
  if (host.steal_percent.has_value()) proto.set_steal_percent(*host.steal_percent);
  if (host.temperature_celsius.has_value()) proto.set_temperature_celsius(*host.temperature_celsius);
  if (host.frequency_mhz.has_value()) proto.set_frequency_mhz(*host.frequency_mhz);
  proto.set_canary_ratio(host.canary_ratio);
  proto.set_rejected_rounds(host.rejected_rounds);
  return proto;
}
HostObservation FromProto(const v1::HostState& proto) {
  HostObservation host = {.canary_ratio = proto.canary_ratio(), .rejected_rounds = proto.rejected_rounds()};
  if (proto.has_load_average()) host.load_average = proto.load_average();
  if (proto.has_steal_percent()) host.steal_percent = proto.steal_percent();
  if (proto.has_temperature_celsius()) host.temperature_celsius = proto.temperature_celsius();
  if (proto.has_frequency_mhz()) host.frequency_mhz = proto.frequency_mhz();
  return host;
}

v1::OperatorRow ToProto(const OperatorMeasurement& row) {
  v1::OperatorRow proto;
  proto.set_key(row.key);
  proto.set_flushed_us(row.flushed_us);
  proto.set_hot_us(row.hot_us);
  proto.set_cv(row.cv);
  proto.set_rounds(row.rounds);
  proto.set_noisy(row.noisy);
  return proto;
}
OperatorMeasurement FromProto(const v1::OperatorRow& proto) {
  return {proto.key(), proto.flushed_us(), proto.hot_us(), proto.cv(), proto.rounds(), proto.noisy()};
}

v1::NetworkRow ToProto(const NetworkMeasurement& network) {
  v1::NetworkRow proto;
  proto.set_p50_us(network.p50_us);
  proto.set_p90_us(network.p90_us);
  proto.set_p99_us(network.p99_us);
  proto.set_cv(network.cv);
  proto.set_rounds(network.rounds);
  proto.set_noisy(network.noisy);
  proto.set_samples(network.samples);
  return proto;
}
NetworkMeasurement FromProto(const v1::NetworkRow& proto) {
  return {proto.p50_us(), proto.p90_us(), proto.p99_us(), proto.cv(), proto.rounds(), proto.noisy(), proto.samples()};
}

RoundMeasurement FromProto(const v1::RoundRow& proto) {
  return {proto.index(), proto.flushed_us(), proto.hot_us(), proto.p99_us(), proto.samples(), proto.disturbed()};
}

v1::RecordedRound ToProto(const RecordedRound& round) {
  v1::RecordedRound proto;
  proto.set_round(round.round);
  for (const RoundMeasurement& row : round.rows) {
    v1::RoundRow& out = *proto.add_rows();
    out.set_index(row.index);
    out.set_flushed_us(row.flushed_us);
    out.set_hot_us(row.hot_us);
    out.set_p99_us(row.p99_us);
    out.set_samples(row.samples);
    out.set_disturbed(row.disturbed);
  }
  return proto;
}
RecordedRound FromProto(const v1::RecordedRound& proto) {
  RecordedRound round = {.round = proto.round()};
  for (const v1::RoundRow& row : proto.rows()) round.rows.push_back(FromProto(row));
  return round;
}

v1::TrainResult ToProto(const TrainOutcome& outcome) {
  v1::TrainResult proto;
  *proto.mutable_checkpoint() = ToProto(outcome.checkpoint);
  proto.set_step(outcome.step);
  proto.set_loss(outcome.loss);
  proto.set_images_per_second(outcome.images_per_second);
  proto.set_seconds(outcome.seconds);
  proto.set_dataset_digest(outcome.dataset_digest);
  proto.set_reached_end(outcome.reached_end);
  proto.set_dataset_files(outcome.dataset_files);
  return proto;
}
TrainOutcome FromProto(const v1::TrainResult& proto) {
  return {.checkpoint = FromProto(proto.checkpoint()),
          .step = proto.step(),
          .loss = proto.loss(),
          .images_per_second = proto.images_per_second(),
          .seconds = proto.seconds(),
          .dataset_digest = proto.dataset_digest(),
          .reached_end = proto.reached_end(),
          .dataset_files = proto.dataset_files()};
}

v1::EvaluateResult ToProto(const EvaluateOutcome& outcome) {
  v1::EvaluateResult proto;
  for (const Score& score : outcome.scores) *proto.add_accuracies() = ToProto(score);
  proto.set_seconds(outcome.seconds);
  proto.set_dataset_digest(outcome.dataset_digest);
  proto.set_dataset_files(outcome.dataset_files);
  return proto;
}
EvaluateOutcome FromProto(const v1::EvaluateResult& proto) {
  EvaluateOutcome outcome = {.seconds = proto.seconds(), .dataset_digest = proto.dataset_digest(), .dataset_files = proto.dataset_files()};
  for (const v1::Accuracy& accuracy : proto.accuracies()) outcome.scores.push_back(FromProto(accuracy));
  return outcome;
}

v1::FitPredictorResult ToProto(const FitOutcome& outcome) {
  v1::FitPredictorResult proto;
  proto.set_predictor(outcome.predictor);
  proto.set_held_out_tau(outcome.held_out_tau);
  proto.set_held_out_rmse(outcome.held_out_rmse);
  proto.set_kind(outcome.kind);
  proto.set_seconds(outcome.seconds);
  return proto;
}
FitOutcome FromProto(const v1::FitPredictorResult& proto) {
  return {proto.predictor(), proto.held_out_tau(), proto.held_out_rmse(), proto.kind(), proto.seconds()};
}

v1::BindResult ToProto(const BindOutcome& outcome) {
  v1::BindResult proto;
  *proto.mutable_bound_model() = ToProto(outcome.bound_model);
  *proto.mutable_onnx() = ToProto(outcome.onnx);
  *proto.mutable_test() = ToProto(outcome.test);
  proto.set_seconds(outcome.seconds);
  return proto;
}
BindOutcome FromProto(const v1::BindResult& proto) {
  return {FromProto(proto.bound_model()), FromProto(proto.onnx()), FromProto(proto.test()), proto.seconds()};
}

v1::PackImagesResult ToProto(const PackOutcome& outcome) {
  v1::PackImagesResult proto;
  *proto.mutable_images() = ToProto(outcome.images);
  proto.set_num_images(outcome.num_images);
  proto.set_seconds(outcome.seconds);
  for (const ClassPictures& pictures : outcome.survey.classes) *proto.add_classes() = rpc::ToProto(pictures);
  for (const Warning& warning : outcome.survey.warnings) *proto.add_warnings() = rpc::ToProto(warning);
  return proto;
}
PackOutcome FromProto(const v1::PackImagesResult& proto) {
  PackOutcome outcome = {.images = FromProto(proto.images()), .num_images = proto.num_images(), .survey = {}, .seconds = proto.seconds()};
  for (const v1::ClassPictures& pictures : proto.classes()) outcome.survey.classes.push_back(rpc::FromProto(pictures));
  for (const v1::Warning& warning : proto.warnings()) outcome.survey.warnings.push_back(rpc::FromProto(warning));
  return outcome;
}

v1::MeasureOperatorsResult ToProto(const MeasureOperatorsOutcome& outcome) {
  v1::MeasureOperatorsResult proto;
  for (const OperatorMeasurement& row : outcome.rows) *proto.add_rows() = ToProto(row);
  *proto.mutable_host() = ToProto(outcome.host);
  proto.set_seconds(outcome.seconds);
  return proto;
}
MeasureOperatorsOutcome FromProto(const v1::MeasureOperatorsResult& proto) {
  MeasureOperatorsOutcome outcome = {.host = FromProto(proto.host()), .seconds = proto.seconds()};
  for (const v1::OperatorRow& row : proto.rows()) outcome.rows.push_back(FromProto(row));
  return outcome;
}

v1::MeasureNetworksResult ToProto(const MeasureNetworksOutcome& outcome) {
  v1::MeasureNetworksResult proto;
  for (const NetworkMeasurement& row : outcome.rows) *proto.add_rows() = ToProto(row);
  *proto.mutable_host() = ToProto(outcome.host);
  proto.set_seconds(outcome.seconds);
  return proto;
}
MeasureNetworksOutcome FromProto(const v1::MeasureNetworksResult& proto) {
  MeasureNetworksOutcome outcome = {.host = FromProto(proto.host()), .seconds = proto.seconds()};
  for (const v1::NetworkRow& row : proto.rows()) outcome.rows.push_back(FromProto(row));
  return outcome;
}

v1::VerifyModelResult ToProto(const VerifyOutcome& outcome) {
  v1::VerifyModelResult proto;
  *proto.mutable_device() = ToProto(outcome.device);
  *proto.mutable_exported() = ToProto(outcome.exported);
  *proto.mutable_exported_latency() = ToProto(outcome.exported_latency);
  proto.set_exported_runtime(outcome.exported_runtime);
  proto.set_agreeing(outcome.agreeing);
  proto.set_compared(outcome.compared);
  proto.set_max_logit_difference(outcome.max_logit_difference);
  *proto.mutable_host() = ToProto(outcome.host);
  proto.set_seconds(outcome.seconds);
  *proto.mutable_reopened() = ToProto(outcome.reopened);
  *proto.mutable_device_accuracy() = ToProto(outcome.device_accuracy);
  proto.mutable_class_correct()->Assign(outcome.class_correct.begin(), outcome.class_correct.end());
  proto.set_among_five(outcome.among_five);
  return proto;
}
VerifyOutcome FromProto(const v1::VerifyModelResult& proto) {
  return {.device = FromProto(proto.device()),
          .exported = FromProto(proto.exported()),
          .exported_latency = FromProto(proto.exported_latency()),
          .exported_runtime = proto.exported_runtime(),
          .agreeing = proto.agreeing(),
          .compared = proto.compared(),
          .max_logit_difference = proto.max_logit_difference(),
          .host = FromProto(proto.host()),
          .seconds = proto.seconds(),
          .reopened = FromProto(proto.reopened()),
          .device_accuracy = FromProto(proto.device_accuracy()),
          .class_correct = {proto.class_correct().begin(), proto.class_correct().end()},
          .among_five = proto.among_five()};
}

}  // namespace hanas::coordinator
