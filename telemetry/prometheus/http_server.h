// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TELEMETRY_PROMETHEUS_HTTP_SERVER_H_
#define HANAS_TELEMETRY_PROMETHEUS_HTTP_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "telemetry/prometheus/prometheus_metrics.h"

namespace hanas::telemetry {

struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};
/// Called by one of the server's threads.
using HttpHandler = std::function<HttpReply()>;

/// A small HTTP server for probes and scrapes: GET and HEAD of a fixed set of paths, a bounded number of connections, no request body, no
/// encryption. Stops when destroyed.
///
/// Thread-safe.
class HttpServer {
 public:
  /// `host` is an IPv4 or IPv6 address or "localhost"; port 0: the system chooses. Returns UNAVAILABLE, saying where, when it cannot listen
  /// there.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& host, int port, std::map<std::string, HttpHandler> handlers);
  virtual ~HttpServer() = default;

  /// The real one.
  virtual int port() const = 0;
};

/// The paths that every process of ours answers: /metrics, /healthz (alive: always 200), /readyz (200 while `ready` answers OK, else 503
/// and why). Records hanas_ready before each scrape; hence `metrics` must not be scraped after what `ready` uses is gone. Borrows
/// `metrics`.
std::map<std::string, HttpHandler> OperationsHandlers(PrometheusMetrics* metrics, std::function<absl::Status()> ready);

}  // namespace hanas::telemetry

#endif  // HANAS_TELEMETRY_PROMETHEUS_HTTP_SERVER_H_
