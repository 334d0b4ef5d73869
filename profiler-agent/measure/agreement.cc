// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/measure/agreement.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

int ArgMax(absl::Span<const float> logits) { return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin()); }

absl::Status CheckImages(const ImageSet& images) {
  if (images.height < 1 || images.width < 1 || images.channels < 1 || images.height > 1 << 14 || images.width > 1 << 14 ||
      images.channels > 1 << 10) {
    return absl::InvalidArgumentError(
        absl::StrCat("images: expected positive extents, found ", images.height, "x", images.width, "x", images.channels));
  }
  if (images.pixels.size() % static_cast<size_t>(images.image_bytes()) != 0)
    return absl::InvalidArgumentError("images: the last one is cut short");
  if (!images.labels.empty() && static_cast<int64_t>(images.labels.size()) != images.count()) {
    return absl::InvalidArgumentError(absl::StrCat("images: expected ", images.count(), " labels, found ", images.labels.size()));
  }
  return absl::OkStatus();
}

/// Checked images and what makes inputs of them.
class Inputs {
 public:
  /// For a network of `classes` classes.
  static absl::StatusOr<Inputs> Create(const ImageSet& images, const Preprocessing& preprocessing, size_t classes) {
    if (absl::Status status = CheckImages(images); !status.ok()) return status;
    for (const int label : images.labels) {
      if (label < 0 || static_cast<size_t>(label) >= classes)
        return absl::InvalidArgumentError(absl::StrCat("images: expected labels from 0 to ", classes, " - 1, found ", label));
    }
    absl::StatusOr<ImagePreprocessor> preprocessor = ImagePreprocessor::Create(images.height, images.width, images.channels, preprocessing);
    if (!preprocessor.ok()) return preprocessor.status();
    return Inputs(images, *std::move(preprocessor));
  }

  /// Images [first, first + count), one after another.
  absl::Span<const float> Get(int64_t first, int64_t count) {
    const size_t size = preprocessor_.output_size();
    const auto bytes = static_cast<size_t>(images_.image_bytes());
    values_.resize(static_cast<size_t>(count) * size);
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      preprocessor_.Apply(images_.pixels.subspan((static_cast<size_t>(first) + i) * bytes, bytes),
                          absl::MakeSpan(values_).subspan(i * size, size));
    }
    return values_;
  }

 private:
  Inputs(const ImageSet& images, ImagePreprocessor preprocessor) : images_(images), preprocessor_(std::move(preprocessor)) {}

  ImageSet images_;
  ImagePreprocessor preprocessor_;
  std::vector<float> values_;
};

/// How many classes come before `label`.
int64_t RankOf(absl::Span<const float> logits, size_t label) {
  int64_t before = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const bool is_first_of_equals = i < label && logits[i] == logits[label];
    before += is_first_of_equals || logits[i] > logits[label] ? 1 : 0;
  }
  return before;
}

/// Takes the logits of some images into the score.
void AddLogits(absl::Span<const float> logits, size_t classes, const ImageSet& images, Score& score) {
  constexpr int64_t kFirst = 5;
  for (size_t begin = 0; begin < logits.size(); begin += classes) {
    const size_t image = score.top1.size();
    const absl::Span<const float> of_image = logits.subspan(begin, classes);
    score.top1.push_back(ArgMax(of_image));
    if (images.labels.empty()) continue;
    const int label = images.labels[image];
    if (label < 0 || static_cast<size_t>(label) >= classes) continue;  // of no class that the network knows
    score.class_correct.resize(classes);
    if (RankOf(of_image, static_cast<size_t>(label)) < kFirst) ++score.among_five;
    if (label != score.top1.back()) continue;
    ++score.correct;
    ++score.class_correct[static_cast<size_t>(label)];
  }
}

/// NCHW (or [N, C]) as a reference holds it -> channel-last, dequantised.
std::vector<float> FromReference(const OnnxTensor& tensor, const Quantizer& quantizer) {
  std::vector<float> real = tensor.values;
  if (tensor.is_int8) {
    for (float& value : real) value = quantizer.scale * (value - static_cast<float>(quantizer.zero_point));
  }
  if (tensor.shape.size() != 4) return real;
  const auto channels = static_cast<size_t>(tensor.shape[1]);
  const auto pixels = static_cast<size_t>(tensor.shape[2] * tensor.shape[3]);
  std::vector<float> result(real.size());
  for (size_t c = 0; c < channels; ++c) {
    for (size_t p = 0; p < pixels; ++p) result[p * channels + c] = real[c * pixels + p];
  }
  return result;
}

/// The difference between a step's output and the reference's, which are in the same order.
OperatorDisagreement Compare(int step, const OpKey& key, const std::vector<float>& found, const std::vector<float>& expected,
                             const Quantizer& quantizer) {
  OperatorDisagreement result{.step = step, .key = ToString(key)};
  double worst = 0;
  for (size_t i = 0; i < found.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(found[i]) - expected[i]));
  if (key.output_type == ElementType::kInt8) {
    result.max_steps = worst / quantizer.scale;
  } else {
    result.max_absolute = worst;
  }
  return result;
}

/// Each value of the graph as the reference has it for this image; `names` are its names there.
absl::StatusOr<std::map<ValueId, std::vector<float>>> ValuesByReference(const BoundModel& model, OnnxNetwork& reference,
                                                                        absl::Span<const std::string> names,
                                                                        absl::Span<const float> image) {
  if (names.size() != model.graph.values.size())
    return absl::InvalidArgumentError("agreement: expected a name for each value of the graph");
  const absl::StatusOr<std::map<std::string, OnnxTensor>> outputs = reference.InferAll(image);
  if (!outputs.ok()) return outputs.status();
  std::map<ValueId, std::vector<float>> known;
  known[model.graph.input] = std::vector<float>(image.begin(), image.end());
  for (size_t v = 0; v < names.size(); ++v) {
    const auto id = static_cast<ValueId>(v);
    if (id == model.graph.input) continue;
    const auto output = outputs->find(names[v]);
    if (output == outputs->end()) return absl::NotFoundError(absl::StrCat("agreement: the reference has no output \"", names[v], "\""));
    known[id] = FromReference(output->second, model.quantizers[v]);
  }
  return known;
}

/// The values as int8 with this quantiser, dequantised.
std::vector<float> Rounded(std::vector<float> values, const Quantizer& quantizer) {
  const auto zero = static_cast<float>(quantizer.zero_point);
  for (float& value : values) {
    const float integer = std::clamp(std::nearbyint(value / quantizer.scale) + zero, -128.0F, 127.0F);
    value = quantizer.scale * (integer - zero);
  }
  return values;
}

}  // namespace

absl::StatusOr<Score> ScoreImages(NetworkInstance& network, const Preprocessing& preprocessing, const ImageSet& images,
                                  const std::function<bool(int64_t done)>& progress) {
  absl::StatusOr<Inputs> inputs = Inputs::Create(images, preprocessing, network.output_size());
  if (!inputs.ok()) return inputs.status();
  Score score{.images = images.count()};
  for (int64_t i = 0; i < images.count(); ++i) {
    const absl::StatusOr<std::vector<float>> logits = network.Infer(inputs->Get(i, 1));
    if (!logits.ok()) return logits.status();
    AddLogits(*logits, logits->size(), images, score);
    if (progress && !progress(i + 1)) return absl::CancelledError("scoring: cancelled");
  }
  return score;
}

absl::StatusOr<Score> ScoreInBatches(OnnxNetwork& network, const Preprocessing& preprocessing, const ImageSet& images, int64_t batch,
                                     const std::function<bool(int64_t done)>& progress) {
  if (batch < 1) return absl::InvalidArgumentError(absl::StrCat("scoring: expected a batch of at least 1, found ", batch));
  absl::StatusOr<Inputs> inputs = Inputs::Create(images, preprocessing, network.output_size());
  if (!inputs.ok()) return inputs.status();
  Score score{.images = images.count()};
  for (int64_t i = 0; i < images.count(); i += batch) {
    const int64_t count = std::min(batch, images.count() - i);
    const absl::StatusOr<std::vector<float>> logits = network.InferBatch(inputs->Get(i, count), count);
    if (!logits.ok()) return logits.status();
    AddLogits(*logits, network.output_size(), images, score);
    if (progress && !progress(i + count)) return absl::CancelledError("scoring: cancelled");
  }
  return score;
}

int64_t CountDiffering(const Score& a, const Score& b) {
  CHECK_EQ(a.top1.size(), b.top1.size());
  int64_t differing = 0;
  for (size_t i = 0; i < a.top1.size(); ++i) differing += a.top1[i] != b.top1[i] ? 1 : 0;
  return differing;
}

absl::StatusOr<Agreement> CompareNetworks(NetworkInstance& a, NetworkInstance& b, const Preprocessing& preprocessing,
                                          const ImageSet& images, int64_t max_images) {
  absl::StatusOr<Inputs> inputs = Inputs::Create(images, preprocessing, a.output_size());
  if (!inputs.ok()) return inputs.status();
  Agreement agreement{.compared = std::min(images.count(), max_images)};
  for (int64_t i = 0; i < agreement.compared; ++i) {
    const absl::Span<const float> image = inputs->Get(i, 1);
    const absl::StatusOr<std::vector<float>> first = a.Infer(image);
    const absl::StatusOr<std::vector<float>> second = b.Infer(image);
    if (!first.ok()) return first.status();
    if (!second.ok()) return second.status();
    if (first->size() != second->size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("agreement: expected networks with equal outputs, found ", first->size(), " and ", second->size()));
    }
    agreement.agreeing += ArgMax(*first) == ArgMax(*second) ? 1 : 0;
    for (size_t c = 0; c < first->size(); ++c) {
      agreement.max_logit_difference = std::max(agreement.max_logit_difference, std::abs(static_cast<double>((*first)[c]) - (*second)[c]));
    }
  }
  return agreement;
}

absl::StatusOr<std::vector<OperatorDisagreement>> CompareOperators(NetworkInstance& network, const ExecPlan& plan, const BoundModel& model,
                                                                   OnnxNetwork& reference, absl::Span<const std::string> names,
                                                                   absl::Span<const float> image) {
  const absl::StatusOr<std::map<ValueId, std::vector<float>>> known = ValuesByReference(model, reference, names, image);
  if (!known.ok()) return known.status();
  std::vector<bool> held(plan.values.size(), true);  // false: a value inside an expanded operator, taken from the network itself
  std::vector<OperatorDisagreement> result;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const ExecStep& step = plan.steps[i];
    for (const int input : step.inputs) {
      if (!held[static_cast<size_t>(input)]) continue;
      if (absl::Status status = network.WriteValue(input, known->at(plan.values[static_cast<size_t>(input)].source)); !status.ok())
        return status;
    }
    if (absl::Status status = network.RunStep(static_cast<int>(i)); !status.ok()) return status;
    const ExecValue& output = plan.values[static_cast<size_t>(step.output)];
    const bool native_int8 = model.graph.value(output.source).type == ElementType::kInt8;
    // A float32 result of an int8 value: the half of an expanded operator when an operator of the graph made it, else a dequantisation.
    if (native_int8 && output.type != ElementType::kInt8 && step.op >= 0) {
      held[static_cast<size_t>(step.output)] = false;
      continue;
    }
    const absl::StatusOr<std::vector<float>> found = network.ReadValue(step.output);
    if (!found.ok()) return found.status();
    const std::vector<float>& expected = known->at(output.source);
    if (found->size() != expected.size()) {
      return absl::InvalidArgumentError(absl::StrCat("agreement: expected ", expected.size(), " elements of ",
                                                     names[static_cast<size_t>(output.source)], ", found ", found->size()));
    }
    const Quantizer& quantizer = model.quantizers[static_cast<size_t>(output.source)];
    // Quantising a wider value is checked against its own rounding.
    const bool rounds = output.type == ElementType::kInt8 && !native_int8;
    result.push_back(Compare(static_cast<int>(i), step.key, *found, rounds ? Rounded(expected, quantizer) : expected, quantizer));
  }
  return result;
}

}  // namespace hanas
