// SPDX-License-Identifier: Apache-2.0
// One training step (forward, backward, update) of a dense network in one thread: ours, interpreted from its graph, beside the same network
// as a plain module of the tensor library in its fastest layout. Both in the same minute, in turns.
#include <dlfcn.h>
#include <malloc.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "tests/worker/hand_made.h"
#include "worker/torch/cpu_fused_ops.h"
#include "worker/torch/network.h"

namespace hanas {
namespace {

constexpr int64_t kBatch = 128;
constexpr int64_t kSize = 32;
constexpr int64_t kClasses = 10;
constexpr int64_t kInputs = 24;
constexpr int kWidths[] = {24, 40, 48};

/// Three times a 3x3 convolution with normalisation, ReLU and max-pool, then a classifier.
HandMade DenseNetwork(Precision precision) {
  const LoweringContext context = {.height = kSize, .width = kSize, .channels = kInputs, .type = ElementType::kFloat32};
  return MakeByHand(context, [&](NetBuilder net) {
    ValueId x = net.input();
    for (const int width : kWidths) {
      const std::string name = "conv" + std::to_string(width);
      x = net.Conv(name, x, {.outputs = width, .kernel = 3, .precision = precision, .activation = FusedActivation::kRelu});
      x = net.MaxPool(name + ".pool", x, 2, 2, 0);
    }
    x = net.GlobalPool("pool", x, OpKind::kGlobalAveragePool);
    x = net.Linear("classifier", x, {.outputs = kClasses});
    return std::move(net).Finish(x, "logits");
  });
}

/// The same from the tensor library's modules.
torch::nn::Sequential StockNetwork() {
  torch::nn::Sequential network;
  int64_t inputs = kInputs;
  for (const int width : kWidths) {
    network->push_back(torch::nn::Conv2d(torch::nn::Conv2dOptions(inputs, width, 3).padding(1).bias(false)));
    network->push_back(torch::nn::BatchNorm2d(width));
    network->push_back(torch::nn::ReLU(torch::nn::ReLUOptions().inplace(true)));
    network->push_back(torch::nn::MaxPool2d(2));
    inputs = width;
  }
  network->push_back(torch::nn::AdaptiveAvgPool2d(1));
  network->push_back(torch::nn::Flatten());
  network->push_back(torch::nn::Linear(inputs, kClasses));
  for (torch::Tensor& parameter : network->parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
  }
  return network;
}

torch::optim::SGDOptions UpdateRule() { return torch::optim::SGDOptions(0.01).momentum(0.9).nesterov(true); }

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// As worker/torch/create_engine.h sets the process up.
void UseOneThread() {
  at::set_num_threads(1);
  if (void* const set_blas_threads = dlsym(RTLD_DEFAULT, "openblas_set_num_threads"); set_blas_threads != nullptr)
    reinterpret_cast<void (*)(int)>(set_blas_threads)(1);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

/// Argument: bits of weights and activations. The module is float32 either way.
void BM_TrainingStep(benchmark::State& state) {
  UseOneThread();
  torch::manual_seed(1);
  const auto bits = static_cast<uint8_t>(state.range(0));
  const torch::Tensor images = torch::randn({kBatch, kSize, kSize, kInputs});
  const torch::Tensor labels = torch::randint(0, kClasses, {kBatch}, torch::kInt64);

  const HandMade made = DenseNetwork({bits, bits});
  const CpuFusedOps ops;
  SlotTensors slots(made.slots, made.weights, /*requires_grad=*/true);
  torch::optim::SGD update(slots.tensors(), UpdateRule());
  const auto interpreted = [&] {
    update.zero_grad();
    const torch::Tensor logits = ForwardBatch(ops, made.graph, Materialise(ops, made.graph, slots), images, nullptr);
    torch::nn::functional::cross_entropy(logits, labels).backward();
    update.step();
  };

  torch::nn::Sequential network = StockNetwork();
  torch::optim::SGD stock_update(network->parameters(), UpdateRule());
  const torch::Tensor channels_last = images.permute({0, 3, 1, 2});
  const auto stock = [&] {
    stock_update.zero_grad();
    torch::nn::functional::cross_entropy(network->forward(channels_last), labels).backward();
    stock_update.step();
  };

  const auto seconds = [](const auto& step) {
    const auto begin = std::chrono::steady_clock::now();
    step();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  interpreted();
  stock();
  std::vector<double> ours;
  std::vector<double> theirs;
  for (auto _ : state) {
    ours.push_back(seconds(interpreted));
    theirs.push_back(seconds(stock));
  }
  state.counters["ours_ms"] = 1e3 * Median(ours);
  state.counters["module_ms"] = 1e3 * Median(theirs);
  state.counters["ratio"] = Median(ours) / Median(theirs);
}
BENCHMARK(BM_TrainingStep)->Arg(16)->Arg(8)->Iterations(15)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hanas
