// SPDX-License-Identifier: Apache-2.0
#include "export/bound_model_file.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "absl/crc/crc32c.h"
#include "absl/log/check.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"
#include "core/graph/op_schema.h"
#include "export/bound_model_generated.h"
#include "export/graph_codec.h"
#include "export/tensor_packing.h"

namespace hanas {
namespace {

constexpr absl::string_view kMagic = "HANASBM\n";
constexpr size_t kVersionAt = 8;
constexpr size_t kChecksumAt = 12;
constexpr size_t kSizesAt = 16;
constexpr size_t kFixedBytes = 24;
// An offset and the identifier begin every FlatBuffer.
constexpr size_t kMinHeaderBytes = sizeof(flatbuffers::uoffset_t) + flatbuffers::kFileIdentifierLength;

absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(absl::StrCat("bound model file: ", what)); }

std::string MakeContainer(absl::string_view header, absl::string_view tensors) {
  CHECK_LE(header.size(), kMaxBoundModelHeaderBytes) << "a graph too large for its file";
  std::string sizes;
  AppendUint32(static_cast<uint32_t>(header.size()), sizes);
  AppendUint32(static_cast<uint32_t>(tensors.size()), sizes);
  absl::crc32c_t checksum = absl::ComputeCrc32c(sizes);
  for (const absl::string_view part : {header, tensors}) checksum = absl::ExtendCrc32c(checksum, part);
  std::string file(kMagic);
  AppendUint32(kBoundModelFileVersion, file);
  AppendUint32(static_cast<uint32_t>(checksum), file);
  absl::StrAppend(&file, sizes, header, tensors);
  return file;
}

struct Container {
  absl::string_view header;
  absl::string_view tensors;
};

absl::StatusOr<Container> OpenContainer(absl::string_view bytes) {
  if (bytes.size() > kMaxBoundModelFileBytes) {
    return Bad(absl::StrCat("expected at most ", kMaxBoundModelFileBytes, " bytes, found ", bytes.size()));
  }
  if (bytes.substr(0, kMagic.size()) != kMagic) return Bad("it does not begin as one; was another file given?");
  if (bytes.size() < kFixedBytes) return Bad(absl::StrCat("cut short: expected at least ", kFixedBytes, " bytes, found ", bytes.size()));
  const uint32_t version = ReadUint32(bytes.substr(kVersionAt));
  if (version != kBoundModelFileVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "bound model file: this program reads version ", kBoundModelFileVersion, ", the file has version ", version, "; ",
        version < kBoundModelFileVersion ? "bind the network again with this release, or read it with the release that wrote it"
                                         : "use the release that wrote it, or a newer one"));
  }
  const uint32_t header_bytes = ReadUint32(bytes.substr(kSizesAt));
  const uint32_t tensor_bytes = ReadUint32(bytes.substr(kSizesAt + sizeof(uint32_t)));
  const uint64_t expected = kFixedBytes + uint64_t{header_bytes} + tensor_bytes;
  if (bytes.size() != expected) {
    return absl::DataLossError(absl::StrCat("bound model file: damaged or cut short: expected ", expected, " bytes, found ", bytes.size()));
  }
  if (ReadUint32(bytes.substr(kChecksumAt)) != static_cast<uint32_t>(absl::ComputeCrc32c(bytes.substr(kSizesAt)))) {
    return absl::DataLossError("bound model file: damaged: its content does not have the checksum it was written with");
  }
  if (header_bytes > kMaxBoundModelHeaderBytes) {
    return Bad(absl::StrCat("expected a header of at most ", kMaxBoundModelHeaderBytes, " bytes, found ", header_bytes));
  }
  return Container{bytes.substr(kFixedBytes, header_bytes), bytes.substr(kFixedBytes + header_bytes)};
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

/// A header that is a FlatBuffer of the schema: every offset within it, every string and vector too, required ones present. Of what they
/// mean nothing is known yet. A copy, because the caller's bytes may begin anywhere in memory and a FlatBuffer is read aligned.
class Header {
 public:
  static absl::StatusOr<Header> Verify(absl::string_view bytes) {
    Header header(bytes);
    const uint8_t* const data = header.bytes_.data();
    if (bytes.size() < kMinHeaderBytes) {
      return Bad(absl::StrCat("expected a header of at least ", kMinHeaderBytes, " bytes, found ", bytes.size()));
    }
    if (!file::BoundModelBufferHasIdentifier(data)) {
      return Bad(absl::StrCat("expected a header with the identifier ", file::BoundModelIdentifier(), ", found \"",
                              absl::CHexEscape(bytes.substr(sizeof(flatbuffers::uoffset_t), flatbuffers::kFileIdentifierLength)), "\""));
    }
    flatbuffers::Verifier verifier(data, bytes.size(), {.max_depth = 1 + kMaxGraphDepth, .max_tables = 2 + kMaxGraphTables});
    if (!file::VerifyBoundModelBuffer(verifier)) return Bad("its header is not a FlatBuffer of the schema, or has too many tables");
    // Whatever names a text or vector twice would be read as more than there is.
    const size_t content = ContentBytes(header.root());
    if (content > bytes.size()) {
      return Bad(absl::StrCat("expected parts of the header that do not overlap, found ", content, " bytes of them in ", bytes.size()));
    }
    return header;
  }

  const file::BoundModel& root() const { return *file::GetBoundModel(bytes_.data()); }

 private:
  explicit Header(absl::string_view bytes) : bytes_(bytes.begin(), bytes.end()) {}

  /// As GraphContentBytes.
  static size_t ContentBytes(const file::BoundModel& root) {
    size_t bytes = GraphContentBytes(*root.graph()) + root.quantizers()->size() * sizeof(file::Quantizer);
    for (const auto* floats : {root.preprocessing()->mean(), root.preprocessing()->stddev()}) bytes += floats->size() * sizeof(float);
    for (const auto* label : *root.labels()) bytes += sizeof(flatbuffers::uoffset_t) + label->size();
    for (const auto* text : {root.space_name(), root.architecture_json(), root.architecture_digest(), root.checkpoint_sha256()}) {
      bytes += text->size();
    }
    return bytes;
  }

  std::vector<uint8_t> bytes_;
};

absl::Status ReadQuantizers(const flatbuffers::Vector<const file::Quantizer*>& quantizers, BoundModel& model) {
  const size_t expected = model.graph.values.size();
  if (quantizers.size() != expected) return Bad(absl::StrCat("expected ", expected, " quantisers, found ", quantizers.size()));
  for (const file::Quantizer* stored : quantizers) {
    const Quantizer quantizer = {stored->scale(), stored->zero_point()};
    const bool in_range = quantizer.zero_point >= -128 && quantizer.zero_point <= 127;
    if (!std::isfinite(quantizer.scale) || quantizer.scale < 0 || !in_range) {
      return Bad(absl::StrCat("expected a quantiser with a scale of 0 or more and a zero point in [-128, 127], found ", quantizer.scale,
                              " and ", quantizer.zero_point, " at ", model.graph.values[model.quantizers.size()].name));
    }
    model.quantizers.push_back(quantizer);
  }
  return absl::OkStatus();
}

absl::Status ReadPreprocessing(const file::Preprocessing& table, BoundModel& model) {
  const Shape& input = model.graph.value(model.graph.input).shape;
  if (input.size() != 4 || table.input_height() != input[1] || table.input_width() != input[2]) {
    return Bad(absl::StrCat("expected preprocessing to the network's input of ", ToString(input), ", found ", table.input_height(), "x",
                            table.input_width()));
  }
  Preprocessing& out = model.preprocessing;
  out = {.input_height = table.input_height(),
         .input_width = table.input_width(),
         .mean = {table.mean()->begin(), table.mean()->end()},
         .stddev = {table.stddev()->begin(), table.stddev()->end()}};
  for (const float mean : out.mean) {
    if (!std::isfinite(mean)) return Bad("expected finite means in the preprocessing");
  }
  for (const float stddev : out.stddev) {
    if (!std::isfinite(stddev) || !(stddev > 0)) {
      return Bad(absl::StrCat("expected positive standard deviations in the preprocessing, found ", stddev));
    }
  }
  if (table.picture_side() == 0) return absl::OkStatus();
  if (table.picture_side() > bounds::kMaxExtent || table.picture_fit() >= NamesOf(PictureFit{}).size()) {
    return Bad(absl::StrCat("expected pictures of at most ", bounds::kMaxExtent, " pixels a side that are fitted in one of ",
                            NamesOf(PictureFit{}).size(), " ways, found ", table.picture_side(), " and ", table.picture_fit()));
  }
  out.picture = PictureForm{.side = table.picture_side(), .fit = static_cast<PictureFit>(table.picture_fit())};
  return absl::OkStatus();
}

absl::Status ReadHeader(const file::BoundModel& table, BoundModel& model) {
  absl::StatusOr<Graph> graph = GraphFromFile(*table.graph());
  if (!graph.ok()) return graph.status();
  model.graph = *std::move(graph);
  if (absl::Status status = ReadQuantizers(*table.quantizers(), model); !status.ok()) return status;
  if (absl::Status status = ReadPreprocessing(*table.preprocessing(), model); !status.ok()) return status;
  const int64_t classes = model.graph.value(model.graph.output).shape.back();
  if (table.labels()->size() > classes) return Bad(absl::StrCat("expected at most ", classes, " labels, found ", table.labels()->size()));
  for (const flatbuffers::String* label : *table.labels()) model.labels.push_back(label->str());
  model.space_name = table.space_name()->str();
  model.architecture_json = table.architecture_json()->str();
  model.architecture_digest = table.architecture_digest()->str();
  model.checkpoint_sha256 = table.checkpoint_sha256()->str();
  return absl::OkStatus();
}

file::BoundModelT HeaderOf(const BoundModel& model) {
  file::BoundModelT header;
  header.graph = std::make_unique<file::GraphT>();
  GraphToFile(model.graph, *header.graph);
  for (const Quantizer& quantizer : model.quantizers) header.quantizers.emplace_back(quantizer.scale, quantizer.zero_point);
  header.preprocessing = std::make_unique<file::PreprocessingT>();
  header.preprocessing->input_height = static_cast<uint32_t>(model.preprocessing.input_height);
  header.preprocessing->input_width = static_cast<uint32_t>(model.preprocessing.input_width);
  header.preprocessing->mean = model.preprocessing.mean;
  header.preprocessing->stddev = model.preprocessing.stddev;
  if (const std::optional<PictureForm>& picture = model.preprocessing.picture; picture.has_value()) {
    header.preprocessing->picture_side = static_cast<uint32_t>(picture->side);
    header.preprocessing->picture_fit = static_cast<uint8_t>(picture->fit);
  }
  header.labels = model.labels;
  header.space_name = model.space_name;
  header.architecture_json = model.architecture_json;
  header.architecture_digest = model.architecture_digest;
  header.checkpoint_sha256 = model.checkpoint_sha256;
  return header;
}

}  // namespace

std::string SerializeBoundModel(const BoundModel& model) {
  flatbuffers::FlatBufferBuilder builder;
  const file::BoundModelT header = HeaderOf(model);
  file::FinishBoundModelBuffer(builder, file::BoundModel::Pack(builder, &header));
  return MakeContainer({reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()}, PackTensors(model));
}

absl::StatusOr<BoundModel> ParseBoundModel(absl::string_view bytes) {
  const absl::StatusOr<Container> container = OpenContainer(bytes);
  if (!container.ok()) return container.status();
  const absl::StatusOr<Header> header = Header::Verify(container->header);
  if (!header.ok()) return header.status();
  BoundModel model;
  if (absl::Status status = ReadHeader(header->root(), model); !status.ok()) return status;
  if (absl::Status status = ReadTensors(container->tensors, model); !status.ok()) return status;
  if (absl::Status status = CheckBoundModel(model); !status.ok()) return status;
  return model;
}

}  // namespace hanas
