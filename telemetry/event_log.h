// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TELEMETRY_EVENT_LOG_H_
#define HANAS_TELEMETRY_EVENT_LOG_H_

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace hanas::telemetry {

// The log of a process: one event is one line on standard error, with a name and fields. Events about a search, a task or a party have the
// fields `search` ("searches/7"), `task` ("tasks/12") and `party` ("workers/3"). Nothing secret belongs in a field.
//
//   text   2026-01-31T12:00:00.000000Z WARNING lease_expired search="searches/7" task="tasks/12"
//   json   {"time":"2026-01-31T12:00:00.000000Z","severity":"WARNING","event":"lease_expired","search":"searches/7","task":"tasks/12"}
//
// What libraries log through Abseil comes out in the same form, as the event "log" with the fields `message` and `source`.

enum class Severity { kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

using Field = std::pair<absl::string_view, std::string>;

/// Thread-safe. Event names are lower case with underscores.
void LogEvent(Severity severity, absl::string_view event, std::initializer_list<Field> fields);
void LogEvent(Severity severity, absl::string_view event, const std::vector<Field>& fields);

/// Below `minimum` nothing is written. From then on Abseil's log is written in the same form. Once, before other threads are started;
/// without it the format is text and everything is written.
void StartLog(LogFormat format, Severity minimum);

/// One line, without its newline. Bytes that are not UTF-8 become U+FFFD, control characters are escaped.
std::string FormatEvent(LogFormat format, absl::Time time, Severity severity, absl::string_view event, const std::vector<Field>& fields);

/// Lets the first of equal events through, and then one in each interval, with the number of those between as the field `repeated`: a
/// coordinator that is away must not fill a disk. `now` is any clock's. Thread-safe.
class EventLimiter {
 public:
  explicit EventLimiter(absl::Duration interval = absl::Seconds(30)) : interval_(interval) {}

  /// How many were held back since the last one that passed, when this one may pass. `key` is what makes events equal.
  std::optional<int> Admit(absl::string_view key, absl::Duration now);
  /// LogEvent, when admitted.
  void Log(absl::Duration now, Severity severity, absl::string_view event, std::vector<Field> fields);
  /// Forgets: the next one passes. To be called when the trouble is over.
  void Reset();

 private:
  struct Seen {
    absl::Duration last;
    int held_back = 0;
  };

  const absl::Duration interval_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Seen> seen_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hanas::telemetry

#endif  // HANAS_TELEMETRY_EVENT_LOG_H_
