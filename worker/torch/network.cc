// SPDX-License-Identifier: Apache-2.0
#include "worker/torch/network.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/base/counter_random.h"
#include "core/graph/op_schema.h"
#include "worker/engine/quantize.h"

namespace hanas {
namespace {

size_t At(int64_t index) { return static_cast<size_t>(index); }

/// Where a row of `size` pixels has what stands at `position`, before, in or behind it, when both edges are mirrors.
int64_t Reflected(int64_t position, int64_t size) {
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1);
  const int64_t within = (position % period + period) % period;
  return within < size ? within : period - within;
}

/// Runs a graph operator by operator. With a calibration it evaluates, without one it uses the batch's own statistics.
class Interpreter {
 public:
  Interpreter(const DeviceOps& ops, const Graph& graph, const std::vector<OperatorTensors>& tensors, const Calibration* calibration,
              CalibrationSums* sums)
      : ops_(ops),
        graph_(graph),
        tensors_(tensors),
        calibration_(calibration),
        sums_(sums),
        native_(graph.values.size()),
        as_int8_(graph.values.size()),
        fixed_(FixedQuantizers(graph)),
        uses_(graph.values.size(), 0) {
    for (const Operator& op : graph.operators) {
      for (const ValueId id : op.inputs) ++uses_[At(id)];
    }
    ++uses_[At(graph.output)];
  }

  torch::Tensor Run(const torch::Tensor& input) {
    native_[At(graph_.input)] = input;
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      const Operator& op = graph_.operators[i];
      if (op.kind == OpKind::kConv2d) {
        i += RunConv(i) ? 1 : 0;
      } else {
        native_[At(op.output)] = RunPlain(i);
      }
      Release(op);
    }
    return native_[At(graph_.output)];
  }

  std::vector<torch::Tensor> TakeValues() { return std::move(native_); }
  void KeepValues() { keep_ = true; }

 private:
  bool Int8(const Operator& op) const { return op.compute == ElementType::kInt8; }

  /// The input as the operator reads it.
  torch::Tensor Read(const Operator& op, size_t which) {
    const ValueId id = op.inputs[which];
    if (!Int8(op) || graph_.value(id).type == ElementType::kInt8) return native_[At(id)];
    torch::Tensor& cached = as_int8_[At(id)];
    if (!cached.defined()) cached = Quantize(id, native_[At(id)]);
    return cached;
  }

  torch::Tensor Quantize(ValueId id, const torch::Tensor& value) {
    Quantizer quantizer = fixed_[At(id)];
    if (calibration_ != nullptr) {
      quantizer = calibration_->quantizers[At(id)];
    } else if (quantizer.scale == 0) {
      kernels::Range range;
      const torch::Tensor quantized = ops_.QuantizeToOwnRange(value, sums_ != nullptr ? &range : nullptr);
      if (sums_ != nullptr) sums_->AddRange(id, range);
      return quantized;
    }
    return ops_.Quantize(value, ToFakeQuantizer(quantizer));
  }

  /// The hard swish that follows operator `i` alone and can be computed with it.
  const Operator* SwishAfter(size_t i) const {
    const Operator& op = graph_.operators[i];
    if (keep_ || i + 1 == graph_.operators.size() || op.activation != FusedActivation::kNone || uses_[At(op.output)] != 1) return nullptr;
    const Operator& next = graph_.operators[i + 1];
    return next.kind == OpKind::kHardSwish && next.inputs[0] == op.output && next.compute == op.compute ? &next : nullptr;
  }

  /// Returns whether the next operator was done too.
  bool RunConv(size_t i) {
    const Operator& op = graph_.operators[i];
    const Operator* const swish = SwishAfter(i);
    // A hard sigmoid is no part of the tail: no network has many of them.
    const bool in_tail = op.activation != FusedActivation::kHardSigmoid;
    ConvTail tail = {.nonlinearity = kernels::Nonlinearity::kNone,
                     .quantize_first = Int8(op) && in_tail,
                     .quantize_second = swish != nullptr && Int8(op)};
    if (op.activation == FusedActivation::kRelu) tail.nonlinearity = kernels::Nonlinearity::kRelu;
    if (op.activation == FusedActivation::kRelu6) tail.nonlinearity = kernels::Nonlinearity::kRelu6;
    if (swish != nullptr) tail.nonlinearity = kernels::Nonlinearity::kHardSwish;
    const ValueId output = swish != nullptr ? swish->output : op.output;
    torch::Tensor result = calibration_ != nullptr ? EvaluateConv(i, tail, output) : TrainConv(i, tail, output);
    if (!in_tail) {
      result = ops_.Activate(result, op.activation);
      if (Int8(op)) result = Quantize(output, result);
    }
    native_[At(output)] = result;
    return swish != nullptr;
  }

  torch::Tensor TrainConv(size_t i, const ConvTail& tail, ValueId output) {
    const Operator& op = graph_.operators[i];
    ConvObservation observation = {.wanted = sums_ != nullptr, .moments = {}, .first = {}, .second = {}};
    torch::Tensor result = ops_.TrainConv(Read(op, 0), tensors_[i], ConvGeometryOf(op), tail, observation);
    if (sums_ != nullptr) {
      if (op.has_norm()) sums_->AddMoments(i, observation.moments);
      if (tail.quantize_first) sums_->AddRange(op.output, observation.first);
      if (tail.quantize_second) sums_->AddRange(output, observation.second);
    }
    return result;
  }

  torch::Tensor EvaluateConv(size_t i, const ConvTail& tail, ValueId output) {
    const Operator& op = graph_.operators[i];
    const OperatorTensors& t = tensors_[i];
    const size_t channels = At(graph_.value(op.output).shape.back());
    CalibratedTail what = {.scale = std::vector<float>(channels),
                           .shift = std::vector<float>(channels),
                           .nonlinearity = tail.nonlinearity,
                           .first = {},
                           .second = {}};
    std::vector<ChannelFold> own;
    if (calibration_->folds.empty()) own = FoldsOf(op, t, *calibration_, i);
    const std::vector<ChannelFold>& folds = calibration_->folds.empty() ? own : calibration_->folds[i];
    for (size_t c = 0; c < channels; ++c) {
      what.scale[c] = folds[c].scale;
      what.shift[c] = folds[c].shift;
    }
    if (tail.quantize_first) what.first = ToFakeQuantizer(calibration_->quantizers[At(op.output)]);
    if (tail.quantize_second) what.second = ToFakeQuantizer(calibration_->quantizers[At(output)]);
    return ops_.EvaluateConv(Read(op, 0), t.weight, ConvGeometryOf(op), what);
  }

  torch::Tensor RunPlain(size_t i) {
    const Operator& op = graph_.operators[i];
    torch::Tensor result;
    switch (op.kind) {
      case OpKind::kFullyConnected:
        TORCH_CHECK(!op.has_norm(), "a fully connected operator has no normalisation: ", graph_.name(op));
        result = ops_.Linear(Read(op, 0), tensors_[i].weight, tensors_[i].bias);
        break;
      case OpKind::kGlobalAveragePool:
        result = ops_.GlobalAveragePool(Read(op, 0));
        break;
      case OpKind::kAdd:
        result = ops_.Add(Read(op, 0), Read(op, 1));
        break;
      case OpKind::kMultiply:
        result = ops_.ScaleChannels(Read(op, 0), Read(op, 1));
        break;
      case OpKind::kHardSwish:
        result = ops_.HardSwish(Read(op, 0));
        break;
      case OpKind::kMaxPool:
        result = ops_.MaxPool(Read(op, 0), PoolWindowOf(op));
        break;
      case OpKind::kGlobalMaxPool:
        result = ops_.GlobalMaxPool(Read(op, 0));
        break;
      case OpKind::kSigmoid:
        result = ops_.Sigmoid(Read(op, 0));
        break;
      case OpKind::kProduct:
        result = ops_.Product(Read(op, 0), Read(op, 1));
        break;
      case OpKind::kConv2d:
      case OpKind::kConvert:
        TORCH_CHECK(false, "unexpected operator ", graph_.name(op));
    }
    result = ops_.Activate(result, op.activation);
    // What moves numbers leaves them on the grid on which it found them.
    return Int8(op) && !SchemaOf(op.kind).keeps_quantizer ? Quantize(op.output, result) : result;
  }

  /// Drops values that nothing reads any more, so that evaluation does not hold a network of activations.
  void Release(const Operator& op) {
    for (const ValueId id : op.inputs) {
      if (--uses_[At(id)] > 0 || keep_) continue;
      native_[At(id)] = torch::Tensor();
      as_int8_[At(id)] = torch::Tensor();
    }
  }

  const DeviceOps& ops_;
  const Graph& graph_;
  const std::vector<OperatorTensors>& tensors_;
  const Calibration* calibration_;
  CalibrationSums* sums_;
  std::vector<torch::Tensor> native_;
  std::vector<torch::Tensor> as_int8_;
  std::vector<Quantizer> fixed_;
  std::vector<int> uses_;
  bool keep_ = false;
};

torch::Tensor ApplyTransforms(torch::Tensor weight, const WeightView& view, const std::vector<torch::Tensor>& slots) {
  for (const KernelTransform& step : view.transforms) {
    const int64_t margin = (step.from - step.to) / 2;
    const torch::Tensor crop = weight.narrow(2, margin, step.to).narrow(3, margin, step.to);
    const int64_t taps = int64_t{step.to} * step.to;
    weight = crop.reshape({-1, taps}).mm(slots[At(step.matrix)]).view({weight.size(0), weight.size(1), step.to, step.to});
  }
  return weight;
}

}  // namespace

SlotTensors::SlotTensors(const std::vector<Slot>& slots, const std::vector<std::vector<float>>& weights, bool requires_grad,
                         const torch::Device& device) {
  for (size_t i = 0; i < slots.size(); ++i) {
    torch::Tensor tensor = torch::empty(std::vector<int64_t>(slots[i].shape.begin(), slots[i].shape.end()));
    std::copy(weights[i].begin(), weights[i].end(), tensor.mutable_data_ptr<float>());
    tensors_.push_back(tensor.to(device).set_requires_grad(requires_grad && !slots[i].frozen()));
  }
}

SlotTensors SlotTensors::Shared() const {
  SlotTensors shared;
  for (const torch::Tensor& tensor : tensors_) shared.tensors_.push_back(tensor.detach().set_requires_grad(tensor.requires_grad()));
  return shared;
}

torch::Tensor SlotTensors::View(const WeightView& view) const {
  torch::Tensor tensor = tensors_[At(view.slot)];
  for (size_t axis = 0; axis < view.slices.size(); ++axis) {
    const AxisSlice& slice = view.slices[axis];
    if (slice.begin == 0 && slice.count == tensor.size(static_cast<int64_t>(axis))) continue;
    tensor = tensor.narrow(static_cast<int64_t>(axis), slice.begin, slice.count);
  }
  return ApplyTransforms(std::move(tensor), view, tensors_);
}

std::vector<OperatorTensors> Materialise(const DeviceOps& ops, const Graph& graph, const SlotTensors& slots) {
  std::vector<OperatorTensors> tensors(graph.operators.size());
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const Operator& op = graph.operators[i];
    if (!op.has_weights()) continue;
    tensors[i].weight = ops.QuantizeWeights(slots.View(op.weight), op.weight_type);
    if (op.bias.present()) tensors[i].bias = slots.View(op.bias).contiguous();
    if (!op.has_norm()) continue;
    tensors[i].gamma = slots.View(op.norm.gamma).contiguous();
    tensors[i].beta = slots.View(op.norm.beta).contiguous();
  }
  return tensors;
}

std::vector<bool> ValuesReadAsInt8(const Graph& graph) {
  std::vector<bool> result(graph.values.size(), false);
  for (const Operator& op : graph.operators) {
    if (op.compute != ElementType::kInt8) continue;
    for (const ValueId id : op.inputs) result[At(id)] = true;
    result[At(op.output)] = true;
  }
  return result;
}

std::vector<Quantizer> FixedQuantizers(const Graph& graph) {
  std::vector<Quantizer> quantizers(graph.values.size());
  for (const Operator& op : graph.operators) {
    if (op.kind == OpKind::kSigmoid) quantizers[At(op.output)] = kSigmoidQuantizer;
    if (op.activation == FusedActivation::kHardSigmoid) quantizers[At(op.output)] = HardSigmoidQuantizer();
  }
  return quantizers;
}

void PassQuantizerOn(const Operator& op, std::vector<Quantizer>& quantizers) {
  if (op.compute == ElementType::kInt8 && SchemaOf(op.kind).keeps_quantizer) quantizers[At(op.output)] = quantizers[At(op.inputs[0])];
}

std::vector<ChannelFold> FoldsOf(const Operator& op, const OperatorTensors& t, const Calibration& calibration, size_t index) {
  std::vector<ChannelFold> folds(At(t.weight.size(0)));
  const auto on_host = [](const torch::Tensor& tensor) { return tensor.detach().to(torch::kCPU).contiguous(); };
  if (t.bias.defined()) {
    const torch::Tensor bias = on_host(t.bias);
    for (size_t c = 0; c < folds.size(); ++c) folds[c].shift = bias.const_data_ptr<float>()[c];
  }
  if (!op.has_norm()) return folds;
  const torch::Tensor gamma = on_host(t.gamma);
  const torch::Tensor beta = on_host(t.beta);
  for (size_t c = 0; c < folds.size(); ++c) {
    const float mean = calibration.mean[index][c] - folds[c].shift;
    folds[c].scale = gamma.const_data_ptr<float>()[c] / std::sqrt(calibration.variance[index][c] + kNormEpsilon);
    folds[c].shift = beta.const_data_ptr<float>()[c] - folds[c].scale * mean;
  }
  return folds;
}

void CalibrationSums::AddMoments(size_t op, const kernels::Moments& moments) {
  counts_.resize(mean_.size(), 0);
  if (++counts_[op] == 1) {
    mean_[op].assign(moments.mean.size(), 0);
    variance_[op].assign(moments.mean.size(), 0);
  }
  for (size_t c = 0; c < moments.mean.size(); ++c) {
    mean_[op][c] += static_cast<double>(moments.mean[c]);
    variance_[op][c] += static_cast<double>(moments.variance[c]);
  }
}

void CalibrationSums::AddRange(ValueId value, const kernels::Range& range) {
  RangeSum& sum = ranges_[At(value)];
  sum.low += static_cast<double>(range.low);
  sum.high += static_cast<double>(range.high);
  ++sum.count;
}

Calibration CalibrationSums::Average(const Graph& graph) const {
  Calibration calibration = {std::vector<std::vector<float>>(mean_.size()), std::vector<std::vector<float>>(mean_.size()),
                             std::vector<Quantizer>(ranges_.size())};
  for (size_t op = 0; op < mean_.size(); ++op) {
    for (size_t c = 0; c < mean_[op].size(); ++c) {
      calibration.mean[op].push_back(static_cast<float>(mean_[op][c] / counts_[op]));
      calibration.variance[op].push_back(static_cast<float>(variance_[op][c] / counts_[op]));
    }
  }
  for (size_t v = 0; v < ranges_.size(); ++v) {
    const RangeSum& sum = ranges_[v];
    if (sum.count > 0)
      calibration.quantizers[v] = QuantizerForRange(static_cast<float>(sum.low / sum.count), static_cast<float>(sum.high / sum.count));
  }
  const std::vector<bool> needed = ValuesReadAsInt8(graph);
  const std::vector<Quantizer> fixed = FixedQuantizers(graph);
  for (size_t v = 0; v < needed.size(); ++v) {
    if (needed[v] && fixed[v].scale > 0) calibration.quantizers[v] = fixed[v];
  }
  for (const Operator& op : graph.operators) PassQuantizerOn(op, calibration.quantizers);
  return calibration;
}

torch::Tensor ForwardBatch(const DeviceOps& ops, const Graph& graph, const std::vector<OperatorTensors>& tensors,
                           const torch::Tensor& input, CalibrationSums* sums, std::vector<torch::Tensor>* values) {
  Interpreter interpreter(ops, graph, tensors, nullptr, sums);
  if (values != nullptr) interpreter.KeepValues();
  torch::Tensor logits = interpreter.Run(input);
  if (values != nullptr) *values = interpreter.TakeValues();
  return logits;
}

torch::Tensor ForwardCalibrated(const DeviceOps& ops, const Graph& graph, const std::vector<OperatorTensors>& tensors,
                                const Calibration& calibration, const torch::Tensor& input) {
  const torch::NoGradGuard no_grad;
  return Interpreter(ops, graph, tensors, &calibration, nullptr).Run(input);
}

Batch LoadBatch(const Dataset& dataset, Split split, absl::Span<const int64_t> indices) {
  const auto count = static_cast<int64_t>(indices.size());
  Batch batch = {torch::empty({count, dataset.height(), dataset.width(), dataset.channels()}), torch::empty({count}, torch::kInt64)};
  const auto channels = At(dataset.channels());
  std::vector<std::array<float, 256>> table(channels);
  for (size_t c = 0; c < channels; ++c) {
    for (size_t v = 0; v < 256; ++v) table[c][v] = (static_cast<float>(v) / 255.0F - dataset.mean()[c]) / dataset.stddev()[c];
  }
  float* out = batch.images.mutable_data_ptr<float>();
  for (int64_t i = 0; i < count; ++i) {
    const absl::Span<const uint8_t> pixels = dataset.image(split, indices[At(i)]);
    for (size_t p = 0; p < pixels.size(); p += channels) {
      for (size_t c = 0; c < channels; ++c) *out++ = table[c][pixels[p + c]];
    }
    batch.labels.mutable_data_ptr<int64_t>()[i] = dataset.label(split, indices[At(i)]);
  }
  return batch;
}

Batch LoadInputs(const Dataset& dataset, Split split, absl::Span<const int64_t> indices, const ImagePreprocessor& preprocessor) {
  const auto count = static_cast<int64_t>(indices.size());
  Batch batch = {torch::empty({count, preprocessor.output_height(), preprocessor.output_width(), dataset.channels()}),
                 torch::empty({count}, torch::kInt64)};
  const absl::Span<float> out(batch.images.mutable_data_ptr<float>(), At(batch.images.numel()));
  for (size_t i = 0; i < indices.size(); ++i) {
    preprocessor.Apply(dataset.image(split, indices[i]), out.subspan(i * preprocessor.output_size(), preprocessor.output_size()));
    batch.labels.mutable_data_ptr<int64_t>()[i] = dataset.label(split, indices[i]);
  }
  return batch;
}

Preprocessing PreprocessingOf(const Graph& graph, const Dataset& dataset) {
  const Shape& input = graph.value(graph.input).shape;
  return {.input_height = input[1],
          .input_width = input[2],
          .mean = dataset.mean(),
          .stddev = dataset.stddev(),
          .picture = dataset.picture_form()};
}

ImagePreprocessor MakePreprocessor(const Dataset& dataset, const Preprocessing& preprocessing) {
  absl::StatusOr<ImagePreprocessor> made = ImagePreprocessor::Create(dataset.height(), dataset.width(), dataset.channels(), preprocessing);
  TORCH_CHECK(made.ok(), made.status().message());
  return *std::move(made);
}

std::vector<ImageShift> DrawShifts(const Augmentation& augmentation, uint64_t seed, int64_t step, int64_t first, int64_t count) {
  const int64_t reach = augmentation.shift;
  CounterRandom random(seed, "worker/augment", static_cast<uint64_t>(step));
  const auto span = static_cast<uint64_t>(2 * reach + 1);
  const auto draw = [&] { return static_cast<int64_t>(random.UniformInt(span)) - reach; };
  for (int64_t other = 0; other < 2 * first; ++other) draw();  // what the images before take
  std::vector<ImageShift> shifts(At(count));
  for (ImageShift& shift : shifts) {
    shift.down = draw();
    shift.right = draw();
  }
  return shifts;
}

void Augment(const Augmentation& augmentation, uint64_t seed, int64_t step, const std::vector<bool>& mirrored, int64_t first,
             torch::Tensor& images) {
  if (augmentation.shift == 0 && !augmentation.flip) return;
  const std::vector<ImageShift> shifts = DrawShifts(augmentation, seed, step, first, images.size(0));
  const int64_t height = images.size(1);
  const int64_t width = images.size(2);
  const int64_t channels = images.size(3);
  std::vector<float> source(At(height * width * channels));
  std::vector<int64_t> columns(At(width));  // where each one comes from
  for (int64_t n = 0; n < images.size(0); ++n) {
    float* const image = images.mutable_data_ptr<float>() + n * height * width * channels;
    const ImageShift& shift = shifts[At(n)];
    const bool flip = augmentation.flip && mirrored[At(first + n)];
    for (int64_t x = 0; x < width; ++x) {
      const int64_t moved = Reflected(x + shift.right, width);
      columns[At(x)] = channels * (flip ? width - 1 - moved : moved);
    }
    std::copy_n(image, source.size(), source.begin());
    float* out = image;
    for (int64_t y = 0; y < height; ++y) {
      const float* const row = source.data() + Reflected(y + shift.down, height) * width * channels;
      for (const int64_t column : columns) out = std::copy_n(row + column, channels, out);
    }
  }
}

torch::Tensor ResizeTo(const torch::Tensor& images, int64_t height, int64_t width) {
  if (images.size(1) == height && images.size(2) == width) return images;
  return at::upsample_bilinear2d(images.permute({0, 3, 1, 2}), {height, width}, /*align_corners=*/false).permute({0, 2, 3, 1}).contiguous();
}

torch::Tensor SentTo(const torch::Device& device, const torch::Tensor& host) {
  if (!device.is_cuda()) return host.to(device);
  return host.pin_memory().to(device, /*non_blocking=*/true);
}

torch::Device DeviceOf(const std::vector<OperatorTensors>& tensors) {
  for (const OperatorTensors& each : tensors) {
    if (each.weight.defined()) return each.weight.device();
  }
  return torch::kCPU;
}

Calibration Calibrate(const DeviceOps& ops, const Graph& graph, const std::vector<OperatorTensors>& tensors, const Dataset& dataset,
                      const CalibrationSet& options) {
  const torch::NoGradGuard no_grad;
  const ImagePreprocessor preprocessor = MakePreprocessor(dataset, PreprocessingOf(graph, dataset));
  const int64_t images = std::min(options.images, dataset.size(Split::kTrain));
  const int64_t size = std::min(options.batch_size, images);
  const torch::Device device = DeviceOf(tensors);
  CalibrationSums sums(graph);
  // Batches of one size only: a shorter last one would weigh its images more.
  for (int64_t begin = 0; begin + size <= images; begin += size) {
    std::vector<int64_t> indices(At(size));
    std::iota(indices.begin(), indices.end(), begin);
    ForwardBatch(ops, graph, tensors, LoadInputs(dataset, Split::kTrain, indices, preprocessor).images.to(device), &sums);
  }
  Calibration calibration = sums.Average(graph);
  // Once, not for each batch that is scored: an accelerator is waited for.
  std::vector<std::vector<ChannelFold>> folds(graph.operators.size());
  for (size_t i = 0; i < folds.size(); ++i) {
    if (graph.operators[i].kind == OpKind::kConv2d) folds[i] = FoldsOf(graph.operators[i], tensors[i], calibration, i);
  }
  calibration.folds = std::move(folds);
  return calibration;
}

}  // namespace hanas
