// SPDX-License-Identifier: Apache-2.0
#include "worker/service/worker_executor.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/digest.h"
#include "core/base/error_reason.h"
#include "core/family/convnet/convnet_space.h"
#include "core/job/findings.h"
#include "core/predictor/predictor_weights.h"
#include "core/statistics/guessing.h"
#include "export/bound_model_file.h"
#include "export/image_pack.h"
#include "export/onnx_writer.h"
#include "rpc/clock.h"
#include "rpc/convert/findings.h"
#include "rpc/convert/job.h"
#include "rpc/convert/space.h"
#include "worker/engine/predictor_trainer.h"

namespace hanas {
namespace {

using telemetry::Metric;

constexpr absl::string_view kLoweringDisagrees = "LOWERING_DISAGREES";
constexpr size_t kKeptAnswers = 2;  // of the last teachers: pieces of two searches may take turns

/// Seconds of processors that the process has used since: all of its threads together, and nothing while it pauses since the host measures.
/// A worker does one task at a time.
class Stopwatch {
 public:
  double Seconds() const { return Used() - begin_; }

 private:
  static double Used() {
    timespec used = {};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec);
  }

  double begin_ = Used();
};

Continue Answer(rpc::Directive directive) { return directive == rpc::Directive::kContinue ? Continue::kYes : Continue::kNo; }

v1::Accuracy ToProto(const ClassificationScore& evaluation) {
  v1::Accuracy proto;
  proto.set_correct(evaluation.correct);
  proto.set_images(evaluation.total);
  proto.set_loss(evaluation.loss);
  return proto;
}

/// The warnings that travel with the network's file, as far as this worker can tell.
std::vector<Warning> WarningsAbout(const ClassificationScore& test, const Survey& survey) {
  std::vector<Warning> warnings = survey.warnings;
  const double largest_share = LargestTestShare(survey.classes);
  if (!IsBetterThanGuessing(test.correct, test.total, largest_share)) {
    warnings.push_back(
        {std::string(kNoBetterThanGuessing),
         absl::StrFormat("It is no better than guessing: right for %.1f %% of %d test images, of which %.1f %% are of the most "
                         "frequent class.",
                         100 * test.accuracy(), test.total, 100 * largest_share)});
  }
  return warnings;
}

absl::Status CheckGraphDigest(const Lowering& lowering, const Architecture& architecture, absl::string_view expected) {
  const std::string found = GraphDigest(lowering.Lower(architecture)).ToHex();
  if (found == expected) return absl::OkStatus();
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat("this worker lowers ", lowering.space().ToReadable(architecture), " to graph ", found,
                                                 ", expected ", expected, ": worker and coordinator are of different versions")),
      kLoweringDisagrees);
}

absl::Status CheckSteps(const v1::TrainTask& task) {
  if (task.from_step() >= 0 && task.from_step() < task.to_step() && task.to_step() <= task.training().steps()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("train: expected 0 <= from_step < to_step <= ", task.training().steps(), ", found ",
                                                 task.from_step(), " and ", task.to_step()));
}

/// Images that an evaluation scores.
int64_t NumScored(const EvaluateRequest& request) {
  const int64_t all = request.dataset->size(request.split);
  return request.max_images > 0 ? std::min(all, request.max_images) : all;
}

/// At least `low`; the first thing wrong is named.
absl::Status CheckAtLeast(absl::string_view field, int64_t value, int64_t low) {
  if (value >= low) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": expected at least ", low, ", found ", value));
}

/// What everybody learns from is kept in memory: a float for each image and class.
absl::Status CheckNumAnswers(const Dataset& dataset) {
  constexpr int64_t kMostAnswers = int64_t{1} << 28;
  const int64_t count = dataset.size(Split::kTrain) * dataset.num_classes();
  if (count <= kMostAnswers) return absl::OkStatus();
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat("teacher: expected at most ", kMostAnswers,
                                                 " answers, training images times classes, found ", count, "; set teacher.steps to 0")),
      "TEACHER_TOO_LARGE");
}

/// Others of the task may be fine: which one it was is what helps.
absl::Status NamingNetwork(const absl::Status& status, const SearchSpace& space, absl::Span<const Architecture> architectures,
                           int64_t index) {
  absl::Status named(status.code(), absl::StrCat(status.message(), "; at network ", index + 1, " of ", architectures.size(), ", ",
                                                 space.ToReadable(architectures[static_cast<size_t>(index)])));
  status.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) { named.SetPayload(type, payload); });
  return named;
}

template <typename Result, typename Set>
absl::StatusOr<v1::CompleteTaskRequest> Completed(absl::StatusOr<Result> result, const Set& set) {
  if (!result.ok()) return result.status();
  v1::CompleteTaskRequest request;
  *set(request) = *std::move(result);
  return request;
}

}  // namespace

absl::StatusOr<v1::CompleteTaskRequest> WorkerExecutor::Execute(const v1::Task& task, rpc::TaskContext& context) {
  switch (task.work_case()) {
    case v1::Task::kTrain:
      return Completed(Train(task.train(), task.dataset_digest(), context), [](auto& request) { return request.mutable_train(); });
    case v1::Task::kEvaluate:
      return Completed(Evaluate(task.evaluate(), task.dataset_digest(), context), [](auto& request) { return request.mutable_evaluate(); });
    case v1::Task::kFitPredictor:
      return Completed(FitPredictor(task.fit_predictor(), context), [](auto& request) { return request.mutable_fit_predictor(); });
    case v1::Task::kBind:
      return Completed(Bind(task.bind(), task.dataset_digest(), context), [](auto& request) { return request.mutable_bind(); });
    case v1::Task::kPackImages:
      return Completed(PackImages(task.pack_images(), task.dataset_digest(), context),
                       [](auto& request) { return request.mutable_pack_images(); });
    default:
      return absl::UnimplementedError(absl::StrCat("a worker has no task of kind ", static_cast<int>(task.work_case())));
  }
}

absl::StatusOr<const Lowering*> WorkerExecutor::LoweringOf(const v1::SpaceSpec& proto) {
  absl::StatusOr<SpaceSpec> spec = rpc::SpaceSpecFromProto(proto);
  if (!spec.ok()) return spec.status();
  absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(*std::move(spec));
  if (!space.ok()) return space.status();
  // The digest leaves out the name, which a bound model carries.
  if (!lowering_.has_value() || lowering_->space().digest() != space->space().digest() ||
      lowering_->space().name() != space->space().name()) {
    lowering_.emplace(*std::move(space));
  }
  return &*lowering_;
}

absl::StatusOr<std::shared_ptr<const Dataset>> WorkerExecutor::DatasetOf(const v1::DatasetSpec& proto, absl::string_view digest,
                                                                         int64_t side, int channels) {
  const absl::StatusOr<DatasetSpec> spec = rpc::DatasetSpecFromProto(proto);
  if (!spec.ok()) return spec.status();
  absl::StatusOr<std::shared_ptr<const Dataset>> dataset = datasets_->Get(*spec, side, channels);
  if (!dataset.ok()) return dataset;
  if (!digest.empty() && (*dataset)->digest() != digest) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat("the search began with another data set ", spec->directory, " (", digest,
                                                                 ") than this worker has (", (*dataset)->digest(),
                                                                 "); put the same files below its --data directory")),
                      "DATA_DISAGREES");
  }
  return dataset;
}

absl::StatusOr<std::shared_ptr<const Dataset>> WorkerExecutor::DatasetFor(const v1::DatasetSpec& proto, absl::string_view digest,
                                                                          const Lowering& lowering) {
  const FamilySpace& space = lowering.family();
  absl::StatusOr<std::shared_ptr<const Dataset>> dataset =
      DatasetOf(proto, digest, LargestSide(lowering), static_cast<int>(space.input_channels()));
  if (!dataset.ok()) return dataset;
  if ((*dataset)->channels() != space.input_channels() || (*dataset)->num_classes() != space.num_classes()) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat("the space expects images of ", space.input_channels(), " channels in ",
                                                                 space.num_classes(), " classes, the data set ", proto.name(), " has ",
                                                                 (*dataset)->channels(), " and ", (*dataset)->num_classes(),
                                                                 "; change space.input_channels and space.num_classes")),
                      "DATA_DISAGREES");
  }
  return dataset;
}

void WorkerExecutor::Show(const TrainProgress& progress) {
  metrics_->Add(Metric::kTrainingSteps, {}, 1);
  metrics_->Set(Metric::kTrainingLoss, {}, progress.loss);
  metrics_->Set(Metric::kTrainingImagesPerSecond, {}, progress.images_per_second);
}

absl::StatusOr<v1::TrainResult> WorkerExecutor::Train(const v1::TrainTask& task, absl::string_view digest, rpc::TaskContext& context) {
  const Stopwatch watch;
  TrainRequest request;
  const absl::StatusOr<const Lowering*> lowering = LoweringOf(task.space());
  if (!lowering.ok()) return lowering.status();
  request.lowering = *lowering;
  if (!task.slice().genes().empty()) {
    const absl::StatusOr<Architecture> slice = rpc::ArchitectureFromProto(task.slice(), (*lowering)->space(), "slice");
    if (!slice.ok()) return slice.status();
    request.architecture = *slice;
  }
  const absl::StatusOr<TrainingSpec> training = rpc::TrainingSpecFromProto(task.training());
  if (!training.ok()) return training.status();
  if (absl::Status status = CheckSteps(task); !status.ok()) return status;
  if (task.from_step() > 0 && task.initial().sha256().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("train: expected a checkpoint to continue from step ", task.from_step(), ", found none"));
  }
  const absl::StatusOr<std::shared_ptr<const Dataset>> dataset = DatasetFor(task.dataset(), digest, **lowering);
  if (!dataset.ok()) return dataset.status();
  std::string checkpoint;
  if (!task.initial().sha256().empty()) {
    absl::StatusOr<std::string> bytes = artifacts_->Download(task.initial());
    if (!bytes.ok()) return bytes.status();
    checkpoint = *std::move(bytes);
  }
  request.dataset = dataset->get();
  request.checkpoint = checkpoint;
  request.from_step = task.from_step();
  request.to_step = task.to_step();
  request.training = *training;
  request.seed = task.seed();

  if (task.teaches()) {
    if (absl::Status status = CheckNumAnswers(**dataset); !status.ok()) return status;
  }
  if (task.has_teacher()) {
    absl::StatusOr<TeacherAnswers> answers =
        AnswersOf(task.teacher(), **dataset, training->numerics, {task.from_step(), task.to_step()}, context);
    if (!answers.ok()) return answers.status();
    request.teacher = *std::move(answers);
  }

  rpc::Directive last = rpc::Directive::kContinue;
  const absl::StatusOr<TrainResult> trained = engine_->Train(request, [&](const TrainProgress& progress) {
    Show(progress);
    last = context.ReportProgress(progress.step, task.to_step(),
                                  absl::StrFormat("loss %.3f, %.0f images/s", progress.loss, progress.images_per_second));
    return Answer(last);
  });
  if (!trained.ok()) return trained.status();
  if (last == rpc::Directive::kAbandon) return absl::CancelledError("training abandoned");
  const absl::StatusOr<v1::ArtifactRef> stored = artifacts_->Upload(trained->checkpoint);
  if (!stored.ok()) return stored.status();
  v1::TrainResult result;
  *result.mutable_checkpoint() = *stored;
  result.set_step(trained->step);
  result.set_loss(trained->loss);
  result.set_images_per_second(trained->images_per_second);
  result.set_seconds(watch.Seconds());
  result.set_dataset_digest((*dataset)->digest());
  result.set_dataset_files((*dataset)->files_digest());
  result.set_reached_end(trained->step == task.to_step());
  return result;
}

absl::StatusOr<TeacherAnswers> WorkerExecutor::AnswersOf(const v1::Teacher& teacher, const Dataset& dataset, Numerics numerics,
                                                         Progress progress, rpc::TaskContext& context) {
  if (absl::Status status = CheckNumAnswers(dataset); !status.ok()) return status;
  if (absl::Status status = CheckTeaching(teacher.weight(), teacher.temperature()); !status.ok()) return status;
  if (absl::Status status = CheckAtLeast("teacher.calibration_images", teacher.calibration_images(), 1); !status.ok()) return status;
  // What the logits are a function of.
  const std::string digest = DigestBuilder()
                                 .Add(teacher.space().SerializeAsString())
                                 .Add(teacher.architecture().genes())
                                 .Add(teacher.checkpoint().sha256())
                                 .Add(dataset.digest())
                                 .Add(Name(numerics))
                                 .Add(int64_t{teacher.calibration_images()})
                                 .Build()
                                 .ToHex();
  auto known = std::find_if(answered_.begin(), answered_.end(), [&](const Answered& answered) { return answered.digest == digest; });
  if (known == answered_.end()) {
    if (answered_.size() == kKeptAnswers) answered_.pop_front();  // before there are more
    absl::StatusOr<std::vector<float>> logits = ComputeAnswers(teacher, dataset, numerics, progress, context);
    if (!logits.ok()) return logits.status();
    known = answered_.insert(answered_.end(), {digest, *std::move(logits)});
  }
  return TeacherAnswers{known->logits, known->digest, teacher.weight(), teacher.temperature()};
}

absl::StatusOr<std::vector<float>> WorkerExecutor::ComputeAnswers(const v1::Teacher& teacher, const Dataset& dataset, Numerics numerics,
                                                                  Progress progress, rpc::TaskContext& context) {
  absl::StatusOr<SpaceSpec> spec = rpc::SpaceSpecFromProto(teacher.space());
  if (!spec.ok()) return spec.status();
  absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(*std::move(spec));
  if (!space.ok()) return space.status();
  const Lowering lowering(*std::move(space));
  const absl::StatusOr<Architecture> architecture =
      rpc::ArchitectureFromProto(teacher.architecture(), lowering.space(), "teacher.architecture");
  if (!architecture.ok()) return architecture.status();
  const absl::StatusOr<std::string> checkpoint = artifacts_->Download(teacher.checkpoint());
  if (!checkpoint.ok()) return checkpoint.status();
  const AnswersRequest request = {.lowering = &lowering,
                                  .dataset = &dataset,
                                  .checkpoint = *checkpoint,
                                  .architecture = *architecture,
                                  .numerics = numerics,
                                  .calibration = {.images = teacher.calibration_images()}};
  return engine_->Answers(request, [&](int64_t done) {
    return Answer(context.ReportProgress(progress.done, progress.total, absl::StrFormat("the teacher has answered to %d images", done)));
  });
}

absl::StatusOr<v1::EvaluateResult> WorkerExecutor::Evaluate(const v1::EvaluateTask& task, absl::string_view digest,
                                                            rpc::TaskContext& context) {
  const Stopwatch watch;
  const absl::StatusOr<const Lowering*> lowering = LoweringOf(task.space());
  if (!lowering.ok()) return lowering.status();
  if (task.architectures_size() != task.graph_digests_size()) {
    return absl::InvalidArgumentError(absl::StrCat("evaluate.graph_digests: expected one for each of ", task.architectures_size(),
                                                   " architectures, found ", task.graph_digests_size()));
  }
  std::vector<Architecture> architectures;
  for (int i = 0; i < task.architectures_size(); ++i) {
    absl::StatusOr<Architecture> architecture =
        rpc::ArchitectureFromProto(task.architectures(i), (*lowering)->space(), absl::StrCat("architectures[", i, "]"));
    if (!architecture.ok()) return architecture.status();
    if (absl::Status status = CheckGraphDigest(**lowering, *architecture, task.graph_digests(i)); !status.ok()) return status;
    architectures.push_back(*std::move(architecture));
  }
  if (absl::Status status = CheckAtLeast("evaluate.validation_images", task.validation_images(), 0); !status.ok()) return status;
  if (absl::Status status = CheckAtLeast("evaluate.calibration_images", task.calibration_images(), 1); !status.ok()) return status;
  const absl::StatusOr<std::shared_ptr<const Dataset>> dataset = DatasetFor(task.dataset(), digest, **lowering);
  if (!dataset.ok()) return dataset.status();

  EvaluateRequest request;
  request.lowering = *lowering;
  request.dataset = dataset->get();
  request.split = Split::kValidation;
  request.max_images = task.validation_images();
  request.calibration.images = task.calibration_images();
  const absl::StatusOr<std::vector<ClassificationScore>> evaluations =
      task.has_train() ? TrainAndEvaluate(task.train(), request, architectures, context)
                       : EvaluateShared(task.checkpoint(), request, architectures, context);
  if (!evaluations.ok()) return evaluations.status();
  v1::EvaluateResult result;
  for (const ClassificationScore& evaluation : *evaluations) *result.add_accuracies() = ToProto(evaluation);
  result.set_seconds(watch.Seconds());
  result.set_dataset_digest((*dataset)->digest());
  result.set_dataset_files((*dataset)->files_digest());
  return result;
}

absl::StatusOr<std::vector<ClassificationScore>> WorkerExecutor::EvaluateShared(const v1::ArtifactRef& artifact, EvaluateRequest request,
                                                                                absl::Span<const Architecture> architectures,
                                                                                rpc::TaskContext& context) {
  const absl::StatusOr<std::string> checkpoint = artifacts_->Download(artifact);
  if (!checkpoint.ok()) return checkpoint.status();
  request.checkpoint = *checkpoint;
  const auto total = static_cast<int64_t>(architectures.size());
  int64_t done = 0;
  absl::StatusOr<std::vector<ClassificationScore>> evaluations =
      engine_->Evaluate(request, architectures, [&](size_t index, const ClassificationScore& evaluation) {
        done = static_cast<int64_t>(index) + 1;
        const rpc::Directive directive = context.ReportProgress(done, total, absl::StrFormat("%.1f %%", 100 * evaluation.accuracy()));
        return done == total && directive != rpc::Directive::kAbandon ? Continue::kYes : Answer(directive);
      });
  if (evaluations.ok() || absl::IsCancelled(evaluations.status()) || done == total) return evaluations;
  return NamingNetwork(evaluations.status(), request.lowering->space(), architectures, done);
}

absl::StatusOr<ClassificationScore> WorkerExecutor::TrainAndScore(const TrainRequest& train, EvaluateRequest request, Progress progress,
                                                                  rpc::TaskContext& context) {
  const absl::StatusOr<TrainResult> trained = engine_->Train(train, [&](const TrainProgress& training) {
    Show(training);
    const rpc::Directive directive = context.ReportProgress(progress.done, progress.total,
                                                            absl::StrFormat("step %d of %d, loss %.3f, %.0f images/s", training.step,
                                                                            train.to_step, training.loss, training.images_per_second));
    // What is trained is scored rather than thrown away.
    return training.step == train.to_step && directive != rpc::Directive::kAbandon ? Continue::kYes : Answer(directive);
  });
  if (absl::IsOutOfRange(trained.status())) {
    // It is no fault of the search that this network cannot learn at this rate: it is as good as one that guesses.
    const int64_t images = NumScored(request);
    const int64_t classes = request.dataset->num_classes();
    return ClassificationScore{.correct = images / classes, .total = images, .loss = std::log(static_cast<double>(classes))};
  }
  if (!trained.ok()) return trained.status();
  if (trained->stopped) return absl::CancelledError("training networks alone was stopped");
  request.checkpoint = trained->checkpoint;
  const absl::StatusOr<std::vector<ClassificationScore>> scores = engine_->Evaluate(request, {*train.architecture}, nullptr);
  if (!scores.ok()) return scores.status();
  return scores->front();
}

absl::StatusOr<std::vector<ClassificationScore>> WorkerExecutor::TrainAndEvaluate(const v1::TrainAlone& proto,
                                                                                  const EvaluateRequest& request,
                                                                                  absl::Span<const Architecture> architectures,
                                                                                  rpc::TaskContext& context) {
  const absl::StatusOr<TrainingSpec> training = rpc::TrainingSpecFromProto(proto.training());
  if (!training.ok()) return training.status();
  if (proto.steps_size() != static_cast<int>(architectures.size())) {
    return absl::InvalidArgumentError(absl::StrCat("evaluate.train.steps: expected one for each of ", architectures.size(),
                                                   " architectures, found ", proto.steps_size()));
  }
  for (const int64_t steps : proto.steps()) {
    if (absl::Status status = CheckAtLeast("evaluate.train.steps", steps, 1); !status.ok()) return status;
  }
  const auto total = static_cast<int64_t>(architectures.size());
  TrainRequest train = {.lowering = request.lowering, .dataset = request.dataset, .training = *training, .seed = proto.seed()};
  if (proto.has_teacher()) {
    absl::StatusOr<TeacherAnswers> answers = AnswersOf(proto.teacher(), *request.dataset, training->numerics, {0, total}, context);
    if (!answers.ok()) return answers.status();
    train.teacher = *std::move(answers);
  }
  std::vector<ClassificationScore> scores;
  while (scores.size() < architectures.size()) {
    const auto done = static_cast<int64_t>(scores.size());
    train.architecture = architectures[scores.size()];
    train.training.steps = train.to_step = proto.steps(static_cast<int>(done));
    const absl::StatusOr<ClassificationScore> score = TrainAndScore(train, request, {done, total}, context);
    if (absl::IsCancelled(score.status())) return score.status();
    if (!score.ok()) return NamingNetwork(score.status(), train.lowering->space(), architectures, done);
    scores.push_back(*score);
    const rpc::Directive directive = context.ReportProgress(done + 1, total, absl::StrFormat("%.1f %%", 100 * score->accuracy()));
    const bool all = done + 1 == total && directive != rpc::Directive::kAbandon;
    if (!all && Answer(directive) == Continue::kNo) return absl::CancelledError("training networks alone was stopped");
  }
  return scores;
}

absl::StatusOr<v1::FitPredictorResult> WorkerExecutor::FitPredictor(const v1::FitPredictorTask& task, rpc::TaskContext& context) {
  const Stopwatch watch;
  const absl::StatusOr<Digest> space = Digest::FromHex(task.space_digest());
  if (!space.ok()) return absl::InvalidArgumentError(absl::StrCat("fit_predictor.space_digest: ", space.status().message()));
  std::vector<PredictorSample> samples;
  samples.reserve(static_cast<size_t>(task.rows_size()));
  for (const v1::FeatureRow& row : task.rows()) samples.push_back({{row.features().begin(), row.features().end()}, row.target()});
  if (context.ReportProgress(0, 1, absl::StrCat(samples.size(), " networks")) != rpc::Directive::kContinue) {
    return absl::CancelledError("fitting the predictor was cancelled");
  }
  const absl::StatusOr<FittedPredictor> fitted = TrainPredictor(samples, *space, task.seed());
  if (!fitted.ok()) return fitted.status();
  v1::FitPredictorResult result;
  result.set_predictor(SerialisePredictor(fitted->weights));
  result.set_held_out_tau(fitted->weights.held_out_tau);
  result.set_held_out_rmse(fitted->weights.held_out_rmse);
  result.set_kind(fitted->kind);
  result.set_seconds(watch.Seconds());
  return result;
}

absl::StatusOr<v1::BindResult> WorkerExecutor::Bind(const v1::BindTask& task, absl::string_view digest, rpc::TaskContext& context) {
  const Stopwatch watch;
  const absl::StatusOr<const Lowering*> lowering = LoweringOf(task.space());
  if (!lowering.ok()) return lowering.status();
  const absl::StatusOr<Architecture> architecture = rpc::ArchitectureFromProto(task.architecture(), (*lowering)->space());
  if (!architecture.ok()) return architecture.status();
  if (absl::Status status = CheckGraphDigest(**lowering, *architecture, task.graph_digest()); !status.ok()) return status;
  if (absl::Status status = CheckAtLeast("bind.calibration_images", task.calibration_images(), 1); !status.ok()) return status;
  const absl::StatusOr<std::shared_ptr<const Dataset>> dataset = DatasetFor(task.dataset(), digest, **lowering);
  if (!dataset.ok()) return dataset.status();
  const absl::StatusOr<std::string> checkpoint = artifacts_->Download(task.checkpoint());
  if (!checkpoint.ok()) return checkpoint.status();

  BindRequest request;
  request.lowering = *lowering;
  request.dataset = dataset->get();
  request.checkpoint = *checkpoint;
  request.checkpoint_sha256 = task.checkpoint().sha256();
  request.architecture = *architecture;
  request.calibration.images = task.calibration_images();
  const absl::StatusOr<BoundModel> model = engine_->Bind(request);
  if (!model.ok()) return model.status();
  const int64_t total = (*dataset)->size(Split::kTest);
  const absl::StatusOr<BoundEvaluation> test =
      engine_->EvaluateBound({.model = &*model, .dataset = dataset->get(), .split = Split::kTest},
                             [&](int64_t images) { return Answer(context.ReportProgress(images, total, "scoring on the test images")); });
  if (!test.ok()) return test.status();
  OnnxOptions options;
  options.warnings = WarningsAbout(test->evaluation, datasets_->survey());
  const absl::StatusOr<std::string> onnx = WriteOnnx(*model, options);
  if (!onnx.ok()) return onnx.status();
  const absl::StatusOr<v1::ArtifactRef> model_artifact = artifacts_->Upload(SerializeBoundModel(*model));
  if (!model_artifact.ok()) return model_artifact.status();
  const absl::StatusOr<v1::ArtifactRef> onnx_artifact = artifacts_->Upload(*onnx);
  if (!onnx_artifact.ok()) return onnx_artifact.status();
  v1::BindResult result;
  *result.mutable_bound_model() = *model_artifact;
  *result.mutable_onnx() = *onnx_artifact;
  *result.mutable_test() = ToProto(test->evaluation);
  result.set_seconds(watch.Seconds());
  return result;
}

absl::StatusOr<v1::PackImagesResult> WorkerExecutor::PackImages(const v1::PackImagesTask& task, absl::string_view digest,
                                                                rpc::TaskContext& context) {
  const Stopwatch watch;
  if (absl::Status status = CheckAtLeast("pack_images.max_images", task.max_images(), 0); !status.ok()) return status;
  const int channels = task.channels() == 0 ? 3 : task.channels();
  if (channels != 1 && channels != 3) {
    return absl::InvalidArgumentError(absl::StrCat("pack_images.channels: expected 1 (grey) or 3 (colour), found ", channels));
  }
  const absl::StatusOr<std::shared_ptr<const Dataset>> dataset = DatasetOf(task.dataset(), digest, task.side(), channels);
  if (!dataset.ok()) return dataset.status();
  const Dataset& data = **dataset;
  const int64_t available = data.size(Split::kTest);
  const int64_t count = task.max_images() == 0 ? available : std::min<int64_t>(available, task.max_images());
  if (context.ReportProgress(0, count, "packing test images") != rpc::Directive::kContinue)
    return absl::CancelledError("packing images was cancelled");
  ImagePack pack{.height = data.height(), .width = data.width(), .channels = data.channels()};
  for (int64_t i = 0; i < count; ++i) {
    pack.labels.push_back(data.label(Split::kTest, i));
    const absl::Span<const uint8_t> image = data.image(Split::kTest, i);
    pack.pixels.insert(pack.pixels.end(), image.begin(), image.end());
  }
  if (absl::Status status = CheckImagePack(pack); !status.ok()) return status;
  const absl::StatusOr<v1::ArtifactRef> artifact = artifacts_->Upload(SerializeImagePack(pack));
  if (!artifact.ok()) return artifact.status();
  v1::PackImagesResult result;
  *result.mutable_images() = *artifact;
  result.set_num_images(count);
  result.set_seconds(watch.Seconds());
  for (const ClassPictures& pictures : datasets_->survey().classes) *result.add_classes() = rpc::ToProto(pictures);
  for (const Warning& warning : datasets_->survey().warnings) *result.add_warnings() = rpc::ToProto(warning);
  return result;
}

}  // namespace hanas
