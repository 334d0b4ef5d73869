// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/runtime/onnxruntime/onnx_network.h"

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

constexpr char kLogitsName[] = "logits";
constexpr int64_t kMaxImageElements = int64_t{1} << 26;

Ort::Env& Environment() {
  static auto* const kEnvironment = new Ort::Env(ORT_LOGGING_LEVEL_ERROR, "hanas");
  return *kEnvironment;
}

GraphOptimizationLevel Level(OnnxOptimization optimization) {
  switch (optimization) {
    case OnnxOptimization::kDisabled:
      return ORT_DISABLE_ALL;
    case OnnxOptimization::kBasic:
      return ORT_ENABLE_BASIC;
    case OnnxOptimization::kExtended:
      return ORT_ENABLE_EXTENDED;
    default:
      return ORT_ENABLE_ALL;
  }
}

absl::Status BadSignature(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("onnx: expected a model with one float32 image [1, C, H, W] as input and tensors as outputs, found ", what));
}

/// Ort::Exception stops here: `body` returns a Status.
template <typename Body>
absl::Status Guard(absl::StatusCode code, absl::string_view what, Body body) {
  try {
    return body();
  } catch (const Ort::Exception& e) {
    return absl::Status(code, absl::StrCat("onnxruntime: ", what, ": ", e.what()));
  } catch (const std::exception& e) {
    return absl::Status(code, absl::StrCat("onnxruntime: ", what, ": ", e.what()));
  }
}

class OnnxNetworkImpl : public OnnxNetwork {
 public:
  absl::Status Load(absl::string_view bytes, const OnnxNetworkOptions& options) {
    return Guard(absl::StatusCode::kInvalidArgument, "cannot load the model", [&]() -> absl::Status {
      Ort::SessionOptions session_options;
      session_options.SetIntraOpNumThreads(options.num_threads);
      session_options.SetInterOpNumThreads(1);
      session_options.SetExecutionMode(ORT_SEQUENTIAL);
      session_options.SetGraphOptimizationLevel(Level(options.optimization));
      session_ = Ort::Session(Environment(), bytes.data(), bytes.size(), session_options);
      return ReadSignature();
    });
  }

  absl::Status LoadFile(const std::string& path) {
    return Guard(absl::StatusCode::kInvalidArgument, "cannot open the model", [&]() -> absl::Status {
      session_ = Ort::Session(Environment(), path.c_str(), Ort::SessionOptions());
      return ReadSignature();
    });
  }

  size_t input_size() const override { return static_cast<size_t>(shape_[1] * shape_[2] * shape_[3]); }
  size_t output_size() const override { return output_size_; }

  absl::Status Run(absl::Span<const float> image) override { return Execute(image, 1, absl::MakeConstSpan(&logits_index_, 1)); }

  absl::StatusOr<std::vector<float>> Infer(absl::Span<const float> image) override {
    if (absl::Status status = Run(image); !status.ok()) return status;
    return Logits(output_size_);
  }

  absl::StatusOr<std::vector<float>> InferBatch(absl::Span<const float> images, int64_t count) override {
    if (count < 1 || count > kMaxImageElements || images.size() != input_size() * static_cast<size_t>(count)) {
      return absl::InvalidArgumentError(
          absl::StrCat("onnx: expected ", count, " images of ", input_size(), " elements, found ", images.size(), " elements"));
    }
    if (count != 1 && !symbolic_batch_)
      return absl::InvalidArgumentError(absl::StrCat("onnx: expected a symbolic batch to execute ", count, " images, found 1"));
    if (absl::Status status = Execute(images, count, absl::MakeConstSpan(&logits_index_, 1)); !status.ok()) return status;
    const auto expected = output_size_ * static_cast<size_t>(count);
    if (const size_t found = outputs_[0].GetTensorTypeAndShapeInfo().GetElementCount(); found != expected)
      return absl::InternalError(absl::StrCat("onnxruntime: expected ", expected, " logits of ", count, " images, found ", found));
    return Logits(expected);
  }

  absl::StatusOr<std::map<std::string, OnnxTensor>> InferAll(absl::Span<const float> image) override {
    std::vector<size_t> all(output_names_.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = i;
    if (absl::Status status = Execute(image, 1, all); !status.ok()) return status;
    std::map<std::string, OnnxTensor> result;
    absl::Status status = Guard(absl::StatusCode::kInternal, "cannot read the outputs", [&]() -> absl::Status {
      for (size_t i = 0; i < all.size(); ++i) {
        absl::StatusOr<OnnxTensor> tensor = ToTensor(outputs_[i]);
        if (!tensor.ok()) return tensor.status();
        result[output_names_[i]] = *std::move(tensor);
      }
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    return result;
  }

 private:
  absl::Status ReadSignature() {
    Ort::AllocatorWithDefaultOptions allocator;
    if (session_.GetInputCount() != 1) return BadSignature(absl::StrCat(session_.GetInputCount(), " inputs"));
    input_name_ = session_.GetInputNameAllocated(0, allocator).get();
    const Ort::TypeInfo input = session_.GetInputTypeInfo(0);
    if (input.GetONNXType() != ONNX_TYPE_TENSOR) return BadSignature("an input that is no tensor");
    const auto info = input.GetTensorTypeAndShapeInfo();
    shape_ = info.GetShape();
    if (info.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || shape_.size() != 4)
      return BadSignature("another element type or rank");
    if (shape_[0] > 1) return BadSignature(absl::StrCat("a batch of ", shape_[0]));
    symbolic_batch_ = shape_[0] != 1;
    shape_[0] = 1;
    int64_t elements = 1;
    for (const int64_t extent : shape_) {
      if (extent < 1 || extent > kMaxImageElements) return BadSignature("an extent that is not fixed");
      elements *= extent;
      if (elements > kMaxImageElements) return BadSignature("an image that is too large");
    }
    for (size_t i = 0; i < session_.GetOutputCount(); ++i) {
      output_names_.emplace_back(session_.GetOutputNameAllocated(i, allocator).get());
      if (session_.GetOutputTypeInfo(i).GetONNXType() != ONNX_TYPE_TENSOR) return BadSignature("an output that is no tensor");
      if (output_names_.back() == kLogitsName) logits_index_ = i;
    }
    if (output_names_.empty()) return BadSignature("no outputs");
    return MeasureOutput();
  }

  /// One execution tells the size of the logits, which the file may leave symbolic.
  absl::Status MeasureOutput() {
    const std::vector<float> zeros(input_size(), 0.0F);
    if (absl::Status status = Run(zeros); !status.ok()) return status;
    const auto info = outputs_[0].GetTensorTypeAndShapeInfo();
    if (info.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) return BadSignature("logits that are not float32");
    output_size_ = info.GetElementCount();
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<float>> Logits(size_t count) const {
    const auto* logits = outputs_[0].GetTensorData<float>();
    std::vector<float> result(logits, logits + count);
    for (const float logit : result) {
      if (!std::isfinite(logit)) return absl::InternalError("onnxruntime: a logit is not finite");
    }
    return result;
  }

  absl::Status Execute(absl::Span<const float> images, int64_t count, absl::Span<const size_t> wanted) {
    const size_t size = input_size();
    if (images.size() != size * static_cast<size_t>(count)) {
      return absl::InvalidArgumentError(absl::StrCat("onnx: expected an image of ", size, " elements, found ", images.size()));
    }
    image_.resize(images.size());
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) Transpose(images.subspan(i * size, size), image_.data() + i * size);
    shape_[0] = count;
    return Guard(absl::StatusCode::kInternal, "cannot execute the model", [&]() -> absl::Status {
      const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
      const Ort::Value input = Ort::Value::CreateTensor<float>(memory, image_.data(), image_.size(), shape_.data(), shape_.size());
      names_.clear();
      for (const size_t i : wanted) names_.push_back(output_names_[i].c_str());
      const char* const input_name = input_name_.c_str();
      outputs_ = session_.Run(Ort::RunOptions{nullptr}, &input_name, &input, 1, names_.data(), names_.size());
      return absl::OkStatus();
    });
  }

  /// [H, W, C] -> [C, H, W].
  void Transpose(absl::Span<const float> image, float* output) const {
    const auto channels = static_cast<size_t>(shape_[1]);
    const auto pixels = static_cast<size_t>(shape_[2] * shape_[3]);
    if (channels == 1) {
      std::copy(image.begin(), image.end(), output);
      return;
    }
    for (size_t c = 0; c < channels; ++c) {
      for (size_t p = 0; p < pixels; ++p) output[c * pixels + p] = image[p * channels + c];
    }
  }

  static absl::StatusOr<OnnxTensor> ToTensor(const Ort::Value& value) {
    const auto info = value.GetTensorTypeAndShapeInfo();
    OnnxTensor tensor{.shape = info.GetShape()};
    const size_t count = info.GetElementCount();
    switch (info.GetElementType()) {
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: {
        const auto* data = value.GetTensorData<float>();
        tensor.values.assign(data, data + count);
        return tensor;
      }
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8: {
        const auto* data = value.GetTensorData<uint8_t>();
        tensor.values.reserve(count);
        for (size_t i = 0; i < count; ++i) tensor.values.push_back(static_cast<float>(data[i]) - 128.0F);
        tensor.is_int8 = true;
        return tensor;
      }
      default:
        return absl::UnimplementedError("onnx: expected outputs of type float32 or uint8");
    }
  }

  Ort::Session session_{nullptr};
  std::string input_name_;
  std::vector<int64_t> shape_;
  std::vector<std::string> output_names_;
  size_t logits_index_ = 0;
  bool symbolic_batch_ = false;
  size_t output_size_ = 0;
  std::vector<float> image_;
  std::vector<const char*> names_;
  std::vector<Ort::Value> outputs_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<OnnxNetwork>> OnnxNetwork::Create(absl::string_view model_bytes, const OnnxNetworkOptions& options) {
  if (options.num_threads < 1 || options.num_threads > 1024) {
    return absl::InvalidArgumentError(absl::StrCat("onnx: expected 1 to 1024 threads, found ", options.num_threads));
  }
  auto network = std::make_unique<OnnxNetworkImpl>();
  if (absl::Status status = network->Load(model_bytes, options); !status.ok()) return status;
  return network;
}

absl::StatusOr<std::unique_ptr<OnnxNetwork>> OnnxNetwork::Open(const std::string& path) {
  auto network = std::make_unique<OnnxNetworkImpl>();
  if (absl::Status status = network->LoadFile(path); !status.ok()) return status;
  return network;
}

std::string OnnxRuntimeVersion() { return absl::StrCat("onnxruntime ", Ort::GetVersionString()); }

}  // namespace hanas
