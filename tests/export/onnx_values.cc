// SPDX-License-Identifier: Apache-2.0
#include "tests/export/onnx_values.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>

#include "export/onnx_writer.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

/// [C, H, W] to [H, W, C]; other ranks stay.
template <typename T>
std::vector<T> ToChannelLast(const std::vector<T>& channel_first, const Shape& shape) {
  if (shape.size() != 4 || channel_first.empty()) return channel_first;
  std::vector<T> out;
  const auto pixels = static_cast<size_t>(shape[1] * shape[2]);
  for (size_t p = 0; p < pixels; ++p) {
    for (size_t c = 0; c < static_cast<size_t>(shape[3]); ++c) out.push_back(channel_first[c * pixels + p]);
  }
  return out;
}

std::map<std::string, OnnxOutput> RunImages(const BoundModel& model, OnnxSession& session, const std::vector<float>& images) {
  const Shape& shape = model.graph.value(model.graph.input).shape;
  const auto pixels = static_cast<size_t>(shape[1] * shape[2]);
  const auto channels = static_cast<size_t>(shape[3]);
  const size_t count = images.size() / (pixels * channels);
  std::vector<float> channel_first;
  for (size_t i = 0; i < count; ++i) {
    for (size_t c = 0; c < channels; ++c) {
      for (size_t p = 0; p < pixels; ++p) channel_first.push_back(images[(i * pixels + p) * channels + c]);
    }
  }
  return session.Run(channel_first, {static_cast<int64_t>(count), shape[3], shape[1], shape[2]});
}

}  // namespace

std::vector<ReferenceTensor> OnnxValues(const BoundModel& model, OnnxSession& session, const std::vector<float>& image) {
  const std::map<std::string, OnnxOutput> outputs = RunImages(model, session, image);
  std::vector<ReferenceTensor> values(model.graph.values.size());
  for (size_t v = 0; v < values.size(); ++v) {
    const auto id = static_cast<ValueId>(v);
    if (id == model.graph.input) {
      values[v].floats = image;
      continue;
    }
    const OnnxOutput& tensor = outputs.at(OnnxValueName(model.graph, id));
    values[v] = {.integers = ToChannelLast(tensor.integers, model.graph.value(id).shape),
                 .floats = ToChannelLast(tensor.floats, model.graph.value(id).shape)};
  }
  return values;
}

std::vector<float> OnnxLogits(const BoundModel& model, OnnxSession& session, const std::vector<float>& images) {
  return RunImages(model, session, images).at(kOnnxOutputName).floats;
}

void Deviation::Include(const Deviation& other) {
  steps = std::max(steps, other.steps);
  share = std::max(share, other.share);
  relative = std::max(relative, other.relative);
}

Deviation Compare(const ReferenceTensor& expected, const ReferenceTensor& found) {
  Deviation deviation;
  if (expected.integers.size() != found.integers.size() || expected.floats.size() != found.floats.size()) {
    ADD_FAILURE() << "expected " << expected.integers.size() << " int8 and " << expected.floats.size() << " float elements, found "
                  << found.integers.size() << " and " << found.floats.size();
    return deviation;
  }
  for (size_t i = 0; i < expected.integers.size(); ++i) {
    const int steps = std::abs(expected.integers[i] - found.integers[i]);
    deviation.steps = std::max(deviation.steps, steps);
    if (steps != 0) deviation.share += 1.0 / static_cast<double>(expected.integers.size());
  }
  double magnitude = 1.0;
  for (const float value : expected.floats) magnitude = std::max(magnitude, std::fabs(static_cast<double>(value)));
  for (size_t i = 0; i < expected.floats.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(expected.floats[i]) - static_cast<double>(found.floats[i]));
    deviation.relative = std::max(deviation.relative, difference / magnitude);
  }
  return deviation;
}

size_t Top1(const std::vector<float>& logits) {
  return static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace hanas
