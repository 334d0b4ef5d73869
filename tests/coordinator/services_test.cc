// SPDX-License-Identifier: Apache-2.0
// The coordinator's services on loopback: what a user, a worker and an agent see of them.

#include <functional>
#include <future>

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "coordinator/service/filter.h"
#include "coordinator/service/paging.h"
#include "rpc/client.h"
#include "rpc/request.h"
#include "rpc/sha256.h"
#include "rpc/status.h"
#include "tests/coordinator/services_fixture.h"

namespace hanas::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

/// The status of a call as its caller reads it.
absl::Status Read(const grpc::Status& status) { return rpc::FromGrpcStatus(status); }

auto BlamesOnly(const std::string& path) { return ElementsAre(Field(&FieldViolation::path, path)); }

TEST_F(ServicesTest, SameRequestIsTheSameSearch) {
  v1::Search first;
  v1::Search second;
  ASSERT_TRUE(Create(SmallJob(), "r", &first).ok());
  ASSERT_TRUE(Create(SmallJob(), "r", &second).ok());
  EXPECT_EQ(first.name(), second.name());
  EXPECT_EQ(first.phase(), v1::PHASE_PENDING);
  SearchJob other = SmallJob();
  other.seed = 4;
  EXPECT_EQ(Create(other, "r", &second).error_code(), grpc::StatusCode::ALREADY_EXISTS);
}

TEST_F(ServicesTest, BadJobNamesItsFields) {
  SearchJob job = SmallJob();
  job.training.steps = 0;
  v1::Search search;
  const grpc::Status status = Create(job, "r", &search);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const std::vector<FieldViolation> violations = ViolationsOf(rpc::FromGrpcStatus(status));
  ASSERT_EQ(violations.size(), 1);
  EXPECT_EQ(violations[0].path, "training.steps");
}

TEST_F(ServicesTest, AgentLeasesMeasuringAndStaleTokensAreRefused) {
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  const std::string party = RegisterAgent();
  EXPECT_THAT(party, HasSubstr("devices/"));
  ASSERT_TRUE(app_->RunOnce().ok());
  v1::LeaseTaskRequest lease;
  lease.set_party(party);
  lease.set_instance_id("1");
  v1::LeaseTaskResponse leased;
  grpc::ClientContext context;
  ASSERT_TRUE(tasks_->LeaseTask(&context, lease, &leased).ok());
  ASSERT_TRUE(leased.task().has_measure_operators());
  EXPECT_GT(leased.task().measure_operators().keys_size(), 0);
  EXPECT_GT(leased.task().lease().ttl_seconds(), 0);
  v1::RenewLeaseRequest renew;
  renew.set_party(party);
  renew.set_instance_id("1");
  renew.set_task(leased.task().lease().task());
  renew.set_fencing_token(leased.task().lease().fencing_token() + 1);
  v1::RenewLeaseResponse renewed;
  grpc::ClientContext stale;
  EXPECT_TRUE(HasReason(rpc::FromGrpcStatus(tasks_->RenewLease(&stale, renew, &renewed)), "STALE_LEASE"));
  renew.set_fencing_token(leased.task().lease().fencing_token());
  grpc::ClientContext live;
  EXPECT_TRUE(tasks_->RenewLease(&live, renew, &renewed).ok());
}

TEST_F(ServicesTest, UnknownPartyIsToldToRegister) {
  v1::LeaseTaskRequest lease;
  lease.set_party("workers/77");
  v1::LeaseTaskResponse leased;
  grpc::ClientContext context;
  EXPECT_TRUE(HasReason(rpc::FromGrpcStatus(tasks_->LeaseTask(&context, lease, &leased)), "UNKNOWN_PARTY"));
}

TEST_F(ServicesTest, RequestIdOfAnotherJobIsRefusedWithTheReason) {
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  SearchJob other = SmallJob();
  other.seed = 4;
  const absl::Status status = Read(Create(other, "r", &search));
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(HasReason(status, "REQUEST_ID_REUSED"));
  EXPECT_THAT(status.message(), HasSubstr("searches/1"));
  EXPECT_THAT(ViolationsOf(Read(Create(SmallJob(), std::string(129, 'x'), &search))), BlamesOnly("request_id"));
}

TEST_F(ServicesTest, UnknownFieldsAreRefused) {
  v1::CreateSearchRequest request;
  *request.mutable_spec() = rpc::ToProto(SmallJob());
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(500, "from the future");
  grpc::ClientContext context;
  v1::Search search;
  EXPECT_THAT(ViolationsOf(Read(searches_->CreateSearch(&context, request, &search))), BlamesOnly("#500"));
}

TEST_F(ServicesTest, MessageBeyondTheLimitIsRefused) {
  v1::CreateSearchRequest request;
  *request.mutable_spec() = rpc::ToProto(SmallJob());
  request.mutable_spec()->set_name(std::string(static_cast<size_t>(rpc::kMaxMessageBytes) + 1, 'x'));
  grpc::ClientContext context;
  v1::Search search;
  EXPECT_EQ(Read(searches_->CreateSearch(&context, request, &search)).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ServicesTest, NamesThatAreNoneAreRefused) {
  const auto get = [&](const std::string& name) {
    grpc::ClientContext context;
    v1::GetSearchRequest request;
    request.set_name(name);
    v1::Search search;
    return Read(searches_->GetSearch(&context, request, &search));
  };
  for (const std::string name : {"", "searches", "searches/", "searches/x", "searches/-1", "searches/ 1", "searches/1/tasks", "tasks/1",
                                 "searches/0", "searches/99999999999999999999"}) {
    EXPECT_EQ(get(name).code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(ViolationsOf(get(name)), BlamesOnly("name")) << name;
  }
  EXPECT_EQ(get("searches/7").code(), absl::StatusCode::kNotFound);
}

TEST_F(ServicesTest, PagesFollowOneAnother) {
  v1::Search search;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Create(SmallJob(), absl::StrCat(i), &search).ok());
  v1::ListSearchesRequest request;
  request.set_page_size(2);
  std::vector<std::vector<std::string>> pages;
  do {
    grpc::ClientContext context;
    v1::ListSearchesResponse response;
    ASSERT_TRUE(searches_->ListSearches(&context, request, &response).ok());
    std::vector<std::string> names;
    for (const v1::Search& found : response.searches()) names.push_back(found.name());
    pages.push_back(names);
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(pages,
              ElementsAre(ElementsAre("searches/1", "searches/2"), ElementsAre("searches/3", "searches/4"), ElementsAre("searches/5")));
}

TEST_F(ServicesTest, BadPagesNameTheirField) {
  v1::ListSearchesResponse response;
  v1::ListSearchesRequest request;
  request.set_page_token("5");
  grpc::ClientContext token;
  EXPECT_THAT(ViolationsOf(Read(searches_->ListSearches(&token, request, &response))), BlamesOnly("page_token"));
  request.clear_page_token();
  request.set_page_size(-1);
  grpc::ClientContext size;
  EXPECT_THAT(ViolationsOf(Read(searches_->ListSearches(&size, request, &response))), BlamesOnly("page_size"));
}

TEST_F(ServicesTest, FiltersChooseAndBindTheirTokens) {
  v1::Search search;
  for (int i = 0; i < 6; ++i) {
    SearchJob job = SmallJob();
    job.name = i % 2 == 0 ? "even" : "odd";
    ASSERT_TRUE(Create(job, absl::StrCat(i), &search).ok());
  }
  v1::ListSearchesRequest request;
  v1::ListSearchesResponse response;
  const auto list = [&](const std::string& filter) {
    grpc::ClientContext context;
    request.set_filter(filter);
    response.Clear();
    const absl::Status status = Read(searches_->ListSearches(&context, request, &response));
    std::vector<std::string> names;
    for (const v1::Search& found : response.searches()) names.push_back(found.name());
    EXPECT_TRUE(status.ok() || names.empty());
    return status.ok() ? names : std::vector<std::string>{std::string(status.message())};
  };
  EXPECT_THAT(list("spec.name = odd AND phase = PENDING"), ElementsAre("searches/2", "searches/4", "searches/6"));
  EXPECT_THAT(list("phase = TRAINING"), ElementsAre());
  request.set_page_size(2);
  EXPECT_THAT(list("spec.name = odd"), ElementsAre("searches/2", "searches/4"));
  const std::string token = response.next_page_token();
  request.set_page_token(token);
  EXPECT_THAT(list("spec.name = odd"), ElementsAre("searches/6"));
  EXPECT_EQ(response.next_page_token(), "");
  EXPECT_THAT(list("spec.name = even"), ElementsAre(HasSubstr("page_token")));
  EXPECT_THAT(list(""), ElementsAre(HasSubstr("page_token")));
  request.clear_page_token();
  EXPECT_THAT(list("phase = TRANING"), ElementsAre(HasSubstr("filter: at character 9: expected one of PHASE_UNSPECIFIED, PENDING")));
}

TEST_F(ServicesTest, AFilterThatHoldsForLittleEndsItsPages) {
  v1::Search search;
  constexpr int kSearches = 30;
  for (int i = 0; i < kSearches; ++i) ASSERT_TRUE(Create(SmallJob(), absl::StrCat(i), &search).ok());
  const Page page = {
      .query = "all", .size = 3, .filter = *Filter::Parse("name = searches/29", *v1::Search::descriptor(), SearchFilterFields())};
  google::protobuf::RepeatedPtrField<v1::Search> out;
  std::string token;
  int reads = 0;
  // Only so many elements are looked at for one page: it may be empty, and its token goes on behind them.
  const auto read = [&](uint64_t after, size_t) { return ++reads, RowsOf(app_->ListSearches(after, 1), 1); };
  const auto number = [](const SearchSnapshot& row) { return row.record.id; };
  ASSERT_TRUE(FillPage(page, out, token, read, ToAbridgedProto, number).ok());
  EXPECT_EQ(reads, kMaxReads);
  EXPECT_EQ(out.size(), 0);
  EXPECT_EQ(rpc::CursorOf("all", token).value(), static_cast<uint64_t>(kMaxReads));
}

TEST_F(ServicesTest, ChangesHaveATime) {
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  EXPECT_EQ(search.update_time().seconds(), search.create_time().seconds());
  clock_.Advance(absl::Seconds(5));
  v1::PauseSearchRequest pause;
  pause.set_name(search.name());
  grpc::ClientContext pausing;
  ASSERT_TRUE(searches_->PauseSearch(&pausing, pause, &search).ok());
  EXPECT_EQ(search.update_time().seconds(), search.create_time().seconds() + 5);
  clock_.Advance(absl::Seconds(5));
  grpc::ClientContext again;
  ASSERT_TRUE(searches_->PauseSearch(&again, pause, &search).ok());
  EXPECT_EQ(search.update_time().seconds(), search.create_time().seconds() + 5) << "nothing changed";
  Stop();
  Start();
  v1::GetSearchRequest get;
  get.set_name(search.name());
  grpc::ClientContext getting;
  v1::Search stored;
  ASSERT_TRUE(searches_->GetSearch(&getting, get, &stored).ok());
  EXPECT_EQ(stored.update_time().seconds(), search.update_time().seconds());
}

TEST_F(ServicesTest, TokenOfAnotherSearchIsRefused) {
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  RegisterAgent();
  ASSERT_TRUE(app_->RunOnce().ok());
  v1::ListTasksRequest request;
  request.set_parent(search.name());
  request.set_page_token(rpc::PageToken("searches/1/tasks", 1));
  v1::ListTasksResponse response;
  grpc::ClientContext own;
  ASSERT_TRUE(searches_->ListTasks(&own, request, &response).ok());
  EXPECT_GT(response.tasks_size(), 0);
  for (const char* query : {"searches/2/tasks", "searches/1/candidates", "searches"}) {
    request.set_page_token(rpc::PageToken(query, 1));
    grpc::ClientContext other;
    EXPECT_THAT(ViolationsOf(Read(searches_->ListTasks(&other, request, &response))), BlamesOnly("page_token")) << query;
  }
  request.clear_page_token();
  request.set_parent("tasks/1");
  grpc::ClientContext parent;
  EXPECT_THAT(ViolationsOf(Read(searches_->ListTasks(&parent, request, &response))), BlamesOnly("parent"));
}

TEST_F(ServicesTest, ValidatingStoresNothing) {
  v1::CreateSearchRequest request;
  *request.mutable_spec() = rpc::ToProto(SmallJob());
  request.set_validate_only(true);
  grpc::ClientContext context;
  v1::Search search;
  ASSERT_TRUE(searches_->CreateSearch(&context, request, &search).ok());
  EXPECT_EQ(search.name(), "");
  EXPECT_GT(search.forecast().training_steps(), 0);
  EXPECT_EQ(disk_->num_writes(), 0);
}

TEST_F(ServicesTest, PausedSearchResumes) {
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  v1::PauseSearchRequest pause;
  pause.set_name(search.name());
  grpc::ClientContext pausing;
  ASSERT_TRUE(searches_->PauseSearch(&pausing, pause, &search).ok());
  EXPECT_EQ(search.phase(), v1::PHASE_PAUSED);
  v1::ResumeSearchRequest resume;
  resume.set_name(search.name());
  grpc::ClientContext resuming;
  ASSERT_TRUE(searches_->ResumeSearch(&resuming, resume, &search).ok());
  EXPECT_EQ(search.phase(), v1::PHASE_PENDING);
  v1::FinishSearchRequest finish;
  finish.set_name(search.name());
  grpc::ClientContext finishing;
  EXPECT_EQ(searches_->FinishSearch(&finishing, finish, &search).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(ServicesTest, PartyOfAnotherProtocolIsRefusedNamingBoth) {
  v1::RegisterRequest request = AgentRegistration();
  request.mutable_party()->set_protocol_version(rpc::kProtocolVersion + 1);
  v1::RegisterResponse response;
  grpc::ClientContext context;
  const absl::Status status = Read(tasks_->Register(&context, request, &response));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(HasReason(status, "PROTOCOL_VERSION"));
  EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("expected a party of protocol version ", rpc::kProtocolVersion, ", found ",
                                                       rpc::kProtocolVersion + 1)));
}

TEST_F(ServicesTest, WhatAPartySaysOfItselfIsBoundedAndPlain) {
  struct Row {
    std::string path;
    std::function<void(v1::Party&)> change;
  };
  const auto worker = [](const std::function<void(v1::WorkerInfo&)>& change) {
    return [change](v1::Party& party) { change(*party.mutable_worker()); };
  };
  const Row rows[] = {
      {"party.name", [](v1::Party& party) { party.set_name("\x1b[2J\x1b[31mpwn\x1b[0m\n\rsearches/1 succeeded"); }},
      {"party.name", [](v1::Party& party) { party.set_name(""); }},
      {"party.name", [](v1::Party& party) { party.set_name(".."); }},
      {"party.name", [](v1::Party& party) { party.set_name(std::string(1'000'000, 'n')); }},
      {"party.instance_id", [](v1::Party& party) { party.set_instance_id(std::string(64, '0')); }},
      {"party.host_id", [](v1::Party& party) { party.set_host_id("a\nb"); }},
      {"party.version", [](v1::Party& party) { party.set_version("\x1b[0m"); }},
      {"party.key", [](v1::Party& party) { party.clear_key(); }},
      {"party.key", [](v1::Party& party) { party.set_key(std::string(33, 'k')); }},
      {"party.worker.datasets", worker([](v1::WorkerInfo& info) {
         for (int i = 0; i < 100'000; ++i) info.add_datasets(absl::StrCat("d", i));
       })},
      {"party.worker.datasets[0]", worker([](v1::WorkerInfo& info) { info.add_datasets(""); })},
      {"party.worker.datasets[1]", worker([](v1::WorkerInfo& info) {
         info.add_datasets("Ärzte und Blumen");
         info.add_datasets("\u009b2J");
       })},
      {"party.worker.dataset_digests[0]", worker([](v1::WorkerInfo& info) {
         info.add_datasets("d");
         info.add_dataset_digests(std::string(1000, 'a'));
       })},
      {"party.agent.device.cpu", [](v1::Party& party) { party.mutable_agent()->mutable_device()->set_cpu("\r"); }},
      {"party.agent.device.governor",
       [](v1::Party& party) { party.mutable_agent()->mutable_device()->set_governor(std::string(257, 'g')); }},
  };
  for (const Row& row : rows) {
    v1::RegisterRequest request = AgentRegistration();
    row.change(*request.mutable_party());
    // A change of the worker's is one of a worker.
    if (request.party().has_worker()) request.mutable_party()->clear_agent();
    v1::RegisterResponse response;
    grpc::ClientContext context;
    const absl::Status status = Read(tasks_->Register(&context, request, &response));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << row.path;
    EXPECT_THAT(ViolationsOf(status), BlamesOnly(row.path)) << status;
    EXPECT_THAT(std::string(status.message()), testing::Not(HasSubstr("\x1b"))) << row.path;
    EXPECT_LT(status.message().size(), 1000U) << row.path;
  }
  EXPECT_EQ(app_->ListParties(/*agents=*/true, 0, 10)->size() + app_->ListParties(/*agents=*/false, 0, 10)->size(), 0U);
}

TEST_F(ServicesTest, ANameBelongsToAKey) {
  RegisterAgent();
  v1::RegisterRequest request = AgentRegistration();
  request.mutable_party()->set_instance_id("2");
  request.mutable_party()->set_key(std::string(32, 'x'));
  v1::RegisterResponse response;
  grpc::ClientContext other_key;
  const absl::Status refused = Read(tasks_->Register(&other_key, request, &response));
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(HasReason(refused, "NAME_IN_USE")) << refused;
  request.mutable_party()->set_key(AgentRegistration().party().key());
  grpc::ClientContext same_key;
  EXPECT_TRUE(tasks_->Register(&same_key, request, &response).ok());
  EXPECT_EQ(app_->ListParties(/*agents=*/true, 0, 1)->front().record.key, rpc::Sha256Hex(request.party().key())) << "not the key itself";
}

TEST_F(ServicesTest, WaitingRequestGetsTheTaskWhenThereIsOne) {
  const std::string party = RegisterAgent();
  std::future<v1::LeaseTaskResponse> leased = std::async(std::launch::async, [&] {
    v1::LeaseTaskRequest request;
    request.set_party(party);
    request.set_instance_id("1");
    request.set_wait_seconds(30);
    v1::LeaseTaskResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(tasks_->LeaseTask(&context, request, &response).ok());
    return response;
  });
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  ASSERT_TRUE(app_->RunOnce().ok());
  EXPECT_TRUE(leased.get().task().has_measure_operators());
}

TEST_F(ServicesTest, WaitEndsWithoutATaskAtItsTimeAndWithTheClient) {
  const std::string party = RegisterAgent();
  v1::LeaseTaskRequest request;
  request.set_party(party);
  request.set_instance_id("1");
  request.set_wait_seconds(0.05);
  v1::LeaseTaskResponse response;
  grpc::ClientContext patient;
  ASSERT_TRUE(tasks_->LeaseTask(&patient, request, &response).ok());
  EXPECT_FALSE(response.has_task());
  request.set_wait_seconds(30);
  grpc::ClientContext impatient;
  impatient.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  EXPECT_EQ(tasks_->LeaseTask(&impatient, request, &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

}  // namespace
}  // namespace hanas::coordinator
