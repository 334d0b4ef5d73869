// SPDX-License-Identifier: Apache-2.0
#include "rpc/call_metrics.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/support/interceptor.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "rpc/clock.h"

namespace hanas::rpc {
namespace {

using grpc::experimental::InterceptionHookPoints;
using telemetry::Metric;

constexpr absl::string_view kOurs = "/hanas.v1.";

/// "SearchService/CreateSearch" of "/hanas.v1.SearchService/CreateSearch", when there is such a method.
std::string MethodLabel(absl::string_view path) {
  if (!absl::StartsWith(path, kOurs)) return std::string(telemetry::kOtherLabel);
  const std::string full_name = absl::StrReplaceAll(path.substr(1), {{"/", "."}});
  if (google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(full_name) == nullptr)
    return std::string(telemetry::kOtherLabel);
  return std::string(path.substr(kOurs.size()));
}

/// One call. gRPC calls it from one thread at a time, and destroys it with the call.
class CallRecorder final : public grpc::experimental::Interceptor {
 public:
  CallRecorder(telemetry::Metrics* metrics, std::string method)
      : metrics_(metrics), method_(std::move(method)), begin_(SystemClock().Now()) {
    metrics_->Add(Metric::kRpcInProgress, {method_}, 1);
  }
  // A call that ends before it has a status was cancelled.
  ~CallRecorder() override { Finish(absl::StatusCode::kCancelled); }

  void Intercept(grpc::experimental::InterceptorBatchMethods* batch) override {
    // Before it is sent, so that whoever has the reply finds it counted.
    if (batch->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      Finish(static_cast<absl::StatusCode>(batch->GetSendStatus().error_code()));
    }
    batch->Proceed();
  }

 private:
  void Finish(absl::StatusCode code) {
    if (finished_) return;
    finished_ = true;
    metrics_->Add(Metric::kRpcInProgress, {method_}, -1);
    metrics_->Observe(Metric::kRpcSeconds, {method_, absl::StatusCodeToString(code)}, absl::ToDoubleSeconds(SystemClock().Now() - begin_));
  }

  telemetry::Metrics* const metrics_;
  const std::string method_;
  const absl::Duration begin_;
  bool finished_ = false;
};

class CallRecorderFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CallRecorderFactory(telemetry::Metrics* metrics) : metrics_(metrics) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    return new CallRecorder(metrics_, MethodLabel(info->method()));
  }

 private:
  telemetry::Metrics* const metrics_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MeasureCalls(telemetry::Metrics* metrics) {
  return std::make_unique<CallRecorderFactory>(metrics);
}

}  // namespace hanas::rpc
