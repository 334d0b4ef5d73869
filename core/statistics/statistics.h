// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_STATISTICS_STATISTICS_H_
#define HANAS_CORE_STATISTICS_STATISTICS_H_

#include <vector>

#include "absl/types/span.h"

namespace hanas {

// Summary statistics and rank correlation. All are pure functions. NaN policy: a NaN anywhere in the input, or an input on which the
// statistic is not defined (named with each function), gives NaN; infinities are ordinary values in the order.

/// Arithmetic mean; NaN for no values.
double Mean(absl::Span<const double> values);
/// Sample standard deviation (divisor n - 1), in two passes; NaN below two values.
double StandardDeviation(absl::Span<const double> values);
/// StandardDeviation / |Mean|; NaN below two values or for a mean of 0.
double CoefficientOfVariation(absl::Span<const double> values);

/// The quantile at `fraction` in [0, 1], interpolated linearly between order statistics (type 7 of Hyndman and Fan 1996, the default of R
/// and NumPy): Quantile({1, 2, 3, 4}, 0.25) is 1.75. NaN for no values or a fraction outside [0, 1]. O(n).
double Quantile(absl::Span<const double> values, double fraction);
inline double Median(absl::Span<const double> values) { return Quantile(values, 0.5); }
/// The same for values already in ascending order. O(1).
double QuantileOfSorted(absl::Span<const double> sorted, double fraction);

/// 1-based ranks; equal values share the mean of their ranks. O(n log n). NaNs are not allowed (see policy: callers get all NaN).
std::vector<double> AverageRanks(absl::Span<const double> values);

/// Kendall's tau-b, which corrects for ties (Kendall 1945), in O(n log n) (Knight 1966). NaN for different lengths, below two pairs, or
/// when one side is constant.
double KendallTauB(absl::Span<const double> a, absl::Span<const double> b);
/// Spearman's rank correlation: Pearson's of the average ranks. NaN as for KendallTauB.
double SpearmanRho(absl::Span<const double> a, absl::Span<const double> b);

}  // namespace hanas

#endif  // HANAS_CORE_STATISTICS_STATISTICS_H_
