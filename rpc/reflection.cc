// SPDX-License-Identifier: Apache-2.0
#include "rpc/reflection.h"

#include <algorithm>
#include <set>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <grpcpp/support/server_callback.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/text.h"
#include "rpc/health.pb.h"
#include "rpc/reflection_v1.grpc.pb.h"
#include "rpc/reflection_v1alpha.grpc.pb.h"

namespace hanas::rpc {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;

constexpr size_t kMaxQuotedBytes = 200;

struct V1 {
  using Service = grpc::reflection::v1::ServerReflection::CallbackService;
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
};
struct V1Alpha {
  using Service = grpc::reflection::v1alpha::ServerReflection::CallbackService;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
};

template <typename Response>
void Refuse(grpc::StatusCode code, absl::string_view expected, absl::string_view found, Response& response) {
  response.mutable_error_response()->set_error_code(code);
  response.mutable_error_response()->set_error_message(
      absl::StrCat("expected ", expected, ", found \"", Shorten(Printable(found), kMaxQuotedBytes), "\""));
}

/// The file and all that it imports, each once, imports before those that import them.
template <typename Response>
void AddFiles(const FileDescriptor* file, std::set<const FileDescriptor*>& added, Response& response) {
  if (!added.insert(file).second) return;
  for (int i = 0; i < file->dependency_count(); ++i) AddFiles(file->dependency(i), added, response);
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  response.mutable_file_descriptor_response()->add_file_descriptor_proto(proto.SerializeAsString());
}

template <typename Response>
void AnswerFile(const FileDescriptor* file, absl::string_view expected, absl::string_view found, Response& response) {
  if (file == nullptr) return Refuse(grpc::StatusCode::NOT_FOUND, expected, found, response);
  std::set<const FileDescriptor*> added;
  AddFiles(file, added, response);
}

template <typename Response>
void AnswerExtensions(const std::string& type, Response& response) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  const google::protobuf::Descriptor* extended = pool.FindMessageTypeByName(type);
  if (extended == nullptr) return Refuse(grpc::StatusCode::NOT_FOUND, "a message type of this server", type, response);
  std::vector<const google::protobuf::FieldDescriptor*> extensions;
  pool.FindAllExtensions(extended, &extensions);
  response.mutable_all_extension_numbers_response()->set_base_type_name(type);
  for (const google::protobuf::FieldDescriptor* extension : extensions)
    response.mutable_all_extension_numbers_response()->add_extension_number(extension->number());
}

template <typename Request, typename Response>
Response Answer(const Request& request, const std::vector<std::string>& services) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kListServices:
      for (const std::string& service : services) response.mutable_list_services_response()->add_service()->set_name(service);
      break;
    case Request::kFileByFilename:
      AnswerFile(pool.FindFileByName(request.file_by_filename()), "a file of this server", request.file_by_filename(), response);
      break;
    case Request::kFileContainingSymbol:
      AnswerFile(pool.FindFileContainingSymbol(request.file_containing_symbol()), "a symbol of this server",
                 request.file_containing_symbol(), response);
      break;
    case Request::kFileContainingExtension: {
      const auto& asked = request.file_containing_extension();
      const google::protobuf::Descriptor* extended = pool.FindMessageTypeByName(asked.containing_type());
      const auto* extension = extended == nullptr ? nullptr : pool.FindExtensionByNumber(extended, asked.extension_number());
      AnswerFile(extension == nullptr ? nullptr : extension->file(), "an extension of this server", asked.containing_type(), response);
      break;
    }
    case Request::kAllExtensionNumbersOfType:
      AnswerExtensions(request.all_extension_numbers_of_type(), response);
      break;
    case Request::MESSAGE_REQUEST_NOT_SET:
      Refuse(grpc::StatusCode::INVALID_ARGUMENT, "a request of grpc.reflection", "", response);
      break;
  }
  return response;
}

/// One question after another. Deletes itself when the call is over.
template <typename Api>
class Conversation final : public grpc::ServerBidiReactor<typename Api::Request, typename Api::Response> {
 public:
  explicit Conversation(const std::vector<std::string>* names) : names_(names) { this->StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::OK);
    response_ = Answer<typename Api::Request, typename Api::Response>(request_, *names_);
    this->StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::CANCELLED);
    this->StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  const std::vector<std::string>* const names_;
  typename Api::Request request_;
  typename Api::Response response_;
};

template <typename Api>
class Service final : public Api::Service {
 public:
  explicit Service(const std::vector<std::string>* names) : names_(names) {}

  grpc::ServerBidiReactor<typename Api::Request, typename Api::Response>* ServerReflectionInfo(grpc::CallbackServerContext*) override {
    return new Conversation<Api>(names_);
  }

 private:
  const std::vector<std::string>* const names_;
};

/// Learns what the server serves when it is built.
class NamesPlugin final : public grpc::ServerBuilderPlugin {
 public:
  explicit NamesPlugin(std::vector<std::string>* names) : names_(names) {}

  std::string name() override { return "hanas_reflection"; }
  void InitServer(grpc::ServerInitializer*) override {}
  void Finish(grpc::ServerInitializer* initializer) override {
    // gRPC serves health by itself, and leaves it out of its list.
    std::set<std::string> names(initializer->GetServiceList()->begin(), initializer->GetServiceList()->end());
    names.insert(grpc::health::v1::HealthCheckRequest::descriptor()->file()->service(0)->full_name());
    names_->assign(names.begin(), names.end());
  }
  void ChangeArguments(const std::string&, void*) override {}

 private:
  std::vector<std::string>* const names_;
};

class NamesOption final : public grpc::ServerBuilderOption {
 public:
  explicit NamesOption(std::vector<std::string>* names) : names_(names) {}

  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->push_back(std::make_unique<NamesPlugin>(names_));
  }

 private:
  std::vector<std::string>* const names_;
};

}  // namespace

Reflection::Reflection() {
  services_.push_back(std::make_unique<Service<V1>>(&names_));
  services_.push_back(std::make_unique<Service<V1Alpha>>(&names_));
}

Reflection::~Reflection() = default;

void Reflection::AddTo(grpc::ServerBuilder& builder) {
  for (const std::unique_ptr<grpc::Service>& service : services_) builder.RegisterService(service.get());
  builder.SetOption(std::make_unique<NamesOption>(&names_));
}

}  // namespace hanas::rpc
