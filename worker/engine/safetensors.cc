// SPDX-License-Identifier: Apache-2.0
#include "worker/engine/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/crc/crc32c.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/text.h"

namespace hanas {
namespace {

using Json = nlohmann::json;  // keys in byte order

constexpr absl::string_view kMetadataName = "__metadata__";
constexpr size_t kLengthBytes = sizeof(uint64_t);
constexpr size_t kAlignment = 8;
constexpr size_t kShownBytes = 100;  // of a name in a message
static_assert(std::endian::native == std::endian::little, "lengths and numbers are copied in host order");

absl::Status Broken(absl::string_view what, absl::string_view expected, absl::string_view found) {
  return absl::InvalidArgumentError(absl::StrCat("safetensors: ", what, ": expected ", expected, ", found ", found));
}

std::string TensorNamed(absl::string_view name) { return absl::StrCat("tensor \"", Shorten(Printable(name), kShownBytes), "\""); }

/// What the header says about a tensor.
struct Entry {
  std::string name;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> offsets;  // begin and end of its data, in bytes
};

/// Takes the header's JSON as it is read, and stops at the first thing that a header does not have: so neither deep nor wide JSON costs
/// memory, and a name that is there twice is noticed.
class HeaderReader final : public Json::json_sax_t {
 public:
  absl::Status status() const { return status_; }
  std::map<std::string, std::string> TakeMetadata() { return std::move(metadata_); }
  std::vector<Entry> TakeEntries() { return std::move(entries_); }

  bool key(string_t& name) override {
    switch (inside_) {
      case Inside::kHeader:
        key_ = name;
        if (!names_.insert(name).second) return Refuse(Where(), "a name once in the header", "it twice");
        if (name != kMetadataName) entries_.push_back({.name = name, .shape = {}, .offsets = {}});
        fields_.clear();
        return true;
      case Inside::kMetadata:
        key_ = name;
        return metadata_.emplace(name, "").second || Refuse("metadata", "a key once", absl::StrCat(Shown(name), " twice"));
      default:
        if (name != "dtype" && name != "shape" && name != "data_offsets") return Refuse(Where(), "dtype, shape, data_offsets", Shown(name));
        field_ = name;
        return fields_.insert(name).second || Refuse(Where(), "a field once", absl::StrCat(name, " twice"));
    }
  }

  bool string(string_t& text) override {
    if (inside_ == Inside::kMetadata) {
      metadata_[key_] = text;
      return true;
    }
    if (inside_ != Inside::kTensor || field_ != "dtype") return Unexpected("a string");
    return text == "F32" || Refuse(Where(), "dtype F32", Shown(text));
  }

  bool number_unsigned(number_unsigned_t number) override {
    if (inside_ == Inside::kShape) {
      if (Last().shape.size() == kMaxSafetensorsRank) {
        return Refuse(Where(), absl::StrCat("at most ", kMaxSafetensorsRank, " axes"), "more");
      }
      Last().shape.push_back(number);
      return true;
    }
    if (inside_ != Inside::kOffsets) return Unexpected("a number");
    if (Last().offsets.size() == 2) return Refuse(Where(), "two data_offsets", "more");
    Last().offsets.push_back(number);
    return true;
  }

  bool start_object(std::size_t /*elements*/) override {
    if (inside_ == Inside::kFile) {
      inside_ = Inside::kHeader;
    } else if (inside_ == Inside::kHeader) {
      inside_ = key_ == kMetadataName ? Inside::kMetadata : Inside::kTensor;
    } else {
      return Unexpected("an object");
    }
    return true;
  }

  bool end_object() override {
    if (inside_ == Inside::kTensor) {
      for (const char* field : {"dtype", "shape", "data_offsets"}) {
        if (!fields_.contains(field)) return Refuse(Where(), "dtype, shape and data_offsets", absl::StrCat("no ", field));
      }
      if (Last().offsets.size() != 2) return Refuse(Where(), "two data_offsets", absl::StrCat(Last().offsets.size()));
    }
    inside_ = Inside::kHeader;
    return true;
  }

  bool start_array(std::size_t /*elements*/) override {
    if (inside_ != Inside::kTensor || field_ == "dtype") return Unexpected("an array");
    inside_ = field_ == "shape" ? Inside::kShape : Inside::kOffsets;
    return true;
  }

  bool end_array() override {
    inside_ = Inside::kTensor;
    return true;
  }

  bool null() override { return Unexpected("null"); }
  bool boolean(bool /*value*/) override { return Unexpected("a truth value"); }
  bool number_integer(number_integer_t /*value*/) override { return Unexpected("a number below 0"); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return Unexpected("a number that is not whole"); }
  bool binary(binary_t& /*value*/) override { return Unexpected("bytes"); }
  bool parse_error(std::size_t position, const std::string& /*token*/, const Json::exception& /*error*/) override {
    return Refuse("header", "JSON", absl::StrCat("a mistake at its byte ", position));
  }

 private:
  enum class Inside : uint8_t { kFile, kHeader, kMetadata, kTensor, kShape, kOffsets };

  static std::string Shown(absl::string_view text) { return absl::StrCat("\"", Shorten(Printable(text), kShownBytes), "\""); }
  Entry& Last() { return entries_.back(); }
  /// The entry of the header that is being read.
  std::string Where() const { return key_ == kMetadataName ? "metadata" : TensorNamed(key_); }

  bool Refuse(absl::string_view what, absl::string_view expected, absl::string_view found) {
    status_ = Broken(what, expected, found);
    return false;
  }
  bool Unexpected(absl::string_view found) {
    switch (inside_) {
      case Inside::kFile:
        return Refuse("header", "an object", found);
      case Inside::kHeader:
        return Refuse(Where(), "an object", found);
      case Inside::kMetadata:
        return Refuse("metadata", "strings", found);
      case Inside::kTensor:
        return Refuse(Where(), field_ == "dtype" ? "dtype F32" : absl::StrCat("an array as ", field_), found);
      default:
        return Refuse(Where(), absl::StrCat("whole numbers in ", field_), found);
    }
  }

  Inside inside_ = Inside::kFile;
  std::string key_;    // of the header, or of the metadata
  std::string field_;  // of a tensor
  absl::flat_hash_set<std::string> names_;
  absl::flat_hash_set<std::string> fields_;
  std::map<std::string, std::string> metadata_;
  std::vector<Entry> entries_;
  absl::Status status_;
};

/// Bytes of F32 elements; nullopt when that is more than fits.
std::optional<uint64_t> BytesOf(const std::vector<uint64_t>& shape) {
  uint64_t bytes = sizeof(float);
  for (const uint64_t extent : shape) {
    if (extent > uint64_t{std::numeric_limits<int64_t>::max()} || __builtin_mul_overflow(bytes, extent, &bytes)) return std::nullopt;
  }
  return bytes;
}

/// The tensors in the order of their data, which they must fill exactly.
absl::StatusOr<std::vector<StoredTensor>> Placed(std::vector<Entry> entries, absl::string_view data) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.offsets < b.offsets; });
  std::vector<StoredTensor> tensors;
  uint64_t at = 0;
  for (Entry& entry : entries) {
    const std::string what = TensorNamed(entry.name);
    const uint64_t begin = entry.offsets[0];
    const uint64_t end = entry.offsets[1];
    const std::optional<uint64_t> bytes = BytesOf(entry.shape);
    if (!bytes.has_value()) return Broken(what, "a shape whose size fits 64 bits", "a larger one");
    if (begin > end || end - begin != *bytes) {
      return Broken(what, absl::StrCat(*bytes, " bytes, as its shape says"), absl::StrCat("data_offsets ", begin, " to ", end));
    }
    if (begin != at) {
      return Broken(what, absl::StrCat("data from offset ", at, " on, where the tensor before it ends"),
                    absl::StrCat(begin, begin < at ? ": they overlap" : ": there is a gap"));
    }
    if (end > data.size()) {
      return absl::DataLossError(
          absl::StrCat("safetensors: ", what, ": expected data up to offset ", end, ", found ", data.size(), " bytes of data: truncated"));
    }
    at = end;
    tensors.push_back(
        {.name = std::move(entry.name), .shape = Shape(entry.shape.begin(), entry.shape.end()), .data = data.substr(begin, end - begin)});
  }
  if (at != data.size()) {
    return absl::DataLossError(absl::StrCat("safetensors: expected the end after ", at, " bytes of data, found ", data.size()));
  }
  return tensors;
}

Json HeaderOf(const Safetensors& file) {
  Json header = Json::object();
  if (!file.metadata.empty()) header[std::string(kMetadataName)] = file.metadata;
  uint64_t begin = 0;
  for (const StoredTensor& tensor : file.tensors) {
    const uint64_t end = begin + tensor.data.size();
    header[tensor.name] = {
        {"dtype", "F32"}, {"shape", std::vector<int64_t>(tensor.shape.begin(), tensor.shape.end())}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  return header;
}

std::string ChecksumOf(Safetensors file) {
  file.metadata.erase(std::string(kSafetensorsChecksum));
  absl::crc32c_t crc = absl::ComputeCrc32c(HeaderOf(file).dump());
  for (const StoredTensor& tensor : file.tensors) crc = absl::ExtendCrc32c(crc, tensor.data);
  return absl::StrCat(absl::Hex(static_cast<uint32_t>(crc), absl::kZeroPad8));
}

}  // namespace

std::string WriteSafetensors(const Safetensors& file) {
  Safetensors sealed = file;
  sealed.metadata[std::string(kSafetensorsChecksum)] = ChecksumOf(file);
  std::string header = HeaderOf(sealed).dump();
  header.resize((header.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  uint64_t size = header.size();
  for (const StoredTensor& tensor : file.tensors) size += tensor.data.size();
  std::string out;
  out.reserve(kLengthBytes + size);
  const uint64_t length = header.size();
  out.append(reinterpret_cast<const char*>(&length), kLengthBytes);
  out += header;
  for (const StoredTensor& tensor : file.tensors) out.append(tensor.data.data(), tensor.data.size());
  return out;
}

absl::StatusOr<Safetensors> ReadSafetensors(absl::string_view bytes) {
  if (bytes.size() < kLengthBytes) {
    return absl::DataLossError(absl::StrCat("safetensors: expected the length of a header, found ", bytes.size(), " bytes: truncated"));
  }
  uint64_t length = 0;
  bytes.copy(reinterpret_cast<char*>(&length), kLengthBytes);
  bytes.remove_prefix(kLengthBytes);
  if (length < 2 || length > uint64_t{kMaxSafetensorsHeaderBytes} || (!bytes.empty() && bytes[0] != '{')) {
    return Broken(
        "file", absl::StrCat("a JSON header of 2 to ", kMaxSafetensorsHeaderBytes, " bytes"),
        length > uint64_t{kMaxSafetensorsHeaderBytes} ? absl::StrCat("one of ", length, " bytes, or another format") : "another format");
  }
  if (length > bytes.size()) {
    return absl::DataLossError(absl::StrCat("safetensors: expected a header of ", length, " bytes, found ", bytes.size(), ": truncated"));
  }
  const absl::string_view header = bytes.substr(0, length);
  HeaderReader reader;
  if (!Json::sax_parse(header.begin(), header.end(), &reader)) return reader.status();
  Safetensors file = {.metadata = reader.TakeMetadata(), .tensors = {}};
  absl::StatusOr<std::vector<StoredTensor>> tensors = Placed(reader.TakeEntries(), bytes.substr(length));
  if (!tensors.ok()) return tensors.status();
  file.tensors = *std::move(tensors);
  if (const auto checksum = file.metadata.find(std::string(kSafetensorsChecksum));
      checksum != file.metadata.end() && checksum->second != ChecksumOf(file)) {
    return absl::DataLossError(
        absl::StrCat("safetensors: the checksum does not match the ", kLengthBytes + bytes.size(), " bytes: they were damaged"));
  }
  return file;
}

}  // namespace hanas
