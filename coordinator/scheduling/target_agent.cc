// SPDX-License-Identifier: Apache-2.0
#include "coordinator/scheduling/target_agent.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/state/updates.h"

namespace hanas::coordinator {
namespace {

/// The names of classes of devices begin with this (DeviceClassName), which tells them from names of devices.
constexpr absl::string_view kClassPrefix = "class-";

bool IsOfKindOrClass(const PartyRecord& agent, const std::string& target) {
  return agent.device.device == target || DeviceClassName(ContextDigest(agent.device, agent.caps)) == target;
}

/// Those that the target's name means, whatever their runtime and state.
std::vector<const PartyRecord*> AgentsMeant(const State& state, const std::string& target) {
  if (const PartyRecord* named = state.FindParty(FindPartyId(state, /*agent=*/true, target)); named != nullptr) return {named};
  std::vector<const PartyRecord*> meant;
  for (const auto& [id, party] : state.parties) {
    if (party.agent && IsOfKindOrClass(party, target)) meant.push_back(&party);
  }
  return meant;
}

}  // namespace

const PartyRecord* FindTargetAgent(const State& state, const TargetSpec& target) {
  const PartyRecord* second_choice = nullptr;
  for (const PartyRecord* agent : AgentsMeant(state, target.device)) {
    if (agent->caps.name != target.backend) continue;
    if (agent->name == target.device) return agent;
    if (agent->draining) continue;
    if (agent->health != DeviceHealth::kQuarantined) return agent;
    if (second_choice == nullptr) second_choice = agent;
  }
  return second_choice;
}

std::string ExplainMissingAgent(const State& state, const TargetSpec& target) {
  const std::vector<const PartyRecord*> meant = AgentsMeant(state, target.device);
  if (!meant.empty()) {
    const PartyRecord& agent = *meant.front();
    if (agent.caps.name != target.backend) {
      return absl::StrCat("the device \"", agent.name, "\" measures with ", agent.caps.name, ", and target.backend is ", target.backend,
                          ": start a hanas-profiler-agent with that backend on it, or submit the search with target.backend ",
                          agent.caps.name);
    }
    return absl::StrCat("every device that target.device \"", target.device,
                        "\" means drains: end the draining of one (hanas drain --undo)");
  }
  if (absl::StartsWith(target.device, kClassPrefix)) {
    return absl::StrCat(
        "no device of the class \"", target.device,
        "\" is registered: start hanas-profiler-agent on a device with the processor, threads, governor and runtime that this "
        "class was measured with (hanas devices shows each device's class)");
  }
  return absl::StrCat("no device named \"", target.device, "\" and none of that kind is registered: start hanas-profiler-agent --name ",
                      target.device, " on it");
}

}  // namespace hanas::coordinator
