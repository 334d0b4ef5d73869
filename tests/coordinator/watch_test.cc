// SPDX-License-Identifier: Apache-2.0
// Watching a search: in order, once, across breaks, and never at the cost of others.

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "coordinator/store/codec/record_codec.h"
#include "coordinator/store/record_key.h"
#include "rpc/status.h"
#include "tests/coordinator/services_fixture.h"

namespace hanas::coordinator {
namespace {

class WatchTest : public ServicesTest {
 protected:
  /// Starts anew over a search that has `count` long events.
  void StartWithEvents(int count) {
    Stop();
    disk_ = std::make_shared<MemoryDisk>();
    const auto store = MemoryStore::Open(disk_).value();
    std::vector<StoreChange> batch;
    const auto put = [&](const RecordKey& key, const AnyRecord& record) { batch.push_back({EncodeKey(key), SerialiseRecord(record)}); };
    put({RecordKind::kCounter}, CounterRecord{1});
    put({RecordKind::kSearch, 0, 1},
        SearchRecord{.id = 1, .spec = absl::Cord(rpc::ToProto(SmallJob()).SerializeAsString()), .num_events = count});
    for (int i = 1; i <= count; ++i) {
      put({RecordKind::kEvent, 1, static_cast<uint64_t>(i)},
          EventRecord{1, i, SearchPhase::kPending, "warning", absl::StrCat(i, " ", std::string(1000, 'x'))});
    }
    ASSERT_TRUE(store->Write(batch).ok());
    ASSERT_TRUE(store->Close().ok());
    Start();
  }
  /// Reads recorded events after `after` until the stream ends or `limit` were read.
  grpc::Status Watch(int64_t after, std::vector<int64_t>& sequences, size_t limit = 1'000'000) {
    v1::WatchSearchRequest request;
    request.set_name("searches/1");
    request.set_after_sequence(after);
    grpc::ClientContext context;
    const auto reader = searches_->WatchSearch(&context, request);
    v1::SearchEvent event;
    while (sequences.size() < limit && reader->Read(&event)) {
      if (event.kind() != "progress") sequences.push_back(event.sequence());
    }
    if (sequences.size() >= limit) context.TryCancel();
    return reader->Finish();
  }
  /// Reads `count` messages about what goes on: so many progress intervals.
  void AwaitTicks(int64_t after, int count) {
    v1::WatchSearchRequest request;
    request.set_name("searches/1");
    request.set_after_sequence(after);
    grpc::ClientContext context;
    const auto reader = searches_->WatchSearch(&context, request);
    v1::SearchEvent event;
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(reader->Read(&event));
      EXPECT_EQ(event.kind(), "progress");
    }
    context.TryCancel();
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
};

TEST_F(WatchTest, WatchGivesEventsInOrderAndEndsWithTheSearch) {
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  ASSERT_TRUE(app_->CancelSearch(1).ok());
  v1::WatchSearchRequest request;
  request.set_name(search.name());
  grpc::ClientContext context;
  const auto reader = searches_->WatchSearch(&context, request);
  std::vector<int64_t> sequences;
  v1::SearchEvent event;
  while (reader->Read(&event)) sequences.push_back(event.sequence());
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_THAT(sequences, testing::ElementsAre(1, 2));
  EXPECT_EQ(event.kind(), "done");
}

TEST_F(WatchTest, ClientThatReadsNothingIsEndedAndResumesWhereItWas) {
  watch_options_ = {.progress_interval = absl::Milliseconds(20), .max_stall = absl::Milliseconds(200)};
  constexpr int kEvents = 20000;  // 20 MB: more than any buffer on the way
  StartWithEvents(kEvents);
  std::vector<int64_t> sequences;
  absl::Status ended;
  {
    v1::WatchSearchRequest request;
    request.set_name("searches/1");
    grpc::ClientContext context;
    const auto reader = searches_->WatchSearch(&context, request);
    v1::SearchEvent event;
    ASSERT_TRUE(reader->Read(&event));
    sequences.push_back(event.sequence());
    // Others are served while this one does not read, for longer than the stall that is allowed.
    AwaitTicks(kEvents, 30);
    v1::Search search;
    EXPECT_TRUE(Create(SmallJob(), "other", &search).ok());
    while (reader->Read(&event)) {
      if (event.kind() != "progress") sequences.push_back(event.sequence());
    }
    ended = rpc::FromGrpcStatus(reader->Finish());
  }
  EXPECT_EQ(ended.code(), absl::StatusCode::kResourceExhausted) << ended;
  EXPECT_TRUE(HasReason(ended, "WATCH_STALLED"));
  EXPECT_LT(sequences.size(), kEvents);
  Watch(sequences.back(), sequences, kEvents);
  ASSERT_EQ(sequences.size(), kEvents);
  for (int64_t i = 0; i < kEvents; ++i) ASSERT_EQ(sequences[static_cast<size_t>(i)], i + 1) << "every event once, in order";
}

TEST_F(WatchTest, EndsWithUnavailableWhenTheCoordinatorStops) {
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  v1::WatchSearchRequest request;
  request.set_name(search.name());
  grpc::ClientContext context;
  const auto reader = searches_->WatchSearch(&context, request);
  v1::SearchEvent event;
  ASSERT_TRUE(reader->Read(&event));
  app_->Stop();
  while (reader->Read(&event)) continue;
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(WatchTest, UnknownSearchIsNotFound) {
  std::vector<int64_t> sequences;
  EXPECT_EQ(Watch(0, sequences).error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace hanas::coordinator
