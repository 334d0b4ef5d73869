// SPDX-License-Identifier: Apache-2.0
// What clients that know nothing of us find at a server: health by name, reflection in both versions, and bounds on what they send.

#include <memory>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "hanas/v1/search.grpc.pb.h"
#include "rpc/client.h"
#include "rpc/health.grpc.pb.h"
#include "rpc/reflection_v1.grpc.pb.h"
#include "rpc/reflection_v1alpha.grpc.pb.h"
#include "rpc/server.h"
#include "rpc/status.h"
#include "tests/support/loopback.h"

namespace hanas::rpc {
namespace {

using ::absl_testing::IsOk;
using ::testing::ElementsAre;

using Health = grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class EchoSearches : public v1::SearchService::Service {
 public:
  grpc::Status GetSearch(grpc::ServerContext*, const v1::GetSearchRequest* request, v1::Search* search) override {
    search->set_name(request->name());
    return grpc::Status::OK;
  }
};

struct V1 {
  using Stub = grpc::reflection::v1::ServerReflection;
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
};
struct V1Alpha {
  using Stub = grpc::reflection::v1alpha::ServerReflection;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
};

class GenericClientsTest : public testing::Test {
 protected:
  /// Of a client with nothing set.
  std::shared_ptr<grpc::Channel> Channel(const grpc::ChannelArguments& arguments = {}) {
    return grpc::CreateCustomChannel(server_->address().ToString(), grpc::InsecureChannelCredentials(), arguments);
  }
  grpc::Status Check(const std::string& service, HealthCheckResponse::ServingStatus& found) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    const grpc::Status status = Health::NewStub(Channel())->Check(&context, request, &response);
    found = response.status();
    return status;
  }
  /// The answers to several questions on one stream.
  template <typename Api>
  std::vector<typename Api::Response> Ask(const std::vector<typename Api::Request>& questions) {
    grpc::ClientContext context;
    const auto stub = Api::Stub::NewStub(Channel());
    const auto stream = stub->ServerReflectionInfo(&context);
    std::vector<typename Api::Response> answers(questions.size());
    for (size_t i = 0; i < questions.size(); ++i) EXPECT_TRUE(stream->Write(questions[i]) && stream->Read(&answers[i]));
    stream->WritesDone();
    EXPECT_THAT(FromGrpcStatus(stream->Finish()), IsOk());
    return answers;
  }
  template <typename Api>
  void ExpectEveryServiceDescribed();

  EchoSearches searches_;
  std::unique_ptr<Server> server_ = Server::Start({.handshake_timeout = absl::Milliseconds(200)}, {&searches_}).value();
};

TEST_F(GenericClientsTest, HealthIsKnownByTheNameOfEachService) {
  HealthCheckResponse::ServingStatus found;
  for (const char* service : {"", "hanas.v1.SearchService", "grpc.health.v1.Health"}) {
    server_->SetServing(true);
    ASSERT_TRUE(Check(service, found).ok()) << service;
    EXPECT_EQ(found, HealthCheckResponse::SERVING) << service;
    server_->SetServing(false);
    ASSERT_TRUE(Check(service, found).ok()) << service;
    EXPECT_EQ(found, HealthCheckResponse::NOT_SERVING) << service;
  }
  EXPECT_EQ(Check("hanas.v1.Nobody", found).error_code(), grpc::StatusCode::NOT_FOUND);
}

template <typename Api>
void GenericClientsTest::ExpectEveryServiceDescribed() {
  typename Api::Request list;
  list.set_list_services("");
  std::vector<typename Api::Request> questions;
  std::vector<std::string> names;
  const typename Api::Response listed = Ask<Api>({list})[0];
  for (const auto& service : listed.list_services_response().service()) {
    names.push_back(service.name());
    questions.emplace_back().set_file_containing_symbol(service.name());
  }
  EXPECT_THAT(names, ElementsAre("grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
                                 "hanas.v1.SearchService"));
  const std::vector<typename Api::Response> answers = Ask<Api>(questions);
  for (size_t i = 0; i < names.size(); ++i) {
    // All that is needed comes along: a pool that knows nothing else can be made of it.
    google::protobuf::DescriptorPool pool;
    for (const std::string& bytes : answers[i].file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      ASSERT_TRUE(file.ParseFromString(bytes));
      ASSERT_NE(pool.BuildFile(file), nullptr) << file.name();
    }
    const google::protobuf::ServiceDescriptor* service = pool.FindServiceByName(names[i]);
    ASSERT_NE(service, nullptr) << names[i];
    EXPECT_GT(service->method_count(), 0) << names[i];
  }
}

TEST_F(GenericClientsTest, ReflectionDescribesEveryServiceInBothVersions) {
  ExpectEveryServiceDescribed<V1>();
  ExpectEveryServiceDescribed<V1Alpha>();
}

TEST_F(GenericClientsTest, ReflectionAnswersEveryKindOfQuestion) {
  std::vector<V1::Request> questions(6);
  questions[0].set_file_by_filename("hanas/v1/search.proto");
  questions[1].set_file_by_filename("nothing.proto");
  questions[2].set_file_containing_symbol(std::string(1 << 20, '\x1b'));
  questions[3].set_all_extension_numbers_of_type("hanas.v1.Search");
  questions[4].mutable_file_containing_extension()->set_containing_type("hanas.v1.Search");
  const std::vector<V1::Response> answers = Ask<V1>(questions);
  EXPECT_GT(answers[0].file_descriptor_response().file_descriptor_proto_size(), 1);
  EXPECT_EQ(answers[0].original_request().file_by_filename(), "hanas/v1/search.proto");
  EXPECT_EQ(answers[1].error_response().error_code(), static_cast<int>(grpc::StatusCode::NOT_FOUND));
  EXPECT_LT(answers[2].error_response().error_message().size(), 400U);
  EXPECT_EQ(answers[3].all_extension_numbers_response().base_type_name(), "hanas.v1.Search");
  EXPECT_EQ(answers[4].error_response().error_code(), static_cast<int>(grpc::StatusCode::NOT_FOUND));
  EXPECT_EQ(answers[5].error_response().error_code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
}

// gRPC expands a message before it looks at its size: 16 MiB may expand to 16 GiB. What is not taken compressed is refused unseen, not
// with the RESOURCE_EXHAUSTED that follows the expansion.
TEST_F(GenericClientsTest, CompressedMessagesAreRefusedUnexpanded) {
  const auto stub = v1::SearchService::NewStub(Channel());
  v1::Search search;
  for (const size_t size : {size_t{10}, size_t{20} << 20}) {
    v1::GetSearchRequest request;
    request.set_name(std::string(size, 'a'));
    for (const grpc_compression_algorithm algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
      grpc::ClientContext context;
      context.set_compression_algorithm(algorithm);
      EXPECT_EQ(stub->GetSearch(&context, request, &search).error_code(), grpc::StatusCode::UNIMPLEMENTED) << size;
    }
  }
  grpc::ClientContext plain;
  v1::GetSearchRequest request;
  request.set_name("searches/1");
  EXPECT_TRUE(stub->GetSearch(&plain, request, &search).ok());
}

TEST_F(GenericClientsTest, AConnectionThatSaysNothingIsClosed) {
  LoopbackConnection silent(server_->address().port);
  silent.ReadToEnd();  // the server's own beginning, and its end
  // Others are served meanwhile and afterwards.
  HealthCheckResponse::ServingStatus found;
  EXPECT_TRUE(Check("", found).ok());
}

}  // namespace
}  // namespace hanas::rpc
