// SPDX-License-Identifier: Apache-2.0
#include "tests/fault/load.h"

#include <utility>

#include "absl/log/log.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "rpc/client.h"
#include "rpc/convert/job.h"
#include "tests/core/small_space.h"

namespace hanas::fault {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(10);
// Every fourth search is cancelled, in this phase.
constexpr int kCancelEvery = 4;
constexpr v1::Phase kCancelIn = v1::PHASE_SAMPLING;

rpc::RetryPolicy QuickRetry() { return {.initial_backoff = absl::Milliseconds(10), .max_backoff = absl::Milliseconds(100)}; }

rpc::TaskLoopOptions LoopOptions(v1::Party party) {
  rpc::TaskLoopOptions options;
  options.party = std::move(party);
  options.poll = absl::Seconds(5);
  options.stop_grace = absl::ZeroDuration();
  options.retry = QuickRetry();
  return options;
}

bool IsAway(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE || status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
}

/// Calls until somebody answers.
template <typename Call>
grpc::Status Persist(const Call& call) {
  while (true) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    rpc::SetDeadline(context, kCallTimeout);
    if (const grpc::Status status = call(context); !IsAway(status)) return status;
  }
}

std::string FrontOf(const v1::Report& report) {
  std::string front;
  for (const v1::Member& member : report.front()) {
    absl::StrAppend(&front, member.id(), " ", absl::BytesToHexString(member.architecture().genes()), " ", member.test_correct(), " ",
                    member.latency_p50_us(), "\n");
  }
  return front;
}

bool IsEnd(const v1::SearchEvent& event) {
  return event.phase() == v1::PHASE_SUCCEEDED || event.phase() == v1::PHASE_FAILED || event.phase() == v1::PHASE_CANCELLED;
}

}  // namespace

SearchJob SmallJob() {
  SearchJob job = {.name = "small", .seed = 7};
  job.dataset = {.name = "fake", .directory = "fake", .validation_images = 1000};
  job.space = SmallSpaceSpec();
  job.training.steps = 40;
  job.sampling = {.networks = 12, .validation_images = 1000, .calibration_images = 32};
  job.evolution = {.rounds = 2, .evaluations_per_round = 6, .population = 16, .surrogate_evaluations = 200};
  job.fine_tune = {.members = 3, .steps = 4, .learning_rate = 0.01};
  job.measure = {.rounds = 5, .max_rounds = 5, .calibration_networks = 10, .held_out_networks = 4};
  return job;
}

FakeParty::FakeParty(Oracle* oracle, const std::string& address, v1::Party party, Behaviour behaviour)
    : channel_(oracle->Connect(address)),
      tasks_(v1::TaskService::NewStub(channel_)),
      files_(v1::ArtifactService::NewStub(channel_)),
      artifacts_(files_.get(), QuickRetry(), &rpc::SystemClock(), [this] { return loop_.stopping(); }),
      evaluator_(&artifacts_),
      behaviour_(std::move(behaviour)),
      loop_(LoopOptions(std::move(party)), tasks_.get(), this),
      thread_([this] {
        const absl::Status status = loop_.Run();
        LOG_IF(ERROR, !status.ok()) << "a fake party was refused: " << status;
      }) {}

FakeParty::~FakeParty() {
  loop_.RequestStop();
  thread_.join();
}

absl::StatusOr<v1::CompleteTaskRequest> FakeParty::Execute(const v1::Task& task, rpc::TaskContext& context) {
  return behaviour_ ? behaviour_(task, context, evaluator_) : evaluator_.Execute(task, context);
}

FakeUser::FakeUser(Oracle* oracle, const std::string& address, std::string name, SearchJob job)
    : oracle_(oracle),
      name_(std::move(name)),
      job_(std::move(job)),
      channel_(oracle->Connect(address)),
      stub_(v1::SearchService::NewStub(channel_)),
      thread_([this] { Run(); }) {}

FakeUser::~FakeUser() {
  if (thread_.joinable()) Finish();
}

std::vector<Ended> FakeUser::Finish() {
  finishing_ = true;
  thread_.join();
  return std::move(ended_);
}

void FakeUser::Run() {
  int number = 0;
  do {
    ended_.push_back(RunSearch(++number));
  } while (!finishing_);
}

Ended FakeUser::RunSearch(int number) {
  v1::CreateSearchRequest create;
  *create.mutable_spec() = rpc::ToProto(job_);
  create.set_request_id(absl::StrCat(name_, "-", number));
  v1::Search search;
  for (int i = 0; i < 2; ++i) {
    const grpc::Status status = Persist([&](grpc::ClientContext& context) { return stub_->CreateSearch(&context, create, &search); });
    if (!status.ok()) return {.search = create.request_id(), .error = status.error_message()};
  }
  const bool cancels = number % kCancelEvery == 0;
  int64_t sequence = 0;
  bool ended = false;
  bool cancelled = false;
  while (!ended) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    v1::WatchSearchRequest watch;
    watch.set_name(search.name());
    watch.set_after_sequence(sequence);
    const auto reader = stub_->WatchSearch(&context, watch);
    v1::SearchEvent event;
    while (reader->Read(&event)) {
      if (event.kind() == "progress") continue;
      oracle_->Event(search.name(), event);
      sequence = event.sequence();
      ended = IsEnd(event);
      if (!cancels || cancelled || event.phase() != kCancelIn) continue;
      v1::CancelSearchRequest cancel;
      cancel.set_name(search.name());
      v1::Search answer;
      // FAILED_PRECONDITION: an answer that was lost had cancelled it.
      Persist([&](grpc::ClientContext& call) { return stub_->CancelSearch(&call, cancel, &answer); });
      cancelled = true;
    }
    if (const grpc::Status status = reader->Finish(); !ended && !status.ok() && !IsAway(status)) {
      return {.search = search.name(), .error = status.error_message()};
    }
  }
  v1::GetSearchRequest get;
  get.set_name(search.name());
  Persist([&](grpc::ClientContext& context) { return stub_->GetSearch(&context, get, &search); });
  Ended result = {.search = search.name(), .phase = search.phase(), .error = search.error()};
  if (result.phase == v1::PHASE_CANCELLED && !cancels) result.error = "cancelled by nobody";
  if (result.phase != v1::PHASE_SUCCEEDED) return result;
  v1::GetReportRequest request;
  request.set_name(search.name());
  v1::Report report;
  Persist([&](grpc::ClientContext& context) { return stub_->GetReport(&context, request, &report); });
  result.front = FrontOf(report);
  return result;
}

}  // namespace hanas::fault
