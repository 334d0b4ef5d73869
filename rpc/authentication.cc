// SPDX-License-Identifier: Apache-2.0
#include "rpc/authentication.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpcpp/support/interceptor.h>

#include <cstddef>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/base/error_reason.h"
#include "rpc/clock.h"
#include "rpc/status.h"
#include "telemetry/event_log.h"

namespace hanas::rpc {
namespace {

using grpc::experimental::InterceptionHookPoints;

constexpr char kHeader[] = "authorization";
constexpr absl::string_view kScheme = "Bearer ";
/// Probes of load balancers and orchestrators have no token, and learn nothing but whether it serves.
constexpr absl::string_view kOpenService = "/grpc.health.v1.Health/";
constexpr char kNoToken[] =
    "expected a token (authorization: Bearer TOKEN), found none: the coordinator names the file that holds it in the log of its start";
constexpr char kOtherToken[] =
    "expected the coordinator's token (authorization: Bearer TOKEN), found another: the coordinator names the file that holds it in the "
    "log of "
    "its start";

absl::string_view TextOf(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)), GRPC_SLICE_LENGTH(slice)};
}

/// What the calls on one port are held against. Lives as long as the port. Thread-safe.
class TokenCheck {
 public:
  explicit TokenCheck(Secret token) : token_(std::move(token)) {}

  void Answer(const grpc_metadata* metadata, size_t size, grpc_process_auth_metadata_done_cb done, void* call) {
    absl::string_view path;
    std::optional<absl::string_view> shown;
    for (size_t i = 0; i < size; ++i) {
      const absl::string_view key = TextOf(metadata[i].key);
      if (key == ":path") path = TextOf(metadata[i].value);
      if (key == kHeader) shown = TextOf(metadata[i].value);
    }
    absl::string_view found = shown.value_or("");
    const bool right = absl::ConsumePrefix(&found, kScheme) && token_.Matches(found);
    if (right || absl::StartsWith(path, kOpenService)) return done(call, nullptr, 0, nullptr, 0, GRPC_STATUS_OK, nullptr);
    refused_.Log(SystemClock().Now(), telemetry::Severity::kWarning, "call_refused",
                 {{"reason", std::string(shown.has_value() ? kTokenWrong : kTokenRequired)}});
    done(call, nullptr, 0, nullptr, 0, GRPC_STATUS_UNAUTHENTICATED, shown.has_value() ? kOtherToken : kNoToken);
  }

 private:
  const Secret token_;
  telemetry::EventLimiter refused_;
};

/// grpc::InsecureServerCredentials takes no processor of metadata; the insecure credentials of gRPC's core do.
class TokenServerCredentials final : public grpc::ServerCredentials {
 public:
  explicit TokenServerCredentials(Secret token) : token_(std::move(token)) {}

  /// There is one already.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    grpc_server_credentials* const credentials = grpc_insecure_server_credentials_create();
    grpc_server_credentials_set_auth_metadata_processor(credentials,
                                                        {.process = &Process, .destroy = &Destroy, .state = new TokenCheck(token_)});
    const int port = grpc_server_add_http2_port(server, address.c_str(), credentials);
    grpc_server_credentials_release(credentials);
    return port;
  }

  static void Process(void* state, grpc_auth_context*, const grpc_metadata* metadata, size_t size, grpc_process_auth_metadata_done_cb done,
                      void* call) {
    static_cast<TokenCheck*>(state)->Answer(metadata, size, done, call);
  }
  static void Destroy(void* state) { delete static_cast<TokenCheck*>(state); }

  const Secret token_;
};

using Place = std::shared_ptr<const absl::StatusOr<TokenPlace>>;

absl::Status Refused(const absl::StatusOr<TokenPlace>& place, const absl::Status& found) {
  constexpr absl::string_view kRemedy =
      "copy the file that its log names at its start, with mode 0600, or name that one with --token-file or HANAS_TOKEN_FILE";
  if (found.ok()) {
    return WithReason(absl::UnauthenticatedError(absl::StrCat("the coordinator has another token than ", place->ToString(), ": ", kRemedy)),
                      kTokenWrong);
  }
  return WithReason(absl::UnauthenticatedError(
                        absl::StrCat("the coordinator asks for a token, and there is none here (", found.message(), "): ", kRemedy)),
                    kTokenRequired);
}

/// One call. gRPC calls it from one thread at a time.
class TokenInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit TokenInterceptor(Place place) : place_(std::move(place)) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* batch) override {
    if (batch->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      // Read for each call, so that a token which is made or changed later counts at once.
      const absl::StatusOr<Secret> token = place_->ok() ? ReadToken(**place_) : place_->status();
      found_ = token.status();
      if (token.ok()) batch->GetSendInitialMetadata()->insert({kHeader, absl::StrCat(kScheme, token->text())});
    }
    if (batch->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS)) {
      grpc::Status& status = *batch->GetRecvStatus();
      if (status.error_code() == grpc::StatusCode::UNAUTHENTICATED) status = ToGrpcStatus(Refused(*place_, found_));
    }
    batch->Proceed();
  }

 private:
  const Place place_;
  absl::Status found_;  // how looking for the token ended
};

class TokenInterceptorFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenInterceptorFactory(Place place) : place_(std::move(place)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo*) override {
    return new TokenInterceptor(place_);
  }

 private:
  const Place place_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> AskForToken(Secret token) { return std::make_shared<TokenServerCredentials>(std::move(token)); }

absl::StatusOr<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> ShowToken(const std::string& token_file) {
  auto place = std::make_shared<const absl::StatusOr<TokenPlace>>(FindToken(token_file));
  if (place->ok()) {
    const absl::Status found = ReadToken(**place).status();
    if (!found.ok() && ((*place)->chosen || !absl::IsNotFound(found))) return found;
  }
  return std::make_unique<TokenInterceptorFactory>(std::move(place));
}

}  // namespace hanas::rpc
