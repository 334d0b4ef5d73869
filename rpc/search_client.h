// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_SEARCH_CLIENT_H_
#define HANAS_RPC_SEARCH_CLIENT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "hanas/v1/farm.pb.h"
#include "hanas/v1/search.pb.h"
#include "rpc/retry.h"

namespace hanas::rpc {

/// A coordinator as its users see it. Every call has a deadline and returns the server's status, field violations and reason included;
/// UNAUTHENTICATED when it asks for another token, UNAVAILABLE when nobody answers there, DEADLINE_EXCEEDED when the answer
/// does not come in time. This header keeps gRPC away from its users.
///
/// Thread-safe.
class SearchClient {
 public:
  /// Does not connect yet; `timeout` is that of every call but watching and downloading. `insecure_connect` allows other hosts than
  /// loopback, without encryption; `token_file` is as in ChannelOptions. Returns CreateChannel's statuses.
  static absl::StatusOr<std::unique_ptr<SearchClient>> Create(absl::string_view address, absl::Duration timeout = absl::Seconds(30),
                                                              bool insecure_connect = false, const std::string& token_file = "");
  ~SearchClient();
  SearchClient(const SearchClient&) = delete;
  SearchClient& operator=(const SearchClient&) = delete;

  /// From now on every call ends with CANCELLED soon after `cancelled` is true, whatever the coordinator does. `cancelled` is asked by a
  /// thread of this client; once true, for good. Call it once, before any call.
  void CancelWhen(std::function<bool()> cancelled);

  /// Waits until the coordinator answers. Returns UNAVAILABLE after `timeout`.
  absl::Status WaitUntilReady(absl::Duration timeout);

  /// OK when it serves. Returns FAILED_PRECONDITION when it answers that it does not, UNIMPLEMENTED when what answers has no health
  /// service, UNAVAILABLE and DEADLINE_EXCEEDED when nothing answers.
  absl::Status CheckHealth();

  absl::StatusOr<v1::Search> CreateSearch(const v1::SearchSpec& spec, absl::string_view request_id);
  /// What would be created, with its forecast and an empty name.
  absl::StatusOr<v1::Search> ValidateSearch(const v1::SearchSpec& spec);
  absl::StatusOr<v1::Search> GetSearch(absl::string_view name);
  /// `filter` as proto/hanas/v1 says of ListSearchesRequest, here and below: empty for all.
  absl::StatusOr<v1::ListSearchesResponse> ListSearches(int page_size, absl::string_view page_token, absl::string_view filter = "");
  absl::StatusOr<v1::Search> CancelSearch(absl::string_view name);
  absl::StatusOr<v1::Search> PauseSearch(absl::string_view name);
  absl::StatusOr<v1::Search> ResumeSearch(absl::string_view name);
  absl::StatusOr<v1::Search> FinishSearch(absl::string_view name);
  absl::StatusOr<v1::Search> TrainMember(const v1::TrainMemberRequest& request);
  absl::Status DeleteSearch(absl::string_view name);
  // A target is called by its name; an empty one is the first.
  absl::StatusOr<v1::Report> GetReport(absl::string_view name, absl::string_view target = "");
  absl::StatusOr<v1::ListTasksResponse> ListTasks(absl::string_view parent, int page_size, absl::string_view page_token,
                                                  absl::string_view filter = "");
  absl::StatusOr<v1::ListCandidatesResponse> ListCandidates(absl::string_view parent, int page_size, absl::string_view page_token,
                                                            absl::string_view filter = "", absl::string_view target = "");
  absl::StatusOr<v1::GetFrontResponse> GetFront(absl::string_view name, int page_size, absl::string_view page_token,
                                                absl::string_view target = "");
  absl::StatusOr<v1::ReplaySearchResponse> ReplaySearch(absl::string_view name);

  absl::StatusOr<v1::ListWorkersResponse> ListWorkers(int page_size, absl::string_view page_token, absl::string_view filter = "");
  absl::StatusOr<v1::ListDevicesResponse> ListDevices(int page_size, absl::string_view page_token, absl::string_view filter = "");
  absl::Status SetDrain(absl::string_view name, bool drain);

  /// Calls `on_event` with every event after `after_sequence`, in order, until the server ends the stream (OK), the stream breaks, or
  /// StopWatching is called (CANCELLED). Blocks; one at a time. While `on_event` blocks, nothing more is read.
  absl::Status WatchSearch(absl::string_view name, int64_t after_sequence, absl::FunctionRef<void(const v1::SearchEvent&)> on_event);
  /// Ends the watch in progress, and every later one at once.
  void StopWatching();

  /// Writes an artifact to `path`, complete and verified or not at all. A file with that digest that is there already is left alone. What a
  /// broken or interrupted transfer has received stays in `path`.<digest>.part, from which it goes on: at UNAVAILABLE under `retry`, and in
  /// a later call. `cancelled`, asked between chunks, ends it with CANCELLED. Returns INVALID_ARGUMENT for a malformed digest, NOT_FOUND
  /// when there is no such artifact, DATA_LOSS when what arrives has another digest, and the errno's status of writing.
  absl::Status DownloadArtifact(absl::string_view sha256, const std::string& path, const RetryPolicy& retry = {},
                                const std::function<bool()>& cancelled = nullptr);

 private:
  struct Connection;
  struct Watching;
  class Cancellation;
  SearchClient(std::unique_ptr<Connection> connection, absl::Duration timeout);

  template <typename Response, typename Stub, typename Method, typename Request>
  absl::StatusOr<Response> Call(Stub& stub, Method method, const Request& request);
  absl::Status DownloadOnce(absl::string_view sha256, const std::string& path, const std::function<bool()>& cancelled);

  const std::unique_ptr<Connection> connection_;
  const absl::Duration timeout_;
  const std::unique_ptr<Cancellation> cancellation_;

  absl::Mutex mutex_;
  Watching* watching_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hanas::rpc

#endif  // HANAS_RPC_SEARCH_CLIENT_H_
