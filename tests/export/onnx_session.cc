// SPDX-License-Identifier: Apache-2.0
#include "tests/export/onnx_session.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "onnx/onnx_pb.h"
#include "onnxruntime_cxx_api.h"

namespace hanas {
namespace {

/// While it lives, nothing is printed on std::cerr. Debian's libonnx registers its operator schemas twice when ONNX Runtime first looks one
/// up, and complains there about each of them; the runtime's own errors come as exceptions.
class QuietStandardError {
 public:
  QuietStandardError() : buffer_(std::cerr.rdbuf(nullptr)) {}
  ~QuietStandardError() { std::cerr.rdbuf(buffer_); }
  QuietStandardError(const QuietStandardError&) = delete;
  QuietStandardError& operator=(const QuietStandardError&) = delete;

 private:
  std::streambuf* buffer_;
};

Ort::Env& Environment() {
  static Ort::Env* const kEnvironment = new Ort::Env(ORT_LOGGING_LEVEL_ERROR, "hanas-test");
  return *kEnvironment;
}

}  // namespace

struct OnnxSession::Impl {
  Ort::Session session{nullptr};
};

OnnxSession::OnnxSession(absl::string_view model_bytes, bool optimise) : impl_(std::make_unique<Impl>()) {
  const QuietStandardError quiet;
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  options.SetGraphOptimizationLevel(optimise ? ORT_ENABLE_ALL : ORT_DISABLE_ALL);
  impl_->session = Ort::Session(Environment(), model_bytes.data(), model_bytes.size(), options);
}

OnnxSession::~OnnxSession() = default;

std::map<std::string, OnnxOutput> OnnxSession::Run(absl::Span<const float> image, absl::Span<const int64_t> shape) {
  const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::vector<float> copy(image.begin(), image.end());
  const Ort::Value tensor_in = Ort::Value::CreateTensor<float>(memory, copy.data(), copy.size(), shape.data(), shape.size());
  Ort::AllocatorWithDefaultOptions allocator;
  const std::string input = impl_->session.GetInputNameAllocated(0, allocator).get();
  std::vector<std::string> output_names;
  for (size_t i = 0; i < impl_->session.GetOutputCount(); ++i)
    output_names.emplace_back(impl_->session.GetOutputNameAllocated(i, allocator).get());
  std::vector<const char*> wanted;
  for (const std::string& name : output_names) wanted.push_back(name.c_str());
  const char* input_name = input.c_str();
  std::vector<Ort::Value> outputs = impl_->session.Run(Ort::RunOptions(), &input_name, &tensor_in, 1, wanted.data(), wanted.size());
  std::map<std::string, OnnxOutput> tensors;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Ort::TensorTypeAndShapeInfo info = outputs[i].GetTensorTypeAndShapeInfo();
    const size_t count = info.GetElementCount();
    OnnxOutput tensor;
    tensor.shape = info.GetShape();
    if (info.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8) {
      // The file holds int8 values 128 higher.
      const uint8_t* data = outputs[i].GetTensorData<uint8_t>();
      for (size_t k = 0; k < count; ++k) tensor.integers.push_back(static_cast<int8_t>(static_cast<int>(data[k]) - 128));
    } else {
      const float* data = outputs[i].GetTensorData<float>();
      tensor.floats.assign(data, data + count);
    }
    tensors.emplace(output_names[i], std::move(tensor));
  }
  return tensors;
}

std::multiset<std::string> OnnxWrittenOperators(absl::string_view model_bytes) {
  onnx::ModelProto model;
  if (!model.ParseFromString(std::string(model_bytes))) return {"no model"};
  std::multiset<std::string> types;
  for (const onnx::NodeProto& node : model.graph().node()) types.insert(node.op_type());
  return types;
}

std::multiset<std::string> OnnxExecutedOperators(absl::string_view model_bytes, bool optimise) {
  std::string path = (std::filesystem::temp_directory_path() / "hanas-onnx-XXXXXX").string();
  close(mkstemp(path.data()));
  const QuietStandardError quiet;
  Ort::SessionOptions options;
  options.SetGraphOptimizationLevel(optimise ? ORT_ENABLE_EXTENDED : ORT_DISABLE_ALL);
  options.SetOptimizedModelFilePath(path.c_str());
  const Ort::Session session(Environment(), model_bytes.data(), model_bytes.size(), options);
  std::ifstream file(path, std::ios::binary);
  const std::string executed((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::filesystem::remove(path);
  return OnnxWrittenOperators(executed);
}

}  // namespace hanas
