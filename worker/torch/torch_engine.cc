// SPDX-License-Identifier: Apache-2.0
#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <dlfcn.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <memory>
#include <new>
#include <numeric>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/processor.h"
#include "worker/torch/accelerator_ops.h"
#include "worker/torch/bound_runner.h"
#include "worker/torch/cpu_fused_ops.h"
#include "worker/torch/create_engine.h"
#include "worker/torch/device_images.h"
#include "worker/torch/network.h"
#include "worker/torch/trainer.h"

namespace hanas {
namespace {

constexpr int64_t kEvaluationBatch = 250;
constexpr size_t kLossWindow = 20;

/// Runs `body` and turns what the tensor library throws into a Status: nothing above this file sees an exception.
template <typename Body>
auto Guarded(const char* what, const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": out of memory; a smaller batch or evaluation needs less"));
  } catch (const c10::OutOfMemoryError&) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": the device is out of memory; a smaller batch needs less"));
  } catch (const c10::Error& error) {
    return absl::InternalError(absl::StrCat(what, ": the tensor library failed: ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(what, ": the tensor library failed: ", error.what()));
  }
}

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

absl::Status CheckFits(const Lowering& lowering, const Dataset& dataset) {
  const FamilySpace& family = lowering.family();
  if (family.input_channels() != dataset.channels()) {
    return absl::InvalidArgumentError(absl::StrCat("space.input_channels: expected ", dataset.channels(), " as in the data set, found ",
                                                   family.input_channels(), ": ", dataset.name()));
  }
  if (family.num_classes() != dataset.num_classes()) {
    return absl::InvalidArgumentError(absl::StrCat("space.num_classes: expected ", dataset.num_classes(), " as in the data set, found ",
                                                   family.num_classes(), ": ", dataset.name()));
  }
  return absl::OkStatus();
}

absl::Status CheckCalibration(const CalibrationSet& options) {
  if (options.images >= 2 && options.batch_size >= 2) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("calibration: expected at least 2 images and a batch of at least 2, found ",
                                                 options.images, " and ", options.batch_size));
}

absl::Status CheckTeacher(const TrainRequest& request) {
  if (!request.teacher.has_value()) return absl::OkStatus();
  const TeacherAnswers& teacher = *request.teacher;
  const int64_t expected = request.dataset->size(Split::kTrain) * request.dataset->num_classes();
  if (static_cast<int64_t>(teacher.logits.size()) != expected) {
    return absl::InvalidArgumentError(absl::StrCat("teacher: expected ", expected,
                                                   " logits, as many as there are training images times classes, "
                                                   "found ",
                                                   teacher.logits.size()));
  }
  return CheckTeaching(teacher.weight, teacher.temperature);
}

absl::Status CheckRequest(const TrainRequest& request) {
  FieldViolations violations;
  ValidateTrainingSpec(request.training, violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  if (absl::Status status = CheckFits(*request.lowering, *request.dataset); !status.ok()) return status;
  if (request.from_step < 0 || request.to_step <= request.from_step || request.to_step > request.training.steps) {
    return absl::InvalidArgumentError(absl::StrCat("training: expected 0 <= from_step < to_step <= ", request.training.steps, ", found ",
                                                   request.from_step, " and ", request.to_step));
  }
  if (absl::Status status = CheckTeacher(request); !status.ok()) return status;
  if (!request.architecture.has_value()) return absl::OkStatus();
  return request.lowering->space().CheckArchitecture(*request.architecture);
}

/// The state that the first step of a request starts from.
absl::StatusOr<Checkpoint> StartingState(const TrainRequest& request) {
  if (request.checkpoint.empty()) {
    if (request.from_step == 0) return InitialCheckpoint(*request.lowering, request.seed, *request.dataset);
    return absl::InvalidArgumentError(
        absl::StrCat("training: expected a checkpoint to continue from step ", request.from_step, ", found none"));
  }
  absl::StatusOr<Checkpoint> state = ParseCheckpoint(request.checkpoint, *request.lowering);
  if (!state.ok()) return state;
  if (request.from_step == 0) {
    state->momentum.clear();
    state->step = 0;
    return state;
  }
  if (state->step != request.from_step || state->chain != ChainDigest(request) || state->momentum.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("checkpoint: expected step ", request.from_step,
                                                      " of the same training (recipe, seed, slice, data), found step ", state->step,
                                                      state->chain == ChainDigest(request) ? "" : " of another"));
  }
  return state;
}

class Batches {
 public:
  Batches(const Dataset& dataset, Split split, int64_t max_images) : dataset_(dataset), split_(split), total_(dataset.size(split)) {
    if (max_images > 0) total_ = std::min(total_, max_images);
  }
  int64_t total() const { return total_; }
  /// Calls `visit(batch)` for all images in order, preprocessed, until it returns false.
  template <typename Visit>
  void ForEach(const ImagePreprocessor& preprocessor, const Visit& visit) const {
    for (int64_t begin = 0; begin < total_; begin += kEvaluationBatch) {
      std::vector<int64_t> indices(static_cast<size_t>(std::min(kEvaluationBatch, total_ - begin)));
      std::iota(indices.begin(), indices.end(), begin);
      if (!visit(LoadInputs(dataset_, split_, indices, preprocessor))) return;
    }
  }

 private:
  const Dataset& dataset_;
  Split split_;
  int64_t total_;
};

/// Adds a batch's logits to the score; the loss is summed until Finish.
void Score(const torch::Tensor& logits, const torch::Tensor& labels, ClassificationScore& evaluation) {
  evaluation.correct += logits.argmax(1).eq(labels).sum().item<int64_t>();
  evaluation.total += labels.size(0);
  evaluation.loss +=
      torch::nn::functional::cross_entropy(logits, labels, torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum))
          .item<double>();
}

class TorchEngine final : public TrainingEngine {
 public:
  explicit TorchEngine(const ComputePlace& place)
      : place_(place),
        ops_(place.is_accelerator ? std::unique_ptr<DeviceOps>(std::make_unique<AcceleratorOps>()) : std::make_unique<CpuFusedOps>()) {}

  absl::StatusOr<TrainResult> Train(const TrainRequest& request, const std::function<Continue(const TrainProgress&)>& progress) override {
    if (absl::Status status = CheckRequest(request); !status.ok()) return status;
    return Guarded("training", [&]() -> absl::StatusOr<TrainResult> { return RunTraining(request, progress); });
  }

  absl::StatusOr<std::vector<ClassificationScore>> Evaluate(const EvaluateRequest& request, absl::Span<const Architecture> architectures,
                                                            const EvaluateProgress& progress) override {
    if (absl::Status status = CheckFits(*request.lowering, *request.dataset); !status.ok()) return status;
    if (absl::Status status = CheckCalibration(request.calibration); !status.ok()) return status;
    for (const Architecture& architecture : architectures) {
      if (absl::Status status = request.lowering->space().CheckArchitecture(architecture); !status.ok()) return status;
    }
    return Guarded("evaluation",
                   [&]() -> absl::StatusOr<std::vector<ClassificationScore>> { return RunEvaluations(request, architectures, progress); });
  }

  absl::StatusOr<std::vector<float>> Answers(const AnswersRequest& request, const std::function<Continue(int64_t)>& progress) override {
    if (absl::Status status = CheckFits(*request.lowering, *request.dataset); !status.ok()) return status;
    if (absl::Status status = CheckCalibration(request.calibration); !status.ok()) return status;
    if (absl::Status status = request.lowering->space().CheckArchitecture(request.architecture); !status.ok()) return status;
    return Guarded("a teacher's answers", [&]() -> absl::StatusOr<std::vector<float>> { return RunAnswers(request, progress); });
  }

  absl::StatusOr<BoundModel> Bind(const BindRequest& request) override {
    if (absl::Status status = CheckFits(*request.lowering, *request.dataset); !status.ok()) return status;
    if (absl::Status status = CheckCalibration(request.calibration); !status.ok()) return status;
    if (absl::Status status = request.lowering->space().CheckArchitecture(request.architecture); !status.ok()) return status;
    return Guarded("binding", [&]() -> absl::StatusOr<BoundModel> { return RunBind(request); });
  }

  absl::StatusOr<BoundEvaluation> EvaluateBound(const EvaluateBoundRequest& request,
                                                const std::function<Continue(int64_t)>& progress) override {
    if (absl::Status status = CheckBoundModel(*request.model); !status.ok()) return status;
    return Guarded("evaluation of a bound model", [&]() -> absl::StatusOr<BoundEvaluation> { return RunBound(request, progress); });
  }

  absl::StatusOr<BoundTrace> TraceBound(const BoundModel& model, const Dataset& dataset, Split split, int64_t index) override {
    if (absl::Status status = CheckBoundModel(model); !status.ok()) return status;
    if (index < 0 || index >= dataset.size(split)) {
      return absl::InvalidArgumentError(absl::StrCat("trace: expected an image of 0 to ", dataset.size(split) - 1, ", found ", index));
    }
    return Guarded("trace of a bound model", [&]() -> absl::StatusOr<BoundTrace> {
      const Batch batch = LoadInputs(dataset, split, {index}, MakePreprocessor(dataset, model.preprocessing));
      std::vector<torch::Tensor> values;
      BoundRunner(model).Run(batch.images, &values);
      BoundTrace trace;
      for (const torch::Tensor& value : values) {
        const torch::Tensor flat = value.contiguous();
        trace.values.emplace_back(flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel());
      }
      return trace;
    });
  }

 private:
  /// The training images on the accelerator: kept from one training to the next, as there are many short ones. Null where there is none, or
  /// no room: batches are then made on the host.
  std::shared_ptr<const DeviceImages> ImagesOf(const Dataset& dataset) {
    if (!place_.is_accelerator) return nullptr;
    if (images_of_ == dataset.digest()) return images_;
    images_ = nullptr;
    images_of_ = dataset.digest();
    try {
      images_ = std::make_shared<const DeviceImages>(dataset, place_.device);
    } catch (const c10::OutOfMemoryError&) {
      images_ = nullptr;
    }
    return images_;
  }

  absl::StatusOr<TrainResult> RunTraining(const TrainRequest& request, const std::function<Continue(const TrainProgress&)>& progress) {
    absl::StatusOr<Checkpoint> state = StartingState(request);
    if (!state.ok()) return state.status();
    Trainer trainer(*ops_, place_, request, *std::move(state), ImagesOf(*request.dataset));
    TrainResult result = {.checkpoint = {}, .step = request.from_step};
    std::vector<double> losses;
    int64_t images = 0;
    double seconds = 0;  // of the steps: whoever is told of progress may take his time, as when the host measures
    while (result.step < request.to_step && !result.stopped) {
      const auto start = std::chrono::steady_clock::now();
      const Trainer::StepResult step = trainer.Step(result.step);
      seconds += Seconds(start);
      if (!std::isfinite(step.loss)) {
        return absl::OutOfRangeError(absl::StrCat("training: expected a finite loss, found ", step.loss, " at step ", result.step,
                                                  "; lower training.learning_rate (", request.training.learning_rate, ")"));
      }
      ++result.step;
      losses.push_back(step.loss);
      images += step.images;
      result.images_per_second = static_cast<double>(images) / std::max(seconds, 1e-9);
      if (progress) result.stopped = progress({result.step, step.loss, result.images_per_second}) == Continue::kNo;
    }
    const size_t window = std::min(kLossWindow, losses.size());
    result.loss = std::accumulate(losses.end() - static_cast<std::ptrdiff_t>(window), losses.end(), 0.0) / static_cast<double>(window);
    result.checkpoint =
        SerializeCheckpoint(trainer.Snapshot(result.step, result.step < request.training.steps), request.lowering->slots().slots());
    return result;
  }

  absl::StatusOr<std::vector<ClassificationScore>> RunEvaluations(const EvaluateRequest& request,
                                                                  absl::Span<const Architecture> architectures,
                                                                  const EvaluateProgress& progress) const {
    absl::StatusOr<Checkpoint> state = ParseCheckpoint(request.checkpoint, *request.lowering);
    if (!state.ok()) return state.status();
    const torch::NoGradGuard no_grad;
    const SlotTensors slots(request.lowering->slots().slots(), state->weights, /*requires_grad=*/false, place_.device);
    const Batches batches(*request.dataset, request.split, request.max_images);
    std::vector<ClassificationScore> evaluations;
    for (size_t i = 0; i < architectures.size(); ++i) {
      const Graph graph = request.lowering->Lower(architectures[i]);
      const std::vector<OperatorTensors> tensors = Materialise(*ops_, graph, slots);
      const Calibration calibration = Calibrate(*ops_, graph, tensors, *request.dataset, request.calibration);
      ClassificationScore evaluation;
      batches.ForEach(MakePreprocessor(*request.dataset, PreprocessingOf(graph, *request.dataset)), [&](const Batch& batch) {
        Score(ForwardCalibrated(*ops_, graph, tensors, calibration, batch.images.to(place_.device)).to(torch::kCPU), batch.labels,
              evaluation);
        return true;
      });
      evaluation.loss /= static_cast<double>(std::max<int64_t>(evaluation.total, 1));
      evaluations.push_back(evaluation);
      if (progress && progress(i, evaluation) == Continue::kNo)
        return absl::CancelledError(absl::StrCat("evaluation: stopped after ", i + 1, " networks"));
    }
    return evaluations;
  }

  absl::StatusOr<std::vector<float>> RunAnswers(const AnswersRequest& request, const std::function<Continue(int64_t)>& progress) const {
    absl::StatusOr<Checkpoint> state = ParseCheckpoint(request.checkpoint, *request.lowering);
    if (!state.ok()) return state.status();
    const torch::NoGradGuard no_grad;
    const std::unique_ptr<DeviceOps> ops = ops_->With(request.numerics, {});
    const Graph graph = request.lowering->Lower(request.architecture);
    const SlotTensors slots(request.lowering->slots().slots(), state->weights, /*requires_grad=*/false, place_.device);
    const std::vector<OperatorTensors> tensors = Materialise(*ops, graph, slots);
    const Calibration calibration = Calibrate(*ops, graph, tensors, *request.dataset, request.calibration);
    const Batches batches(*request.dataset, Split::kTrain, /*max_images=*/0);
    std::vector<float> answers;
    answers.reserve(static_cast<size_t>(batches.total() * request.dataset->num_classes()));
    int64_t done = 0;
    bool stopped = false;
    batches.ForEach(MakePreprocessor(*request.dataset, PreprocessingOf(graph, *request.dataset)), [&](const Batch& batch) {
      const torch::Tensor logits =
          ForwardCalibrated(*ops, graph, tensors, calibration, batch.images.to(place_.device)).to(torch::kCPU).contiguous();
      answers.insert(answers.end(), logits.const_data_ptr<float>(), logits.const_data_ptr<float>() + logits.numel());
      done += batch.images.size(0);
      stopped = progress && progress(done) == Continue::kNo;
      return !stopped;
    });
    if (stopped) return absl::CancelledError(absl::StrCat("a teacher's answers: stopped after ", done, " images"));
    return answers;
  }

  absl::StatusOr<BoundModel> RunBind(const BindRequest& request) const {
    absl::StatusOr<Checkpoint> state = ParseCheckpoint(request.checkpoint, *request.lowering);
    if (!state.ok()) return state.status();
    const torch::NoGradGuard no_grad;
    const SearchSpace& space = request.lowering->space();
    const Graph graph = request.lowering->Lower(request.architecture);
    const SlotTensors slots(request.lowering->slots().slots(), state->weights, /*requires_grad=*/false);
    // On the host wherever networks are trained: what is exported is computed there from now on.
    const CpuFusedOps ops;
    const std::vector<OperatorTensors> tensors = Materialise(ops, graph, slots);
    BoundModel model;
    std::vector<OperatorTensors> unquantized = tensors;
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (graph.operators[i].has_weights()) unquantized[i].weight = slots.View(graph.operators[i].weight);
    }
    BindTensors(graph, unquantized, Calibrate(ops, graph, tensors, *request.dataset, request.calibration), model);
    model.preprocessing = PreprocessingOf(graph, *request.dataset);
    model.labels = request.dataset->class_names();
    model.space_name = space.name();
    model.architecture_json = space.ToJson(request.architecture);
    model.architecture_digest = space.ArchitectureDigest(request.architecture).ToHex();
    model.checkpoint_sha256 = request.checkpoint_sha256;
    if (absl::Status status = CheckBoundModel(model); !status.ok()) return absl::InternalError(absl::StrCat("binding: ", status.message()));
    return model;
  }

  static absl::StatusOr<BoundEvaluation> RunBound(const EvaluateBoundRequest& request, const std::function<Continue(int64_t)>& progress) {
    const torch::NoGradGuard no_grad;
    const BoundRunner runner(*request.model);
    BoundEvaluation result;
    bool stopped = false;
    const ImagePreprocessor preprocessor = MakePreprocessor(*request.dataset, request.model->preprocessing);
    Batches(*request.dataset, request.split, request.max_images).ForEach(preprocessor, [&](const Batch& batch) {
      const torch::Tensor logits = runner.Run(batch.images).contiguous();
      Score(logits, batch.labels, result.evaluation);
      if (request.keep_logits)
        result.logits.insert(result.logits.end(), logits.const_data_ptr<float>(), logits.const_data_ptr<float>() + logits.numel());
      stopped = progress && progress(result.evaluation.total) == Continue::kNo;
      return !stopped;
    });
    if (stopped)
      return absl::CancelledError(absl::StrCat("evaluation of a bound model: stopped after ", result.evaluation.total, " images"));
    result.evaluation.loss /= static_cast<double>(std::max<int64_t>(result.evaluation.total, 1));
    return result;
  }

  const ComputePlace place_;
  const std::unique_ptr<const DeviceOps> ops_;
  std::string images_of_;  // the digest of the data set that was put on the accelerator last
  std::shared_ptr<const DeviceImages> images_;
};

}  // namespace

std::unique_ptr<TrainingEngine> CreateTorchEngine(const TorchEngineOptions& options) {
  const int threads = std::max(options.num_threads, 1);
  at::set_num_threads(threads);
  // The pthread build of OpenBLAS has a pool of its own, which the tensor library does not know of.
  if (void* const set_blas_threads = dlsym(RTLD_DEFAULT, "openblas_set_num_threads"); set_blas_threads != nullptr) {
    reinterpret_cast<void (*)(int)>(set_blas_threads)(threads);
  }
#if defined(__GLIBC__)
  // Activations are allocated and freed every step: kept by the process they cost nothing, returned to the kernel a tenth of the time.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  // Threads of shards allocate from arenas of their own otherwise, which are given back to the kernel whatever the threshold is.
  mallopt(M_ARENA_MAX, 1);
#endif
  // What is said to be in float32 is: libraries of GPUs would drop 13 bits otherwise. And the fastest algorithm is not looked for each
  // time.
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setBenchmarkCuDNN(false);
  at::globalContext().setDeterministicCuDNN(true);
  const torch::Device device(options.device);
  return std::make_unique<TorchEngine>(ComputePlace{device, !device.is_cpu() || options.cpu_as_accelerator});
}

absl::StatusOr<std::string> ResolveTorchDevice(absl::string_view wanted) {
  const size_t devices = torch::cuda::is_available() ? static_cast<size_t>(torch::cuda::device_count()) : 0;
  if (wanted == "cpu" || (wanted == "auto" && devices == 0)) return "cpu";
  if (wanted == "auto" || wanted == "cuda") wanted = "cuda:0";
  absl::string_view number = wanted;
  size_t index = 0;
  if (!absl::ConsumePrefix(&number, "cuda:") || !absl::SimpleAtoi(number, &index))
    return absl::InvalidArgumentError(absl::StrCat("expected auto, cpu, cuda or cuda:N, found \"", wanted, "\""));
  if (index >= devices) {
    return absl::InvalidArgumentError(
        devices == 0 ? absl::StrCat("expected a GPU for ", wanted, ", found none that this LibTorch (", TorchVersion(), ") can use")
                     : absl::StrCat("expected cuda:0 to cuda:", devices - 1, ", found ", wanted));
  }
  return absl::StrCat("cuda:", index);
}

bool MultipliesBf16(absl::string_view device) {
  return device == "cpu" ? ProcessorMultipliesBf16() : at::detail::getCUDAHooks().supportsBFloat16ConvolutionWithCuDNNv8();
}

std::string TorchVersion() { return absl::StrCat(TORCH_VERSION_MAJOR, ".", TORCH_VERSION_MINOR, ".", TORCH_VERSION_PATCH); }

}  // namespace hanas
