// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/work_codec.h"

#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hanas::coordinator {
namespace {

namespace pb = store::v1;

void Put(const ArtifactRef& in, pb::Artifact& out) {
  out.set_sha256(in.sha256);
  out.set_size_bytes(in.size_bytes);
}
ArtifactRef Get(const pb::Artifact& in) { return {.sha256 = in.sha256(), .size_bytes = in.size_bytes()}; }

void Put(const TrainWork& in, pb::TrainWork& out) {
  out.set_kind(static_cast<int>(in.kind));
  out.set_slice(GenesToStored(in.slice));
  if (!in.initial.empty()) Put(in.initial, *out.mutable_initial());
  out.set_from_step(in.from_step);
  out.set_to_step(in.to_step);
  out.set_total_steps(in.total_steps);
}
absl::StatusOr<Work> Get(const pb::TrainWork& in) {
  const absl::StatusOr<TrainingKind> kind = TrainingKindFromStored(in.kind());
  if (!kind.ok()) return kind.status();
  return TrainWork{.kind = *kind,
                   .slice = GenesFromStored(in.slice()),
                   .initial = Get(in.initial()),
                   .from_step = in.from_step(),
                   .to_step = in.to_step(),
                   .total_steps = in.total_steps()};
}

void Put(const EvaluateWork& in, pb::EvaluateWork& out) {
  Put(in.checkpoint, *out.mutable_checkpoint());
  for (const Architecture& architecture : in.architectures) out.add_architectures(GenesToStored(architecture));
  for (const std::string& digest : in.graph_digests) out.add_graph_digests(digest);
}
EvaluateWork Get(const pb::EvaluateWork& in) {
  EvaluateWork out = {.checkpoint = Get(in.checkpoint())};
  for (const std::string& genes : in.architectures()) out.architectures.push_back(GenesFromStored(genes));
  out.graph_digests.assign(in.graph_digests().begin(), in.graph_digests().end());
  return out;
}

void Put(const BindWork& in, pb::BindWork& out) {
  Put(in.checkpoint, *out.mutable_checkpoint());
  out.set_architecture(GenesToStored(in.architecture));
  out.set_graph_digest(in.graph_digest);
}
BindWork Get(const pb::BindWork& in) {
  return {.checkpoint = Get(in.checkpoint()), .architecture = GenesFromStored(in.architecture()), .graph_digest = in.graph_digest()};
}

void Put(const MeasureNetworksWork& in, pb::MeasureNetworksWork& out) {
  for (const Architecture& architecture : in.architectures) out.add_architectures(GenesToStored(architecture));
  for (const std::string& digest : in.plan_digests) out.add_plan_digests(digest);
}
MeasureNetworksWork Get(const pb::MeasureNetworksWork& in) {
  MeasureNetworksWork out;
  for (const std::string& genes : in.architectures()) out.architectures.push_back(GenesFromStored(genes));
  out.plan_digests.assign(in.plan_digests().begin(), in.plan_digests().end());
  return out;
}

void Put(const VerifyWork& in, pb::VerifyWork& out) {
  Put(in.bound_model, *out.mutable_bound_model());
  Put(in.onnx, *out.mutable_onnx());
  Put(in.images, *out.mutable_images());
}
VerifyWork Get(const pb::VerifyWork& in) {
  return {.bound_model = Get(in.bound_model()), .onnx = Get(in.onnx()), .images = Get(in.images())};
}

void Put(const TrainOutcome& in, pb::TrainOutcome& out) {
  Put(in.checkpoint, *out.mutable_checkpoint());
  out.set_step(in.step);
  out.set_loss(in.loss);
  out.set_images_per_second(in.images_per_second);
  out.set_seconds(in.seconds);
  out.set_dataset_digest(in.dataset_digest);
  out.set_reached_end(in.reached_end);
  out.set_dataset_files(in.dataset_files);
}
TrainOutcome Get(const pb::TrainOutcome& in) {
  return {.checkpoint = Get(in.checkpoint()),
          .step = in.step(),
          .loss = in.loss(),
          .images_per_second = in.images_per_second(),
          .seconds = in.seconds(),
          .dataset_digest = in.dataset_digest(),
          .reached_end = in.reached_end(),
          .dataset_files = in.dataset_files()};
}

void Put(const EvaluateOutcome& in, pb::EvaluateOutcome& out) {
  for (const Score& score : in.scores) ScoreToStored(score, *out.add_scores());
  out.set_seconds(in.seconds);
}
EvaluateOutcome Get(const pb::EvaluateOutcome& in) {
  EvaluateOutcome out = {.seconds = in.seconds()};
  for (const pb::Score& score : in.scores()) out.scores.push_back(ScoreFromStored(score));
  return out;
}

void Put(const FitOutcome& in, pb::FitOutcome& out) {
  out.set_predictor(in.predictor);
  out.set_held_out_tau(in.held_out_tau);
  out.set_held_out_rmse(in.held_out_rmse);
  out.set_kind(in.kind);
}
FitOutcome Get(const pb::FitOutcome& in) {
  return {.predictor = in.predictor(), .held_out_tau = in.held_out_tau(), .held_out_rmse = in.held_out_rmse(), .kind = in.kind()};
}

void Put(const BindOutcome& in, pb::BindOutcome& out) {
  Put(in.bound_model, *out.mutable_bound_model());
  Put(in.onnx, *out.mutable_onnx());
  ScoreToStored(in.test, *out.mutable_test());
  out.set_seconds(in.seconds);
}
BindOutcome Get(const pb::BindOutcome& in) {
  return {.bound_model = Get(in.bound_model()), .onnx = Get(in.onnx()), .test = ScoreFromStored(in.test()), .seconds = in.seconds()};
}

void Put(const PackOutcome& in, pb::PackOutcome& out) {
  Put(in.images, *out.mutable_images());
  out.set_num_images(in.num_images);
  for (const ClassPictures& pictures : in.survey.classes) {
    pb::ClassPictures& row = *out.add_classes();
    row.set_name(pictures.name);
    row.set_train(pictures.train);
    row.set_test(pictures.test);
  }
  for (const Warning& warning : in.survey.warnings) {
    pb::Warning& row = *out.add_warnings();
    row.set_code(warning.code);
    row.set_text(warning.text);
    for (const std::string& member : warning.members) row.add_members(member);
  }
}
PackOutcome Get(const pb::PackOutcome& in) {
  PackOutcome out = {.images = Get(in.images()), .num_images = in.num_images()};
  for (const pb::ClassPictures& row : in.classes()) out.survey.classes.push_back({row.name(), row.train(), row.test()});
  for (const pb::Warning& row : in.warnings())
    out.survey.warnings.push_back({row.code(), row.text(), {row.members().begin(), row.members().end()}});
  return out;
}

void Put(const HostObservation& in, pb::HostObservation& out) {
  if (in.load_average) out.set_load_average(*in.load_average);
  if (in.steal_percent) out.set_steal_percent(*in.steal_percent);
  if (in.temperature_celsius) out.set_temperature_celsius(*in.temperature_celsius);
  if (in.frequency_mhz) out.set_frequency_mhz(*in.frequency_mhz);
  out.set_canary_ratio(in.canary_ratio);
  out.set_rejected_rounds(in.rejected_rounds);
}
HostObservation Get(const pb::HostObservation& in) {
  HostObservation out = {.canary_ratio = in.canary_ratio(), .rejected_rounds = in.rejected_rounds()};
  if (in.has_load_average()) out.load_average = in.load_average();
  if (in.has_steal_percent()) out.steal_percent = in.steal_percent();
  if (in.has_temperature_celsius()) out.temperature_celsius = in.temperature_celsius();
  if (in.has_frequency_mhz()) out.frequency_mhz = in.frequency_mhz();
  return out;
}

void Put(const MeasureOperatorsOutcome& in, pb::MeasureOperatorsOutcome& out) {
  for (const OperatorMeasurement& row : in.rows) {
    pb::OperatorMeasurement& stored = *out.add_rows();
    stored.set_key(row.key);
    stored.set_flushed_us(row.flushed_us);
    stored.set_hot_us(row.hot_us);
    stored.set_cv(row.cv);
    stored.set_rounds(row.rounds);
    stored.set_noisy(row.noisy);
  }
  Put(in.host, *out.mutable_host());
  out.set_seconds(in.seconds);
}
MeasureOperatorsOutcome Get(const pb::MeasureOperatorsOutcome& in) {
  MeasureOperatorsOutcome out = {.host = Get(in.host()), .seconds = in.seconds()};
  for (const pb::OperatorMeasurement& row : in.rows()) {
    out.rows.push_back({row.key(), row.flushed_us(), row.hot_us(), row.cv(), row.rounds(), row.noisy()});
  }
  return out;
}

void Put(const NetworkMeasurement& in, pb::NetworkMeasurement& out) {
  out.set_p50_us(in.p50_us);
  out.set_p90_us(in.p90_us);
  out.set_p99_us(in.p99_us);
  out.set_cv(in.cv);
  out.set_rounds(in.rounds);
  out.set_noisy(in.noisy);
  out.set_samples(in.samples);
}
NetworkMeasurement Get(const pb::NetworkMeasurement& in) {
  return {in.p50_us(), in.p90_us(), in.p99_us(), in.cv(), in.rounds(), in.noisy(), in.samples()};
}

void Put(const MeasureNetworksOutcome& in, pb::MeasureNetworksOutcome& out) {
  for (const NetworkMeasurement& row : in.rows) Put(row, *out.add_rows());
  Put(in.host, *out.mutable_host());
  out.set_seconds(in.seconds);
}
MeasureNetworksOutcome Get(const pb::MeasureNetworksOutcome& in) {
  MeasureNetworksOutcome out = {.host = Get(in.host()), .seconds = in.seconds()};
  for (const pb::NetworkMeasurement& row : in.rows()) out.rows.push_back(Get(row));
  return out;
}

void Put(const SecondReading& in, pb::SecondReading& out) {
  ScoreToStored(in.score, *out.mutable_score());
  out.set_differing(in.differing);
}
SecondReading Get(const pb::SecondReading& in) { return {.score = ScoreFromStored(in.score()), .differing = in.differing()}; }

void Put(const VerifyOutcome& in, pb::VerifyOutcome& out) {
  Put(in.device, *out.mutable_device());
  ScoreToStored(in.exported, *out.mutable_exported());
  Put(in.exported_latency, *out.mutable_exported_latency());
  out.set_exported_runtime(in.exported_runtime);
  out.set_agreeing(in.agreeing);
  out.set_compared(in.compared);
  out.set_max_logit_difference(in.max_logit_difference);
  Put(in.host, *out.mutable_host());
  out.set_seconds(in.seconds);
  Put(in.reopened, *out.mutable_reopened());
  Put(in.device_accuracy, *out.mutable_device_accuracy());
}
VerifyOutcome Get(const pb::VerifyOutcome& in) {
  return {.device = Get(in.device()),
          .exported = ScoreFromStored(in.exported()),
          .exported_latency = Get(in.exported_latency()),
          .exported_runtime = in.exported_runtime(),
          .agreeing = in.agreeing(),
          .compared = in.compared(),
          .max_logit_difference = in.max_logit_difference(),
          .host = Get(in.host()),
          .seconds = in.seconds(),
          .reopened = Get(in.reopened()),
          .device_accuracy = Get(in.device_accuracy())};
}

}  // namespace

std::string GenesToStored(const Architecture& architecture) { return std::string(architecture.genes.begin(), architecture.genes.end()); }
Architecture GenesFromStored(const std::string& genes) { return {.genes = std::vector<uint8_t>(genes.begin(), genes.end())}; }

absl::StatusOr<TrainingKind> TrainingKindFromStored(int stored) {
  if (stored >= 0 && stored <= static_cast<int>(TrainingKind::kAlone)) return static_cast<TrainingKind>(stored);
  return absl::DataLossError(absl::StrCat("expected a known kind of training in a stored record, found ", stored));
}

void HostToStored(const HostObservation& host, pb::HostObservation& out) { Put(host, out); }
HostObservation HostFromStored(const pb::HostObservation& stored) { return Get(stored); }

void ScoreToStored(const Score& score, pb::Score& out) {
  out.set_correct(score.correct);
  out.set_images(score.images);
  out.set_loss(score.loss);
}
Score ScoreFromStored(const pb::Score& stored) { return {.correct = stored.correct(), .images = stored.images(), .loss = stored.loss()}; }

void WorkToStored(const Work& work, pb::Work& out) {
  struct Visitor {
    pb::Work& out;
    void operator()(const TrainWork& w) const { Put(w, *out.mutable_train()); }
    void operator()(const EvaluateWork& w) const { Put(w, *out.mutable_evaluate()); }
    void operator()(const FitWork& w) const { out.mutable_fit()->set_num_evaluations(w.num_evaluations); }
    void operator()(const BindWork& w) const { Put(w, *out.mutable_bind()); }
    void operator()(const PackWork&) const { out.mutable_pack(); }
    void operator()(const MeasureOperatorsWork& w) const {
      out.mutable_measure_operators()->mutable_keys()->Assign(w.keys.begin(), w.keys.end());
    }
    void operator()(const MeasureNetworksWork& w) const { Put(w, *out.mutable_measure_networks()); }
    void operator()(const VerifyWork& w) const { Put(w, *out.mutable_verify()); }
  };
  std::visit(Visitor{out}, work);
}

absl::StatusOr<Work> WorkFromStored(const pb::Work& stored) {
  switch (stored.work_case()) {
    case pb::Work::kTrain:
      return Get(stored.train());
    case pb::Work::kEvaluate:
      return Get(stored.evaluate());
    case pb::Work::kFit:
      return FitWork{.num_evaluations = stored.fit().num_evaluations()};
    case pb::Work::kBind:
      return Get(stored.bind());
    case pb::Work::kPack:
      return PackWork{};
    case pb::Work::kMeasureOperators:
      return MeasureOperatorsWork{.keys = {stored.measure_operators().keys().begin(), stored.measure_operators().keys().end()}};
    case pb::Work::kMeasureNetworks:
      return Get(stored.measure_networks());
    case pb::Work::kVerify:
      return Get(stored.verify());
    case pb::Work::WORK_NOT_SET:
      break;
  }
  return absl::DataLossError("expected a stored task to say its work, found none");
}

void OutcomeToStored(const Outcome& outcome, pb::Outcome& out) {
  struct Visitor {
    pb::Outcome& out;
    void operator()(const TrainOutcome& o) const { Put(o, *out.mutable_train()); }
    void operator()(const EvaluateOutcome& o) const { Put(o, *out.mutable_evaluate()); }
    void operator()(const FitOutcome& o) const { Put(o, *out.mutable_fit()); }
    void operator()(const BindOutcome& o) const { Put(o, *out.mutable_bind()); }
    void operator()(const PackOutcome& o) const { Put(o, *out.mutable_pack()); }
    void operator()(const MeasureOperatorsOutcome& o) const { Put(o, *out.mutable_measure_operators()); }
    void operator()(const MeasureNetworksOutcome& o) const { Put(o, *out.mutable_measure_networks()); }
    void operator()(const VerifyOutcome& o) const { Put(o, *out.mutable_verify()); }
  };
  std::visit(Visitor{out}, outcome);
}

absl::StatusOr<Outcome> OutcomeFromStored(const pb::Outcome& stored) {
  switch (stored.outcome_case()) {
    case pb::Outcome::kTrain:
      return Get(stored.train());
    case pb::Outcome::kEvaluate:
      return Get(stored.evaluate());
    case pb::Outcome::kFit:
      return Get(stored.fit());
    case pb::Outcome::kBind:
      return Get(stored.bind());
    case pb::Outcome::kPack:
      return Get(stored.pack());
    case pb::Outcome::kMeasureOperators:
      return Get(stored.measure_operators());
    case pb::Outcome::kMeasureNetworks:
      return Get(stored.measure_networks());
    case pb::Outcome::kVerify:
      return Get(stored.verify());
    case pb::Outcome::OUTCOME_NOT_SET:
      break;
  }
  return absl::DataLossError("expected a stored outcome to say what it is of, found nothing");
}

void RoundToStored(const RecordedRound& round, pb::RecordedRound& out) {
  out.set_round(round.round);
  for (const RoundMeasurement& row : round.rows) {
    pb::RoundMeasurement& stored = *out.add_rows();
    stored.set_index(row.index);
    stored.set_flushed_us(row.flushed_us);
    stored.set_hot_us(row.hot_us);
    stored.set_p99_us(row.p99_us);
    stored.set_samples(row.samples);
    stored.set_disturbed(row.disturbed);
  }
}

RecordedRound RoundFromStored(const pb::RecordedRound& stored) {
  RecordedRound round = {.round = stored.round()};
  for (const pb::RoundMeasurement& row : stored.rows()) {
    round.rows.push_back({row.index(), row.flushed_us(), row.hot_us(), row.p99_us(), row.samples(), row.disturbed()});
  }
  return round;
}

}  // namespace hanas::coordinator
