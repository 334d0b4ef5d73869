// SPDX-License-Identifier: Apache-2.0
#include "tests/support/wire_evaluator.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/family/convnet/convnet_space.h"
#include "core/lowering/lowering.h"
#include "core/plan/exec_plan.h"
#include "core/plan/op_key.h"
#include "core/predictor/predictor_weights.h"
#include "rpc/convert/device.h"
#include "rpc/convert/space.h"

namespace hanas {
namespace {

constexpr int64_t kTestImages = 10000;
constexpr char kBoundPrefix[] = "bound ";

BackendCaps Caps() { return {.name = "xnnpack", .version = "1", .isa = "none", .native = {{.compute = ElementType::kInt8}}}; }

absl::Status Stopped() { return absl::CancelledError("told to stop"); }

double OperatorUs(const OpKey& key) {
  const double scale = key.input_type == ElementType::kInt8 ? (key.groups > 1 ? 3e-3 : 5e-4) : 1.5e-3;
  return 1 + scale * static_cast<double>(Macs(key));
}

/// From 0 to 1, for any network.
double Noise(absl::string_view genes) { return static_cast<double>(DigestBuilder().Add(genes).Build().low % 1000) / 1000; }

/// Grows with the choices of a network, and a little with its digest.
v1::Accuracy Scored(const std::string& genes, int64_t images) {
  double sum = 0;
  for (const char gene : genes) sum += static_cast<unsigned char>(gene);
  const double accuracy = 0.5 + 0.4 * sum / (sum + 10) + 0.01 * Noise(genes);
  v1::Accuracy proto;
  proto.set_correct(static_cast<int64_t>(accuracy * static_cast<double>(images)));
  proto.set_images(images);
  proto.set_loss(1);
  return proto;
}

v1::NetworkRow Timed(double us) {
  v1::NetworkRow row;
  row.set_p50_us(us);
  row.set_p90_us(1.05 * us);
  row.set_p99_us(1.2 * us);
  row.set_cv(0.01);
  row.set_rounds(5);
  row.set_samples(500);
  return row;
}

absl::StatusOr<double> NetworkUs(const v1::SpaceSpec& space, const v1::Architecture& architecture) {
  const absl::StatusOr<SpaceSpec> spec = rpc::SpaceSpecFromProto(space);
  if (!spec.ok()) return spec.status();
  const absl::StatusOr<ConvnetSpace> created = ConvnetSpace::Define(*spec);
  if (!created.ok()) return created.status();
  const absl::StatusOr<Architecture> network = rpc::ArchitectureFromProto(architecture, created->space());
  if (!network.ok()) return network.status();
  double sum = 0;
  for (const ExecStep& step : MakePlan(Lowering(*created).Lower(*network), Caps()).steps) sum += OperatorUs(step.key);
  return 1.1 * sum + 5 + 0.01 * sum * Noise(architecture.genes());
}

/// Reports the rounds from `first` that no earlier attempt recorded; `rows` of one round.
template <typename MeasureTask>
absl::Status ReportRounds(const MeasureTask& task, const std::vector<v1::RoundRow>& rows, rpc::TaskContext& context) {
  for (int round = 0; round < task.rounds(); ++round) {
    bool recorded = false;
    for (const v1::RecordedRound& earlier : task.recorded()) recorded = recorded || earlier.round() == round;
    if (recorded) continue;
    if (context.ReportProgress(round, task.rounds(), "") != rpc::Directive::kContinue) return Stopped();
    if (absl::Status status = context.RecordRound(round, rows); !status.ok()) return status;
  }
  return absl::OkStatus();
}

struct Answer {
  rpc::Artifacts* artifacts;
  rpc::TaskContext& context;
  v1::CompleteTaskRequest request;

  absl::Status Store(const std::string& bytes, v1::ArtifactRef* out) {
    absl::StatusOr<v1::ArtifactRef> artifact = artifacts->Upload(bytes);
    if (artifact.ok()) *out = *std::move(artifact);
    return artifact.status();
  }

  absl::Status Train(const v1::TrainTask& task) {
    v1::TrainResult& result = *request.mutable_train();
    int64_t step = task.from_step();
    while (step < task.to_step()) {
      const rpc::Directive directive = context.ReportProgress(step, task.to_step(), "loss 1.00");
      if (directive == rpc::Directive::kAbandon || (directive == rpc::Directive::kHandBack && step == task.from_step())) return Stopped();
      if (directive == rpc::Directive::kHandBack) break;
      ++step;
    }
    result.set_step(step);
    result.set_reached_end(step == task.to_step());
    result.set_loss(1);
    result.set_seconds(1);
    result.set_images_per_second(100);
    result.set_dataset_digest("data");
    // The weights depend on the schedule and the step alone, not on how the way there was cut into pieces.
    return Store(absl::StrCat("checkpoint of ", task.slice().genes(), " seed ", task.seed(), " of ", task.training().steps(), " at ", step),
                 result.mutable_checkpoint());
  }
  absl::Status Evaluate(const v1::EvaluateTask& task) {
    v1::EvaluateResult& result = *request.mutable_evaluate();
    for (const v1::Architecture& architecture : task.architectures()) {
      if (context.ReportProgress(result.accuracies_size(), task.architectures_size(), "") != rpc::Directive::kContinue) return Stopped();
      *result.add_accuracies() = Scored(architecture.genes(), task.validation_images());
    }
    result.set_seconds(1);
    return absl::OkStatus();
  }
  /// One linear member: for each feature, how far its rows are above the mean.
  absl::Status Fit(const v1::FitPredictorTask& task) {
    if (task.rows().empty()) return absl::InvalidArgumentError("rows: expected some, found none");
    const double count = task.rows_size();
    double mean = 0;
    for (const v1::FeatureRow& row : task.rows()) mean += row.target() / count;
    DenseLayer layer = {.num_inputs = task.rows(0).features_size(), .num_outputs = 1, .weights = {}, .bias = {0}};
    for (int i = 0; i < layer.num_inputs; ++i) {
      double sum = 0;
      double seen = 1;
      for (const v1::FeatureRow& row : task.rows()) {
        sum += row.features(i) * (row.target() - mean);
        seen += row.features(i);
      }
      layer.weights.push_back(static_cast<float>(sum / seen));
    }
    const absl::StatusOr<Digest> space = Digest::FromHex(task.space_digest());
    if (!space.ok()) return space.status();
    PredictorWeights weights = {.space_digest = *space, .num_features = layer.num_inputs, .members = {{{layer}}}, .output_mean = mean};
    weights.num_train = task.rows_size();
    v1::FitPredictorResult& result = *request.mutable_fit_predictor();
    result.set_predictor(SerialisePredictor(weights));
    result.set_held_out_tau(0.8);
    result.set_held_out_rmse(0.01);
    result.set_kind("ridge");
    return absl::OkStatus();
  }
  absl::Status Bind(const v1::BindTask& task) {
    v1::BindResult& result = *request.mutable_bind();
    *result.mutable_test() = Scored(task.architecture().genes(), kTestImages);
    result.set_seconds(1);
    const absl::StatusOr<double> us = NetworkUs(task.space(), task.architecture());
    if (!us.ok()) return us.status();
    // What VerifyModel needs to know of the network travels in the file.
    const absl::Status status = Store(absl::StrCat(kBoundPrefix, *us, " ", task.architecture().genes()), result.mutable_bound_model());
    return status.ok() ? Store("onnx " + task.architecture().genes(), result.mutable_onnx()) : status;
  }
  absl::Status Pack() {
    request.mutable_pack_images()->set_num_images(kTestImages);
    return Store("images", request.mutable_pack_images()->mutable_images());
  }
  absl::Status MeasureOperators(const v1::MeasureOperatorsTask& task) {
    v1::MeasureOperatorsResult& result = *request.mutable_measure_operators();
    std::vector<v1::RoundRow> rows;
    for (const std::string& text : task.keys()) {
      const absl::StatusOr<OpKey> key = OpKeyFromString(text);
      if (!key.ok()) return key.status();
      const double us = OperatorUs(*key);
      *result.add_rows() = rpc::ToProto(rpc::MeasuredOperator{*key, {us, 0.9 * us, 0.01, 5, false}});
      v1::RoundRow& row = rows.emplace_back();
      row.set_index(static_cast<int>(rows.size()) - 1);
      row.set_flushed_us(us);
      row.set_hot_us(0.9 * us);
      row.set_samples(100);
    }
    result.set_seconds(1);
    return ReportRounds(task, rows, context);
  }
  absl::Status MeasureNetworks(const v1::MeasureNetworksTask& task) {
    v1::MeasureNetworksResult& result = *request.mutable_measure_networks();
    std::vector<v1::RoundRow> rows;
    for (const v1::NetworkToMeasure& network : task.networks()) {
      const absl::StatusOr<double> us = NetworkUs(network.space(), network.architecture());
      if (!us.ok()) return us.status();
      *result.add_rows() = Timed(*us);
      v1::RoundRow& row = rows.emplace_back();
      row.set_index(static_cast<int>(rows.size()) - 1);
      row.set_flushed_us(*us);
      row.set_hot_us(1.05 * *us);
      row.set_p99_us(1.2 * *us);
      row.set_samples(100);
    }
    result.set_seconds(1);
    return ReportRounds(task, rows, context);
  }
  absl::Status Verify(const v1::VerifyModelTask& task) {
    const absl::StatusOr<std::string> bytes = artifacts->Download(task.bound_model());
    if (!bytes.ok()) return bytes.status();
    const absl::string_view text = absl::string_view(*bytes).substr(sizeof(kBoundPrefix) - 1);
    const size_t space = text.find(' ');
    double us = 0;
    if (!absl::SimpleAtod(text.substr(0, space), &us)) return absl::DataLossError(absl::StrCat("expected a fake model, found ", *bytes));
    v1::VerifyModelResult& result = *request.mutable_verify_model();
    *result.mutable_device() = Timed(us);
    *result.mutable_exported_latency() = Timed(us);
    *result.mutable_exported() = Scored(std::string(text.substr(space + 1)), kTestImages);
    *result.mutable_reopened()->mutable_accuracy() = result.exported();
    *result.mutable_device_accuracy()->mutable_accuracy() = result.exported();
    result.set_exported_runtime("fake 1");
    result.set_agreeing(task.agreement_images());
    result.set_compared(task.agreement_images());
    result.set_seconds(1);
    return absl::OkStatus();
  }

  absl::Status Execute(const v1::Task& task) {
    switch (task.work_case()) {
      case v1::Task::kTrain:
        return Train(task.train());
      case v1::Task::kEvaluate:
        return Evaluate(task.evaluate());
      case v1::Task::kFitPredictor:
        return Fit(task.fit_predictor());
      case v1::Task::kBind:
        return Bind(task.bind());
      case v1::Task::kPackImages:
        return Pack();
      case v1::Task::kMeasureOperators:
        return MeasureOperators(task.measure_operators());
      case v1::Task::kMeasureNetworks:
        return MeasureNetworks(task.measure_networks());
      case v1::Task::kVerifyModel:
        return Verify(task.verify_model());
      default:
        return absl::UnimplementedError(absl::StrCat("work: expected one that this evaluator knows, found ", task.work_case()));
    }
  }
};

v1::Party MakeParty(const std::string& name, const std::string& instance) {
  v1::Party party;
  party.set_name(name);
  party.set_instance_id(instance);
  party.set_key(std::string(32, 'k'));
  party.set_host_id("host-of-" + name);  // hosts of their own: measuring stops nobody else
  party.set_version("test");
  return party;
}

}  // namespace

absl::StatusOr<v1::CompleteTaskRequest> WireEvaluator::Execute(const v1::Task& task, rpc::TaskContext& context) {
  Answer answer = {artifacts_, context, {}};
  if (absl::Status status = answer.Execute(task); !status.ok()) return status;
  return std::move(answer.request);
}

v1::Party FakeWorker(const std::string& name, const std::string& instance) {
  v1::Party party = MakeParty(name, instance);
  party.mutable_worker()->set_threads(1);
  party.mutable_worker()->add_datasets("fake");
  return party;
}

v1::Party FakeAgent(const std::string& name, const std::string& instance) {
  v1::Party party = MakeParty(name, instance);
  v1::DeviceContext& device = *party.mutable_agent()->mutable_device();
  device.set_device(name);
  device.set_cpu("fake");
  device.set_backend("xnnpack");
  device.set_backend_version("1");
  device.set_threads(1);
  *party.mutable_agent()->mutable_caps() = rpc::ToProto(Caps());
  return party;
}

}  // namespace hanas
