// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_RUNTIME_ARENA_H_
#define HANAS_PROFILER_AGENT_RUNTIME_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/plan/exec_plan.h"

namespace hanas {

/// Bytes that kernels may read (never write) beyond a tensor; every tensor is followed by as many.
inline constexpr size_t kTensorSlackBytes = 64;
inline constexpr size_t kTensorAlignment = 64;

/// Zeroed memory at a cache line, with slack behind it. Null data() after a failed allocation. Thread-compatible.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes);

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* pointer) const;
  };
  std::unique_ptr<std::byte[], Free> data_;
  size_t size_ = 0;
};

/// Bytes of a tensor of the plan.
size_t ByteSize(const Shape& shape, ElementType type);

/// Where each value of a plan lies in one block of memory.
struct ArenaLayout {
  std::vector<size_t> offsets;  // one for each value, multiples of kTensorAlignment
  size_t total_bytes = 0;
};

/// Values that are never alive together share memory: greedy by size (Pisarchyk and Lee 2020). The input lives until its last reader, the
/// output to the end. With `share` false every value has its own place. O(n^2) in the values. Requires a plan whose indices are in range.
ArenaLayout LayOutArena(const ExecPlan& plan, bool share);

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_RUNTIME_ARENA_H_
