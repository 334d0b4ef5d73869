// SPDX-License-Identifier: Apache-2.0
#include "config/spelling.h"

#include <algorithm>

namespace hanas::config {

int EditDistance(absl::string_view a, absl::string_view b) {
  // Three rows of the table: before the previous, previous, current.
  std::vector<int> older(b.size() + 1);
  std::vector<int> old(b.size() + 1);
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(older, old);
    std::swap(old, row);
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({old[j] + 1, row[j - 1] + 1, old[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], older[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string ClosestWord(absl::string_view word, const std::vector<std::string>& known) {
  constexpr size_t kLongestWord = 64;
  if (word.size() > kLongestWord) return "";
  std::string best;
  int best_distance = 0;
  for (const std::string& candidate : known) {
    const int distance = EditDistance(word, candidate);
    if (3 * distance > static_cast<int>(std::max(word.size(), candidate.size()))) continue;
    if (best.empty() || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace hanas::config
