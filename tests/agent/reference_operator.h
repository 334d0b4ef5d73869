// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_AGENT_REFERENCE_OPERATOR_H_
#define HANAS_TESTS_AGENT_REFERENCE_OPERATOR_H_

#include <array>
#include <vector>

#include "core/bound/bound_model.h"
#include "core/plan/op_key.h"

namespace hanas {

/// What an operator means, element by element in double precision: the yardstick for backends. Inputs and outputs are real numbers; int8
/// inputs must be representable by their quantisers, int8 outputs are rounded to theirs.
struct ReferenceCase {
  OpKey key;
  std::array<Quantizer, 2> input_quantizers;
  Quantizer output_quantizer;
  BoundWeights weights;
  std::array<std::vector<float>, 2> inputs;
};
std::vector<double> ReferenceOutput(const ReferenceCase& c);

}  // namespace hanas

#endif  // HANAS_TESTS_AGENT_REFERENCE_OPERATOR_H_
