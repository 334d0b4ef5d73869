// SPDX-License-Identifier: Apache-2.0
#include "worker/engine/checkpoint.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "worker/engine/patch_whitening.h"

namespace hanas {
namespace {

constexpr absl::string_view kMagic = "HANASCKP";
constexpr absl::string_view kMomentumPrefix = "momentum/";
constexpr size_t kChecksumBytes = 8;
static_assert(std::endian::native == std::endian::little, "the container is written in host order");

uint64_t Checksum(absl::string_view bytes) {
  // Word-wise FNV: a byte-wise one would take longer than writing the file.
  uint64_t hash = 0xcbf29ce484222325ULL;
  while (bytes.size() >= sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    hash = (hash ^ word) * 0x100000001b3ULL;
    hash ^= hash >> 29U;
    bytes.remove_prefix(sizeof(word));
  }
  for (const char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3ULL;
  return hash;
}

template <typename T>
void Put(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

/// Reads past the end give 0 and make ok() false.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}
  template <typename T>
  T Get() {
    T value{};
    const absl::string_view raw = Take(sizeof(T));
    if (ok_) std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }
  absl::string_view Take(size_t count) {
    if (bytes_.size() < count) {
      ok_ = false;
      bytes_ = {};
      return {};
    }
    const absl::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  absl::string_view bytes_;
  bool ok_ = true;
};

void PutTensorHeader(const std::string& name, const Shape& shape, std::string& out) {
  Put(static_cast<uint32_t>(name.size()), out);
  out += name;
  Put(static_cast<uint32_t>(shape.size()), out);
  for (const int64_t extent : shape) Put(extent, out);
}

void PutData(const std::vector<std::vector<float>>& tensors, std::string& out) {
  for (const std::vector<float>& tensor : tensors) out.append(reinterpret_cast<const char*>(tensor.data()), tensor.size() * sizeof(float));
}

absl::Status ReadTensorHeader(const Slot& slot, absl::string_view prefix, Reader& reader) {
  const auto length = reader.Get<uint32_t>();
  const absl::string_view name = reader.Take(length);
  const auto rank = reader.Get<uint32_t>();
  Shape shape;
  for (uint32_t i = 0; i < rank && reader.ok(); ++i) shape.push_back(reader.Get<int64_t>());
  const std::string expected = absl::StrCat(prefix, slot.name);
  if (!reader.ok()) return absl::DataLossError(absl::StrCat("checkpoint: expected tensor ", expected, ", found the end of the bytes"));
  if (name == expected && shape == slot.shape) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("checkpoint: expected tensor ", expected, " of ", ToString(slot.shape), ", found ",
                                                 name.substr(0, 100), " of ", ToString(shape)));
}

absl::Status ReadData(const std::vector<Slot>& slots, Reader& reader, std::vector<std::vector<float>>& tensors) {
  for (const Slot& slot : slots) {
    const auto count = static_cast<size_t>(NumElements(slot.shape));
    const absl::string_view raw = reader.Take(count * sizeof(float));
    if (!reader.ok())
      return absl::DataLossError(absl::StrCat("checkpoint: expected the data of ", slot.name, ", found the end of the bytes"));
    std::vector<float> tensor(count);
    std::memcpy(tensor.data(), raw.data(), raw.size());
    if (!std::all_of(tensor.begin(), tensor.end(), [](float v) { return std::isfinite(v); })) {
      return absl::DataLossError(absl::StrCat("checkpoint: expected finite numbers, found NaN or infinity in ", slot.name));
    }
    tensors.push_back(std::move(tensor));
  }
  return absl::OkStatus();
}

std::vector<float> InitialTensor(const Slot& slot, uint64_t seed, uint64_t index, const Dataset& dataset) {
  std::vector<float> tensor(static_cast<size_t>(NumElements(slot.shape)), 0.0F);
  CounterRandom random(seed, "worker/initial-weights", index);
  const auto fill_normal = [&](double deviation) {
    for (float& value : tensor) value = static_cast<float>(deviation * random.Normal());
  };
  switch (slot.kind) {
    case SlotKind::kConvWeight: {
      // He et al. 2015, fan in: the inputs of one output channel.
      fill_normal(std::sqrt(2.0 / static_cast<double>(NumElements(slot.shape) / slot.shape[0])));
      break;
    }
    case SlotKind::kLinearWeight:
      fill_normal(std::sqrt(1.0 / static_cast<double>(slot.shape[1])));
      break;
    case SlotKind::kNormGamma:
      std::fill(tensor.begin(), tensor.end(), 1.0F);
      break;
    case SlotKind::kKernelTransform:
      for (int64_t i = 0; i < slot.shape[0]; ++i) tensor[static_cast<size_t>(i * slot.shape[1] + i)] = 1.0F;
      break;
    case SlotKind::kPatchWhitening:
      return PatchWhitening(dataset, slot.shape);
    case SlotKind::kBias:
    case SlotKind::kNormBeta:
      break;
  }
  return tensor;
}

}  // namespace

std::string SerializeCheckpoint(const Checkpoint& checkpoint, const std::vector<Slot>& slots) {
  std::string out(kMagic);
  Put(kCheckpointVersion, out);
  for (const Digest& digest : {checkpoint.space, checkpoint.chain}) {
    Put(digest.high, out);
    Put(digest.low, out);
  }
  Put(checkpoint.step, out);
  const bool momentum = !checkpoint.momentum.empty();
  Put(static_cast<uint32_t>(slots.size() * (momentum ? 2 : 1)), out);
  for (const Slot& slot : slots) PutTensorHeader(slot.name, slot.shape, out);
  if (momentum) {
    for (const Slot& slot : slots) PutTensorHeader(absl::StrCat(kMomentumPrefix, slot.name), slot.shape, out);
  }
  PutData(checkpoint.weights, out);
  if (momentum) PutData(checkpoint.momentum, out);
  Put(Checksum(out), out);
  return out;
}

absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view bytes, const Lowering& lowering) {
  if (!absl::StartsWith(bytes, kMagic)) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint: expected the magic \"", kMagic, "\", found other data (", bytes.size(), " bytes)"));
  }
  Reader reader(bytes.substr(kMagic.size(), bytes.size() - kMagic.size() - std::min(kChecksumBytes, bytes.size() - kMagic.size())));
  const auto version = reader.Get<uint32_t>();
  if (reader.ok() && version != kCheckpointVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint: expected version ", kCheckpointVersion, ", found ", version, ": it was written by another release"));
  }
  uint64_t checksum = 0;
  if (reader.ok()) std::memcpy(&checksum, bytes.data() + bytes.size() - kChecksumBytes, kChecksumBytes);
  if (!reader.ok() || checksum != Checksum(bytes.substr(0, bytes.size() - kChecksumBytes))) {
    return absl::DataLossError(absl::StrCat("checkpoint: the checksum does not match the ", bytes.size(), " bytes: truncated or damaged"));
  }
  Checkpoint checkpoint;
  for (Digest* digest : {&checkpoint.space, &checkpoint.chain}) {
    digest->high = reader.Get<uint64_t>();
    digest->low = reader.Get<uint64_t>();
  }
  if (checkpoint.space != lowering.space().digest()) {
    return absl::FailedPreconditionError(absl::StrCat("checkpoint: expected one of the space ", lowering.space().digest().ToHex(),
                                                      ", found one of ", checkpoint.space.ToHex()));
  }
  checkpoint.step = reader.Get<int64_t>();
  const std::vector<Slot>& slots = lowering.slots().slots();
  const auto count = reader.Get<uint32_t>();
  const bool momentum = count == 2 * slots.size();
  if (!reader.ok() || (count != slots.size() && !momentum) || checkpoint.step < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint: expected ", slots.size(), " tensors, with or without their momentum, found ", count));
  }
  for (const absl::string_view prefix : {absl::string_view(), kMomentumPrefix}) {
    if (!prefix.empty() && !momentum) break;
    for (const Slot& slot : slots) {
      if (absl::Status status = ReadTensorHeader(slot, prefix, reader); !status.ok()) return status;
    }
  }
  if (absl::Status status = ReadData(slots, reader, checkpoint.weights); !status.ok()) return status;
  if (momentum) {
    if (absl::Status status = ReadData(slots, reader, checkpoint.momentum); !status.ok()) return status;
  }
  if (!reader.at_end()) return absl::DataLossError("checkpoint: expected its end after the last tensor, found more bytes");
  return checkpoint;
}

Checkpoint InitialCheckpoint(const Lowering& lowering, uint64_t seed, const Dataset& dataset) {
  Checkpoint checkpoint = {.space = lowering.space().digest(), .chain = {}, .step = 0, .weights = {}, .momentum = {}};
  uint64_t index = 0;
  for (const Slot& slot : lowering.slots().slots()) checkpoint.weights.push_back(InitialTensor(slot, seed, index++, dataset));
  return checkpoint;
}

}  // namespace hanas
