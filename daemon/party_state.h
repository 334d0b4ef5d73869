// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DAEMON_PARTY_STATE_H_
#define HANAS_DAEMON_PARTY_STATE_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/process/exit_code.h"
#include "config/process/option_table.h"
#include "rpc/secret.h"

namespace hanas::daemon {

/// What makes a worker or agent the same one after a restart: a random key, made once, in a directory of its own. The coordinator ties the
/// party's name to it. The directory is private and held (flock) until this is destroyed; the system frees it when the process dies.
///
/// Movable. Thread-compatible.
class PartyState {
 public:
  /// Makes directory and key when there are none. Returns ABORTED naming the process when another one holds the directory, and
  /// MakePrivateDirectory's (rpc/files.h) and ReadSecret's statuses.
  static absl::StatusOr<PartyState> Open(const std::string& directory);

  PartyState(PartyState&& other) noexcept
      : key_(std::move(other.key_)), lock_(std::exchange(other.lock_, -1)), tightened_(other.tightened_) {}
  PartyState& operator=(PartyState&&) = delete;
  ~PartyState();

  const rpc::Secret& key() const { return key_; }
  /// Whether others could enter the directory until Open took that right away, for the caller to say so.
  bool tightened() const { return tightened_; }

 private:
  PartyState(rpc::Secret key, int lock, bool tightened) : key_(std::move(key)), lock_(lock), tightened_(tightened) {}

  rpc::Secret key_;
  int lock_;
  bool tightened_;
};

struct PartyOptions {
  std::string kind;  // "workers", "agents"
  std::string name;
  std::string state_dir;  // empty: one of kind and name below the user's state directory (rpc/files.h)
};
/// Adds --name, with `name_help` about what it is, and --state-dir. Borrows `options`.
void AddOptions(config::OptionTable& table, std::string name_help, PartyOptions& options);

/// Opens the directory of the options; says in the log when it had to be tightened. Returns PartyState::Open's statuses.
absl::StatusOr<PartyState> OpenPartyState(const PartyOptions& options);
/// The exit status of a worker or agent for which that failed with `status`.
config::ProcessExit ExitOfPartyState(const absl::Status& status);

}  // namespace hanas::daemon

#endif  // HANAS_DAEMON_PARTY_STATE_H_
