// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_COMMANDS_REMOTE_H_
#define HANAS_CLI_COMMANDS_REMOTE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/output.h"
#include "rpc/search_client.h"

namespace hanas::cli {

/// A client of the coordinator that the options name.
inline absl::StatusOr<std::unique_ptr<rpc::SearchClient>> Connect(const RemoteOptions& remote) {
  return rpc::SearchClient::Create(remote.coordinator, absl::Seconds(remote.timeout_seconds), remote.insecure_connect, remote.token_file);
}

/// Calls `fetch` (page token -> StatusOr<Response>) for every page and `add` with each. `add` returns whether it wants more. Returns the
/// first status that is not OK, and DATA_LOSS for a coordinator that answers the same page again and again.
template <typename Fetch, typename Add>
absl::Status ForEachPage(const Fetch& fetch, const Add& add) {
  std::string token;
  while (true) {
    auto page = fetch(token);
    if (!page.ok()) return page.status();
    const std::string next = page->next_page_token();
    if (!add(*std::move(page)) || next.empty()) return absl::OkStatus();
    if (next == token) return absl::DataLossError(absl::StrCat("expected the page after \"", token, "\", found the same one again"));
    token = next;
  }
}

}  // namespace hanas::cli

#endif  // HANAS_CLI_COMMANDS_REMOTE_H_
