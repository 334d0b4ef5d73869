// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/service/child_jobs.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/error_reason.h"
#include "core/bound/bound_model.h"
#include "core/family/convnet/convnet_space.h"
#include "core/lowering/lowering.h"
#include "core/plan/exec_plan.h"
#include "export/bound_model_file.h"
#include "export/image_pack.h"
#include "export/onnx_check.h"
#include "profiler-agent/backends/backends.h"
#include "profiler-agent/measure/agreement.h"
#include "profiler-agent/measure/clock.h"
#include "profiler-agent/measure/measure.h"
#include "profiler-agent/runtime/onnxruntime/onnx_network.h"
#include "profiler-agent/service/child_job.pb.h"
#include "rpc/convert/device.h"
#include "rpc/convert/space.h"

namespace hanas {
namespace {

constexpr absl::string_view kPlanDisagrees = "PLAN_DISAGREES";
constexpr int64_t kProgressImages = 500;
constexpr int64_t kBatch = 100;

/// Bytes that can be opened by a path, as long as it lives; no disk is needed for it.
class MemoryFile {
 public:
  explicit MemoryFile(absl::string_view bytes) : descriptor_(memfd_create("model.onnx", MFD_CLOEXEC)) {
    while (descriptor_ >= 0 && written_ < bytes.size()) {
      const ssize_t count = write(descriptor_, bytes.data() + written_, bytes.size() - written_);
      if (count <= 0) break;
      written_ += static_cast<size_t>(count);
    }
    complete_ = descriptor_ >= 0 && written_ == bytes.size();
  }
  ~MemoryFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  /// Whether all bytes are there.
  bool complete() const { return complete_; }
  std::string path() const { return absl::StrCat("/proc/self/fd/", descriptor_); }

 private:
  int descriptor_;
  size_t written_ = 0;
  bool complete_ = false;
};

/// One job in the child: the request, the runtime, and the way back.
class Job {
 public:
  Job(const agent::ChildRequest& request, EmitRecord emit) : request_(request), emit_(std::move(emit)) {}

  absl::Status Run();

 private:
  absl::Status Start();
  absl::Status Operators(const v1::MeasureOperatorsTask& task);
  absl::Status Networks(const v1::MeasureNetworksTask& task);
  absl::Status Verify(const v1::VerifyModelTask& task);
  /// The test images by all who read the network.
  absl::Status VerifyAccuracy(const BoundModel& model, absl::string_view onnx, const ImageSet& images, v1::VerifyModelResult& out);

  absl::StatusOr<NetworkJob> NetworkOf(const v1::NetworkToMeasure& network, int index);
  absl::StatusOr<const Lowering*> LoweringOf(const v1::SpaceSpec& proto);
  absl::StatusOr<absl::string_view> Artifact(const v1::ArtifactRef& artifact) const;
  absl::StatusOr<BoundModel> Model(const v1::ArtifactRef& artifact) const;

  absl::Status Emit(const agent::ChildRecord& record) const { return emit_(record.SerializeAsString()); }
  absl::Status EmitRound(const Round& round, size_t count, int rounds);
  absl::Status EmitProgress(int64_t done, int64_t total, absl::string_view note);
  absl::Status EmitResult(const v1::CompleteTaskRequest& result) const;

  MeasureEnvironment Environment();

  /// Waits for the host to cool down, and says so: the coordinator shows it (coordinator/scheduling/farm_view.h).
  class CoolDown : public Sleeper {
   public:
    explicit CoolDown(Job* job) : job_(job) {}
    void Sleep(absl::Duration duration) override {
      const std::string note = absl::StrCat("cooling down for ", absl::FormatDuration(duration));
      job_->EmitProgress(job_->last_done_, job_->last_total_, note).IgnoreError();  // a parent that is gone shows at the next result
      SystemSleeper().Sleep(duration);
    }

   private:
    Job* job_;
  };

  const agent::ChildRequest& request_;
  EmitRecord emit_;
  int threads_ = 1;
  std::unique_ptr<DeviceRuntime> runtime_;                // of all threads: for times
  std::unique_ptr<DeviceRuntime> runtime_of_one_thread_;  // for the canary, and for answers: they do not depend on how times are taken
  HostProbe probe_;
  std::unique_ptr<OperatorInstance> canary_;
  std::optional<Lowering> lowering_;  // of the last space
  int64_t rows_done_ = 0;
  int64_t last_done_ = 0;  // progress as it was said last
  int64_t last_total_ = 0;
  CoolDown cool_down_{this};
};

MeasureOptions OptionsOf(int rounds, int max_rounds, uint64_t seed) {
  MeasureOptions options;
  options.rounds = rounds;
  options.max_rounds = max_rounds;
  options.seed = seed;
  return options;
}

v1::HostState ToProto(const JobState& state) {
  v1::HostState proto;
  if (state.host.load_average) proto.set_load_average(*state.host.load_average);
  if (state.host.steal_percent) proto.set_steal_percent(*state.host.steal_percent);
  if (state.host.temperature_celsius) proto.set_temperature_celsius(*state.host.temperature_celsius);
  if (state.host.frequency_mhz) proto.set_frequency_mhz(*state.host.frequency_mhz);
  proto.set_canary_ratio(state.worst_canary_ratio);
  proto.set_rejected_rounds(state.rejected_slices);
  return proto;
}

v1::NetworkRow ToProto(const NetworkStatistics& statistics) {
  v1::NetworkRow row;
  row.set_p50_us(statistics.p50_us);
  row.set_p90_us(statistics.p90_us);
  row.set_p99_us(statistics.p99_us);
  row.set_cv(statistics.cv);
  row.set_rounds(statistics.num_rounds);
  row.set_noisy(statistics.noisy);
  row.set_samples(statistics.samples);
  return row;
}

/// What earlier attempts measured. A record may mix slices that were disturbed and others.
template <typename Recorded>
std::vector<Round> DoneRounds(const Recorded& recorded) {
  std::vector<Round> done;
  for (const v1::RecordedRound& record : recorded) {
    Round quiet{.round = record.round()};
    Round disturbed{.round = record.round(), .disturbed = true};
    for (const v1::RoundRow& row : record.rows()) {
      (row.disturbed() ? disturbed : quiet)
          .rows.push_back({.index = row.index(),
                           .flushed_us = row.flushed_us(),
                           .hot_us = row.hot_us(),
                           .p99_us = row.p99_us(),
                           .samples = row.samples()});
    }
    for (Round& round : std::array<Round, 2>{std::move(quiet), std::move(disturbed)}) {
      if (!round.rows.empty()) done.push_back(std::move(round));
    }
  }
  return done;
}

/// Threads that have to share processors wait for each other: what they take is no latency of this many threads.
absl::Status CheckThreads(int threads) {
  if (absl::Status status = RuntimeOptions{.num_threads = threads}.Validate(); !status.ok()) return status;
  if (const size_t cpus = AllowedCpus().size(); static_cast<size_t>(threads) > cpus) {
    return absl::FailedPreconditionError(
        absl::StrCat("measuring child: expected a processor for each of ", threads, " threads, found ", cpus, " that it may use"));
  }
  return absl::OkStatus();
}

absl::Status Job::Start() {
  const absl::StatusOr<BackendCaps> caps = rpc::BackendCapsFromProto(request_.caps());
  if (!caps.ok()) return caps.status();
  threads_ = request_.threads();
  if (absl::Status status = CheckThreads(threads_); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<DeviceRuntime>> runtime = CreateRuntime(*caps, {.num_threads = threads_});
  if (!runtime.ok()) return runtime.status();
  runtime_ = *std::move(runtime);
  absl::StatusOr<std::unique_ptr<DeviceRuntime>> runtime_of_one_thread = CreateRuntime(*caps);
  if (!runtime_of_one_thread.ok()) return runtime_of_one_thread.status();
  runtime_of_one_thread_ = *std::move(runtime_of_one_thread);
  absl::StatusOr<std::unique_ptr<OperatorInstance>> canary = MakeCanary(*runtime_of_one_thread_);
  if (!canary.ok()) return canary.status();
  canary_ = *std::move(canary);
  return absl::OkStatus();
}

absl::Status Job::Run() {
  if (absl::Status status = Start(); !status.ok()) return status;
  switch (request_.task().work_case()) {
    case v1::Task::kMeasureOperators:
      return Operators(request_.task().measure_operators());
    case v1::Task::kMeasureNetworks:
      return Networks(request_.task().measure_networks());
    case v1::Task::kVerifyModel:
      return Verify(request_.task().verify_model());
    default:
      return absl::UnimplementedError(absl::StrCat("an agent has no task of kind ", static_cast<int>(request_.task().work_case())));
  }
}

MeasureEnvironment Job::Environment() {
  MeasureEnvironment environment;
  environment.host = &probe_;
  environment.canary = canary_.get();
  environment.sleeper = &cool_down_;
  if (threads_ > 1) environment.clock = &SystemClockOfAllThreads();
  return environment;
}

absl::Status Job::EmitRound(const Round& round, size_t count, int rounds) {
  agent::ChildRecord record;
  record.mutable_round()->set_round(round.round);
  for (const VisitRow& row : round.rows) {
    v1::RoundRow& added = *record.mutable_round()->add_rows();
    added.set_index(row.index);
    added.set_flushed_us(row.flushed_us);
    added.set_hot_us(row.hot_us);
    added.set_p99_us(row.p99_us);
    added.set_samples(row.samples);
    added.set_disturbed(round.disturbed);
  }
  if (absl::Status status = Emit(record); !status.ok()) return status;
  rows_done_ += static_cast<int64_t>(round.rows.size());
  const auto total = static_cast<int64_t>(count) * std::max(rounds, round.round + 1);
  return EmitProgress(std::min(rows_done_, total), total, absl::StrCat("round ", round.round + 1));
}

absl::Status Job::EmitProgress(int64_t done, int64_t total, absl::string_view note) {
  last_done_ = done;
  last_total_ = total;
  agent::ChildRecord record;
  record.mutable_progress()->set_done(done);
  record.mutable_progress()->set_total(total);
  record.mutable_progress()->set_note(std::string(note));
  return Emit(record);
}

absl::Status Job::EmitResult(const v1::CompleteTaskRequest& result) const {
  agent::ChildRecord record;
  *record.mutable_result() = result;
  return Emit(record);
}

absl::Status Job::Operators(const v1::MeasureOperatorsTask& task) {
  std::vector<OpKey> keys;
  for (int i = 0; i < task.keys_size(); ++i) {
    const absl::StatusOr<OpKey> key = OpKeyFromString(task.keys(i));
    if (!key.ok()) return absl::InvalidArgumentError(absl::StrCat("measure_operators.keys[", i, "]: ", key.status().message()));
    keys.push_back(*key);
  }
  const std::vector<Round> done = DoneRounds(task.recorded());
  for (const Round& round : done) rows_done_ += static_cast<int64_t>(round.rows.size());
  const absl::StatusOr<OperatorMeasurement> measured = MeasureOperators(
      *runtime_, keys, OptionsOf(task.rounds(), task.max_rounds(), task.seed()), Environment(),
      [&](const Round& round) { return EmitRound(round, keys.size(), task.rounds()); }, done);
  if (!measured.ok()) return measured.status();
  v1::CompleteTaskRequest result;
  v1::MeasureOperatorsResult& out = *result.mutable_measure_operators();
  for (size_t i = 0; i < keys.size(); ++i) *out.add_rows() = rpc::ToProto(rpc::MeasuredOperator{keys[i], measured->rows[i]});
  *out.mutable_host() = ToProto(measured->state);
  out.set_seconds(measured->state.seconds);
  return EmitResult(result);
}

absl::StatusOr<const Lowering*> Job::LoweringOf(const v1::SpaceSpec& proto) {
  absl::StatusOr<SpaceSpec> spec = rpc::SpaceSpecFromProto(proto);
  if (!spec.ok()) return spec.status();
  absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(*std::move(spec));
  if (!space.ok()) return space.status();
  if (!lowering_.has_value() || lowering_->space().digest() != space->space().digest()) lowering_.emplace(*std::move(space));
  return &*lowering_;
}

absl::StatusOr<absl::string_view> Job::Artifact(const v1::ArtifactRef& artifact) const {
  const auto found = request_.artifacts().find(artifact.sha256());
  if (found == request_.artifacts().end())
    return absl::InternalError(absl::StrCat("artifact ", artifact.sha256(), " was not handed to the child"));
  return absl::string_view(found->second);
}

absl::StatusOr<BoundModel> Job::Model(const v1::ArtifactRef& artifact) const {
  const absl::StatusOr<absl::string_view> bytes = Artifact(artifact);
  if (!bytes.ok()) return bytes.status();
  return ParseBoundModel(*bytes);
}

absl::StatusOr<NetworkJob> Job::NetworkOf(const v1::NetworkToMeasure& network, int index) {
  const std::string name = absl::StrCat("networks[", index, "]");
  if (!network.bound_model().sha256().empty()) {
    absl::StatusOr<BoundModel> model = Model(network.bound_model());
    if (!model.ok()) return model.status();
    return NetworkJob{name,
                      [this, model = std::make_shared<BoundModel>(*std::move(model))] { return runtime_->PrepareBoundModel(*model); }};
  }
  const absl::StatusOr<const Lowering*> lowering = LoweringOf(network.space());
  if (!lowering.ok()) return lowering.status();
  const absl::StatusOr<Architecture> architecture =
      rpc::ArchitectureFromProto(network.architecture(), (*lowering)->space(), absl::StrCat(name, ".architecture"));
  if (!architecture.ok()) return architecture.status();
  auto graph = std::make_shared<const Graph>((*lowering)->Lower(*architecture));
  auto plan = std::make_shared<const ExecPlan>(MakePlan(*graph, runtime_->caps()));
  if (const std::string found = PlanDigest(*plan).ToHex(); found != network.plan_digest()) {
    return WithReason(absl::FailedPreconditionError(
                          absl::StrCat(name, ": this agent plans ", (*lowering)->space().ToReadable(*architecture), " as ", found,
                                       ", expected ", network.plan_digest(), ": agent and coordinator are of different versions")),
                      kPlanDisagrees);
  }
  return NetworkJob{name, [this, graph, plan] { return runtime_->PrepareNetwork(*graph, *plan); }};
}

absl::Status Job::Networks(const v1::MeasureNetworksTask& task) {
  std::vector<NetworkJob> jobs;
  for (int i = 0; i < task.networks_size(); ++i) {
    absl::StatusOr<NetworkJob> job = NetworkOf(task.networks(i), i);
    if (!job.ok()) return job.status();
    jobs.push_back(*std::move(job));
  }
  const std::vector<Round> done = DoneRounds(task.recorded());
  for (const Round& round : done) rows_done_ += static_cast<int64_t>(round.rows.size());
  const absl::StatusOr<NetworkMeasurement> measured = MeasureNetworks(
      jobs, OptionsOf(task.rounds(), task.max_rounds(), task.seed()), Environment(),
      [&](const Round& round) { return EmitRound(round, jobs.size(), task.rounds()); }, done);
  if (!measured.ok()) return measured.status();
  v1::CompleteTaskRequest result;
  v1::MeasureNetworksResult& out = *result.mutable_measure_networks();
  for (const NetworkStatistics& row : measured->rows) *out.add_rows() = ToProto(row);
  *out.mutable_host() = ToProto(measured->state);
  out.set_seconds(measured->state.seconds);
  return EmitResult(result);
}

void SetReading(const Score& score, const Score& reported, v1::SecondReading& out) {
  out.mutable_accuracy()->set_correct(score.correct);
  out.mutable_accuracy()->set_images(score.images);
  out.set_differing(CountDiffering(score, reported));
}

absl::Status Job::VerifyAccuracy(const BoundModel& model, absl::string_view onnx, const ImageSet& images, v1::VerifyModelResult& out) {
  const auto progress = [&](absl::string_view what) {
    return [this, &images, what](int64_t done) { return done % kProgressImages != 0 || EmitProgress(done, images.count(), what).ok(); };
  };
  const absl::StatusOr<std::unique_ptr<OnnxNetwork>> shipped = OnnxNetwork::Create(onnx);
  if (!shipped.ok()) return shipped.status();
  const absl::StatusOr<Score> reported = ScoreImages(**shipped, model.preprocessing, images, progress("scoring the exported file"));
  if (!reported.ok()) return reported.status();
  out.mutable_exported()->set_correct(reported->correct);
  out.mutable_exported()->set_images(reported->images);
  out.mutable_class_correct()->Assign(reported->class_correct.begin(), reported->class_correct.end());
  out.set_among_five(reported->among_five);

  const MemoryFile file(onnx);
  if (!file.complete()) return absl::ResourceExhaustedError(absl::StrCat("no memory for a model file of ", onnx.size(), " bytes"));
  const absl::StatusOr<std::unique_ptr<OnnxNetwork>> opened = OnnxNetwork::Open(file.path());
  if (!opened.ok()) return opened.status();
  const absl::StatusOr<Score> again =
      ScoreInBatches(**opened, model.preprocessing, images, kBatch, progress("scoring the exported file, opened again"));
  if (!again.ok()) return again.status();
  SetReading(*again, *reported, *out.mutable_reopened());

  const absl::StatusOr<std::unique_ptr<NetworkInstance>> device = runtime_of_one_thread_->PrepareBoundModel(model);
  if (!device.ok()) return device.status();
  const absl::StatusOr<Score> on_device = ScoreImages(**device, model.preprocessing, images, progress("scoring on the device's runtime"));
  if (!on_device.ok()) return on_device.status();
  SetReading(*on_device, *reported, *out.mutable_device_accuracy());
  return absl::OkStatus();
}

absl::Status Job::Verify(const v1::VerifyModelTask& task) {
  const absl::StatusOr<BoundModel> model = Model(task.bound_model());
  if (!model.ok()) return model.status();
  const absl::StatusOr<absl::string_view> onnx = Artifact(task.onnx());
  if (!onnx.ok()) return onnx.status();
  if (absl::Status status = CheckOnnx(*onnx); !status.ok()) return status;  // before any runtime sees it
  const absl::StatusOr<absl::string_view> packed = Artifact(task.images());
  if (!packed.ok()) return packed.status();
  const absl::StatusOr<ImagePack> pack = ParseImagePack(*packed);
  if (!pack.ok()) return pack.status();
  const ImageSet images{
      .height = pack->height, .width = pack->width, .channels = pack->channels, .pixels = pack->pixels, .labels = pack->labels};

  const std::vector<NetworkJob> jobs = {{"device", [&] { return runtime_->PrepareBoundModel(*model); }},
                                        {"exported", [&]() -> absl::StatusOr<std::unique_ptr<NetworkInstance>> {
                                           return OnnxNetwork::Create(*onnx, {.num_threads = threads_});
                                         }}};
  MeasureOptions options = OptionsOf(task.rounds(), task.max_rounds(), task.seed());
  // The threads of both runtimes wait awake for tens of milliseconds after their work: those of the other one must be asleep when timing
  // begins.
  if (threads_ > 1) options.network_warm_up = absl::Milliseconds(200);
  const absl::StatusOr<NetworkMeasurement> measured = MeasureNetworks(jobs, options, Environment(), [&](const Round& round) {
    return EmitProgress(round.round, task.rounds(), absl::StrCat("timing, round ", round.round + 1));
  });
  if (!measured.ok()) return measured.status();

  v1::CompleteTaskRequest result;
  v1::VerifyModelResult& out = *result.mutable_verify_model();
  if (absl::Status status = VerifyAccuracy(*model, *onnx, images, out); !status.ok()) return status;

  // With its optimiser off the runtime computes what the file says, operator by operator.
  const absl::StatusOr<std::unique_ptr<OnnxNetwork>> literal = OnnxNetwork::Create(*onnx, {.optimization = OnnxOptimization::kDisabled});
  if (!literal.ok()) return literal.status();
  const absl::StatusOr<std::unique_ptr<NetworkInstance>> device = runtime_of_one_thread_->PrepareBoundModel(*model);
  if (!device.ok()) return device.status();
  const absl::StatusOr<Agreement> agreement = CompareNetworks(**device, **literal, model->preprocessing, images, task.agreement_images());
  if (!agreement.ok()) return agreement.status();

  *out.mutable_device() = ToProto(measured->rows[0]);
  *out.mutable_exported_latency() = ToProto(measured->rows[1]);
  out.set_exported_runtime(OnnxRuntimeVersion());
  out.set_agreeing(agreement->agreeing);
  out.set_compared(agreement->compared);
  out.set_max_logit_difference(agreement->max_logit_difference);
  *out.mutable_host() = ToProto(measured->state);
  out.set_seconds(measured->state.seconds);
  return EmitResult(result);
}

absl::Status Measure(absl::string_view bytes, const EmitRecord& emit) {
  agent::ChildRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return absl::DataLossError("the measuring child's request does not parse");
  return Job(request, emit).Run();
}

}  // namespace

ChildHandlers AgentChildHandlers() { return {{kMeasureJob, &Measure}}; }

}  // namespace hanas
