// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_SEARCH_CLIENT_H_
#define HANAS_RPC_SEARCH_CLIENT_H_

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/hanas/v1/search.grpc.pb.h"
#include "proto/hanas/v1/task.grpc.pb.h"

namespace hanas::rpc {

/// A coordinator as its users see it. Every call has a deadline and returns the server's status, field violations and reason included;
/// UNAVAILABLE when nobody answers there.
///
/// Thread-safe.
class SearchClient {
 public:
  /// Does not connect yet. Returns INVALID_ARGUMENT for an address that CreateChannel refuses.
  static absl::StatusOr<std::unique_ptr<SearchClient>> Create(absl::string_view address);

  /// Waits until the coordinator answers. Returns UNAVAILABLE after `timeout`.
  absl::Status WaitUntilReady(absl::Duration timeout);

  absl::StatusOr<v1::Search> CreateSearch(const v1::SearchSpec& spec, absl::string_view request_id);
  absl::StatusOr<v1::Search> GetSearch(absl::string_view name);
  absl::StatusOr<v1::ListSearchesResponse> ListSearches(int page_size, absl::string_view page_token);
  absl::StatusOr<v1::Search> CancelSearch(absl::string_view name);
  absl::StatusOr<v1::Report> GetReport(absl::string_view name);

  /// Calls `on_event` with every event after `after_sequence`, in order, until the server ends the stream (OK), the stream breaks, or
  /// StopWatching is called (CANCELLED). Blocks; one at a time.
  absl::Status WatchSearch(absl::string_view name, int64_t after_sequence, absl::FunctionRef<void(const v1::SearchEvent&)> on_event);
  /// Ends the watch in progress, and every later one at once.
  void StopWatching();

  /// Writes an artifact to `path`, complete and verified or not at all. Returns INVALID_ARGUMENT for a malformed digest, NOT_FOUND when
  /// there is no such artifact, DATA_LOSS when what arrives has another digest, and the errno's status of writing.
  absl::Status DownloadArtifact(absl::string_view sha256, const std::string& path);

 private:
  explicit SearchClient(std::shared_ptr<grpc::Channel> channel);

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::SearchService::Stub> searches_;
  std::unique_ptr<v1::ArtifactService::Stub> artifacts_;

  absl::Mutex mutex_;
  grpc::ClientContext* watching_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hanas::rpc

#endif  // HANAS_RPC_SEARCH_CLIENT_H_
