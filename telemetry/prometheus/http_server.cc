// SPDX-License-Identifier: Apache-2.0
#include "telemetry/prometheus/http_server.h"

#include <civetweb.h>

#include <array>
#include <future>
#include <utility>

#include "absl/base/call_once.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace hanas::telemetry {
namespace {

absl::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

class CivetServer final : public HttpServer {
 public:
  explicit CivetServer(std::map<std::string, HttpHandler> handlers) : handlers_(std::move(handlers)) {}
  CivetServer(const CivetServer&) = delete;
  CivetServer& operator=(const CivetServer&) = delete;
  ~CivetServer() override {
    if (context_ != nullptr) mg_stop(context_);
  }

  absl::Status Listen(const std::string& host, int port) {
    static absl::once_flag once;
    absl::call_once(once, [] { mg_init_library(0); });
    const std::string address = host == "localhost" ? "127.0.0.1" : host;
    const std::string where = absl::StrContains(address, ':') ? absl::StrCat("[", address, "]:", port) : absl::StrCat(address, ":", port);
    // Two threads, short waits: a client that does not speak holds up nobody for long.
    const std::array<const char*, 11> options = {
        "listening_ports",   where.c_str(), "num_threads", "2", "request_timeout_ms", "5000", "connection_queue", "16",
        "enable_keep_alive", "no",          nullptr};
    mg_callbacks callbacks{};
    callbacks.begin_request = &Answer;
    callbacks.log_message = [](const mg_connection*, const char*) { return 1; };  // what matters is in our statuses
    context_ = mg_start(&callbacks, this, const_cast<const char**>(options.data()));
    if (context_ == nullptr) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on http://", where, ": the port is taken or the address is not of this machine"));
    }
    std::array<mg_server_port, 4> ports{};
    if (mg_get_server_ports(context_, static_cast<int>(ports.size()), ports.data()) < 1) {
      return absl::InternalError(absl::StrCat("the HTTP server on ", where, " does not say its port"));
    }
    port_ = ports[0].port;
    return absl::OkStatus();
  }

  int port() const override { return port_; }

 private:
  static int Answer(mg_connection* connection) {
    const mg_request_info* const request = mg_get_request_info(connection);
    const auto* const self = static_cast<const CivetServer*>(request->user_data);
    const HttpReply reply = self->ReplyTo(request->request_method, request->local_uri);
    const std::string head =
        absl::StrCat("HTTP/1.1 ", reply.status, " ", Reason(reply.status), "\r\nContent-Type: ", reply.content_type,
                     "\r\nContent-Length: ", reply.body.size(), "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
    mg_write(connection, head.data(), head.size());
    if (absl::string_view(request->request_method) != "HEAD") mg_write(connection, reply.body.data(), reply.body.size());
    return reply.status;
  }

  /// On a thread of its own, with a whole stack. Those of the library have a hundred kilobytes, of which the thread-local storage of large
  /// libraries (LibTorch) and the dynamic linker's saving of wide registers take most.
  HttpReply ReplyTo(absl::string_view method, absl::string_view path) const {
    return std::async(std::launch::async, [&] { return Answered(method, path); }).get();
  }

  HttpReply Answered(absl::string_view method, absl::string_view path) const {
    const auto handler = handlers_.find(std::string(path));
    if (handler == handlers_.end()) {
      return {.status = 404,
              .body = absl::StrCat("expected one of ",
                                   absl::StrJoin(handlers_, ", ", [](std::string* out, const auto& entry) { out->append(entry.first); }),
                                   "\n")};
    }
    if (method != "GET" && method != "HEAD") return {.status = 405, .body = "expected GET or HEAD\n"};
    return handler->second();
  }

  const std::map<std::string, HttpHandler> handlers_;
  mg_context* context_ = nullptr;
  int port_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& host, int port,
                                                              std::map<std::string, HttpHandler> handlers) {
  auto server = std::make_unique<CivetServer>(std::move(handlers));
  if (absl::Status status = server->Listen(host, port); !status.ok()) return status;
  return server;
}

std::map<std::string, HttpHandler> OperationsHandlers(PrometheusMetrics* metrics, std::function<absl::Status()> ready) {
  metrics->AddCollector([ready](Metrics& into) { into.Set(Metric::kReady, {}, ready().ok() ? 1 : 0); });
  return {
      {"/metrics", [metrics] { return HttpReply{.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics->Scrape()}; }},
      {"/healthz", [] { return HttpReply{.body = "ok\n"}; }},
      {"/readyz",
       [ready = std::move(ready)] {
         const absl::Status status = ready();
         if (status.ok()) return HttpReply{.body = "ok\n"};
         return HttpReply{.status = 503, .body = absl::StrCat(status.message(), "\n")};
       }},
  };
}

}  // namespace hanas::telemetry
