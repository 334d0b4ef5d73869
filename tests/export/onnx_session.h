// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_EXPORT_ONNX_SESSION_H_
#define HANAS_TESTS_EXPORT_ONNX_SESSION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hanas {

/// An output of ONNX Runtime, row-major in its own (channel-first) order; one of the two vectors is filled.
struct OnnxOutput {
  std::vector<int64_t> shape;
  std::vector<int8_t> integers;
  std::vector<float> floats;
};

/// ONNX Runtime on one thread, as an independent reader of exported models. Throws on any error of the runtime: for tests.
class OnnxSession {
 public:
  /// With `optimise` false every node of the file is executed as written.
  OnnxSession(absl::string_view model_bytes, bool optimise);
  ~OnnxSession();

  /// `image` in channel-first order, `shape` with its batch. Every output by name.
  std::map<std::string, OnnxOutput> Run(absl::Span<const float> image, absl::Span<const int64_t> shape);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The types of operators that ONNX Runtime executes for a model, once for each that it executes. Those that it has no kernel for are taken
/// apart into others; with `optimise` neighbours are fused.
std::multiset<std::string> OnnxExecutedOperators(absl::string_view model_bytes, bool optimise);
/// Those that stand in the file.
std::multiset<std::string> OnnxWrittenOperators(absl::string_view model_bytes);

}  // namespace hanas

#endif  // HANAS_TESTS_EXPORT_ONNX_SESSION_H_
