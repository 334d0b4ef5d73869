// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/runtime/arena.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

namespace hanas {
namespace {

size_t RoundUp(size_t bytes) { return (bytes + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment; }

/// Steps at which a value must keep its memory, both ends included.
struct Lifetime {
  int first = 0;
  int last = 0;
  bool Overlaps(const Lifetime& other) const { return first <= other.last && other.first <= last; }
};

std::vector<Lifetime> Lifetimes(const ExecPlan& plan) {
  std::vector<Lifetime> lifetimes(plan.values.size());
  for (size_t step = 0; step < plan.steps.size(); ++step) {
    const int now = static_cast<int>(step);
    Lifetime& output = lifetimes[static_cast<size_t>(plan.steps[step].output)];
    output = {now, now};
    for (const int input : plan.steps[step].inputs) lifetimes[static_cast<size_t>(input)].last = now;
  }
  lifetimes[static_cast<size_t>(plan.input)].first = -1;
  lifetimes[static_cast<size_t>(plan.output)].last = static_cast<int>(plan.steps.size());
  return lifetimes;
}

struct Placed {
  size_t begin = 0;
  size_t end = 0;
};

/// Lowest offset at which `bytes` fit between the placed intervals.
size_t FirstGap(std::vector<Placed> busy, size_t bytes) {
  std::sort(busy.begin(), busy.end(), [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
  size_t offset = 0;
  for (const Placed& placed : busy) {
    if (placed.begin >= offset + bytes) break;
    offset = std::max(offset, placed.end);
  }
  return offset;
}

}  // namespace

void AlignedBuffer::Free::operator()(std::byte* pointer) const { std::free(pointer); }

AlignedBuffer::AlignedBuffer(size_t bytes) : size_(bytes) {
  const size_t rounded = RoundUp(bytes + kTensorSlackBytes);
  data_.reset(static_cast<std::byte*>(std::aligned_alloc(kTensorAlignment, rounded)));
  if (data_ != nullptr) std::memset(data_.get(), 0, rounded);
}

size_t ByteSize(const Shape& shape, ElementType type) { return static_cast<size_t>(NumElements(shape) * BitWidth(type) / 8); }

ArenaLayout LayOutArena(const ExecPlan& plan, bool share) {
  const size_t count = plan.values.size();
  const std::vector<Lifetime> lifetimes = Lifetimes(plan);
  std::vector<size_t> sizes(count);
  for (size_t i = 0; i < count; ++i) sizes[i] = RoundUp(ByteSize(plan.values[i].shape, plan.values[i].type) + kTensorSlackBytes);
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return sizes[a] > sizes[b]; });

  ArenaLayout layout{.offsets = std::vector<size_t>(count, 0)};
  for (size_t i = 0; i < count; ++i) {
    std::vector<Placed> busy;
    for (size_t j = 0; j < i; ++j) {
      const size_t other = order[j];
      if (!share || lifetimes[order[i]].Overlaps(lifetimes[other]))
        busy.push_back({layout.offsets[other], layout.offsets[other] + sizes[other]});
    }
    const size_t offset = FirstGap(std::move(busy), sizes[order[i]]);
    layout.offsets[order[i]] = offset;
    layout.total_bytes = std::max(layout.total_bytes, offset + sizes[order[i]]);
  }
  return layout;
}

}  // namespace hanas
