// SPDX-License-Identifier: Apache-2.0
// kill -9 of the coordinator under load, again and again at moments drawn at random, with an oracle outside of its process: nothing that
// was acknowledged is lost, nothing is recorded twice, and fencing tokens only grow. HANAS_FAULT_KILLS and HANAS_FAULT_SEED choose another
// length and other moments.
#include <cstdlib>
#include <memory>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/client.h"
#include "rpc/status.h"
#include "telemetry/event_log.h"
#include "tests/fault/coordinator_process.h"
#include "tests/fault/load.h"
#include "tests/fault/oracle.h"

namespace hanas::fault {
namespace {

using ::absl_testing::IsOk;
using ::testing::IsEmpty;

constexpr double kTtlSeconds = 3;
constexpr int kWorkers = 3;
constexpr int kUsers = 2;
// One kill in so many comes before the coordinator listens: in its recovery.
constexpr uint64_t kInRecovery = 6;
constexpr uint64_t kMaxAcknowledgedBetweenKills = 40;
constexpr absl::Duration kStuck = absl::Seconds(60);

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  uint64_t value = otherwise;
  if (text != nullptr) {
    EXPECT_TRUE(absl::SimpleAtoi(text, &value)) << name << ": expected a number, found " << text;
  }
  return value;
}

/// The parties of the farm; any of them may be replaced by a new instance of itself.
class Farm {
 public:
  Farm(Oracle* oracle, const std::string& address) : oracle_(oracle), address_(address), members_(kWorkers + 1) {
    for (size_t i = 0; i < members_.size(); ++i) Replace(i);
  }
  void Replace(size_t index) {
    members_[index].reset();
    const std::string instance = absl::StrCat("instance-", ++instances_);
    members_[index] = std::make_unique<FakeParty>(
        oracle_, address_, index == 0 ? FakeAgent("local", instance) : FakeWorker(absl::StrCat("worker-", index), instance));
  }
  size_t size() const { return members_.size(); }

 private:
  Oracle* const oracle_;
  const std::string address_;
  int instances_ = 0;
  std::vector<std::unique_ptr<FakeParty>> members_;
};

/// Completions that were acknowledged are sent again, as by a holder that never got its reply, and with a token that is not theirs.
void Repeat(Oracle& oracle, v1::TaskService::Stub& stub, CounterRandom& random) {
  std::optional<v1::CompleteTaskRequest> request = oracle.AcknowledgedCompletion(random.NextUint64());
  if (!request.has_value()) return;
  const auto complete = [&] {
    grpc::ClientContext context;
    rpc::SetDeadline(context, kStuck);
    context.set_wait_for_ready(true);
    v1::CompleteTaskResponse response;
    return rpc::FromGrpcStatus(stub.CompleteTask(&context, *request, &response));
  };
  EXPECT_THAT(complete(), IsOk()) << request->task();
  request->set_fencing_token(request->fencing_token() - 1);
  const absl::Status stale = complete();
  EXPECT_TRUE(HasReason(stale, "STALE_LEASE")) << stale;
}

TEST(CoordinatorKillTest, NothingAcknowledgedIsLostAndNothingIsThereTwice) {
  telemetry::StartLog(telemetry::LogFormat::kText, telemetry::Severity::kError);  // without what the parties say of every task
  const uint64_t kills = FromEnvironment("HANAS_FAULT_KILLS", 20);
  const uint64_t seed = FromEnvironment("HANAS_FAULT_SEED", 1);
  SCOPED_TRACE(absl::StrCat("HANAS_FAULT_SEED=", seed));
  Oracle oracle;
  CoordinatorProcess coordinator(kTtlSeconds);
  coordinator.Start();
  ASSERT_TRUE(coordinator.AwaitListening()) << coordinator.output();
  const std::unique_ptr<v1::TaskService::Stub> stub = v1::TaskService::NewStub(oracle.Connect(coordinator.address()));
  Farm farm(&oracle, coordinator.address());
  std::vector<std::unique_ptr<FakeUser>> users;
  for (int i = 0; i < kUsers; ++i) users.push_back(std::make_unique<FakeUser>(&oracle, coordinator.address(), absl::StrCat("user-", i)));

  for (uint64_t kill = 0; kill < kills; ++kill) {
    CounterRandom random(seed, "fault/kill", kill);
    if (random.UniformInt(kInRecovery) > 0) {
      const auto acknowledged = static_cast<int64_t>(1 + random.UniformInt(kMaxAcknowledgedBetweenKills));
      ASSERT_TRUE(oracle.AwaitAcknowledged(acknowledged, kStuck)) << "nothing goes on after kill " << kill << ": " << coordinator.output();
      if (random.Bernoulli(0.3)) Repeat(oracle, *stub, random);
    }
    coordinator.Kill();
    const absl::StatusOr<coordinator::State> state = coordinator.ReadState();
    ASSERT_THAT(state, IsOk()) << "after kill " << kill;
    oracle.Check(*state);
    ASSERT_THAT(oracle.violations(), IsEmpty()) << "after kill " << kill;
    if (random.Bernoulli(0.3)) farm.Replace(random.UniformInt(farm.size()));
    coordinator.Start();
  }

  // Undisturbed from here on, everything comes to its end, and equal jobs to the same one.
  std::vector<Ended> ended;
  for (const auto& user : users) {
    for (Ended& search : user->Finish()) ended.push_back(std::move(search));
  }
  std::string front;
  int succeeded = 0;
  for (const Ended& search : ended) {
    EXPECT_EQ(search.error, "") << search.search;
    if (search.phase == v1::PHASE_CANCELLED) continue;
    EXPECT_EQ(search.phase, v1::PHASE_SUCCEEDED) << search.search;
    if (front.empty()) front = search.front;
    EXPECT_EQ(search.front, front) << search.search;
    ++succeeded;
  }
  coordinator.Kill();
  const absl::StatusOr<coordinator::State> state = coordinator.ReadState();
  ASSERT_THAT(state, IsOk());
  oracle.Check(*state);
  EXPECT_THAT(oracle.violations(), IsEmpty());

  const Oracle::Counts counts = oracle.counts();
  const std::string table =
      absl::StrCat(kills, " kills; acknowledged: ", counts.searches, " searches (", succeeded, " succeeded, ", counts.cancelled,
                   " cancelled), ", counts.grants, " grants, ", counts.completions, " completions, ", counts.handed_back, " handed back, ",
                   counts.rounds, " rounds, ", counts.events, " events; refused as stale: ", counts.refused_stale);
  RecordProperty("kill_table", table);
  std::printf("%s\n", table.c_str());
  EXPECT_GT(succeeded, 0);
  EXPECT_GT(counts.completions, static_cast<int64_t>(kills));
  EXPECT_GT(counts.rounds, 0);
}

}  // namespace
}  // namespace hanas::fault
