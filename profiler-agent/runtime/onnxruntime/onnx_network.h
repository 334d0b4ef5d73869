// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_RUNTIME_ONNXRUNTIME_ONNX_NETWORK_H_
#define HANAS_PROFILER_AGENT_RUNTIME_ONNXRUNTIME_ONNX_NETWORK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "profiler-agent/runtime/runtime.h"

namespace hanas {

enum class OnnxOptimization { kDisabled, kBasic, kExtended, kAll };

struct OnnxNetworkOptions {
  OnnxOptimization optimization = OnnxOptimization::kAll;  // kDisabled: computes what the file says, operator by operator
  int num_threads = 1;
};

/// An output of a model: float32 as it is; UINT8 as the int8 integers that it stands for, 128 lower (see WriteOnnx).
struct OnnxTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
  bool is_int8 = false;
};

/// A model file on ONNX Runtime. The first input must be one float32 image [N, C, H, W] (N = 1 or symbolic); images are given channel-last
/// as for every NetworkInstance and transposed here, inside what is timed. The output named "logits", else the first, is what Infer
/// returns.
///
/// Thread-compatible.
class OnnxNetwork : public NetworkInstance {
 public:
  /// Returns INVALID_ARGUMENT when ONNX Runtime cannot load the bytes or the model has another signature.
  static absl::StatusOr<std::unique_ptr<OnnxNetwork>> Create(absl::string_view model_bytes, const OnnxNetworkOptions& options = {});

  /// The file at `path` as a user would open it: a session with ONNX Runtime's default options, as many threads as it likes. Same statuses.
  static absl::StatusOr<std::unique_ptr<OnnxNetwork>> Open(const std::string& path);

  /// As Infer for `count` images one after another, in one execution with that batch; logits likewise. Returns INVALID_ARGUMENT unless
  /// `images` has count * input_size() elements and the model's batch is symbolic or `count`, else as Infer.
  virtual absl::StatusOr<std::vector<float>> InferBatch(absl::Span<const float> images, int64_t count) = 0;

  /// Run, then every output by name (see OnnxOptions::expose_values). Statuses of Run.
  virtual absl::StatusOr<std::map<std::string, OnnxTensor>> InferAll(absl::Span<const float> image) = 0;
};

/// "onnxruntime 1.21.0": what a latency of an OnnxNetwork is quoted with.
std::string OnnxRuntimeVersion();

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_RUNTIME_ONNXRUNTIME_ONNX_NETWORK_H_
