// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/device_health.h"

#include <variant>

namespace hanas::coordinator {

const HostObservation* HostObservationOf(const Outcome& outcome) {
  if (const auto* operators = std::get_if<MeasureOperatorsOutcome>(&outcome)) return &operators->host;
  if (const auto* networks = std::get_if<MeasureNetworksOutcome>(&outcome)) return &networks->host;
  if (const auto* verified = std::get_if<VerifyOutcome>(&outcome)) return &verified->host;
  return nullptr;
}

bool ObserveHost(const HostObservation& host, PartyRecord& device) {
  device.last_host = host;
  device.slow_canaries = host.canary_ratio > kSlowCanary ? device.slow_canaries + 1 : 0;
  if (device.health == DeviceHealth::kQuarantined) return false;
  device.health = device.slow_canaries == 0                          ? DeviceHealth::kHealthy
                  : device.slow_canaries < kSlowCanariesToQuarantine ? DeviceHealth::kThrottled
                                                                     : DeviceHealth::kQuarantined;
  return device.health == DeviceHealth::kQuarantined;
}

void ClearQuarantine(PartyRecord& device) {
  if (device.health != DeviceHealth::kQuarantined) return;
  device.health = DeviceHealth::kUnknown;
  device.slow_canaries = 0;
}

}  // namespace hanas::coordinator
