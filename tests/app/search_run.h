// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_APP_SEARCH_RUN_H_
#define HANAS_TESTS_APP_SEARCH_RUN_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "tests/app/app_fixture.h"

namespace hanas::coordinator {

/// A search with a worker and an agent for each device of its targets, on hosts of their own, who do what they are given until the test
/// says otherwise.
class SearchRun {
 public:
  explicit SearchRun(const SearchJob& job = TinyJob()) : harness_(job), targets_(TargetsOf(job).begin(), TargetsOf(job).end()) {
    Connect("1");
    search_ = harness_.Submit();
  }

  /// Both processes are started anew.
  void Connect(const std::string& instance) {
    instance_ = instance;
    worker_ = harness_.AddWorker("worker", instance, "host-w");
    agents_.clear();
    for (const TargetSpec& target : targets_)
      agents_.push_back(harness_.AddAgent(instance, "host-" + target.device, target.device, std::max(1, target.threads)));
  }

  /// How a task with this text in its key ends, instead of well.
  void Fail(const std::string& key_part, const std::string& code = "WORKER_FAILED", bool retryable = true) {
    endings_.push_back({key_part, [this, code, retryable](const GrantedTask& granted) {
                          return app().Fail(AppHarness::HolderOf(granted), code, "it broke", retryable);
                        }});
  }
  /// They are left as they are, leased.
  void Hold(const std::string& key_part) { endings_.push_back({key_part, nullptr}); }
  void Mend() { endings_.clear(); }

  /// One turn of the coordinator, the worker and the agent. False when nobody had anything to do.
  bool Turn() {
    EXPECT_THAT(app().RunOnce(), absl_testing::IsOk());
    bool worked = false;
    std::vector<uint64_t> parties = agents_;
    parties.insert(parties.begin(), worker_);
    for (const uint64_t party : parties) {
      const std::optional<GrantedTask> granted = harness_.Lease(party, instance_);
      if (!granted.has_value()) continue;
      const auto ending =
          std::find_if(endings_.begin(), endings_.end(), [&](const Ending& e) { return absl::StrContains(granted->task.key, e.key_part); });
      if (ending != endings_.end() && ending->end == nullptr) continue;
      worked = true;
      EXPECT_THAT(ending == endings_.end() ? harness_.Complete(*granted) : ending->end(*granted), absl_testing::IsOk());
    }
    EXPECT_THAT(app().RunOnce(), absl_testing::IsOk());
    return worked;
  }
  /// Until `done`, or nothing happens any more. Whether `done`.
  bool Until(const std::function<bool(const SearchRecord&)>& done) {
    for (int turn = 0; turn < 2000; ++turn) {
      if (done(Record())) return true;
      if (!Turn()) return done(Record());
    }
    return false;
  }
  bool UntilPhase(SearchPhase phase) {
    return Until([phase](const SearchRecord& record) { return record.phase == phase; });
  }
  /// To its end.
  SearchRecord Finish() {
    EXPECT_TRUE(Until([](const SearchRecord& record) { return IsTerminal(record.phase); })) << Name(Record().phase);
    return Record();
  }

  App& app() { return harness_.app(); }
  AppHarness& harness() { return harness_; }
  uint64_t id() const { return search_; }
  uint64_t worker() const { return worker_; }
  uint64_t agent() const { return agents_.front(); }
  SearchSnapshot Snapshot() { return app().GetSearch(search_).value(); }
  SearchRecord Record() { return Snapshot().record; }
  /// All tasks of the search, in the order in which they were made.
  std::vector<TaskRecord> Tasks() {
    const absl::StatusOr<TaskPage> page = app().ListTasks(search_, 0, 100000);
    EXPECT_THAT(page, absl_testing::IsOk());
    std::vector<TaskRecord> tasks;
    for (const TaskSnapshot& task : page->tasks) tasks.push_back(task.task);
    return tasks;
  }
  /// The task with this key; nothing when there is none.
  std::optional<TaskSnapshot> Task(const std::string& key) {
    const absl::StatusOr<TaskPage> page = app().ListTasks(search_, 0, 100000);
    EXPECT_THAT(page, absl_testing::IsOk());
    for (const TaskSnapshot& task : page->tasks) {
      if (task.task.key == key) return task;
    }
    return std::nullopt;
  }
  std::vector<EventRecord> Events(const std::string& kind) {
    std::vector<EventRecord> found;
    const absl::StatusOr<WatchedEvents> watched = app().ReadEvents(search_, 0, 100000);
    EXPECT_THAT(watched, absl_testing::IsOk());
    for (const EventRecord& event : watched->events) {
      if (event.kind == kind) found.push_back(event);
    }
    return found;
  }

 private:
  struct Ending {
    std::string key_part;
    std::function<absl::Status(const GrantedTask&)> end;  // none: held
  };

  AppHarness harness_;
  const std::vector<TargetSpec> targets_;
  std::string instance_;
  uint64_t worker_ = 0;
  std::vector<uint64_t> agents_;
  uint64_t search_ = 0;
  std::vector<Ending> endings_;
};

}  // namespace hanas::coordinator

#endif  // HANAS_TESTS_APP_SEARCH_RUN_H_
