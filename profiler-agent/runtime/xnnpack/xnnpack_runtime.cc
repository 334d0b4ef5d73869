// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/runtime/xnnpack/xnnpack_runtime.h"

#include <xnnpack.h>

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/plan/op_limits.h"
#include "profiler-agent/runtime/arena.h"
#include "profiler-agent/runtime/random_weights.h"
#include "profiler-agent/runtime/xnnpack/capabilities.h"
#include "profiler-agent/runtime/xnnpack/xnn_network.h"
#include "profiler-agent/runtime/xnnpack/xnn_operator.h"
#include "profiler-agent/runtime/xnnpack/xnn_threads.h"

namespace hanas {
namespace {

constexpr uint64_t kOperatorSeed = 17;

class XnnOperatorInstance : public OperatorInstance {
 public:
  explicit XnnOperatorInstance(std::shared_ptr<XnnThreads> threads) : threads_(std::move(threads)) {}

  absl::Status Build(const OpKey& key) {
    if (absl::Status status = CheckOpKey(key); !status.ok()) return status;
    const BoundWeights weights = RandomWeights(key, kOperatorSeed);
    absl::StatusOr<std::unique_ptr<XnnOperator>> made =
        XnnOperator::Create({.key = key,
                             .inputs = {kRandomQuantizer, kRandomQuantizer},
                             .output = key.kind == OpKind::kSigmoid ? kSigmoidQuantizer : kRandomQuantizer,
                             .weights = &weights,
                             .threads = threads_.get()});
    if (!made.ok()) return made.status();
    operator_ = *std::move(made);
    for (AlignedBuffer& input : inputs_) {
      input = AlignedBuffer(ByteSize(key.input, key.input_type));
      if (input.data() == nullptr) return NoMemory(key);
      Fill(key.input_type, input);
    }
    output_ = AlignedBuffer(ByteSize(OutputShape(key), key.output_type));
    if (output_.data() == nullptr) return NoMemory(key);
    working_set_bytes_ = NumWeights(key) * BitWidth(key.weight_type) / 8 + static_cast<int64_t>(inputs_[0].size() + output_.size());
    return operator_->Bind(inputs_[0].data(), inputs_[1].data(), output_.data());
  }

  absl::Status Run() override { return operator_->Run(); }
  int64_t working_set_bytes() const override { return working_set_bytes_; }

 private:
  static absl::Status NoMemory(const OpKey& key) {
    return absl::ResourceExhaustedError(absl::StrCat("xnnpack: no memory for ", ToString(key)));
  }

  static void Fill(ElementType type, AlignedBuffer& buffer) {
    if (type == ElementType::kFloat32) {
      FillRandom(absl::MakeSpan(reinterpret_cast<float*>(buffer.data()), buffer.size() / sizeof(float)), kOperatorSeed);
    } else if (type == ElementType::kInt8) {
      FillRandom(absl::MakeSpan(reinterpret_cast<int8_t*>(buffer.data()), buffer.size()), kOperatorSeed);
    } else {
      auto* half = reinterpret_cast<_Float16*>(buffer.data());
      for (size_t i = 0; i < buffer.size() / sizeof(_Float16); ++i) half[i] = static_cast<_Float16>(static_cast<float>(i % 64) / 64);
    }
  }

  const std::shared_ptr<XnnThreads> threads_;  // before what runs on them
  std::unique_ptr<XnnOperator> operator_;
  std::array<AlignedBuffer, 2> inputs_;
  AlignedBuffer output_;
  int64_t working_set_bytes_ = 0;
};

class XnnpackRuntime : public DeviceRuntime {
 public:
  XnnpackRuntime(BackendCaps caps, std::shared_ptr<XnnThreads> threads)
      : caps_(std::move(caps)), native_(caps_), threads_(std::move(threads)) {}

  const BackendCaps& caps() const override { return caps_; }

  absl::StatusOr<std::unique_ptr<OperatorInstance>> PrepareOperator(const OpKey& key) override {
    if (absl::Status status = CheckCapability(key); !status.ok()) return status;
    auto instance = std::make_unique<XnnOperatorInstance>(threads_);
    if (absl::Status status = instance->Build(key); !status.ok()) return status;
    return instance;
  }

  absl::StatusOr<std::unique_ptr<NetworkInstance>> PrepareNetwork(const Graph& graph, const ExecPlan& plan, const BoundModel* model,
                                                                  const NetworkOptions& options) override {
    for (const ExecStep& step : plan.steps) {
      if (absl::Status status = CheckCapability(step.key); !status.ok()) return status;
    }
    return CreateXnnNetwork(graph, plan, model, options, threads_);
  }

 private:
  absl::Status CheckCapability(const OpKey& key) const {
    if (absl::Status status = CheckOpKey(key); !status.ok()) return status;
    const bool weights = key.weight_type == key.input_type || native_.KeepsWeights(key.kind, key.input_type, key.weight_type);
    if (!native_.Has(key.kind, key.input_type) || !native_.Has(key.kind, key.output_type) || !weights) {
      return absl::InvalidArgumentError(absl::StrCat("operator: ", caps_.name, " on this device does not have ", ToString(key)));
    }
    return absl::OkStatus();
  }

  const BackendCaps caps_;
  const NativeOperators native_;
  const std::shared_ptr<XnnThreads> threads_;  // null: the calling thread
};

absl::Status Initialize() {
  const xnn_status status = xnn_initialize(nullptr);  // counts its callers; never undone, the process ends with it
  if (status == xnn_status_success) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("xnnpack: expected to start on this processor, xnn_initialize returned ", static_cast<int>(status)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceRuntime>> CreateXnnpackRuntime() {
  if (absl::Status status = Initialize(); !status.ok()) return status;
  static const BackendCaps* const kCaps = new BackendCaps(ProbeXnnpackCapabilities());
  return std::make_unique<XnnpackRuntime>(*kCaps, nullptr);
}

absl::StatusOr<std::unique_ptr<DeviceRuntime>> CreateXnnpackRuntime(const BackendCaps& caps, const RuntimeOptions& options) {
  if (absl::Status status = options.Validate(); !status.ok()) return status;
  if (absl::Status status = Initialize(); !status.ok()) return status;
  absl::StatusOr<std::shared_ptr<XnnThreads>> threads = XnnThreads::Create(options.num_threads);
  if (!threads.ok()) return threads.status();
  return std::make_unique<XnnpackRuntime>(caps, *std::move(threads));
}

}  // namespace hanas
