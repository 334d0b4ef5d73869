// SPDX-License-Identifier: Apache-2.0
#include "telemetry/event_log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "absl/base/log_severity.h"
#include "absl/log/globals.h"
#include "absl/log/log_entry.h"
#include "absl/log/log_sink.h"
#include "absl/log/log_sink_registry.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "core/base/utf8.h"

namespace hanas::telemetry {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";
// Different events that one limiter tells apart; beyond it, all are forgotten.
constexpr size_t kMaxLimitedKeys = 256;

std::atomic<LogFormat> g_format = LogFormat::kText;
std::atomic<Severity> g_minimum = Severity::kInfo;

absl::string_view NameOf(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "INFO";
    case Severity::kWarning:
      return "WARNING";
    case Severity::kError:
      return "ERROR";
  }
  return "";
}

/// Appends a text as a JSON string; the text form of the log quotes in the same way.
void AppendQuoted(std::string& out, absl::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    const char c = text[0];
    if (length == 0) {
      absl::StrAppend(&out, kReplacement);
    } else if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      absl::StrAppend(&out, "\\n");
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      absl::StrAppend(&out, text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out.push_back('"');
}

/// In one call, so that lines of several threads and processes do not mix.
void WriteLine(std::string line) {
  line.push_back('\n');
  absl::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;  // there is nobody to tell
    rest.remove_prefix(static_cast<size_t>(written));
  }
}

Severity SeverityOf(absl::LogSeverity severity) {
  if (severity >= absl::LogSeverity::kError) return Severity::kError;
  return severity == absl::LogSeverity::kWarning ? Severity::kWarning : Severity::kInfo;
}

/// Takes in what libraries log through Abseil, so that it has the form of our own lines.
class AbseilSink final : public absl::LogSink {
 public:
  void Send(const absl::LogEntry& entry) override {
    LogEvent(SeverityOf(entry.log_severity()), "log",
             {{"message", std::string(entry.text_message())}, {"source", absl::StrCat(entry.source_basename(), ":", entry.source_line())}});
  }
};

}  // namespace

std::string FormatEvent(LogFormat format, absl::Time time, Severity severity, absl::string_view event, const std::vector<Field>& fields) {
  const std::string when = absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone());
  std::string line;
  if (format == LogFormat::kText) {
    line = absl::StrCat(when, " ", NameOf(severity), " ", event);
    for (const auto& [name, value] : fields) {
      absl::StrAppend(&line, " ", name, "=");
      AppendQuoted(line, value);
    }
    return line;
  }
  line = absl::StrCat("{\"time\":\"", when, "\",\"severity\":\"", NameOf(severity), "\",\"event\":");
  AppendQuoted(line, event);
  for (const auto& [name, value] : fields) {
    line.push_back(',');
    AppendQuoted(line, name);
    line.push_back(':');
    AppendQuoted(line, value);
  }
  line.push_back('}');
  return line;
}

void LogEvent(Severity severity, absl::string_view event, const std::vector<Field>& fields) {
  if (severity < g_minimum) return;
  WriteLine(FormatEvent(g_format, absl::Now(), severity, event, fields));
}

void LogEvent(Severity severity, absl::string_view event, std::initializer_list<Field> fields) {
  LogEvent(severity, event, std::vector<Field>(fields));
}

void StartLog(LogFormat format, Severity minimum) {
  g_format = format;
  g_minimum = minimum;
  static AbseilSink* const kSink = new AbseilSink();
  absl::AddLogSink(kSink);
  absl::SetStderrThreshold(absl::LogSeverityAtLeast::kInfinity);
}

std::optional<int> EventLimiter::Admit(absl::string_view key, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  if (seen_.size() >= kMaxLimitedKeys && !seen_.contains(key)) seen_.clear();
  const auto [found, first] = seen_.try_emplace(key, Seen{.last = now});
  if (first) return 0;
  Seen& seen = found->second;
  if (now - seen.last < interval_) {
    ++seen.held_back;
    return std::nullopt;
  }
  seen.last = now;
  return std::exchange(seen.held_back, 0);
}

void EventLimiter::Log(absl::Duration now, Severity severity, absl::string_view event, std::vector<Field> fields) {
  const std::optional<int> held_back = Admit(event, now);
  if (!held_back.has_value()) return;
  if (*held_back > 0) fields.emplace_back("repeated", absl::StrCat(*held_back));
  LogEvent(severity, event, fields);
}

void EventLimiter::Reset() {
  absl::MutexLock lock(&mutex_);
  seen_.clear();
}

}  // namespace hanas::telemetry
