// SPDX-License-Identifier: Apache-2.0
#include "coordinator/service/task_convert.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "coordinator/app/training_seed.h"
#include "coordinator/store/codec/data_codec.h"
#include "coordinator/store/codec/work_codec.h"
#include "core/base/bounds.h"
#include "core/base/field_violation.h"
#include "core/base/plain_name.h"
#include "core/family/convnet/convnet_space.h"
#include "rpc/convert/device.h"
#include "rpc/convert/job.h"
#include "rpc/convert/space.h"
#include "rpc/protocol.h"
#include "rpc/sha256.h"

namespace hanas::coordinator {
namespace {

constexpr size_t kMaxTextBytes = 256;
constexpr size_t kKeyBytes = 32;
constexpr size_t kDigestDigits = 64;  // of SHA-256
constexpr int kMaxThreads = 1 << 16;
/// Not the job's: searches that differ in theirs share a supernet, which learns from these answers.
constexpr int kTeachersCalibrationImages = 512;

bool GoesOnFromTrained(TrainingKind kind) { return kind == TrainingKind::kFineTune || kind == TrainingKind::kFinal; }

/// The schedule of a training of so many steps: the supernet's is the job's. One network has no sampling, and short trainings are done
/// beside one another, in one shard each. The teacher learns the labels as they are: what it says of wrong classes is worth less when it
/// was told to be unsure (Müller et al. 2019). What goes on from the supernet's weights has the learning rates of fine-tuning.
TrainingSpec TrainingOf(const SearchJob& job, TrainingKind kind, int64_t steps) {
  TrainingSpec training = job.training;
  training.steps = steps;
  if (kind == TrainingKind::kSupernet) return training;
  training.phases = {{1.0, SamplingKind::kLargest}};
  if (kind == TrainingKind::kTeacher) {
    training.label_smoothing = 0;
    return training;
  }
  if (!TrainsInShards(kind)) training.shards = 1;
  if (GoesOnFromTrained(kind) && HasSupernet(job)) {
    training.learning_rate = job.fine_tune.learning_rate;
    const double scaled = job.training.muon_learning_rate * job.fine_tune.learning_rate / job.training.learning_rate;
    training.muon_learning_rate = std::min(scaled, bounds::kMaxLearningRate);
  }
  return training;
}

struct WorkWriter {
  const GrantedTask& granted;
  v1::Task& out;

  const SearchJob& job() const { return *granted.job; }

  /// Of the network that the work is about.
  template <typename OfNetwork>
  const SpaceSpec& SpaceOf(const OfNetwork& work) const {
    return work.space.has_value() ? *work.space : job().space;
  }

  void operator()(const TrainWork& work) const {
    v1::TrainTask& train = *out.mutable_train();
    *train.mutable_space() = rpc::ToProto(SpaceOf(work));
    if (!work.slice.genes.empty()) *train.mutable_slice() = rpc::ToProto(work.slice);
    *train.mutable_dataset() = rpc::ToProto(job().dataset);
    *train.mutable_training() = rpc::ToProto(TrainingOf(job(), work.kind, work.total_steps));
    train.set_seed(TrainingSeed(job(), granted.task.key));
    if (!work.initial.empty()) *train.mutable_initial() = ToProto(work.initial);
    train.set_reset_schedule(GoesOnFromTrained(work.kind) && work.from_step == 0);
    train.set_from_step(work.from_step);
    train.set_to_step(work.to_step);
    train.set_teaches(work.kind == TrainingKind::kTeacher);
    if (work.teacher.has_value()) FillTeacher(*work.teacher, *train.mutable_teacher());
  }
  void operator()(const EvaluateWork& work) const {
    v1::EvaluateTask& evaluate = *out.mutable_evaluate();
    *evaluate.mutable_space() = rpc::ToProto(job().space);
    *evaluate.mutable_dataset() = rpc::ToProto(job().dataset);
    if (!work.checkpoint.empty()) *evaluate.mutable_checkpoint() = ToProto(work.checkpoint);
    for (const Architecture& architecture : work.architectures) *evaluate.add_architectures() = rpc::ToProto(architecture);
    for (const std::string& digest : work.graph_digests) evaluate.add_graph_digests(digest);
    evaluate.set_validation_images(work.all_validation_images ? job().dataset.validation_images : job().sampling.validation_images);
    evaluate.set_calibration_images(job().sampling.calibration_images);
    if (work.steps.empty()) return;
    v1::TrainAlone& train = *evaluate.mutable_train();
    *train.mutable_training() =
        rpc::ToProto(TrainingOf(job(), TrainingKind::kAlone, *std::max_element(work.steps.begin(), work.steps.end())));
    train.mutable_steps()->Assign(work.steps.begin(), work.steps.end());
    train.set_seed(TrainingSeed(job(), granted.task.key));
    if (work.teacher.has_value()) FillTeacher(*work.teacher, *train.mutable_teacher());
  }
  void operator()(const FitWork&) const {
    v1::FitPredictorTask& fit = *out.mutable_fit_predictor();
    for (const auto& [features, target] : granted.rows) {
      v1::FeatureRow& row = *fit.add_rows();
      row.mutable_features()->Assign(features.begin(), features.end());
      row.set_target(target);
    }
    fit.set_seed(job().seed);
    const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(job().space);
    if (space.ok()) fit.set_space_digest(space->space().digest().ToHex());
  }
  void operator()(const BindWork& work) const {
    v1::BindTask& bind = *out.mutable_bind();
    *bind.mutable_space() = rpc::ToProto(SpaceOf(work));
    *bind.mutable_dataset() = rpc::ToProto(job().dataset);
    *bind.mutable_checkpoint() = ToProto(work.checkpoint);
    *bind.mutable_architecture() = rpc::ToProto(work.architecture);
    bind.set_graph_digest(work.graph_digest);
    bind.set_calibration_images(job().sampling.calibration_images);
  }
  void operator()(const PackWork&) const {
    *out.mutable_pack_images()->mutable_dataset() = rpc::ToProto(job().dataset);
    out.mutable_pack_images()->set_channels(job().space.input_channels);
    out.mutable_pack_images()->set_side(*std::max_element(job().space.resolutions.begin(), job().space.resolutions.end()));
  }
  void operator()(const MeasureOperatorsWork& work) const {
    v1::MeasureOperatorsTask& measure = *out.mutable_measure_operators();
    for (const std::string& key : work.keys) measure.add_keys(key);
    FillMeasuring(measure);
    FillRecorded(measure);
  }
  void operator()(const MeasureNetworksWork& work) const {
    v1::MeasureNetworksTask& measure = *out.mutable_measure_networks();
    const v1::SpaceSpec space = rpc::ToProto(job().space);
    for (size_t i = 0; i < work.architectures.size(); ++i) {
      v1::NetworkToMeasure& network = *measure.add_networks();
      *network.mutable_space() = work.spaces.empty() ? space : rpc::ToProto(work.spaces[i]);
      *network.mutable_architecture() = rpc::ToProto(work.architectures[i]);
      network.set_plan_digest(work.plan_digests[i]);
    }
    FillMeasuring(measure);
    FillRecorded(measure);
  }
  void operator()(const VerifyWork& work) const {
    v1::VerifyModelTask& verify = *out.mutable_verify_model();
    *verify.mutable_bound_model() = ToProto(work.bound_model);
    *verify.mutable_onnx() = ToProto(work.onnx);
    *verify.mutable_images() = ToProto(work.images);
    verify.set_agreement_images(100);
    FillMeasuring(verify);
  }

  void FillTeacher(const TeacherRef& from, v1::Teacher& teacher) const {
    *teacher.mutable_space() = rpc::ToProto(from.space);
    *teacher.mutable_architecture() = rpc::ToProto(from.architecture);
    *teacher.mutable_checkpoint() = ToProto(from.checkpoint);
    teacher.set_weight(job().teacher.weight);
    teacher.set_temperature(job().teacher.temperature);
    teacher.set_calibration_images(kTeachersCalibrationImages);
  }
  template <typename Measure>
  void FillMeasuring(Measure& measure) const {
    measure.set_rounds(job().measure.rounds);
    measure.set_max_rounds(job().measure.max_rounds);
    measure.set_seed(job().seed);
  }
  template <typename Measure>
  void FillRecorded(Measure& measure) const {
    for (const RecordedRound& recorded : granted.task.rounds) *measure.add_recorded() = ToProto(recorded);
  }
};

void CheckDatasets(const v1::WorkerInfo& worker, FieldViolations& violations) {
  const auto check = [&](absl::string_view field, const auto& texts, size_t low, size_t high) {
    const std::string path = absl::StrCat("party.worker.", field);
    if (texts.size() > rpc::kMaxDatasetsOfWorker) {
      violations.Add(path, absl::StrCat("expected at most ", rpc::kMaxDatasetsOfWorker, ", found ", texts.size()));
      return;
    }
    for (int i = 0; i < texts.size(); ++i) {
      const std::string& text = texts[i];
      if (text.size() < low) violations.Add(absl::StrCat(path, "[", i, "]"), "expected a name, found none");
      if (const absl::Status status = CheckOneLine(text, high); !status.ok())
        violations.Add(absl::StrCat(path, "[", i, "]"), std::string(status.message()));
    }
  };
  check("datasets", worker.datasets(), 1, kMaxTextBytes);
  check("dataset_digests", worker.dataset_digests(), 0, kDigestDigits);
  if (worker.dataset_digests_size() != 0 && worker.dataset_digests_size() != worker.datasets_size()) {
    violations.Add("party.worker.dataset_digests", absl::StrCat("expected one for each of ", worker.datasets_size(),
                                                                " datasets or none, found ", worker.dataset_digests_size()));
  }
  if (worker.threads() < 0 || worker.threads() > kMaxThreads)
    violations.Add("party.worker.threads", absl::StrCat("expected 0 to ", kMaxThreads, ", found ", worker.threads()));
}

}  // namespace

absl::StatusOr<uint64_t> IdFromName(absl::string_view name, absl::string_view collection, absl::string_view field) {
  absl::string_view number = name;
  uint64_t id = 0;
  const bool good = absl::ConsumePrefix(&number, collection) && absl::ConsumePrefix(&number, "/") &&
                    number.find_first_not_of("0123456789") == absl::string_view::npos && absl::SimpleAtoi(number, &id) && id > 0;
  if (good) return id;
  FieldViolations violations;
  violations.Add(std::string(field),
                 absl::StrCat("expected a name like \"", collection, "/12\", found \"", absl::CHexEscape(name.substr(0, 80)), "\""));
  return violations.ToStatus();
}

absl::StatusOr<uint64_t> PartyIdFromName(absl::string_view name) {
  return IdFromName(name, absl::StartsWith(name, "devices/") ? "devices" : "workers", "party");
}

std::string PartyName(const PartyRecord& party) { return absl::StrCat(party.agent ? "devices/" : "workers/", party.id); }

absl::StatusOr<PartyRecord> PartyFromProto(const v1::Party& proto) {
  FieldViolations violations;
  const auto check = [&](std::string field, const absl::Status& status) {
    if (!status.ok()) violations.Add(std::move(field), std::string(status.message()));
  };
  check("party.name", CheckPlainName(proto.name()));
  check("party.instance_id", CheckPlainName(proto.instance_id()));
  check("party.host_id", CheckPlainName(proto.host_id()));
  check("party.version", CheckOneLine(proto.version(), kMaxTextBytes));
  if (proto.key().size() != kKeyBytes) {
    violations.Add("party.key",
                   absl::StrCat("expected ", kKeyBytes, " random bytes that the party keeps over restarts, found ", proto.key().size()));
  }
  if (proto.has_worker() == proto.has_agent()) violations.Add("party", "expected either worker or agent, found both or neither");
  PartyRecord party = {.agent = proto.has_agent(),
                       .name = proto.name(),
                       .instance = proto.instance_id(),
                       .host = proto.host_id(),
                       .version = proto.version(),
                       .key = rpc::Sha256Hex(proto.key())};
  if (proto.has_worker()) {
    const v1::WorkerInfo& worker = proto.worker();
    CheckDatasets(worker, violations);
    party.threads = worker.threads();
    party.multiplies_bf16 = worker.multiplies_bf16();
    party.datasets.assign(worker.datasets().begin(), worker.datasets().end());
    party.dataset_digests.assign(worker.dataset_digests().begin(), worker.dataset_digests().end());
  }
  if (proto.has_agent()) {
    const v1::DeviceContext& device = proto.agent().device();
    const auto line = [&](absl::string_view field, const std::string& text) {
      check(absl::StrCat("party.agent.device.", field), CheckOneLine(text, kMaxTextBytes));
    };
    line("device", device.device());
    line("host", device.host());
    line("cpu", device.cpu());
    line("isa", device.isa());
    line("backend", device.backend());
    line("backend_version", device.backend_version());
    line("governor", device.governor());
    party.device = FromProto(device);
    absl::StatusOr<BackendCaps> caps = rpc::BackendCapsFromProto(proto.agent().caps());
    check("party.agent.caps", caps.status());
    if (caps.ok()) party.caps = *std::move(caps);
  }
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return party;
}

v1::Task ToProto(const GrantedTask& granted) {
  v1::Task proto;
  proto.mutable_lease()->set_task(absl::StrCat("tasks/", granted.task.id));
  proto.set_search(absl::StrCat("searches/", granted.task.search));
  proto.set_dataset_digest(granted.dataset_digest);
  proto.mutable_lease()->set_attempt(granted.task.attempt);
  proto.mutable_lease()->set_fencing_token(granted.task.fencing_token);
  proto.mutable_lease()->set_ttl_seconds(absl::ToDoubleSeconds(granted.ttl));
  std::visit(WorkWriter{granted, proto}, granted.task.work);
  return proto;
}

absl::StatusOr<Holder> HolderFromProto(absl::string_view party, absl::string_view instance, absl::string_view task,
                                       uint64_t fencing_token) {
  const absl::StatusOr<uint64_t> party_id = PartyIdFromName(party);
  if (!party_id.ok()) return party_id.status();
  const absl::StatusOr<uint64_t> task_id = IdFromName(task, "tasks", "task");
  if (!task_id.ok()) return task_id.status();
  return Holder{.party = *party_id, .instance = std::string(instance), .task = *task_id, .fencing_token = fencing_token};
}

absl::StatusOr<Outcome> OutcomeFromProto(const v1::CompleteTaskRequest& request) {
  if (request.result_case() != v1::CompleteTaskRequest::RESULT_NOT_SET) return OutcomeFromOneof(request);
  FieldViolations violations;
  violations.Add("result", absl::StrCat("expected the result of the task's work, found none for ", request.task()));
  return violations.ToStatus();
}

RecordedRound RoundFromProto(const v1::RecordRoundRequest& request) {
  RecordedRound round = {.round = request.round()};
  for (const v1::RoundRow& row : request.rows()) round.rows.push_back(FromProto(row));
  return round;
}

}  // namespace hanas::coordinator
