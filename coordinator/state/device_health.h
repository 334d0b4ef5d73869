// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STATE_DEVICE_HEALTH_H_
#define HANAS_COORDINATOR_STATE_DEVICE_HEALTH_H_

#include "coordinator/store/records.h"

namespace hanas::coordinator {

// What a device's measurements say about the device. Agents time a canary kernel around everything they measure; its worst time over its
// baseline comes with every result, after rounds that it disturbed were repeated as often as the protocol allows. So a ratio above
// kSlowCanary means that the host stayed slow. Pure.

inline constexpr double kSlowCanary = 1.10;
/// Measuring tasks in a row with a slow canary, until the device is quarantined.
inline constexpr int kSlowCanariesToQuarantine = 3;

/// The host's state while measuring, null for other outcomes.
const HostObservation* HostObservationOf(const Outcome& outcome);

/// Takes in one more measurement. True when the device is quarantined from now on: it stays so, whatever it measures, until
/// ClearQuarantine.
bool ObserveHost(const HostObservation& host, PartyRecord& device);

/// A quarantined device gets another chance: its health is unknown again.
void ClearQuarantine(PartyRecord& device);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_DEVICE_HEALTH_H_
