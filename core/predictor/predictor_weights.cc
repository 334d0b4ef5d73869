// SPDX-License-Identifier: Apache-2.0
#include "core/predictor/predictor_weights.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/crc/crc32c.h"
#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

constexpr absl::string_view kMagic = "HNAP";
constexpr uint32_t kFormatVersion = 2;  // 1 had another checksum
constexpr size_t kChecksumBytes = sizeof(uint32_t);
constexpr int kMaxMembers = 64;
constexpr int kMaxLayers = 16;
constexpr int kMaxWidth = 65'536;

bool AllFinite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

absl::Status OutOfRange(absl::string_view field, absl::string_view expected, double found) {
  return absl::InvalidArgumentError(absl::StrCat("predictor.", field, ": expected ", expected, ", found ", found));
}

absl::Status ValidateLayer(const DenseLayer& layer, int num_inputs, absl::string_view path) {
  if (layer.num_inputs != num_inputs) {
    return OutOfRange(absl::StrCat(path, ".num_inputs"), absl::StrCat(num_inputs, " (what the layer before gives)"), layer.num_inputs);
  }
  if (layer.num_outputs < 1 || layer.num_outputs > kMaxWidth) {
    return OutOfRange(absl::StrCat(path, ".num_outputs"), absl::StrCat("1 to ", kMaxWidth), layer.num_outputs);
  }
  const size_t count = static_cast<size_t>(layer.num_inputs) * static_cast<size_t>(layer.num_outputs);
  if (layer.weights.size() != count) {
    return OutOfRange(absl::StrCat(path, ".weights"), absl::StrCat(count, " values"), static_cast<double>(layer.weights.size()));
  }
  if (layer.bias.size() != static_cast<size_t>(layer.num_outputs)) {
    return OutOfRange(absl::StrCat(path, ".bias"), absl::StrCat(layer.num_outputs, " values"), static_cast<double>(layer.bias.size()));
  }
  if (!AllFinite(layer.weights) || !AllFinite(layer.bias)) {
    return absl::InvalidArgumentError(absl::StrCat("predictor.", path, ": expected finite weights, found NaN or infinity"));
  }
  return absl::OkStatus();
}

absl::Status ValidateMember(const PredictorMember& member, int num_features, absl::string_view path) {
  if (member.layers.empty() || member.layers.size() > kMaxLayers) {
    return OutOfRange(absl::StrCat(path, ".layers"), absl::StrCat("1 to ", kMaxLayers, " layers"),
                      static_cast<double>(member.layers.size()));
  }
  int width = num_features;
  for (size_t i = 0; i < member.layers.size(); ++i) {
    if (absl::Status status = ValidateLayer(member.layers[i], width, absl::StrCat(path, ".layers[", i, "]")); !status.ok()) return status;
    width = member.layers[i].num_outputs;
  }
  if (width != 1) return OutOfRange(absl::StrCat(path, ".layers"), "1 output of the last layer", width);
  return absl::OkStatus();
}

/// It notices damage and proves nothing about origin.
uint32_t Checksum(absl::string_view bytes) { return static_cast<uint32_t>(absl::ComputeCrc32c(bytes)); }

class Writer {
 public:
  template <typename T>
  void Unsigned(T value) {
    for (size_t i = 0; i < sizeof(T); ++i) bytes_.push_back(static_cast<char>(value >> (8 * i)));
  }
  void Int(int value) { Unsigned(static_cast<uint32_t>(value)); }
  void Double(double value) { Unsigned(std::bit_cast<uint64_t>(value)); }
  void Floats(const std::vector<float>& values) {
    for (const float value : values) Unsigned(std::bit_cast<uint32_t>(value));
  }
  void Raw(absl::string_view text) { bytes_.append(text.data(), text.size()); }
  std::string Take() && {
    Unsigned(Checksum(bytes_));
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

/// Reads past the end give 0 and make `ok` false, so that callers check once.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  T Unsigned() {
    if (bytes_.size() < sizeof(T)) {
      ok_ = false;
      bytes_ = {};
      return 0;
    }
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(static_cast<uint8_t>(bytes_[i])) << (8 * i);
    bytes_.remove_prefix(sizeof(T));
    return value;
  }
  int Int() { return static_cast<int>(Unsigned<uint32_t>()); }
  double Double() { return std::bit_cast<double>(Unsigned<uint64_t>()); }
  void Floats(size_t count, std::vector<float>& values) {
    if (bytes_.size() / sizeof(float) < count) {
      ok_ = false;
      return;
    }
    values.resize(count);
    for (float& value : values) value = std::bit_cast<float>(Unsigned<uint32_t>());
  }
  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  absl::string_view bytes_;
  bool ok_ = true;
};

bool InWidthRange(int width) { return width >= 1 && width <= kMaxWidth; }

bool ReadMember(Reader& reader, PredictorMember& member) {
  const int num_layers = reader.Int();
  if (!reader.ok() || num_layers < 1 || num_layers > kMaxLayers) return false;
  for (int i = 0; i < num_layers; ++i) {
    DenseLayer& layer = member.layers.emplace_back();
    layer.num_inputs = reader.Int();
    layer.num_outputs = reader.Int();
    if (!InWidthRange(layer.num_inputs) || !InWidthRange(layer.num_outputs)) return false;
    reader.Floats(static_cast<size_t>(layer.num_inputs) * static_cast<size_t>(layer.num_outputs), layer.weights);
    reader.Floats(static_cast<size_t>(layer.num_outputs), layer.bias);
    if (!reader.ok()) return false;
  }
  return true;
}

bool ReadFields(Reader& reader, PredictorWeights& weights) {
  weights.space_digest.high = reader.Unsigned<uint64_t>();
  weights.space_digest.low = reader.Unsigned<uint64_t>();
  weights.num_features = reader.Int();
  weights.output_mean = reader.Double();
  weights.output_scale = reader.Double();
  weights.held_out_tau = reader.Double();
  weights.held_out_rmse = reader.Double();
  weights.num_train = reader.Int();
  weights.num_held_out = reader.Int();
  const int num_members = reader.Int();
  if (!reader.ok() || num_members < 1 || num_members > kMaxMembers) return false;
  for (int i = 0; i < num_members; ++i) {
    if (!ReadMember(reader, weights.members.emplace_back())) return false;
  }
  return reader.ok() && reader.at_end();
}

}  // namespace

absl::Status Validate(const PredictorWeights& weights) {
  if (!InWidthRange(weights.num_features)) return OutOfRange("num_features", absl::StrCat("1 to ", kMaxWidth), weights.num_features);
  if (weights.members.empty() || weights.members.size() > kMaxMembers) {
    return OutOfRange("members", absl::StrCat("1 to ", kMaxMembers, " members"), static_cast<double>(weights.members.size()));
  }
  if (!std::isfinite(weights.output_mean)) return OutOfRange("output_mean", "a finite number", weights.output_mean);
  if (!(std::isfinite(weights.output_scale) && weights.output_scale > 0)) {
    return OutOfRange("output_scale", "a finite number above 0", weights.output_scale);
  }
  if (!(weights.held_out_tau >= -1 && weights.held_out_tau <= 1)) return OutOfRange("held_out_tau", "-1 to 1", weights.held_out_tau);
  if (!(std::isfinite(weights.held_out_rmse) && weights.held_out_rmse >= 0)) {
    return OutOfRange("held_out_rmse", "a finite number, not negative", weights.held_out_rmse);
  }
  if (weights.num_train < 0) return OutOfRange("num_train", "0 or more", weights.num_train);
  if (weights.num_held_out < 0) return OutOfRange("num_held_out", "0 or more", weights.num_held_out);
  for (size_t i = 0; i < weights.members.size(); ++i) {
    if (absl::Status status = ValidateMember(weights.members[i], weights.num_features, absl::StrCat("members[", i, "]")); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

std::string SerialisePredictor(const PredictorWeights& weights) {
  Writer writer;
  writer.Raw(kMagic);
  writer.Unsigned(kFormatVersion);
  writer.Unsigned(weights.space_digest.high);
  writer.Unsigned(weights.space_digest.low);
  writer.Int(weights.num_features);
  writer.Double(weights.output_mean);
  writer.Double(weights.output_scale);
  writer.Double(weights.held_out_tau);
  writer.Double(weights.held_out_rmse);
  writer.Int(weights.num_train);
  writer.Int(weights.num_held_out);
  writer.Int(static_cast<int>(weights.members.size()));
  for (const PredictorMember& member : weights.members) {
    writer.Int(static_cast<int>(member.layers.size()));
    for (const DenseLayer& layer : member.layers) {
      writer.Int(layer.num_inputs);
      writer.Int(layer.num_outputs);
      writer.Floats(layer.weights);
      writer.Floats(layer.bias);
    }
  }
  return std::move(writer).Take();
}

absl::StatusOr<PredictorWeights> ParsePredictor(absl::string_view bytes) {
  if (bytes.substr(0, kMagic.size()) != kMagic) {
    return absl::InvalidArgumentError(
        absl::StrCat("predictor: expected the magic \"", kMagic, "\" at the start, found other data (", bytes.size(), " bytes)"));
  }
  Reader header(bytes.substr(kMagic.size()));
  const uint32_t version = header.Unsigned<uint32_t>();
  if (header.ok() && version != kFormatVersion) {
    return absl::FailedPreconditionError(absl::StrCat("predictor: expected format version ", kFormatVersion, ", found ", version,
                                                      ": it was written by another release; start the search again, which fits a new one"));
  }
  const size_t header_bytes = kMagic.size() + sizeof(uint32_t);
  if (!header.ok() || bytes.size() < header_bytes + kChecksumBytes) {
    return absl::DataLossError(absl::StrCat("predictor: expected a header and a checksum, found ", bytes.size(), " bytes"));
  }
  const absl::string_view covered = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (Reader(bytes.substr(covered.size())).Unsigned<uint32_t>() != Checksum(covered)) {
    return absl::DataLossError(absl::StrCat("predictor: the checksum does not match the ", bytes.size(), " bytes: truncated or damaged"));
  }
  PredictorWeights weights;
  Reader body(covered.substr(header_bytes));
  if (!ReadFields(body, weights)) {
    return absl::DataLossError(
        absl::StrCat("predictor: the fields do not fill the ", bytes.size(), " bytes exactly, or an extent is out of range"));
  }
  if (absl::Status status = Validate(weights); !status.ok()) return status;
  return weights;
}

}  // namespace hanas
