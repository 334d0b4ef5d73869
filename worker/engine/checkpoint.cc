// SPDX-License-Identifier: Apache-2.0
#include "worker/engine/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "core/base/text.h"
#include "worker/engine/patch_whitening.h"
#include "worker/engine/safetensors.h"

namespace hanas {
namespace {

constexpr absl::string_view kFirstMagic = "HANASCKP";  // what checkpoints of version 1 begin with
constexpr absl::string_view kMomentumPrefix = "momentum/";
constexpr char kVersionKey[] = "checkpoint_version";
constexpr char kSpaceKey[] = "space_digest";
constexpr char kChainKey[] = "chain_digest";
constexpr char kStepKey[] = "step";

absl::Status OtherVersion(absl::string_view found) {
  return absl::InvalidArgumentError(absl::StrCat("checkpoint: expected version ", kCheckpointVersion, ", found version ",
                                                 Printable(found.substr(0, 20)),
                                                 ": it was written by another release; start the search again, which trains anew"));
}

void AppendTensors(const std::vector<Slot>& slots, absl::string_view prefix, const std::vector<std::vector<float>>& values,
                   Safetensors& file) {
  for (size_t i = 0; i < slots.size(); ++i) {
    file.tensors.push_back({.name = absl::StrCat(prefix, slots[i].name),
                            .shape = slots[i].shape,
                            .data = {reinterpret_cast<const char*>(values[i].data()), values[i].size() * sizeof(float)}});
  }
}

using TensorsByName = absl::flat_hash_map<absl::string_view, const StoredTensor*>;

/// The values of each slot, of the tensors named `prefix` and slot.
absl::StatusOr<std::vector<std::vector<float>>> ReadTensors(const TensorsByName& tensors, absl::string_view prefix,
                                                            const std::vector<Slot>& slots) {
  std::vector<std::vector<float>> values;
  for (const Slot& slot : slots) {
    const std::string name = absl::StrCat(prefix, slot.name);
    const auto stored = tensors.find(name);
    if (stored == tensors.end() || stored->second->shape != slot.shape) {
      return absl::InvalidArgumentError(absl::StrCat("checkpoint: expected tensor ", name, " of ", ToString(slot.shape), ", found ",
                                                     stored == tensors.end() ? "none" : ToString(stored->second->shape)));
    }
    const absl::string_view data = stored->second->data;
    std::vector<float> tensor(data.size() / sizeof(float));
    std::memcpy(tensor.data(), data.data(), data.size());
    if (!std::all_of(tensor.begin(), tensor.end(), [](float v) { return std::isfinite(v); })) {
      return absl::DataLossError(absl::StrCat("checkpoint: expected finite numbers, found NaN or infinity in ", name));
    }
    values.push_back(std::move(tensor));
  }
  return values;
}

/// What the metadata says; empty tensors. Returns INVALID_ARGUMENT naming the entry that is not there or says something else.
absl::StatusOr<Checkpoint> ReadMetadata(const std::map<std::string, std::string>& metadata) {
  const auto text = [&](const std::string& key) {
    const auto entry = metadata.find(key);
    return entry == metadata.end() ? std::string() : entry->second;
  };
  const auto wrong = [&](const std::string& key, absl::string_view expected) {
    return absl::InvalidArgumentError(absl::StrCat("checkpoint: expected ", expected, " as ", key, " in the metadata, found \"",
                                                   Printable(text(key).substr(0, 100)), "\""));
  };
  if (!metadata.contains(kVersionKey)) return wrong(kVersionKey, absl::StrCat(kCheckpointVersion));
  if (text(kVersionKey) != absl::StrCat(kCheckpointVersion)) return OtherVersion(text(kVersionKey));
  // Reading has compared it, if it is there.
  const std::string checksum(kSafetensorsChecksum);
  if (!metadata.contains(checksum)) return wrong(checksum, "a checksum");
  Checkpoint checkpoint;
  for (const auto& [key, digest] : {std::pair(kSpaceKey, &checkpoint.space), std::pair(kChainKey, &checkpoint.chain)}) {
    const absl::StatusOr<Digest> read = Digest::FromHex(text(key));
    if (!read.ok()) return wrong(key, "a digest");
    *digest = *read;
  }
  if (!absl::SimpleAtoi(text(kStepKey), &checkpoint.step) || checkpoint.step < 0) return wrong(kStepKey, "a number of steps");
  return checkpoint;
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
  Safetensors file = {.metadata = {{kVersionKey, absl::StrCat(kCheckpointVersion)},
                                   {kSpaceKey, checkpoint.space.ToHex()},
                                   {kChainKey, checkpoint.chain.ToHex()},
                                   {kStepKey, absl::StrCat(checkpoint.step)}},
                      .tensors = {}};
  AppendTensors(slots, "", checkpoint.weights, file);
  if (!checkpoint.momentum.empty()) AppendTensors(slots, kMomentumPrefix, checkpoint.momentum, file);
  return WriteSafetensors(file);
}

absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view bytes, const Lowering& lowering) {
  if (absl::StartsWith(bytes, kFirstMagic)) return OtherVersion("1");
  const absl::StatusOr<Safetensors> file = ReadSafetensors(bytes);
  if (!file.ok()) return absl::Status(file.status().code(), absl::StrCat("checkpoint: ", file.status().message()));
  absl::StatusOr<Checkpoint> checkpoint = ReadMetadata(file->metadata);
  if (!checkpoint.ok()) return checkpoint;
  if (checkpoint->space != lowering.space().digest()) {
    return absl::FailedPreconditionError(absl::StrCat("checkpoint: expected one of the space ", lowering.space().digest().ToHex(),
                                                      ", found one of ", checkpoint->space.ToHex()));
  }
  const std::vector<Slot>& slots = lowering.slots().slots();
  TensorsByName tensors;
  bool momentum = false;
  for (const StoredTensor& tensor : file->tensors) {
    tensors.emplace(tensor.name, &tensor);
    momentum = momentum || absl::StartsWith(tensor.name, kMomentumPrefix);
  }
  for (const absl::string_view prefix : {absl::string_view(), kMomentumPrefix}) {
    if (!prefix.empty() && !momentum) break;
    absl::StatusOr<std::vector<std::vector<float>>> values = ReadTensors(tensors, prefix, slots);
    if (!values.ok()) return values.status();
    (prefix.empty() ? checkpoint->weights : checkpoint->momentum) = *std::move(values);
  }
  for (const Slot& slot : slots) {
    tensors.erase(slot.name);
    tensors.erase(absl::StrCat(kMomentumPrefix, slot.name));
  }
  if (!tensors.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("checkpoint: expected ", slots.size(),
                                                   " tensors, with or without their momentum, found ", tensors.size(), " more, such as ",
                                                   Shorten(Printable(tensors.begin()->first), 100)));
  }
  return checkpoint;
}

Checkpoint InitialCheckpoint(const Lowering& lowering, uint64_t seed, const Dataset& dataset) {
  Checkpoint checkpoint = {.space = lowering.space().digest(), .chain = {}, .step = 0, .weights = {}, .momentum = {}};
  uint64_t index = 0;
  for (const Slot& slot : lowering.slots().slots()) checkpoint.weights.push_back(InitialTensor(slot, seed, index++, dataset));
  return checkpoint;
}

}  // namespace hanas
