// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SERVICE_PLAIN_FAMILIES_H_
#define HANAS_COORDINATOR_SERVICE_PLAIN_FAMILIES_H_

#include <vector>

#include "core/family/convnet/scaled.h"

namespace hanas::coordinator {

/// The families that searches are compared with which ask for it, from the presets that ship with the program: a dense one, which also gets
/// the whole compute of a search for one network, and one of inverted residuals.
std::vector<PlainFamily> PlainFamilies();

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SERVICE_PLAIN_FAMILIES_H_
