// SPDX-License-Identifier: Apache-2.0
// Damaged records of the coordinator's store.
#include "coordinator/store/codec/record_codec.h"

#include <algorithm>

#include "coordinator/store/record_key.h"
#include "tests/parsers/damage.h"
#include "tests/store/sample_records.h"

namespace hanas::coordinator {
namespace {

std::vector<std::string> GoodRecords() {
  const PartyRecord worker = {.id = 1,
                              .name = "worker",
                              .instance = "i",
                              .host = "h",
                              .version = "v",
                              .threads = 2,
                              .datasets = {"a", "b"},
                              .dataset_digests = {"x", ""}};
  PartyRecord agent = {.id = 2, .agent = true, .name = "local", .device = {.device = "local", .cpu = "cpu"}, .caps = {.name = "x"}};
  agent.health = DeviceHealth::kThrottled;
  agent.last_host = HostObservation{.load_average = 0.5, .canary_ratio = 1};
  const EventRecord event = {.search = 1, .sequence = 2, .phase = SearchPhase::kTraining, .kind = "phase", .text = "training"};
  std::vector<AnyRecord> records = {CounterRecord{7}, SampleSearch(), event, worker, agent, LatencyRecord{"key", {1, 2, 0.1, 5, true}}};
  for (TaskRecord& task : SampleTasks()) records.emplace_back(std::move(task));
  std::vector<std::string> bytes;
  for (const AnyRecord& record : records) bytes.push_back(SerialiseRecord(record));
  return bytes;
}

bool IsKind(TrainingKind kind) { return kind <= TrainingKind::kFinal; }
bool IsPhase(SearchPhase phase) { return phase >= SearchPhase::kPending && phase <= SearchPhase::kCancelled; }

/// That every enumerator in it is one.
struct Enumerators {
  void operator()(const SearchRecord& record) const {
    EXPECT_TRUE(IsPhase(record.phase));
    for (const PhaseRecord& phase : record.phases) EXPECT_TRUE(IsPhase(phase.phase));
    for (const MemberRecord& member : record.members) EXPECT_TRUE(IsKind(member.training));
  }
  void operator()(const TaskRecord& record) const {
    EXPECT_LE(record.state, TaskState::kCancelled);
    const auto* train = std::get_if<TrainWork>(&record.work);
    EXPECT_TRUE(train == nullptr || IsKind(train->kind));
  }
  void operator()(const EventRecord& record) const { EXPECT_TRUE(IsPhase(record.phase)); }
  void operator()(const PartyRecord& record) const {
    EXPECT_TRUE(record.health >= DeviceHealth::kUnknown && record.health <= DeviceHealth::kQuarantined);
  }
  void operator()(const CounterRecord&) const {}
  void operator()(const LatencyRecord&) const {}
};

absl::Status Parse(const std::string& bytes) {
  const absl::StatusOr<AnyRecord> record = ParseRecord(bytes);
  if (!record.ok()) return record.status();
  std::visit(Enumerators(), *record);
  // What was understood is written as it was understood.
  const std::string written = SerialiseRecord(*record);
  const absl::StatusOr<AnyRecord> again = ParseRecord(written);
  EXPECT_EQ(again.status(), absl::OkStatus());
  if (again.ok()) {
    EXPECT_EQ(SerialiseRecord(*again), written);
  }
  return absl::OkStatus();
}

TEST(StoredRecordsTest, Records) { ExpectSurvivesDamage({.name = "records", .good = GoodRecords(), .parse = Parse, .rounds = 20'000}); }

TEST(StoredRecordsTest, EveryPrefixAndEveryBit) {
  for (const std::string& good : GoodRecords()) {
    ASSERT_EQ(Parse(good), absl::OkStatus());
    for (size_t length = 0; length < good.size(); ++length) {
      const absl::Status status = Parse(good.substr(0, length));
      EXPECT_TRUE(status.ok() || BlamesTheInput(status.code())) << length << ": " << status;
    }
    for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
      std::string bad = good;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      const absl::Status status = Parse(bad);
      EXPECT_TRUE(status.ok() || BlamesTheInput(status.code())) << bit << ": " << status;
    }
  }
}

TEST(StoredRecordsTest, Keys) {
  const auto parse = [](const std::string& bytes) {
    const absl::StatusOr<RecordKey> key = DecodeKey(bytes);
    if (key.ok()) {
      EXPECT_EQ(EncodeKey(*key), bytes);
    }
    return key.status();
  };
  std::vector<std::string> good;
  for (const uint64_t number : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40})
    good.push_back(EncodeKey({.kind = RecordKind::kLatency, .parent = number, .sequence = 1, .text = "key"}));
  ExpectSurvivesDamage({.name = "keys", .good = good, .parse = parse});
}

}  // namespace
}  // namespace hanas::coordinator
