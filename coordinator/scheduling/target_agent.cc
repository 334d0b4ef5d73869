// SPDX-License-Identifier: Apache-2.0
#include "coordinator/scheduling/target_agent.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/state/updates.h"
#include "core/base/quantity.h"

namespace hanas::coordinator {
namespace {

/// The names of classes of devices begin with this (DeviceClassName), which tells them from names of devices.
constexpr absl::string_view kClassPrefix = "class-";

bool IsOfKindOrClass(const PartyRecord& agent, const std::string& target) {
  return agent.device.device == target || DeviceClassName(ContextDigest(agent.device, agent.caps)) == target;
}

/// Those that the target's device means, whatever their runtime, threads and state; the one of that name first.
std::vector<const PartyRecord*> AgentsMeant(const State& state, const std::string& target) {
  std::vector<const PartyRecord*> meant;
  const uint64_t named = FindPartyId(state, /*agent=*/true, target);
  if (named != 0) meant.push_back(state.FindParty(named));
  for (const auto& [id, party] : state.parties) {
    if (party.agent && id != named && IsOfKindOrClass(party, target)) meant.push_back(&party);
  }
  return meant;
}

bool Fits(const PartyRecord& agent, const TargetSpec& target) {
  return agent.caps.name == target.backend && (target.threads == 0 || agent.device.threads == target.threads);
}

/// How a target asks for what it does not find, in the words of its agents' flags.
std::string FlagsFor(const TargetSpec& target) {
  return absl::StrCat("--backend ", target.backend, target.threads > 0 ? absl::StrCat(" --threads ", target.threads) : "");
}

}  // namespace

const PartyRecord* FindTargetAgent(const State& state, const TargetSpec& target) {
  const PartyRecord* second_choice = nullptr;
  for (const PartyRecord* agent : AgentsMeant(state, target.device)) {
    if (!Fits(*agent, target)) continue;
    if (agent->name == target.device) return agent;
    if (agent->draining) continue;
    if (agent->health != DeviceHealth::kQuarantined) return agent;
    if (second_choice == nullptr) second_choice = agent;
  }
  return second_choice;
}

std::string ExplainMissingAgent(const State& state, const TargetSpec& target) {
  const std::vector<const PartyRecord*> meant = AgentsMeant(state, target.device);
  if (std::any_of(meant.begin(), meant.end(), [&](const PartyRecord* agent) { return Fits(*agent, target); })) {
    return absl::StrCat("every device that the target \"", target.device, "\" means drains: end the draining of one (hanas drain --undo)");
  }
  if (!meant.empty()) {
    const PartyRecord& agent = *meant.front();
    const auto with = [&](absl::string_view backend, int threads) {
      return target.threads > 0 ? absl::StrCat(backend, " and ", FormatThreads(threads)) : std::string(backend);
    };
    return absl::StrCat("the device \"", agent.name, "\" measures with ", with(agent.caps.name, agent.device.threads),
                        ", and the target asks for ", with(target.backend, target.threads), ": start a hanas-profiler-agent with ",
                        FlagsFor(target), " on it, or submit the search with what it has");
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
