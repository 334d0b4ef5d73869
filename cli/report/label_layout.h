// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_REPORT_LABEL_LAYOUT_H_
#define HANAS_CLI_REPORT_LABEL_LAYOUT_H_

#include <vector>

namespace hanas::cli {

/// A rectangle of a drawing, y downwards.
struct Box {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;

  /// The area that both cover; 0 when they only touch.
  double Overlap(const Box& other) const;
};

/// A point that gets a label of this size.
struct LabelledPoint {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

/// Where the label of each point goes, in order: beside its point, further off where that is taken, so that labels overlap neither one
/// another nor the `obstacles` as far as there is room, and stay within `bounds`. Greedy in the order of the points, which is what a front
/// of a dozen members needs; O(n² k) for k tried places. Pure. Thread-safe.
std::vector<Box> PlaceLabels(const std::vector<LabelledPoint>& points, const std::vector<Box>& obstacles, const Box& bounds);

}  // namespace hanas::cli

#endif  // HANAS_CLI_REPORT_LABEL_LAYOUT_H_
