// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_REPORT_REPORT_SVG_H_
#define HANAS_CLI_REPORT_REPORT_SVG_H_

#include <string>

#include "absl/strings/string_view.h"
#include "hanas/v1/search.pb.h"

namespace hanas::cli {

/// The front as a drawing: test accuracy over measured latency, one standard deviation as bars, members joined, references as squares, the
/// latency limit as a line. A self-contained SVG 1.1 document. Pure; members without a latency are left out. Thread-safe.
std::string RenderFrontSvg(const v1::Report& report);

/// `text` with the characters that XML reserves written as entities; control characters are dropped.
std::string EscapeXml(absl::string_view text);

}  // namespace hanas::cli

#endif  // HANAS_CLI_REPORT_REPORT_SVG_H_
