// SPDX-License-Identifier: Apache-2.0
#include "core/statistics/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

namespace hanas {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

bool HasNan(absl::Span<const double> values) {
  return std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
}

bool CanCorrelate(absl::Span<const double> a, absl::Span<const double> b) {
  return a.size() == b.size() && a.size() >= 2 && !HasNan(a) && !HasNan(b);
}

/// Pairs among runs of equal neighbours: sum of t (t - 1) / 2.
template <typename Equal>
int64_t TiedPairs(size_t n, Equal equal_to_previous) {
  int64_t pairs = 0;
  int64_t run = 1;
  for (size_t i = 1; i < n; ++i) {
    run = equal_to_previous(i) ? run + 1 : 1;
    pairs += run - 1;
  }
  return pairs;
}

/// Sorts `values` and returns how many pairs were out of order (merge sort, bottom up).
int64_t SortCountingInversions(std::vector<double>& values) {
  std::vector<double> merged(values.size());
  int64_t inversions = 0;
  for (size_t width = 1; width < values.size(); width *= 2) {
    for (size_t begin = 0; begin < values.size(); begin += 2 * width) {
      const size_t middle = std::min(begin + width, values.size());
      const size_t end = std::min(begin + 2 * width, values.size());
      size_t left = begin;
      size_t right = middle;
      for (size_t out = begin; out < end; ++out) {
        if (left < middle && (right == end || values[left] <= values[right])) {
          merged[out] = values[left++];
        } else {
          merged[out] = values[right++];
          inversions += static_cast<int64_t>(middle - left);
        }
      }
    }
    std::swap(values, merged);
  }
  return inversions;
}

double Interpolate(double low, double high, double weight) {
  if (weight == 0 || low == high) return low;  // also keeps infinities from meeting a zero weight
  return low + (high - low) * weight;
}

}  // namespace

double Mean(absl::Span<const double> values) {
  if (values.empty()) return kUndefined;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double StandardDeviation(absl::Span<const double> values) {
  if (values.size() < 2) return kUndefined;
  const double mean = Mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double CoefficientOfVariation(absl::Span<const double> values) {
  const double mean = Mean(values);
  return mean == 0 ? kUndefined : StandardDeviation(values) / std::abs(mean);
}

double Quantile(absl::Span<const double> values, double fraction) {
  if (values.empty() || !(fraction >= 0 && fraction <= 1) || HasNan(values)) return kUndefined;
  std::vector<double> copy(values.begin(), values.end());
  const double position = fraction * static_cast<double>(copy.size() - 1);
  const auto low = static_cast<size_t>(position);
  const auto at = copy.begin() + static_cast<ptrdiff_t>(low);
  std::nth_element(copy.begin(), at, copy.end());
  if (low + 1 == copy.size()) return *at;
  return Interpolate(*at, *std::min_element(at + 1, copy.end()), position - static_cast<double>(low));
}

double QuantileOfSorted(absl::Span<const double> sorted, double fraction) {
  if (sorted.empty() || !(fraction >= 0 && fraction <= 1) || HasNan(sorted)) return kUndefined;
  const double position = fraction * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(position);
  if (low + 1 == sorted.size()) return sorted[low];
  return Interpolate(sorted[low], sorted[low + 1], position - static_cast<double>(low));
}

std::vector<double> AverageRanks(absl::Span<const double> values) {
  std::vector<double> ranks(values.size(), kUndefined);
  if (HasNan(values)) return ranks;
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double shared = (static_cast<double>(begin + end) + 1) / 2;
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = shared;
    begin = end;
  }
  return ranks;
}

double KendallTauB(absl::Span<const double> a, absl::Span<const double> b) {
  if (!CanCorrelate(a, b)) return kUndefined;
  const size_t n = a.size();
  std::vector<std::pair<double, double>> pairs(n);
  for (size_t i = 0; i < n; ++i) pairs[i] = {a[i], b[i]};
  std::sort(pairs.begin(), pairs.end());
  const int64_t tied_a = TiedPairs(n, [&](size_t i) { return pairs[i].first == pairs[i - 1].first; });
  const int64_t tied_both = TiedPairs(n, [&](size_t i) { return pairs[i] == pairs[i - 1]; });
  std::vector<double> second(n);
  for (size_t i = 0; i < n; ++i) second[i] = pairs[i].second;
  const int64_t discordant = SortCountingInversions(second);
  const int64_t tied_b = TiedPairs(n, [&](size_t i) { return second[i] == second[i - 1]; });
  const int64_t all = static_cast<int64_t>(n) * (static_cast<int64_t>(n) - 1) / 2;
  if (tied_a == all || tied_b == all) return kUndefined;
  const int64_t difference = all - tied_a - tied_b + tied_both - 2 * discordant;
  return static_cast<double>(difference) / (std::sqrt(static_cast<double>(all - tied_a)) * std::sqrt(static_cast<double>(all - tied_b)));
}

double SpearmanRho(absl::Span<const double> a, absl::Span<const double> b) {
  if (!CanCorrelate(a, b)) return kUndefined;
  const std::vector<double> ranks_a = AverageRanks(a);
  const std::vector<double> ranks_b = AverageRanks(b);
  const double mean = (static_cast<double>(a.size()) + 1) / 2;
  double covariance = 0;
  double variance_a = 0;
  double variance_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    covariance += (ranks_a[i] - mean) * (ranks_b[i] - mean);
    variance_a += (ranks_a[i] - mean) * (ranks_a[i] - mean);
    variance_b += (ranks_b[i] - mean) * (ranks_b[i] - mean);
  }
  if (variance_a == 0 || variance_b == 0) return kUndefined;
  return covariance / (std::sqrt(variance_a) * std::sqrt(variance_b));
}

}  // namespace hanas
