// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_ENCODING_ENCODING_H_
#define HANAS_CORE_ENCODING_ENCODING_H_

#include <vector>

#include "core/space/search_space.h"

namespace hanas {

/// Length of the encoding: the sum over genes with more than one choice of their number of choices.
int EncodingSize(const SearchSpace& space);

/// What the accuracy predictor sees: one-hot choices of every gene with more than one, precision genes included; inactive genes are all
/// zeros (Once-for-All, Cai et al. 2020, appendix A; that a joint search must encode bits is a lesson of APQ's released code). Values are 0
/// and 1.
std::vector<float> Encode(const SearchSpace& space, const Architecture& architecture);

}  // namespace hanas

#endif  // HANAS_CORE_ENCODING_ENCODING_H_
