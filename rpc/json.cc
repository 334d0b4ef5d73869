// SPDX-License-Identifier: Apache-2.0
#include "rpc/json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/type.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <memory>

#include "absl/base/no_destructor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "rpc/enum_word.h"

namespace hanas::rpc {
namespace {

using ::google::protobuf::DescriptorPool;
using ::google::protobuf::util::Status;
using ::google::protobuf::util::TypeResolver;

constexpr absl::string_view kUrlPrefix = "type.googleapis.com";

std::string UrlOf(const google::protobuf::Message& message) { return absl::StrCat(kUrlPrefix, "/", message.GetDescriptor()->full_name()); }

/// What protobuf asks about types while it writes or reads JSON: it is told that enumerators are called by their words. Their names follow
/// behind, so that both are read and the first is written.
class TypesWithWords final : public TypeResolver {
 public:
  Status ResolveMessageType(const std::string& url, google::protobuf::Type* type) override {
    return generated_->ResolveMessageType(url, type);
  }

  Status ResolveEnumType(const std::string& url, google::protobuf::Enum* type) override {
    Status status = generated_->ResolveEnumType(url, type);
    absl::string_view name = url;
    absl::ConsumePrefix(&name, absl::StrCat(kUrlPrefix, "/"));
    const auto* const known = DescriptorPool::generated_pool()->FindEnumTypeByName(std::string(name));
    if (!status.ok() || known == nullptr) return status;
    const google::protobuf::Enum named = *type;
    for (int i = 0; i < type->enumvalue_size(); ++i) {
      const auto* const enumerator = known->FindValueByName(type->enumvalue(i).name());
      if (enumerator != nullptr) type->mutable_enumvalue(i)->set_name(EnumWord(*enumerator));
    }
    type->mutable_enumvalue()->MergeFrom(named.enumvalue());
    return status;
  }

 private:
  const std::unique_ptr<TypeResolver> generated_{
      google::protobuf::util::NewTypeResolverForDescriptorPool(std::string(kUrlPrefix), DescriptorPool::generated_pool())};
};

TypeResolver* Types() {
  static absl::NoDestructor<TypesWithWords> types;
  return types.get();
}

}  // namespace

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message, bool pretty) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = pretty;
  options.always_print_primitive_fields = true;
  std::string json;
  const Status status = google::protobuf::util::BinaryToJsonString(Types(), UrlOf(message), message.SerializeAsString(), &json, options);
  if (status.ok()) return json;
  return absl::InternalError(
      absl::StrCat(message.GetDescriptor()->name(), " could not be written as JSON: ", std::string(status.message())));
}

absl::Status FromJson(absl::string_view json, google::protobuf::Message& message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  std::string bytes;
  const Status status = google::protobuf::util::JsonToBinaryString(Types(), UrlOf(message), std::string(json), &bytes, options);
  if (status.ok() && message.ParseFromString(bytes)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", message.GetDescriptor()->name(), " as JSON, found other text: ", std::string(status.message())));
}

}  // namespace hanas::rpc
