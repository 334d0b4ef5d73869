// SPDX-License-Identifier: Apache-2.0
#include "telemetry/event_log.h"

#include "absl/log/log.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace hanas::telemetry {

std::string FormatEvent(absl::string_view event, std::initializer_list<std::pair<absl::string_view, std::string>> fields) {
  std::string line = absl::StrCat("event=", event);
  for (const auto& [name, value] : fields) absl::StrAppend(&line, " ", name, "=\"", absl::Utf8SafeCEscape(value), "\"");
  return line;
}

void LogEvent(Severity severity, absl::string_view event, std::initializer_list<std::pair<absl::string_view, std::string>> fields) {
  const std::string line = FormatEvent(event, fields);
  switch (severity) {
    case Severity::kInfo:
      LOG(INFO) << line;
      break;
    case Severity::kWarning:
      LOG(WARNING) << line;
      break;
    case Severity::kError:
      LOG(ERROR) << line;
      break;
  }
}

}  // namespace hanas::telemetry
