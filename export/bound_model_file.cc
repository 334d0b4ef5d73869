// SPDX-License-Identifier: Apache-2.0
#include "export/bound_model_file.h"

#include <cmath>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/graph/op_schema.h"
#include "export/bound_model.pb.h"
#include "export/graph_codec.h"
#include "export/tensor_packing.h"

namespace hanas {
namespace {

constexpr absl::string_view kModelMagic = "HANASBM\n";
constexpr absl::string_view kGraphMagic = "HANASGR\n";
constexpr size_t kMagicBytes = 8;
constexpr size_t kDigestBytes = 16;
constexpr size_t kFixedBytes = kMagicBytes + sizeof(uint32_t) + kDigestBytes + sizeof(uint32_t);

absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(absl::StrCat("bound model file: ", what)); }

std::string DigestBytes(absl::string_view content) {
  const Digest digest = DigestBuilder().Add(content).Build();
  std::string bytes;
  for (const uint64_t half : {digest.low, digest.high}) {
    AppendUint32(static_cast<uint32_t>(half), bytes);
    AppendUint32(static_cast<uint32_t>(half >> 32), bytes);
  }
  return bytes;
}

std::string MakeContainer(absl::string_view magic, absl::string_view header, absl::string_view tensors) {
  CHECK_LE(header.size(), kMaxBoundModelHeaderBytes) << "a graph too large for its file";
  std::string content;
  AppendUint32(static_cast<uint32_t>(header.size()), content);
  absl::StrAppend(&content, header, tensors);
  std::string file(magic);
  AppendUint32(kBoundModelFileVersion, file);
  absl::StrAppend(&file, DigestBytes(content), content);
  return file;
}

struct Container {
  absl::string_view header;
  absl::string_view tensors;
};

absl::StatusOr<Container> OpenContainer(absl::string_view magic, absl::string_view bytes) {
  if (bytes.size() > kMaxBoundModelFileBytes)
    return Bad(absl::StrCat("expected at most ", kMaxBoundModelFileBytes, " bytes, found ", bytes.size()));
  if (bytes.substr(0, kMagicBytes) != magic) return Bad("it does not begin as one; was another file given?");
  if (bytes.size() < kFixedBytes) return Bad(absl::StrCat("cut short: expected at least ", kFixedBytes, " bytes, found ", bytes.size()));
  const uint32_t version = ReadUint32(bytes.substr(kMagicBytes));
  if (version != kBoundModelFileVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "bound model file: this program reads version ", kBoundModelFileVersion, ", the file has version ", version, "; ",
        version < kBoundModelFileVersion ? "bind the network again with this release, or read it with the release that wrote it"
                                         : "use the release that wrote it, or a newer one"));
  }
  absl::string_view content = bytes.substr(kMagicBytes + sizeof(uint32_t) + kDigestBytes);
  if (bytes.substr(kMagicBytes + sizeof(uint32_t), kDigestBytes) != DigestBytes(content)) {
    return absl::DataLossError("bound model file: damaged or cut short: its content does not have the digest it was written with");
  }
  const uint32_t header_bytes = ReadUint32(content);
  content.remove_prefix(sizeof(uint32_t));
  if (header_bytes > kMaxBoundModelHeaderBytes || header_bytes > content.size()) {
    return Bad(absl::StrCat("expected a header of at most ", kMaxBoundModelHeaderBytes, " bytes within the file, found ", header_bytes));
  }
  return Container{content.substr(0, header_bytes), content.substr(header_bytes)};
}

/// Reads from the front of a byte string; every length is checked before anything is allocated.
class TensorReader {
 public:
  explicit TensorReader(absl::string_view bytes) : bytes_(bytes) {}

  absl::Status Read(const Graph& graph, const Operator& op, BoundWeights& out) {
    const auto outputs = static_cast<size_t>(graph.value(op.output).shape.back());
    const auto weights = static_cast<size_t>(NumWeights(GeometryOf(graph, op)));
    const bool integer = BitWidth(op.weight_type) <= 8;
    const size_t packed = PackedBytes(weights, op.weight_type);
    const size_t vector = outputs * sizeof(float);
    const size_t needed = packed + vector + (integer ? vector : 0);
    if (needed > bytes_.size()) {
      return Bad(absl::StrCat("expected ", needed, " bytes of tensors, found ", bytes_.size(), " at ", graph.name(op)));
    }
    if (integer) {
      out.integers = UnpackIntegers(Take(packed), weights, op.weight_type);
      out.scales = UnpackFloats(Take(vector), outputs, ElementType::kFloat32);
    } else {
      out.floats = UnpackFloats(Take(packed), weights, op.weight_type);
    }
    out.bias = UnpackFloats(Take(vector), outputs, ElementType::kFloat32);
    return absl::OkStatus();
  }

  size_t left() const { return bytes_.size(); }

 private:
  absl::string_view Take(size_t count) {
    const absl::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  absl::string_view bytes_;
};

absl::Status ReadTensors(absl::string_view bytes, BoundModel& model) {
  TensorReader reader(bytes);
  model.weights.resize(model.graph.operators.size());
  for (size_t i = 0; i < model.weights.size(); ++i) {
    const Operator& op = model.graph.operators[i];
    if (!op.has_weights()) continue;
    if (absl::Status status = reader.Read(model.graph, op, model.weights[i]); !status.ok()) return status;
  }
  if (reader.left() != 0) return Bad(absl::StrCat("expected the file to end with the last tensor, found ", reader.left(), " more bytes"));
  return absl::OkStatus();
}

std::string PackTensors(const BoundModel& model) {
  std::string tensors;
  for (size_t i = 0; i < model.weights.size(); ++i) {
    const Operator& op = model.graph.operators[i];
    if (!op.has_weights()) continue;
    const BoundWeights& weights = model.weights[i];
    if (BitWidth(op.weight_type) <= 8) {
      AppendIntegers(weights.integers, op.weight_type, tensors);
      AppendFloats(weights.scales, ElementType::kFloat32, tensors);
    } else {
      AppendFloats(weights.floats, op.weight_type, tensors);
    }
    AppendFloats(weights.bias, ElementType::kFloat32, tensors);
  }
  return tensors;
}

absl::Status ReadQuantizers(const model::v1::Quantizers& proto, BoundModel& model) {
  const int expected = static_cast<int>(model.graph.values.size());
  if (proto.scales_size() != expected || proto.zero_points_size() != expected) {
    return Bad(absl::StrCat("expected ", expected, " quantisers, found ", proto.scales_size(), " scales and ", proto.zero_points_size(),
                            " zero points"));
  }
  for (int i = 0; i < expected; ++i) {
    const Quantizer quantizer = {proto.scales(i), proto.zero_points(i)};
    const bool in_range = quantizer.zero_point >= -128 && quantizer.zero_point <= 127;
    if (!std::isfinite(quantizer.scale) || quantizer.scale < 0 || !in_range) {
      return Bad(absl::StrCat("expected a quantiser with a scale of 0 or more and a zero point in [-128, 127], found ", quantizer.scale,
                              " and ", quantizer.zero_point, " at ", model.graph.value(i).name));
    }
    model.quantizers.push_back(quantizer);
  }
  return absl::OkStatus();
}

absl::Status ReadPreprocessing(const model::v1::Preprocessing& proto, BoundModel& model) {
  const Shape& input = model.graph.value(model.graph.input).shape;
  if (input.size() != 4 || proto.input_height() != input[1] || proto.input_width() != input[2]) {
    return Bad(absl::StrCat("expected preprocessing to the network's input of ", ToString(input), ", found ", proto.input_height(), "x",
                            proto.input_width()));
  }
  Preprocessing& out = model.preprocessing;
  out = {.input_height = proto.input_height(),
         .input_width = proto.input_width(),
         .mean = {proto.mean().begin(), proto.mean().end()},
         .stddev = {proto.stddev().begin(), proto.stddev().end()}};
  for (const float mean : out.mean) {
    if (!std::isfinite(mean)) return Bad("expected finite means in the preprocessing");
  }
  for (const float stddev : out.stddev) {
    if (!std::isfinite(stddev) || !(stddev > 0))
      return Bad(absl::StrCat("expected positive standard deviations in the preprocessing, found ", stddev));
  }
  return absl::OkStatus();
}

absl::Status ReadHeader(const model::v1::BoundModel& proto, BoundModel& model) {
  absl::StatusOr<Graph> graph = GraphFromProto(proto.graph());
  if (!graph.ok()) return graph.status();
  model.graph = *std::move(graph);
  if (absl::Status status = ReadQuantizers(proto.quantizers(), model); !status.ok()) return status;
  if (absl::Status status = ReadPreprocessing(proto.preprocessing(), model); !status.ok()) return status;
  const int64_t classes = model.graph.value(model.graph.output).shape.back();
  if (proto.labels_size() > classes) return Bad(absl::StrCat("expected at most ", classes, " labels, found ", proto.labels_size()));
  model.labels.assign(proto.labels().begin(), proto.labels().end());
  model.space_name = proto.space_name();
  model.architecture_json = proto.architecture_json();
  model.architecture_digest = proto.architecture_digest();
  model.checkpoint_sha256 = proto.checkpoint_sha256();
  return absl::OkStatus();
}

template <typename Proto>
absl::Status ParseHeader(absl::string_view header, Proto& proto) {
  // Bounded by kMaxBoundModelHeaderBytes, so the length fits an int.
  if (proto.ParseFromArray(header.data(), static_cast<int>(header.size()))) return absl::OkStatus();
  return Bad("its header is not a valid message");
}

}  // namespace

std::string SerializeBoundModel(const BoundModel& model) {
  model::v1::BoundModel header;
  GraphToProto(model.graph, header.mutable_graph());
  for (const Quantizer& quantizer : model.quantizers) {
    header.mutable_quantizers()->add_scales(quantizer.scale);
    header.mutable_quantizers()->add_zero_points(quantizer.zero_point);
  }
  model::v1::Preprocessing& preprocessing = *header.mutable_preprocessing();
  preprocessing.set_input_height(model.preprocessing.input_height);
  preprocessing.set_input_width(model.preprocessing.input_width);
  preprocessing.mutable_mean()->Add(model.preprocessing.mean.begin(), model.preprocessing.mean.end());
  preprocessing.mutable_stddev()->Add(model.preprocessing.stddev.begin(), model.preprocessing.stddev.end());
  for (const std::string& label : model.labels) header.add_labels(label);
  header.set_space_name(model.space_name);
  header.set_architecture_json(model.architecture_json);
  header.set_architecture_digest(model.architecture_digest);
  header.set_checkpoint_sha256(model.checkpoint_sha256);
  return MakeContainer(kModelMagic, header.SerializeAsString(), PackTensors(model));
}

absl::StatusOr<BoundModel> ParseBoundModel(absl::string_view bytes) {
  const absl::StatusOr<Container> container = OpenContainer(kModelMagic, bytes);
  if (!container.ok()) return container.status();
  model::v1::BoundModel header;
  if (absl::Status status = ParseHeader(container->header, header); !status.ok()) return status;
  BoundModel model;
  if (absl::Status status = ReadHeader(header, model); !status.ok()) return status;
  if (absl::Status status = ReadTensors(container->tensors, model); !status.ok()) return status;
  if (absl::Status status = CheckBoundModel(model); !status.ok()) return status;
  return model;
}

std::string SerializeGraph(const Graph& graph) {
  model::v1::Graph header;
  GraphToProto(graph, &header);
  return MakeContainer(kGraphMagic, header.SerializeAsString(), "");
}

absl::StatusOr<Graph> ParseGraph(absl::string_view bytes) {
  const absl::StatusOr<Container> container = OpenContainer(kGraphMagic, bytes);
  if (!container.ok()) return container.status();
  if (!container->tensors.empty()) return Bad("expected a graph to end with its header, found more bytes");
  model::v1::Graph header;
  if (absl::Status status = ParseHeader(container->header, header); !status.ok()) return status;
  return GraphFromProto(header);
}

}  // namespace hanas
