// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/hypervolume.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "coordinator/search/non_dominated_sort.h"

namespace hanas {
namespace {

using Row = const double*;

/// The area dominated by a growing set of points below (reference_x, reference_y).
class DominatedArea {
 public:
  DominatedArea(double reference_x, double reference_y) : reference_x_(reference_x), reference_y_(reference_y) {}

  double area() const { return area_; }

  void Insert(double x, double y) {
    auto at = steps_.lower_bound(x);
    const double left_y = at == steps_.begin() ? reference_y_ : std::prev(at)->second;
    if (left_y <= y || (at != steps_.end() && at->first == x && at->second <= y)) return;
    double from_x = x;
    double top_y = left_y;
    while (at != steps_.end() && at->second >= y) {
      area_ += (at->first - from_x) * (top_y - y);
      from_x = at->first;
      top_y = at->second;
      at = steps_.erase(at);
    }
    area_ += ((at == steps_.end() ? reference_x_ : at->first) - from_x) * (top_y - y);
    steps_.emplace(x, y);
  }

 private:
  double reference_x_;
  double reference_y_;
  double area_ = 0;
  absl::btree_map<double, double> steps_;  // y falls as x grows
};

double VolumeOfTwo(std::vector<Row> rows, absl::Span<const double> reference) {
  std::sort(rows.begin(), rows.end(), [](Row a, Row b) { return a[0] < b[0] || (a[0] == b[0] && a[1] < b[1]); });
  double volume = 0;
  double lowest = reference[1];
  for (const Row row : rows) {
    if (row[1] >= lowest) continue;
    volume += (reference[0] - row[0]) * (lowest - row[1]);
    lowest = row[1];
  }
  return volume;
}

double VolumeOfThree(std::vector<Row> rows, absl::Span<const double> reference) {
  std::sort(rows.begin(), rows.end(), [](Row a, Row b) { return a[2] < b[2]; });
  DominatedArea area(reference[0], reference[1]);
  double volume = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    area.Insert(rows[i][0], rows[i][1]);
    volume += area.area() * ((i + 1 < rows.size() ? rows[i + 1][2] : reference[2]) - rows[i][2]);
  }
  return volume;
}

double Volume(std::vector<Row> rows, absl::Span<const double> reference) {
  const size_t m = reference.size();
  if (rows.empty()) return 0;
  if (m == 1) return reference[0] - **std::min_element(rows.begin(), rows.end(), [](Row a, Row b) { return a[0] < b[0]; });
  if (m == 2) return VolumeOfTwo(std::move(rows), reference);
  if (m == 3) return VolumeOfThree(std::move(rows), reference);
  std::sort(rows.begin(), rows.end(), [&](Row a, Row b) { return a[m - 1] < b[m - 1]; });
  double volume = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const double thickness = (i + 1 < rows.size() ? rows[i + 1][m - 1] : reference[m - 1]) - rows[i][m - 1];
    if (thickness > 0) volume += thickness * Volume({rows.begin(), rows.begin() + static_cast<ptrdiff_t>(i) + 1}, reference.first(m - 1));
  }
  return volume;
}

}  // namespace

absl::StatusOr<double> Hypervolume(absl::Span<const double> objectives, absl::Span<const double> reference) {
  const size_t m = reference.size();
  if (m == 0 || objectives.size() % m != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("hypervolume: expected rows of ", m, " objectives (at least 1), found ", objectives.size(), " numbers"));
  }
  for (const double bound : reference) {
    if (!std::isfinite(bound))
      return absl::InvalidArgumentError(absl::StrCat("hypervolume: expected a finite reference point, found ", bound));
  }
  std::vector<Row> rows;
  for (size_t i = 0; i < objectives.size(); i += m) {
    const Row row = objectives.data() + i;
    bool inside = true;
    for (size_t k = 0; k < m; ++k) {
      if (std::isinf(row[k]) && row[k] < 0)
        return absl::InvalidArgumentError("hypervolume: expected objectives above -infinity, found -infinity");
      inside &= row[k] < reference[k];  // false for NaN
    }
    if (inside) rows.push_back(row);
  }
  return Volume(std::move(rows), reference);
}

absl::StatusOr<double> Hypervolume(absl::Span<const Individual> individuals, absl::Span<const double> reference) {
  std::vector<double> objectives;
  for (const Individual& individual : individuals) {
    const auto& row = individual.evaluation.objectives;
    if (row.size() != reference.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("hypervolume: expected ", reference.size(), " objectives as in the reference, found ", row.size()));
    }
    if (individual.evaluation.feasible()) objectives.insert(objectives.end(), row.begin(), row.end());
  }
  return Hypervolume(objectives, reference);
}

bool ParetoFront::Insert(const Individual& individual) {
  const auto& row = individual.evaluation.objectives;
  if (!individual.evaluation.feasible() || row.empty() || std::any_of(row.begin(), row.end(), [](double v) { return std::isnan(v); }))
    return false;
  for (const Individual& member : members_) {
    const auto& other = member.evaluation.objectives;
    if (other.size() != row.size() || other == row || Dominates(other, row)) return false;
  }
  std::erase_if(members_, [&](const Individual& member) { return Dominates(row, member.evaluation.objectives); });
  const auto at = std::lower_bound(members_.begin(), members_.end(), row,
                                   [](const Individual& member, const auto& value) { return member.evaluation.objectives < value; });
  members_.insert(at, individual);
  return true;
}

}  // namespace hanas
