// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_FRONT_INDEX_H_
#define HANAS_COORDINATOR_SEARCH_FRONT_INDEX_H_

#include <cstddef>
#include <vector>

#include "absl/container/inlined_vector.h"

namespace hanas {

/// The non-dominated of all that was offered, by number: what ParetoFront is for whole individuals. Of equal objectives the first offered
/// stays. Objectives are minimised, and of the same number in all calls.
///
/// Thread-compatible. Two objectives: O(log size) and what leaves; others O(M size).
class FrontIndex {
 public:
  using Objectives = absl::InlinedVector<double, 4>;

  struct Member {
    size_t id = 0;
    Objectives objectives;
  };

  /// True when `id` is now a member; members that it dominates leave. One with a NaN is never a member.
  bool Insert(size_t id, const Objectives& objectives);
  bool Contains(size_t id) const;
  /// Ascending in the first objective when there are two; else in the order offered.
  const std::vector<Member>& members() const { return members_; }
  void Clear() { members_.clear(); }

 private:
  bool InsertSorted(size_t id, const Objectives& objectives);

  std::vector<Member> members_;
};

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_FRONT_INDEX_H_
