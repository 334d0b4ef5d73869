// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SERVICE_PLAIN_NETWORKS_H_
#define HANAS_COORDINATOR_SERVICE_PLAIN_NETWORKS_H_

#include "core/family/convnet/scaled.h"

namespace hanas::coordinator {

/// What searches need of the presets that ship with the program: the families that they are compared with, a dense one, which also gets the
/// whole compute of a search for one network, and one of inverted residuals; and the network that teaches.
PlainNetworks PlainNetworksOfPresets();

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SERVICE_PLAIN_NETWORKS_H_
