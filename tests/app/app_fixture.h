// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_APP_APP_FIXTURE_H_
#define HANAS_TESTS_APP_APP_FIXTURE_H_

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "coordinator/app/app.h"
#include "coordinator/store/memory_store.h"
#include "tests/app/fake_evaluator.h"
#include "tests/core/small_space.h"

namespace hanas::coordinator {

inline SearchJob TinyJob() {
  SearchJob job = {.name = "tiny", .seed = 7};
  job.dataset = {.name = "fake", .directory = "fake", .validation_images = 1000};
  job.space = SmallSpaceSpec();
  job.training.steps = 40;
  job.sampling = {.networks = 16, .validation_images = 1000, .calibration_images = 32};
  job.evolution = {.rounds = 2, .evaluations_per_round = 10, .population = 16, .surrogate_evaluations = 200};
  job.fine_tune = {.members = 4, .steps = 4, .learning_rate = 0.01};
  job.measure = {.rounds = 5, .max_rounds = 5, .calibration_networks = 10, .held_out_networks = 6};
  return job;
}

/// An application over a disk that survives it, with a clock that the test moves.
class AppHarness {
 public:
  explicit AppHarness(SearchJob job = TinyJob(), Executor* executor = nullptr) : job_(std::move(job)), executor_(executor) {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-app-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    artifacts_ = ArtifactStore::Open(directory_).value();
    evaluator_ = std::make_unique<FakeEvaluator>(artifacts_.get(), job_);
    Reopen();
  }
  ~AppHarness() {
    app_.reset();
    std::filesystem::remove_all(directory_);
  }

  /// A crash: memory is lost, the disk is not.
  void Reopen() {
    app_.reset();
    store_.reset();
    store_ = MemoryStore::Open(disk_).value();
    const SearchJob job = job_;
    app_ = App::Create(store_.get(), artifacts_.get(), &clock_, [job](absl::string_view) { return job; },
                       {.plain = FakeEvaluator::Plain(), .executor = executor_})
               .value();
  }

  /// A crash, after which the stored specification is read as `job`.
  void Reopen(SearchJob job) {
    job_ = std::move(job);
    Reopen();
  }

  /// What the store holds. The application is opened anew.
  State Stored() {
    app_.reset();
    store_.reset();
    const SearchJob job = job_;
    State state = LoadState(MemoryStore::Open(disk_).value()->Load().value(), [job](absl::string_view) { return job; }).value();
    Reopen();
    return state;
  }

  uint64_t AddWorker(const std::string& name, const std::string& instance, const std::string& host = "host") {
    return app_->Register({.name = name, .instance = instance, .host = host, .datasets = {"fake"}})->id;
  }
  uint64_t AddAgent(const std::string& instance, const std::string& host = "host", const std::string& name = "local", int threads = 1) {
    return app_
        ->Register({.agent = true,
                    .name = name,
                    .instance = instance,
                    .host = host,
                    .device = {.device = name, .threads = threads},
                    .caps = FakeEvaluator::Caps()})
        ->id;
  }
  uint64_t Submit() { return app_->CreateSearch("request", "spec", job_)->record.id; }
  std::optional<GrantedTask> Lease(uint64_t party, const std::string& instance) {
    return app_->LeaseTask(party, instance, absl::ZeroDuration()).value();
  }
  static Holder HolderOf(const GrantedTask& granted) {
    return {granted.task.party, granted.task.instance, granted.task.id, granted.task.fencing_token};
  }
  absl::Status Complete(const GrantedTask& granted) { return app_->Complete(HolderOf(granted), evaluator_->Answer(granted)); }

  App& app() { return *app_; }
  FakeClock& clock() { return clock_; }
  MemoryDisk& disk() { return *disk_; }
  ArtifactStore& artifacts() { return *artifacts_; }
  const std::string& directory() const { return directory_; }  // of the artifacts
  const FakeEvaluator& evaluator() const { return *evaluator_; }

 private:
  SearchJob job_;
  Executor* executor_;
  std::string directory_;
  FakeClock clock_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<ArtifactStore> artifacts_;
  std::unique_ptr<FakeEvaluator> evaluator_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<App> app_;
};

}  // namespace hanas::coordinator

#endif  // HANAS_TESTS_APP_APP_FIXTURE_H_
