// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SEARCH_EVALUATION_H_
#define HANAS_COORDINATOR_SEARCH_EVALUATION_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "core/space/search_space.h"

namespace hanas {

/// What is known of a candidate: objectives, all minimised (accuracy enters as error), and how far it is outside its limits in all: 0 when
/// feasible, else the sum over limits of (value - limit) / limit.
///
/// NaN policy of this folder: a NaN objective or violation counts as +infinity, so that a candidate whose evaluation failed loses to any
/// other and needs no special case. A negative violation counts as 0.
struct Evaluation {
  absl::InlinedVector<double, 4> objectives;
  double violation = 0;

  bool feasible() const { return violation <= 0; }  // false for NaN
  friend bool operator==(const Evaluation&, const Evaluation&) = default;
};

struct Individual {
  Architecture architecture;
  Evaluation evaluation;
  friend bool operator==(const Individual&, const Individual&) = default;
};

/// Fills `evaluations[i]` for `architectures[i]` (canonical). Must be a pure function: the searches rely on it for repeatability.
using BatchScorer = std::function<void(absl::Span<const Architecture> architectures, absl::Span<Evaluation> evaluations)>;

}  // namespace hanas

#endif  // HANAS_COORDINATOR_SEARCH_EVALUATION_H_
