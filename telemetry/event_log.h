// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TELEMETRY_EVENT_LOG_H_
#define HANAS_TELEMETRY_EVENT_LOG_H_

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace hanas::telemetry {

enum class Severity { kInfo, kWarning, kError };

/// One structured line on standard error: time, severity, event name and fields, "event=lease_expired task=\"train/3\"". Event names are
/// lower case with underscores; values are quoted and escaped, so that one event is one line. Nothing secret belongs in a field.
/// Thread-safe.
void LogEvent(Severity severity, absl::string_view event, std::initializer_list<std::pair<absl::string_view, std::string>> fields);

/// The same without time and severity: for tests.
std::string FormatEvent(absl::string_view event, std::initializer_list<std::pair<absl::string_view, std::string>> fields);

}  // namespace hanas::telemetry

#endif  // HANAS_TELEMETRY_EVENT_LOG_H_
