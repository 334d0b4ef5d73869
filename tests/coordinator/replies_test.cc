// SPDX-License-Identifier: Apache-2.0
// What leaves the coordinator: every refusal says why in a way that programs understand, and nothing is larger than a client with gRPC's
// default bounds (8 KiB of headers, messages of 4 MiB) can read, whatever others have stored.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/store/codec/record_codec.h"
#include "coordinator/store/record_key.h"
#include "rpc/status.h"
#include "tests/coordinator/services_fixture.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using google::protobuf::DescriptorPool;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

class RepliesTest : public ServicesTest {
 protected:
  /// The status of any method, unary or streaming; CANCELLED once a stream has answered something.
  absl::Status Call(const MethodDescriptor& method, const Message& request) {
    const std::shared_ptr<grpc::Channel> channel = grpc::CreateChannel(server_->address().ToString(), grpc::InsecureChannelCredentials());
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    grpc::CompletionQueue queue;
    const auto stream = stub.PrepareCall(&context, absl::StrCat("/", method.service()->full_name(), "/", method.name()), &queue);
    const auto wait = [&] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    stream->StartCall(nullptr);
    bool good = wait();
    if (good) {
      const std::string bytes = request.SerializeAsString();
      const grpc::Slice slice(bytes);
      stream->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
      wait();
      grpc::ByteBuffer reply;
      stream->Read(&reply, nullptr);
      if (wait() && method.server_streaming()) context.TryCancel();
    }
    grpc::Status status;
    stream->Finish(&status, nullptr);
    wait();
    queue.Shutdown();
    while (wait()) continue;
    return rpc::FromGrpcStatus(status);
  }

  /// What a client may branch on says what it is.
  static void ExpectTyped(const absl::Status& status, const std::string& what) {
    if (status.ok() || absl::IsCancelled(status)) return;
    if (absl::IsInvalidArgument(status)) {
      EXPECT_THAT(ViolationsOf(status), Not(IsEmpty())) << what << ": " << status;
      return;
    }
    const absl::Span<const ErrorReason> reasons = ErrorReasons();
    const auto row = std::find_if(reasons.begin(), reasons.end(), [&](const ErrorReason& r) { return r.name == ReasonOf(status); });
    ASSERT_NE(row, reasons.end()) << what << ": " << status;
    EXPECT_EQ(row->code, status.code()) << what << ": " << status;
  }

  static std::vector<const MethodDescriptor*> AllMethods() {
    std::vector<const MethodDescriptor*> methods;
    for (const char* name : {"SearchService", "TaskService", "ArtifactService", "FarmService"}) {
      const auto* service = DescriptorPool::generated_pool()->FindServiceByName(absl::StrCat("hanas.v1.", name));
      for (int i = 0; i < service->method_count(); ++i) methods.push_back(service->method(i));
    }
    return methods;
  }

  /// A request whose names are these; what has no name stays as it is.
  static std::unique_ptr<Message> Request(const MethodDescriptor& method, const std::map<std::string, std::string>& names) {
    std::unique_ptr<Message> request(google::protobuf::MessageFactory::generated_factory()->GetPrototype(method.input_type())->New());
    for (const auto& [name, value] : names) {
      const auto* field = method.input_type()->FindFieldByName(name);
      if (field != nullptr && field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING)
        request->GetReflection()->SetString(request.get(), field, value);
    }
    return request;
  }

  /// Starts anew over what `put` stores.
  using Put = std::function<void(const RecordKey&, const AnyRecord&)>;
  void StartOver(const std::function<void(const Put&)>& fill) {
    Stop();
    disk_ = std::make_shared<MemoryDisk>();
    const auto store = MemoryStore::Open(disk_).value();
    std::vector<StoreChange> batch;
    fill([&](const RecordKey& key, const AnyRecord& record) { batch.push_back({EncodeKey(key), SerialiseRecord(record)}); });
    ASSERT_THAT(store->Write(batch), IsOk());
    ASSERT_THAT(store->Close(), IsOk());
    Start();
  }

  /// All elements of a list, and the largest page.
  template <typename Response, typename Call>
  std::vector<Response> Pages(const Call& call) {
    std::vector<Response> pages;
    std::string token;
    do {
      grpc::ClientContext context;
      Response response;
      const grpc::Status status = call(context, token, response);
      EXPECT_THAT(rpc::FromGrpcStatus(status), IsOk());
      if (!status.ok()) break;
      token = response.next_page_token();
      pages.push_back(std::move(response));
    } while (!token.empty());
    return pages;
  }
};

TEST_F(RepliesTest, NoMethodRefusesWithoutAReason) {
  v1::Search pending;
  v1::Search cancelled;
  ASSERT_TRUE(Create(SmallJob(), "pending", &pending).ok());
  ASSERT_TRUE(Create(SmallJob(), "cancelled", &cancelled).ok());
  ASSERT_THAT(app_->CancelSearch(2), IsOk());
  const std::string agent = RegisterAgent();
  ASSERT_THAT(app_->RunOnce(), IsOk());
  std::set<std::string> refused;
  for (const MethodDescriptor* method : AllMethods()) {
    for (const char* name :
         {"", "1", "searches/999", "tasks/999", "workers/999", "devices/999", "searches/1", "searches/2", "\x1b[2J", "é"}) {
      for (const char* task : {"", "tasks/999", "tasks/5"}) {
        for (const std::string& party : {std::string(), std::string("workers/999"), agent}) {
          const std::map<std::string, std::string> names = {{"name", name},       {"parent", name},
                                                            {"task", task},       {"party", party},
                                                            {"instance_id", "2"}, {"sha256", name[0] == 's' ? std::string(64, 'a') : name}};
          const absl::Status status = Call(*method, *Request(*method, names));
          const std::string what = absl::StrCat(method->full_name(), "(", name, ", ", task, ", ", party, ")");
          ExpectTyped(status, what);
          if (!status.ok() && !absl::IsCancelled(status)) refused.insert(method->full_name());
          if (method->input_type()->FindFieldByName("party") == nullptr) break;
        }
        if (method->input_type()->FindFieldByName("task") == nullptr) break;
      }
    }
  }
  std::set<std::string> expected;
  for (const MethodDescriptor* method : AllMethods()) {
    // A list of everything takes every request without a token.
    if (method->name() != "ListSearches" && method->name() != "ListWorkers" && method->name() != "ListDevices")
      expected.insert(method->full_name());
  }
  EXPECT_EQ(refused, expected);
}

TEST_F(RepliesTest, EachStateOfASearchHasItsReason) {
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  const auto reason = [&](const char* method, const std::string& name) {
    const auto* descriptor = DescriptorPool::generated_pool()->FindMethodByName(absl::StrCat("hanas.v1.SearchService.", method));
    const absl::Status status = Call(*descriptor, *Request(*descriptor, {{"name", name}, {"parent", name}}));
    EXPECT_EQ(status.ok() ? name : ResourceOf(status), name) << method;
    return ReasonOf(status);
  };
  EXPECT_EQ(reason("GetReport", "searches/1"), kSearchNotSucceeded);
  EXPECT_EQ(reason("FinishSearch", "searches/1"), kNothingToVerify);
  EXPECT_EQ(reason("DeleteSearch", "searches/1"), kSearchNotOver);
  EXPECT_EQ(reason("CancelSearch", "searches/1"), "");
  for (const char* method : {"CancelSearch", "PauseSearch", "ResumeSearch", "FinishSearch"})
    EXPECT_EQ(reason(method, "searches/1"), kSearchOver) << method;
  EXPECT_EQ(reason("DeleteSearch", "searches/1"), "");
  for (const char* method : {"GetSearch", "CancelSearch", "PauseSearch", "ResumeSearch", "FinishSearch", "DeleteSearch", "GetReport",
                             "WatchSearch", "ListTasks", "ListCandidates", "GetFront", "ReplaySearch"}) {
    EXPECT_EQ(reason(method, "searches/1"), kSearchNotFound) << method;
  }
}

TEST_F(RepliesTest, AClientWithDefaultBoundsReadsAHundredMistakes) {
  SearchJob job = SmallJob();
  for (int i = 0; i < 28; ++i) job.space.stages.push_back({.widths = {-1}, .depths = {99}, .stride = 77});
  job.name = std::string(900'000, '\x7f');
  v1::Search search;
  const absl::Status status = rpc::FromGrpcStatus(Create(job, "r", &search));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  const std::vector<FieldViolation> violations = ViolationsOf(status);
  ASSERT_GT(violations.size(), 10U);
  EXPECT_EQ(CountOf(violations.back()), 28 * 3 + 1 - 20);
  EXPECT_THAT(violations, testing::Contains(Field(&FieldViolation::path, "name")));
}

TEST_F(RepliesTest, AJobOfMoreBytesThanAFileIsRefusedBeforeItIsLookedAt) {
  SearchJob job = SmallJob();
  for (int i = 0; i < 20'000; ++i) job.space.stages.push_back(job.space.stages[0]);
  v1::Search search;
  const absl::Status status = rpc::FromGrpcStatus(Create(job, "r", &search));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  ASSERT_THAT(ViolationsOf(status), testing::SizeIs(1));
  EXPECT_EQ(ViolationsOf(status)[0].path, "spec");
  EXPECT_THAT(ViolationsOf(status)[0].message, testing::StartsWith("expected a job of at most 1048576 bytes, found "));
}

TEST_F(RepliesTest, AClientWithDefaultBoundsReadsWhyALongNameIsNone) {
  for (const MethodDescriptor* method : AllMethods()) {
    if (method->client_streaming()) continue;
    const std::string name(1 << 20, '\xc3');
    std::string wide;
    while (wide.size() < name.size()) wide += "😀%";
    const absl::Status status =
        Call(*method,
             *Request(*method,
                      {{"name", wide}, {"parent", wide}, {"party", wide}, {"sha256", wide}, {"page_token", wide}, {"request_id", wide}}));
    EXPECT_TRUE(absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status)) << method->full_name() << ": " << status;
  }
}

TEST_F(RepliesTest, ListsLeaveOutWhatIsLarge) {
  v1::Search created;
  ASSERT_TRUE(Create(SmallJob(), "r", &created).ok());
  EXPECT_FALSE(created.spec_abridged());
  EXPECT_EQ(created.spec().space().stages_size(), static_cast<int>(SmallJob().space.stages.size()));
  grpc::ClientContext context;
  v1::ListSearchesResponse list;
  ASSERT_TRUE(searches_->ListSearches(&context, {}, &list).ok());
  ASSERT_THAT(list.searches(), SizeIs(1));
  EXPECT_TRUE(list.searches(0).spec_abridged());
  EXPECT_FALSE(list.searches(0).spec().has_space());
  EXPECT_EQ(list.searches(0).spec().name(), "small");
  EXPECT_EQ(list.searches(0).spec().target().backend(), SmallJob().target.backend);
}

TEST_F(RepliesTest, ASpecificationBeyondAMessageIsAbridged) {
  SearchSnapshot snapshot;
  snapshot.job = std::make_shared<const SearchJob>(SmallJob());
  v1::SearchSpec spec = rpc::ToProto(SmallJob());
  spec.mutable_dataset()->set_directory(std::string(3 << 20, 'd'));
  snapshot.record.spec = absl::Cord(spec.SerializeAsString());
  const v1::Search search = ToProto(snapshot);
  EXPECT_TRUE(search.spec_abridged());
  EXPECT_EQ(search.spec().name(), "small");
  EXPECT_LT(search.ByteSizeLong(), size_t{1} << 20);
}

// A store of an older version with other bounds: 20 000 stages, and steps that are none.
TEST_F(RepliesTest, AJobThatIsNotAcceptedAnyMoreHidesNothingAndCanBeDeleted) {
  StartOver([](const Put& put) {
    SearchJob refused = SmallJob();
    refused.name = "refused";
    refused.training.steps = 0;
    refused.space.stages.insert(refused.space.stages.end(), 20'000, refused.space.stages.back());
    const auto search = [](uint64_t id, const SearchJob& job, SearchPhase phase) {
      return SearchRecord{.id = id,
                          .spec = absl::Cord(rpc::ToProto(job).SerializeAsString()),
                          .phase = phase,
                          .phases = {{.phase = phase}},
                          .targets = {TargetRecord{}}};
    };
    put({RecordKind::kCounter}, CounterRecord{9});
    put({RecordKind::kSearch, 0, 1}, search(1, refused, SearchPhase::kTraining));
    put({RecordKind::kSearch, 0, 2}, search(2, refused, SearchPhase::kCancelled));
    put({RecordKind::kSearch, 0, 3}, search(3, SmallJob(), SearchPhase::kProfiling));
    put({RecordKind::kTask, 1, 4}, TaskRecord{.id = 4, .search = 1, .key = "train/0", .work = TrainWork{}});
  });
  ASSERT_THAT(app_->RunOnce(), IsOk());
  grpc::ClientContext listing;
  v1::ListSearchesResponse list;
  ASSERT_THAT(rpc::FromGrpcStatus(searches_->ListSearches(&listing, {}, &list)), IsOk());
  ASSERT_THAT(list.searches(), SizeIs(3));
  EXPECT_EQ(list.searches(0).spec().name(), "refused");
  EXPECT_EQ(list.searches(0).phase(), v1::PHASE_FAILED);
  EXPECT_EQ(list.searches(0).error_code(), kJobRefused);
  EXPECT_THAT(list.searches(0).error(), testing::HasSubstr("training.steps"));
  EXPECT_EQ(list.searches(1).phase(), v1::PHASE_CANCELLED);
  EXPECT_EQ(list.searches(2).phase(), v1::PHASE_PROFILING);
  EXPECT_EQ(app_->ListTasks(1, 0, 10)->tasks.at(0).task.state, TaskState::kCancelled);
  EXPECT_TRUE(HasReason(app_->ResumeSearch(1).status(), kJobRefused));
  EXPECT_TRUE(HasReason(app_->ReplaySearch(1).status(), kJobRefused));
  EXPECT_TRUE(HasReason(app_->ListCandidates(2, 0, 10).status(), kJobRefused));
  EXPECT_THAT(app_->DeleteSearch(1), IsOk());
  EXPECT_THAT(app_->DeleteSearch(2), IsOk());
  EXPECT_THAT(app_->ListSearches().value(), SizeIs(1));
}

TEST_F(RepliesTest, PagesOfTasksEndByBytesToo) {
  constexpr int kTasks = 1500;
  StartOver([](const Put& put) {
    put({RecordKind::kCounter}, CounterRecord{kTasks + 1});
    put({RecordKind::kSearch, 0, 1},
        SearchRecord{.id = 1, .spec = absl::Cord(rpc::ToProto(SmallJob()).SerializeAsString()), .phase = SearchPhase::kFailed});
    for (uint64_t i = 2; i <= kTasks + 1; ++i) {
      put({RecordKind::kTask, 1, i}, TaskRecord{.id = i,
                                                .search = 1,
                                                .key = absl::StrCat("round/0/evaluate/", i),
                                                .work = EvaluateWork{},
                                                .state = TaskState::kFailed,
                                                .error = std::string(4096, 'x')});
    }
  });
  const auto pages =
      Pages<v1::ListTasksResponse>([&](grpc::ClientContext& context, const std::string& token, v1::ListTasksResponse& response) {
        v1::ListTasksRequest request;
        request.set_parent("searches/1");
        request.set_page_size(1000);
        request.set_page_token(token);
        return searches_->ListTasks(&context, request, &response);
      });
  std::vector<std::string> names;
  for (const v1::ListTasksResponse& page : pages) {
    EXPECT_LT(page.ByteSizeLong(), (size_t{1} << 20) + 8192);
    for (const v1::TaskSummary& task : page.tasks()) names.push_back(task.name());
  }
  ASSERT_THAT(names, SizeIs(kTasks)) << "every task once, in order";
  for (int i = 0; i < kTasks; ++i) EXPECT_EQ(names[static_cast<size_t>(i)], absl::StrCat("tasks/", i + 2));
}

TEST_F(RepliesTest, PagesOfWorkersEndByBytesToo) {
  constexpr int kWorkers = 40;
  for (int i = 0; i < kWorkers; ++i) {
    PartyRecord party = {.name = absl::StrCat("w", i), .instance = "1", .host = "h"};
    for (int j = 0; j < 1000; ++j) party.datasets.push_back(absl::StrCat(j, std::string(200, 'd')));
    ASSERT_THAT(app_->Register(party), IsOk());
  }
  const auto pages =
      Pages<v1::ListWorkersResponse>([&](grpc::ClientContext& context, const std::string& token, v1::ListWorkersResponse& response) {
        v1::ListWorkersRequest request;
        request.set_page_token(token);
        return farm_->ListWorkers(&context, request, &response);
      });
  int workers = 0;
  for (const v1::ListWorkersResponse& page : pages) workers += page.workers_size();
  EXPECT_EQ(workers, kWorkers);
  EXPECT_GT(pages.size(), 5U);
}

TEST_F(RepliesTest, APartyThatWouldFillAPageIsRefused) {
  v1::RegisterRequest request = AgentRegistration();
  request.mutable_party()->clear_agent();
  for (int i = 0; i < 10'000; ++i) request.mutable_party()->mutable_worker()->add_datasets(absl::StrCat(i, std::string(200, 'd')));
  grpc::ClientContext context;
  v1::RegisterResponse response;
  const absl::Status status = rpc::FromGrpcStatus(tasks_->Register(&context, request, &response));
  EXPECT_THAT(ViolationsOf(status), ElementsAre(Field(&FieldViolation::path, "party"))) << status;
}

TEST_F(RepliesTest, WhatHoldersSayIsShortenedBetweenCharacters) {
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  const std::string agent = RegisterAgent();
  ASSERT_THAT(app_->RunOnce(), IsOk());
  v1::LeaseTaskRequest lease;
  lease.set_party(agent);
  lease.set_instance_id("1");
  v1::LeaseTaskResponse leased;
  grpc::ClientContext leasing;
  ASSERT_TRUE(tasks_->LeaseTask(&leasing, lease, &leased).ok());
  v1::FailTaskRequest fail;
  fail.set_party(agent);
  fail.set_instance_id("1");
  fail.set_task(leased.task().lease().task());
  fail.set_fencing_token(leased.task().lease().fencing_token());
  for (int i = 0; i < 5000; ++i) fail.mutable_message()->append("€");
  for (int i = 0; i < 50; ++i) fail.mutable_code()->append("€");
  v1::FailTaskResponse failed;
  grpc::ClientContext failing;
  ASSERT_TRUE(tasks_->FailTask(&failing, fail, &failed).ok());
  v1::ListTasksRequest request;
  request.set_parent(search.name());
  v1::ListTasksResponse tasks;
  grpc::ClientContext listing;
  EXPECT_THAT(rpc::FromGrpcStatus(searches_->ListTasks(&listing, request, &tasks)), IsOk()) << "a cut character would not be UTF-8";
  ASSERT_GT(tasks.tasks_size(), 0);
  EXPECT_LE(tasks.tasks(0).error().size(), 4096U);
}

TEST_F(RepliesTest, ValidatingAnswersTheSpecificationThatWouldBeStored) {
  v1::CreateSearchRequest request;
  *request.mutable_spec() = rpc::ToProto(SmallJob());
  request.set_validate_only(true);
  grpc::ClientContext validating;
  v1::Search validated;
  ASSERT_THAT(rpc::FromGrpcStatus(searches_->CreateSearch(&validating, request, &validated)), IsOk());
  v1::Search created;
  ASSERT_TRUE(Create(SmallJob(), "r", &created).ok());
  EXPECT_EQ(validated.spec().SerializeAsString(), created.spec().SerializeAsString());
  SearchJob understood = SmallJob();
  understood.training.numerics = Numerics::kF32;  // what `auto` stands for without workers
  EXPECT_EQ(validated.spec().SerializeAsString(), rpc::ToProto(understood).SerializeAsString());
  EXPECT_EQ(validated.job_digest(), created.job_digest());
}

TEST_F(RepliesTest, AWatchOfADeletedSearchEnds) {
  v1::Search search;
  ASSERT_TRUE(Create(SmallJob(), "r", &search).ok());
  v1::WatchSearchRequest request;
  request.set_name(search.name());
  grpc::ClientContext context;
  const auto reader = searches_->WatchSearch(&context, request);
  v1::SearchEvent event;
  ASSERT_TRUE(reader->Read(&event));
  ASSERT_THAT(app_->CancelSearch(1), IsOk());
  ASSERT_THAT(app_->DeleteSearch(1), IsOk());
  while (reader->Read(&event)) continue;
  // Cancelled, it may have ended before it was deleted.
  const absl::Status status = rpc::FromGrpcStatus(reader->Finish());
  EXPECT_TRUE(status.ok() || HasReason(status, kSearchNotFound)) << status;
}

}  // namespace
}  // namespace hanas::coordinator
