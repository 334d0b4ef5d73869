// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <set>
#include <tuple>

#include "coordinator/calibration/calibration.h"

namespace hanas {
namespace {

/// What makes two operators run through different kernels, whatever their extents.
using OpClass = std::tuple<OpKind, int, bool, FusedActivation, ElementType, ElementType>;

std::set<OpClass> ClassesOf(const ExecPlan& plan) {
  std::set<OpClass> classes;
  for (const ExecStep& step : plan.steps) {
    const OpKey& key = step.key;
    classes.emplace(key.kind, key.kernel, key.groups > 1, key.activation, key.input_type, key.weight_type);
  }
  return classes;
}

size_t NumNew(const std::set<OpClass>& classes, const std::set<OpClass>& covered) {
  return static_cast<size_t>(std::count_if(classes.begin(), classes.end(), [&](const OpClass& c) { return !covered.contains(c); }));
}

}  // namespace

std::vector<int> ChooseCalibrationNetworks(absl::Span<const CalibrationCandidate> candidates, int count) {
  std::vector<int> order(candidates.size());
  std::iota(order.begin(), order.end(), 0);
  const auto latency = [&](int i) {
    const double us = candidates[static_cast<size_t>(i)].predicted_us;
    return std::isnan(us) ? std::numeric_limits<double>::infinity() : us;
  };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return latency(a) < latency(b); });
  const auto wanted = static_cast<size_t>(std::max(0, count));
  if (order.size() <= wanted) return order;
  if (wanted == 0) return {};
  if (wanted == 1) return {order[order.size() / 2]};

  std::set<OpClass> covered;
  std::vector<int> chosen;
  const auto choose = [&](int i) {
    chosen.push_back(i);
    covered.merge(ClassesOf(candidates[static_cast<size_t>(i)].plan));
  };
  choose(order.front());
  choose(order.back());
  // The others, in as many runs of neighbours as networks are still wanted.
  const size_t num_inner = order.size() - 2;
  const size_t num_runs = wanted - 2;
  for (size_t run = 0; run < num_runs; ++run) {
    const size_t begin = 1 + run * num_inner / num_runs;
    const size_t end = 1 + (run + 1) * num_inner / num_runs;
    size_t best = begin + (end - begin) / 2;
    size_t best_new = NumNew(ClassesOf(candidates[static_cast<size_t>(order[best])].plan), covered);
    for (size_t i = begin; i < end; ++i) {
      const size_t num_new = NumNew(ClassesOf(candidates[static_cast<size_t>(order[i])].plan), covered);
      if (num_new > best_new) {
        best = i;
        best_new = num_new;
      }
    }
    choose(order[best]);
  }
  std::stable_sort(chosen.begin(), chosen.end(), [&](int a, int b) { return latency(a) < latency(b); });
  return chosen;
}

}  // namespace hanas
