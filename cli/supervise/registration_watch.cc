// SPDX-License-Identifier: Apache-2.0
#include "cli/supervise/registration_watch.h"

#include <algorithm>

namespace hanas::cli {

bool RegistrationWatch::Awaits(absl::string_view name, int start) const {
  const auto found = processes_.find(std::string(name));
  return found == processes_.end() || found->second.start != start || !found->second.registered;
}

RegistrationWatch::Verdict RegistrationWatch::Observe(absl::string_view name, int start, bool registered, absl::Duration now) {
  Awaited& process = processes_[std::string(name)];
  if (process.start != start) process = {.start = start, .last = now};
  process.registered = process.registered || registered;
  if (process.registered) return Verdict::kFine;
  process.waited += std::min(now - process.last, options_.longest_step);
  process.last = now;
  if (process.waited >= options_.give_up_after) return Verdict::kGivenUp;
  if (process.said || process.waited < options_.say_after) return Verdict::kFine;
  process.said = true;
  return Verdict::kLate;
}

}  // namespace hanas::cli
