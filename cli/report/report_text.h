// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_REPORT_REPORT_TEXT_H_
#define HANAS_CLI_REPORT_REPORT_TEXT_H_

#include <string>

#include "hanas/v1/search.pb.h"

namespace hanas::cli {

/// The last screen: what was searched and where, the front, the references, what the search won, what decided, how far the figures can be
/// trusted, where the time went, what to try next. Pure; a figure that the report does not hold is left out, not shown as zero.
/// Thread-safe.
std::string RenderReport(const v1::Report& report);

}  // namespace hanas::cli

#endif  // HANAS_CLI_REPORT_REPORT_TEXT_H_
