// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_ENGINE_ENGINE_H_
#define HANAS_WORKER_ENGINE_ENGINE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/bound/bound_model.h"
#include "core/lowering/lowering.h"
#include "core/space/search_space.h"
#include "dataset/dataset.h"
#include "worker/engine/schedule.h"

namespace hanas {

/// Pointers in requests are borrowed for the length of the call.

/// What a progress callback answers.
enum class Continue : bool { kNo = false, kYes = true };

struct TrainProgress {
  int64_t step = 0;  // steps done of the chain
  double loss = 0;   // of the last step: mean over its networks
  double images_per_second = 0;
};

/// What a trained network, the teacher, says to the images of the TRAIN split as they are, for another one to learn from besides the
/// labels.
struct TeacherAnswers {
  absl::Span<const float> logits;  // [images, classes], in the split's order
  std::string digest;              // equal for equal logits, different for others
  double weight = 0;               // of the answers in the loss, from 0 to 1; the labels have the rest
  double temperature = 1;          // that both distributions are softened with
};

/// Steps [from_step, to_step) of a chain of training.steps. Chunks compose: [0,50) then [50,100) gives the bytes of [0,100) when the engine
/// has one thread, because every draw is a function of (seed, step) and the checkpoint carries the momentum.
struct TrainRequest {
  const Lowering* lowering = nullptr;
  std::optional<Architecture> architecture;  // the slice: the whole space, or one network (fine-tuning, references)
  const Dataset* dataset = nullptr;
  /// from_step == 0: the weights to start from, or empty for InitialCheckpoint(seed). from_step > 0: the checkpoint to continue; it must be
  /// of this chain and step.
  absl::string_view checkpoint;
  int64_t from_step = 0;
  int64_t to_step = 0;
  TrainingSpec training;  // `steps` is the length of the whole chain
  std::optional<TeacherAnswers> teacher;
  uint64_t seed = 0;
};

struct TrainResult {
  std::string checkpoint;
  int64_t step = 0;  // to_step, or less when the callback stopped it
  bool stopped = false;
  double loss = 0;               // mean of the last (up to 20) steps
  double images_per_second = 0;  // over the call: images of the batches, each network of a step counted
};

/// Batch-normalisation statistics and activation ranges come from one pass over the first `images` of the TRAIN split in a fixed order.
struct CalibrationSet {
  int64_t images = 512;
  int64_t batch_size = 128;
};

struct EvaluateRequest {
  const Lowering* lowering = nullptr;
  const Dataset* dataset = nullptr;
  absl::string_view checkpoint;
  Split split = Split::kValidation;
  int64_t max_images = 0;  // the first so many of the split; 0: all
  CalibrationSet calibration;
};

struct ClassificationScore {
  int64_t correct = 0;
  int64_t total = 0;
  double loss = 0;  // mean cross-entropy
  double accuracy() const { return total > 0 ? static_cast<double>(correct) / static_cast<double>(total) : 0; }
};

/// Called after each network, with its position. Answering kNo ends the call with CANCELLED.
using EvaluateProgress = std::function<Continue(size_t index, const ClassificationScore& evaluation)>;

struct AnswersRequest {
  const Lowering* lowering = nullptr;
  const Dataset* dataset = nullptr;
  absl::string_view checkpoint;
  Architecture architecture;
  Numerics numerics = Numerics::kF32;
  CalibrationSet calibration;
};

struct BindRequest {
  const Lowering* lowering = nullptr;
  const Dataset* dataset = nullptr;
  absl::string_view checkpoint;
  std::string checkpoint_sha256;
  Architecture architecture;
  CalibrationSet calibration;
};

/// Scores of `total` images; `logits` is [total, classes] when asked for.
struct BoundEvaluation {
  ClassificationScore evaluation;
  std::vector<float> logits;
};

struct EvaluateBoundRequest {
  const BoundModel* model = nullptr;
  const Dataset* dataset = nullptr;
  Split split = Split::kTest;
  int64_t max_images = 0;
  bool keep_logits = false;
};

/// Value tensors of one image run through a bound model, in the order of graph.values: int8 sites as their integers, others as floats. For
/// parity.
struct BoundTrace {
  std::vector<std::vector<float>> values;
};

/// The heavy maths of a worker: trains, evaluates and binds networks that it interprets from the core Graph. The header is free of any
/// tensor library; worker/torch/create_engine.h makes the implementation.
///
/// Every call is synchronous and runs in the calling thread. Evaluate and Bind are pure: equal requests give equal bits on one machine with
/// one thread. Confined to one thread at a time.
///
/// Errors: INVALID_ARGUMENT for a request that breaks its own rules, FAILED_PRECONDITION when a checkpoint is of another space or chain,
/// DATA_LOSS for a damaged checkpoint, RESOURCE_EXHAUSTED when memory runs out, INTERNAL for anything the tensor library throws.
class TrainingEngine {
 public:
  virtual ~TrainingEngine() = default;

  /// `progress` may be empty; it is called after every step. When it answers kNo the call returns at that step boundary with a checkpoint
  /// from which the chain continues exactly. Returns OUT_OF_RANGE when the loss is not finite (the learning rate is too high).
  virtual absl::StatusOr<TrainResult> Train(const TrainRequest& request, const std::function<Continue(const TrainProgress&)>& progress) = 0;

  /// One evaluation for each architecture, in order. `progress` may be empty.
  virtual absl::StatusOr<std::vector<ClassificationScore>> Evaluate(const EvaluateRequest& request,
                                                                    absl::Span<const Architecture> architectures,
                                                                    const EvaluateProgress& progress) = 0;

  /// The logits of a network for every image of the TRAIN split as it is: [images, classes]. `progress` (images done) may be empty; when it
  /// answers kNo the call returns CANCELLED.
  virtual absl::StatusOr<std::vector<float>> Answers(const AnswersRequest& request, const std::function<Continue(int64_t)>& progress) = 0;

  /// A model that satisfies CheckBoundModel; its weight integers are those that training and Evaluate use, up to the sign that a negative
  /// gamma turns.
  virtual absl::StatusOr<BoundModel> Bind(const BindRequest& request) = 0;

  /// Executes the semantics of BoundModel exactly (integer sums are exact): the reference for the exported file and the agent's runtimes.
  /// What is reported of a member is its file's own accuracy; this one stands beside it. `progress` (images done) may be empty.
  virtual absl::StatusOr<BoundEvaluation> EvaluateBound(const EvaluateBoundRequest& request,
                                                        const std::function<Continue(int64_t)>& progress) = 0;

  /// All values of one image; see BoundTrace.
  virtual absl::StatusOr<BoundTrace> TraceBound(const BoundModel& model, const Dataset& dataset, Split split, int64_t index) = 0;
};

}  // namespace hanas

#endif  // HANAS_WORKER_ENGINE_ENGINE_H_
