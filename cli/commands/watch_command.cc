// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/watch_command.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/commands/event_stream.h"
#include "cli/commands/interrupt.h"
#include "cli/commands/remote.h"
#include "cli/commands/results.h"
#include "cli/commands/screen.h"
#include "config/json_to_yaml.h"
#include "rpc/json.h"

namespace hanas::cli {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(200);

/// One event for programs: a line of JSON, a YAML document, or the number to go on after.
absl::Status PrintEvent(const v1::SearchEvent& event, OutputFormat format) {
  if (format == OutputFormat::kName) {
    Print(absl::StrCat(event.sequence(), "\n"));
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> text = rpc::ToJson(event, /*pretty=*/false);
  if (text.ok() && format == OutputFormat::kYaml) text = config::JsonToYaml(*text);
  if (!text.ok()) return text.status();
  Print(format == OutputFormat::kYaml ? absl::StrCat("---\n", *text) : absl::StrCat(*text, "\n"));
  return absl::OkStatus();
}

/// Says once that the connection is gone, and once that it is back.
class ConnectionNotice {
 public:
  ConnectionNotice(const RemoteOptions& remote, Screen& screen) : remote_(remote), screen_(screen) {}

  void Update(const absl::Status& connection) {
    if (!connection.ok() && !lost_)
      screen_.Complain(absl::StrCat("lost the coordinator at ", remote_.coordinator, " (", connection.message(), "); trying again"));
    if (connection.ok() && lost_) screen_.Complain("the coordinator is back");
    lost_ = !connection.ok();
  }

 private:
  const RemoteOptions& remote_;
  Screen& screen_;
  bool lost_ = false;
};

/// How the watched search ended.
ExitCode Conclude(rpc::SearchClient& client, const RemoteOptions& remote, const std::string& name) {
  const absl::StatusOr<v1::Search> search = client.GetSearch(name);
  if (!search.ok()) return Fail(search.status(), remote);
  if (search->phase() == v1::PHASE_FAILED) {
    Complain(absl::StrCat(name, " failed: ", OneLine(search->error()), "; `hanas explain ", name, "` says more"));
    return ExitCodeOfSearchError(search->error_code());
  }
  if (search->phase() == v1::PHASE_CANCELLED) {
    Complain(absl::StrCat(name, " was cancelled"));
    return ExitCode::kSearchFailed;
  }
  const absl::StatusOr<std::vector<v1::Report>> reports = AllReports(client, name);
  return reports.ok() ? SayWarnings(*reports) : Fail(reports.status(), remote);
}

}  // namespace

ExitCode Follow(rpc::SearchClient& client, const RemoteOptions& remote, const WatchOptions& options) {
  const TakeInterrupts taken(/*patience=*/1);
  client.CancelWhen([] { return NumInterrupts() > 0; });
  const bool table = remote.output == OutputFormat::kTable;
  Screen screen(table ? Screen::ChooseMode(options.plain, /*quiet=*/false) : Screen::Mode::kQuiet);
  EventStream events(&client, options.name,
                     {.after_sequence = options.after,
                      .give_up_after = options.give_up_seconds > 0 ? absl::Seconds(options.give_up_seconds) : absl::InfiniteDuration()});
  ConnectionNotice notice(remote, screen);
  int64_t last_sequence = options.after;
  while (NumInterrupts() == 0 && !OutputBroken()) {
    const std::optional<v1::SearchEvent> event = events.Next(kTick);
    notice.Update(events.connection());
    if (event) {
      last_sequence = event->sequence();
      if (table) {
        screen.Show(*event);
      } else if (const absl::Status status = PrintEvent(*event, remote.output); !status.ok()) {
        return Fail(status);
      } else {
        FlushOutput();
      }
    } else if (const std::optional<absl::Status> end = events.ended()) {
      screen.ClearLine();
      return end->ok() ? Conclude(client, remote, options.name) : Fail(*end, remote);
    }
  }
  if (OutputBroken()) return ExitCode::kReaderGone;
  screen.Complain(
      absl::StrCat("stopped watching; ", options.name, " goes on. To watch again: hanas watch ", options.name, " --after ", last_sequence));
  return ExitCode::kInterrupted;
}

ExitCode WatchCommand(const RemoteOptions& remote, const WatchOptions& options) {
  WatchOptions named = options;
  const absl::StatusOr<std::string> name = ResourceName(options.name, {"searches"});
  if (!name.ok()) return Fail(name.status());
  named.name = *name;
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  if (const absl::StatusOr<v1::Search> search = (*client)->GetSearch(*name); !search.ok()) return Fail(search.status(), remote);
  return Follow(**client, remote, named);
}

}  // namespace hanas::cli
