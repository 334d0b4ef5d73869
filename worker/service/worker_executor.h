// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_SERVICE_WORKER_EXECUTOR_H_
#define HANAS_WORKER_SERVICE_WORKER_EXECUTOR_H_

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/lowering/lowering.h"
#include "hanas/v1/task.pb.h"
#include "rpc/artifact_client.h"
#include "rpc/task_loop.h"
#include "telemetry/metrics.h"
#include "worker/engine/engine.h"
#include "worker/service/dataset_store.h"

namespace hanas {

/// Executes a worker's tasks: converts, checks, calls the engine, uploads what it made. Everything in a task is validated; architectures
/// are lowered here and compared with the digests the task carries (reason LOWERING_DISAGREES), data sets with the task's (DATA_DISAGREES).
///
/// Confined to one thread at a time. Borrows engine, artifacts and datasets.
class WorkerExecutor : public rpc::TaskExecutor {
 public:
  WorkerExecutor(TrainingEngine* engine, rpc::Artifacts* artifacts, DatasetStore* datasets,
                 telemetry::Metrics* metrics = &telemetry::NoMetrics())
      : engine_(engine), artifacts_(artifacts), datasets_(datasets), metrics_(metrics) {}

  absl::StatusOr<v1::CompleteTaskRequest> Execute(const v1::Task& task, rpc::TaskContext& context) override;

 private:
  absl::StatusOr<v1::TrainResult> Train(const v1::TrainTask& task, absl::string_view digest, rpc::TaskContext& context);
  absl::StatusOr<v1::EvaluateResult> Evaluate(const v1::EvaluateTask& task, absl::string_view digest, rpc::TaskContext& context);
  absl::StatusOr<v1::FitPredictorResult> FitPredictor(const v1::FitPredictorTask& task, rpc::TaskContext& context);
  absl::StatusOr<v1::BindResult> Bind(const v1::BindTask& task, absl::string_view digest, rpc::TaskContext& context);
  absl::StatusOr<v1::PackImagesResult> PackImages(const v1::PackImagesTask& task, absl::string_view digest, rpc::TaskContext& context);

  /// As metrics. Called after every step.
  void Show(const TrainProgress& progress);

  /// Of a task, in its units: what it reports while it works on something that has none of its own.
  struct Progress {
    int64_t done = 0;
    int64_t total = 0;
  };

  /// What a task's teacher says to the training images of `dataset`: of the last ones it is remembered. The answer lives until others are
  /// asked for.
  absl::StatusOr<TeacherAnswers> AnswersOf(const v1::Teacher& teacher, const Dataset& dataset, Numerics numerics, Progress progress,
                                           rpc::TaskContext& context);
  absl::StatusOr<std::vector<float>> ComputeAnswers(const v1::Teacher& teacher, const Dataset& dataset, Numerics numerics,
                                                    Progress progress, rpc::TaskContext& context);
  /// Scores networks with the weights of a checkpoint.
  absl::StatusOr<std::vector<ClassificationScore>> EvaluateShared(const v1::ArtifactRef& artifact, EvaluateRequest request,
                                                                  absl::Span<const Architecture> architectures, rpc::TaskContext& context);
  /// Trains each network by itself and scores it.
  absl::StatusOr<std::vector<ClassificationScore>> TrainAndEvaluate(const v1::TrainAlone& proto, const EvaluateRequest& request,
                                                                    absl::Span<const Architecture> architectures,
                                                                    rpc::TaskContext& context);
  absl::StatusOr<ClassificationScore> TrainAndScore(const TrainRequest& train, EvaluateRequest request, Progress progress,
                                                    rpc::TaskContext& context);
  absl::StatusOr<const Lowering*> LoweringOf(const v1::SpaceSpec& proto);
  /// The data set of a task, pictures of image folders decoded to squares of `side` and to `channels`. It must have `digest`, when that is
  /// not empty (reason DATA_DISAGREES).
  absl::StatusOr<std::shared_ptr<const Dataset>> DatasetOf(const v1::DatasetSpec& proto, absl::string_view digest, int64_t side,
                                                           int channels);
  /// The same for the networks of a space, whose channels and classes it must also have.
  absl::StatusOr<std::shared_ptr<const Dataset>> DatasetFor(const v1::DatasetSpec& proto, absl::string_view digest,
                                                            const Lowering& lowering);

  TrainingEngine* engine_;
  rpc::Artifacts* artifacts_;
  DatasetStore* datasets_;
  telemetry::Metrics* metrics_;
  struct Answered {
    std::string digest;
    std::vector<float> logits;
  };

  std::optional<Lowering> lowering_;  // of the last space
  std::list<Answered> answered_;      // the oldest first
};

}  // namespace hanas

#endif  // HANAS_WORKER_SERVICE_WORKER_EXECUTOR_H_
