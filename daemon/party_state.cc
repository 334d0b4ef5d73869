// SPDX-License-Identifier: Apache-2.0
#include "daemon/party_state.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/error_reason.h"
#include "core/base/plain_name.h"
#include "rpc/files.h"
#include "telemetry/event_log.h"

namespace hanas::daemon {
namespace {

/// Writes our process id into the lock that we hold, for those who come second.
void SayWhoHolds(int lock) {
  const std::string pid = absl::StrCat(::getpid(), "\n");
  if (::ftruncate(lock, 0) != 0 || ::pwrite(lock, pid.data(), pid.size(), 0) < 0) return;  // they are refused without it too
}

std::string WhoHolds(int lock) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(lock, text.data(), text.size(), 0);
  const absl::string_view pid = absl::StripAsciiWhitespace(absl::string_view(text.data(), size > 0 ? static_cast<size_t>(size) : 0));
  return pid.empty() ? "another process" : absl::StrCat("another process, pid ", pid);
}

}  // namespace

absl::StatusOr<PartyState> PartyState::Open(const std::string& directory) {
  const absl::StatusOr<bool> tightened = rpc::MakePrivateDirectory(directory);
  if (!tightened.ok()) return tightened.status();
  const std::string path = absl::StrCat(directory, "/lock");
  const int lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return ErrnoStatus(errno, absl::StrCat("cannot write in ", directory));
  absl::Cleanup close = [&] { ::close(lock); };
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, absl::StrCat("cannot lock ", path));
    return absl::AbortedError(absl::StrCat("expected a directory that no other process uses, found ", directory, " used by ",
                                           WhoHolds(lock), "; stop that one, or give this one another --state-dir and another --name"));
  }
  SayWhoHolds(lock);
  absl::StatusOr<rpc::Secret> key = rpc::ReadOrMakeSecret(absl::StrCat(directory, "/key"));
  if (!key.ok()) return key.status();
  std::move(close).Cancel();
  return PartyState(*std::move(key), lock, *tightened);
}

PartyState::~PartyState() {
  if (lock_ >= 0) ::close(lock_);
}

void AddOptions(config::OptionTable& table, std::string name_help, PartyOptions& options) {
  table.Add({.name = "name", .value = "NAME", .help = std::move(name_help)}, &options.name);
  table.Add(
      {.name = "state-dir",
       .value = "DIRECTORY",
       .help = "Holds the key to which the coordinator ties the name, so that a restart takes it over at once and nobody else does. Made "
               "when missing; one process at a time.",
       .default_text = absl::StrCat("$XDG_STATE_HOME/hanas/", options.kind, "/NAME")},
      &options.state_dir);
  table.AddCheck("name", [&options] { return CheckPlainName(options.name); });
  table.AddCheck("state-dir", [&options] {
    if (!options.state_dir.empty() || !rpc::UserStateDirectory().empty()) return absl::OkStatus();
    return absl::InvalidArgumentError("expected a directory, found none: neither XDG_STATE_HOME nor HOME is set");
  });
}

absl::StatusOr<PartyState> OpenPartyState(const PartyOptions& options) {
  const std::string directory =
      options.state_dir.empty() ? absl::StrCat(rpc::UserStateDirectory(), "/", options.kind, "/", options.name) : options.state_dir;
  absl::StatusOr<PartyState> state = PartyState::Open(directory);
  if (!state.ok()) return absl::Status(state.status().code(), absl::StrCat("--state-dir: ", state.status().message()));
  if (state->tightened()) telemetry::LogEvent(telemetry::Severity::kWarning, "directory_tightened", {{"directory", directory}});
  return state;
}

config::ProcessExit ExitOfPartyState(const absl::Status& status) {
  return absl::IsAborted(status) ? config::ProcessExit::kInUse : config::ProcessExit::kUsage;
}

}  // namespace hanas::daemon
