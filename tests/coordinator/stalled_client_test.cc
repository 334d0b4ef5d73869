// SPDX-License-Identifier: Apache-2.0
// Clients that answer pings and take nothing of what they asked for: each call of theirs is ended within the stated time.

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "hanas/v1/farm.grpc.pb.h"
#include "tests/coordinator/services_fixture.h"
#include "tests/support/http2_client.h"

namespace hanas::coordinator {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(60);

/// How many calls are in progress. Thread-safe.
class CallsInProgress final : public telemetry::Metrics {
 public:
  void Add(telemetry::Metric metric, Labels, double amount) override ABSL_LOCKS_EXCLUDED(mutex_) {
    if (metric != telemetry::Metric::kRpcInProgress) return;
    absl::MutexLock lock(&mutex_);
    calls_ += amount;
  }
  void Set(telemetry::Metric, Labels, double) override {}
  void Observe(telemetry::Metric, Labels, double) override {}

  bool AwaitNone(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(+[](double* calls) { return *calls == 0; }, &calls_), timeout);
  }

 private:
  absl::Mutex mutex_;
  double calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

class StalledClientTest : public ServicesTest, public testing::WithParamInterface<uint32_t> {
 protected:
  StalledClientTest() {
    Stop();
    watch_options_ = {.progress_interval = absl::Milliseconds(20), .max_stall = absl::Milliseconds(100)};
    server_options_.max_stall = absl::Milliseconds(200);
    server_options_.metrics = &calls_;
    Start();
    EXPECT_TRUE(Create(SmallJob(), "r", &search_).ok());
  }
  ~StalledClientTest() override { Stop(); }

  /// The server resets the stream although the client answers everything but by opening its window.
  void ExpectEnded(const std::string& path, const google::protobuf::Message& request) {
    Http2Client client(server_->address().port, GetParam());
    client.Call(1, path, request.SerializeAsString());
    const std::optional<Http2Client::Frame> reset = client.Read(Http2Client::kReset, absl::Now() + kDeadline);
    ASSERT_TRUE(reset.has_value()) << path << " is never ended";
    EXPECT_EQ(reset->stream, 1U);
    EXPECT_TRUE(calls_.AwaitNone(kDeadline)) << path << " goes on for the server";
  }

  CallsInProgress calls_;
  v1::Search search_;
};

TEST_P(StalledClientTest, WatchIsEnded) {
  v1::WatchSearchRequest request;
  request.set_name(search_.name());
  ExpectEnded("/hanas.v1.SearchService/WatchSearch", request);
}

TEST_P(StalledClientTest, CallWithAThreadIsEnded) {
  v1::GetSearchRequest request;
  request.set_name(search_.name());
  ExpectEnded("/hanas.v1.SearchService/GetSearch", request);
}

TEST_P(StalledClientTest, CallWithoutAThreadIsEnded) {
  RegisterAgent();
  ExpectEnded("/hanas.v1.FarmService/ListDevices", v1::ListDevicesRequest());
}

TEST_P(StalledClientTest, DownloadIsEnded) {
  v1::DownloadArtifactRequest request;
  request.set_sha256(artifacts_->Put(std::string(100'000, 'x')).value().sha256);
  ExpectEnded("/hanas.v1.ArtifactService/DownloadArtifact", request);
}

INSTANTIATE_TEST_SUITE_P(Windows, StalledClientTest, testing::Values(0, 1, 20),
                         [](const auto& window) { return absl::StrCat("Of", window.param); });

}  // namespace
}  // namespace hanas::coordinator
