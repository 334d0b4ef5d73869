// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/non_dominated_sort.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <numeric>
#include <tuple>

#include "absl/container/btree_map.h"

namespace hanas {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double Clean(double value) { return std::isnan(value) ? kInfinity : value; }
double CleanViolation(double value) { return std::isnan(value) ? kInfinity : std::max(value, 0.0); }

/// Finds the first front that does not dominate a point. Domination is monotone: a member of front k is dominated by one of front k - 1.
template <typename DominatedByFront>
int FirstFront(int num_fronts, DominatedByFront dominated_by) {
  int low = 0;
  int high = num_fronts;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (dominated_by(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

struct Point2 {
  double x, y;
  int index;
};

/// Points come in lexicographic order, so the last member of each front has its smallest y, and these grow from front to front.
std::vector<int> RanksOfTwo(absl::Span<const double> objectives, int num_objectives) {
  const size_t n = objectives.size() / static_cast<size_t>(num_objectives);
  std::vector<Point2> points(n);
  for (size_t i = 0; i < n; ++i) {
    points[i] = num_objectives == 1 ? Point2{Clean(objectives[i]), 0, static_cast<int>(i)}
                                    : Point2{Clean(objectives[2 * i]), Clean(objectives[2 * i + 1]), static_cast<int>(i)};
  }
  std::sort(points.begin(), points.end(), [](const Point2& a, const Point2& b) { return std::tie(a.x, a.y) < std::tie(b.x, b.y); });
  std::vector<int> ranks(n, 0);
  std::vector<double> smallest_y;
  for (size_t i = 0; i < n; ++i) {
    const Point2& p = points[i];
    if (i > 0 && points[i - 1].x == p.x && points[i - 1].y == p.y) {
      ranks[static_cast<size_t>(p.index)] = ranks[static_cast<size_t>(points[i - 1].index)];
      continue;
    }
    const auto front = std::upper_bound(smallest_y.begin(), smallest_y.end(), p.y);
    ranks[static_cast<size_t>(p.index)] = static_cast<int>(front - smallest_y.begin());
    if (front == smallest_y.end()) {
      smallest_y.push_back(p.y);
    } else {
      *front = p.y;
    }
  }
  return ranks;
}

/// The minimal (y, z) of a front: z falls as y grows.
class Staircase {
 public:
  bool Dominates(double y, double z) const {
    auto after = steps_.upper_bound(y);
    return after != steps_.begin() && std::prev(after)->second <= z;
  }
  /// Requires !Dominates(y, z).
  void Insert(double y, double z) {
    auto at = steps_.lower_bound(y);
    while (at != steps_.end() && at->second >= z) at = steps_.erase(at);
    steps_.emplace(y, z);
  }

 private:
  absl::btree_map<double, double> steps_;
};

struct Point3 {
  double x, y, z;
  int index;
};

std::vector<int> RanksOfThree(absl::Span<const double> objectives) {
  const size_t n = objectives.size() / 3;
  std::vector<Point3> points(n);
  for (size_t i = 0; i < n; ++i)
    points[i] = {Clean(objectives[3 * i]), Clean(objectives[3 * i + 1]), Clean(objectives[3 * i + 2]), static_cast<int>(i)};
  std::sort(points.begin(), points.end(),
            [](const Point3& a, const Point3& b) { return std::tie(a.x, a.y, a.z) < std::tie(b.x, b.y, b.z); });
  std::vector<int> ranks(n, 0);
  std::vector<Staircase> fronts;
  for (size_t i = 0; i < n; ++i) {
    const Point3& p = points[i];
    if (i > 0 && points[i - 1].x == p.x && points[i - 1].y == p.y && points[i - 1].z == p.z) {
      ranks[static_cast<size_t>(p.index)] = ranks[static_cast<size_t>(points[i - 1].index)];
      continue;
    }
    const int front =
        FirstFront(static_cast<int>(fronts.size()), [&](int k) { return fronts[static_cast<size_t>(k)].Dominates(p.y, p.z); });
    if (front == static_cast<int>(fronts.size())) fronts.emplace_back();
    fronts[static_cast<size_t>(front)].Insert(p.y, p.z);
    ranks[static_cast<size_t>(p.index)] = front;
  }
  return ranks;
}

/// Row-major copy without NaN.
std::vector<double> CleanCopy(absl::Span<const double> objectives) {
  std::vector<double> clean(objectives.size());
  std::transform(objectives.begin(), objectives.end(), clean.begin(), Clean);
  return clean;
}

std::vector<int> RanksOfMany(absl::Span<const double> objectives, int num_objectives) {
  const auto m = static_cast<size_t>(num_objectives);
  const std::vector<double> clean = CleanCopy(objectives);
  const auto row = [&](int i) { return clean.data() + static_cast<size_t>(i) * m; };
  std::vector<int> order(clean.size() / m);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return std::lexicographical_compare(row(a), row(a) + m, row(b), row(b) + m); });
  std::vector<int> ranks(order.size(), 0);
  std::vector<std::vector<int>> fronts;
  for (size_t i = 0; i < order.size(); ++i) {
    const double* point = row(order[i]);
    if (i > 0 && std::equal(point, point + m, row(order[i - 1]))) {
      ranks[static_cast<size_t>(order[i])] = ranks[static_cast<size_t>(order[i - 1])];
      continue;
    }
    const auto dominated_by = [&](int k) {
      const std::vector<int>& front = fronts[static_cast<size_t>(k)];
      // Recent members are the closest in the sorted order, hence the likeliest to dominate. The first objective needs no comparison.
      return std::any_of(front.rbegin(), front.rend(), [&](int j) {
        const double* other = row(j);
        for (size_t k2 = 1; k2 < m; ++k2) {
          if (other[k2] > point[k2]) return false;
        }
        return true;
      });
    };
    const int front = FirstFront(static_cast<int>(fronts.size()), dominated_by);
    if (front == static_cast<int>(fronts.size())) fronts.emplace_back();
    fronts[static_cast<size_t>(front)].push_back(order[i]);
    ranks[static_cast<size_t>(order[i])] = front;
  }
  return ranks;
}

}  // namespace

bool Dominates(absl::Span<const double> a, absl::Span<const double> b) {
  bool better = false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (Clean(a[i]) > Clean(b[i])) return false;
    better |= Clean(a[i]) < Clean(b[i]);
  }
  return better;
}

bool ConstrainedDominates(const Evaluation& a, const Evaluation& b) {
  if (a.feasible() && b.feasible()) return Dominates(a.objectives, b.objectives);
  return CleanViolation(a.violation) < CleanViolation(b.violation);
}

std::vector<int> NonDominatedRanks(absl::Span<const double> objectives, int num_objectives) {
  if (num_objectives <= 2) return RanksOfTwo(objectives, num_objectives);
  if (num_objectives == 3) return RanksOfThree(objectives);
  return RanksOfMany(objectives, num_objectives);
}

std::vector<int> ConstrainedRanks(absl::Span<const double> objectives, int num_objectives, absl::Span<const double> violations) {
  const auto m = static_cast<size_t>(num_objectives);
  std::vector<int> feasible;
  std::vector<int> infeasible;
  for (size_t i = 0; i < violations.size(); ++i)
    (CleanViolation(violations[i]) == 0 ? feasible : infeasible).push_back(static_cast<int>(i));
  if (infeasible.empty()) return NonDominatedRanks(objectives, num_objectives);

  std::vector<double> kept;
  kept.reserve(feasible.size() * m);
  for (const int i : feasible)
    kept.insert(kept.end(), objectives.begin() + static_cast<ptrdiff_t>(i * m), objectives.begin() + static_cast<ptrdiff_t>((i + 1) * m));
  const std::vector<int> inner = NonDominatedRanks(kept, num_objectives);
  std::vector<int> ranks(violations.size(), 0);
  int next = 0;
  for (size_t i = 0; i < feasible.size(); ++i) {
    ranks[static_cast<size_t>(feasible[i])] = inner[i];
    next = std::max(next, inner[i] + 1);
  }
  const auto violation = [&](int i) { return CleanViolation(violations[static_cast<size_t>(i)]); };
  std::sort(infeasible.begin(), infeasible.end(), [&](int a, int b) { return violation(a) < violation(b); });
  for (size_t i = 0; i < infeasible.size(); ++i) {
    if (i > 0 && violation(infeasible[i]) != violation(infeasible[i - 1])) ++next;
    ranks[static_cast<size_t>(infeasible[i])] = next;
  }
  return ranks;
}

std::vector<int> ConstrainedRanks(absl::Span<const Individual> individuals) {
  if (individuals.empty()) return {};
  const size_t m = individuals[0].evaluation.objectives.size();
  std::vector<double> objectives;
  std::vector<double> violations;
  objectives.reserve(individuals.size() * m);
  violations.reserve(individuals.size());
  for (const Individual& individual : individuals) {
    objectives.insert(objectives.end(), individual.evaluation.objectives.begin(), individual.evaluation.objectives.end());
    violations.push_back(individual.evaluation.violation);
  }
  return ConstrainedRanks(objectives, static_cast<int>(m), violations);
}

std::vector<std::vector<int>> FrontsOf(absl::Span<const int> ranks) {
  std::vector<std::vector<int>> fronts;
  for (size_t i = 0; i < ranks.size(); ++i) {
    const auto rank = static_cast<size_t>(ranks[i]);
    if (fronts.size() <= rank) fronts.resize(rank + 1);
    fronts[rank].push_back(static_cast<int>(i));
  }
  return fronts;
}

std::vector<double> CrowdingDistances(absl::Span<const double> objectives, int num_objectives, absl::Span<const int> members) {
  const auto m = static_cast<size_t>(num_objectives);
  const auto value = [&](int position, size_t k) {
    return Clean(objectives[static_cast<size_t>(members[static_cast<size_t>(position)]) * m + k]);
  };
  const auto compare_rows = [&](int a, int b) {
    for (size_t k = 0; k < m; ++k) {
      if (value(a, k) != value(b, k)) return value(a, k) < value(b, k) ? -1 : 1;
    }
    return 0;
  };
  std::vector<int> distinct(members.size());
  std::iota(distinct.begin(), distinct.end(), 0);
  std::stable_sort(distinct.begin(), distinct.end(), [&](int a, int b) { return compare_rows(a, b) < 0; });
  distinct.erase(std::unique(distinct.begin(), distinct.end(), [&](int a, int b) { return compare_rows(a, b) == 0; }), distinct.end());

  std::vector<double> distances(members.size(), 0.0);
  if (distinct.size() <= 2) {
    for (const int i : distinct) distances[static_cast<size_t>(i)] = kInfinity;
    return distances;
  }
  std::vector<int> order;
  for (size_t k = 0; k < m; ++k) {
    order = distinct;  // in lexicographic order, which a stable sort keeps among equal values
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return value(a, k) < value(b, k); });
    const double range = value(order.back(), k) - value(order.front(), k);
    if (!(std::isfinite(range) && range > 0)) continue;
    distances[static_cast<size_t>(order.front())] = kInfinity;
    distances[static_cast<size_t>(order.back())] = kInfinity;
    for (size_t i = 1; i + 1 < order.size(); ++i)
      distances[static_cast<size_t>(order[i])] += (value(order[i + 1], k) - value(order[i - 1], k)) / range;
  }
  return distances;
}

}  // namespace hanas
