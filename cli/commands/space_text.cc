// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/space_text.h"

#include "absl/strings/str_format.h"

namespace hanas::cli {

std::string FormatNumNetworks(const SearchSpace& space) {
  constexpr long double kCounted = 1e6L;
  const long double networks = space.NumNetworks();
  return networks < kCounted ? absl::StrFormat("%.0f", static_cast<double>(networks)) : absl::StrFormat("10^%.1f", space.Log10Size());
}

}  // namespace hanas::cli
