// SPDX-License-Identifier: Apache-2.0
#include "cli/report/label_layout.h"

#include <algorithm>

namespace hanas::cli {
namespace {

constexpr double kGap = 8;    // between a point and its label
constexpr int kMaxRings = 8;  // how far off a label may be moved, in its own heights

double Area(const Box& box) { return (box.right - box.left) * (box.bottom - box.top); }

/// The places that are tried, the nicest first: right above, left above, right below, left below, then the same further up and down.
std::vector<Box> Places(const LabelledPoint& point) {
  std::vector<Box> places;
  const auto add = [&](double left, double top) { places.push_back({left, top, left + point.width, top + point.height}); };
  const double right_of = point.x + kGap;
  const double left_of = point.x - kGap - point.width;
  for (int ring = 0; ring < kMaxRings; ++ring) {
    const double up = point.y - kGap / 2 - point.height - ring * point.height;
    const double down = point.y + kGap / 2 + ring * point.height;
    add(right_of, up);
    add(left_of, up);
    add(right_of, down);
    add(left_of, down);
    add(point.x - point.width / 2, up - kGap / 2);
    add(point.x - point.width / 2, down + kGap / 2);
  }
  return places;
}

}  // namespace

double Box::Overlap(const Box& other) const {
  const double width = std::min(right, other.right) - std::max(left, other.left);
  const double height = std::min(bottom, other.bottom) - std::max(top, other.top);
  return width > 0 && height > 0 ? width * height : 0;
}

std::vector<Box> PlaceLabels(const std::vector<LabelledPoint>& points, const std::vector<Box>& obstacles, const Box& bounds) {
  std::vector<Box> taken = obstacles;
  std::vector<Box> labels;
  for (const LabelledPoint& point : points) {
    Box best;
    double best_cost = -1;
    for (const Box& place : Places(point)) {
      double cost = Area(place) - place.Overlap(bounds);
      for (const Box& other : taken) cost += place.Overlap(other);
      if (best_cost < 0 || cost < best_cost) {
        best = place;
        best_cost = cost;
      }
      if (best_cost == 0) break;
    }
    labels.push_back(best);
    taken.push_back(best);
  }
  return labels;
}

}  // namespace hanas::cli
