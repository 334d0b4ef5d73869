// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/front_index.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace hanas {
namespace {

/// Whether `a` is as good as `b` in everything.
bool Covers(const FrontIndex::Objectives& a, const FrontIndex::Objectives& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) { return x <= y; });
}

}  // namespace

bool FrontIndex::Insert(size_t id, const Objectives& objectives) {
  if (objectives.empty() || std::any_of(objectives.begin(), objectives.end(), [](double value) { return std::isnan(value); })) return false;
  if (objectives.size() == 2) return InsertSorted(id, objectives);
  const auto covers_it = [&](const Member& member) { return Covers(member.objectives, objectives); };
  if (std::any_of(members_.begin(), members_.end(), covers_it)) return false;
  members_.erase(
      std::remove_if(members_.begin(), members_.end(), [&](const Member& member) { return Covers(objectives, member.objectives); }),
      members_.end());
  members_.push_back({id, objectives});
  return true;
}

bool FrontIndex::InsertSorted(size_t id, const Objectives& objectives) {
  // Ascending in the first objective and descending in the second, so what stands before decides whether it is covered.
  auto at = std::lower_bound(members_.begin(), members_.end(), objectives[0],
                             [](const Member& member, double first) { return member.objectives[0] < first; });
  if (at != members_.begin() && std::prev(at)->objectives[1] <= objectives[1]) return false;
  if (at != members_.end() && Covers(at->objectives, objectives)) return false;
  const auto last = std::find_if(at, members_.end(), [&](const Member& member) { return member.objectives[1] < objectives[1]; });
  at = members_.erase(at, last);
  members_.insert(at, {id, objectives});
  return true;
}

bool FrontIndex::Contains(size_t id) const {
  return std::any_of(members_.begin(), members_.end(), [&](const Member& member) { return member.id == id; });
}

}  // namespace hanas
