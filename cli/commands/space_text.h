// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_SPACE_TEXT_H_
#define HANAS_CLI_COMMANDS_SPACE_TEXT_H_

#include <string>

#include "core/space/search_space.h"

namespace hanas::cli {

/// How many networks a space has: "12", "10^8.3". Thread-safe.
std::string FormatNumNetworks(const SearchSpace& space);

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_SPACE_TEXT_H_
