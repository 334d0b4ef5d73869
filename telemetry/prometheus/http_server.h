// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TELEMETRY_PROMETHEUS_HTTP_SERVER_H_
#define HANAS_TELEMETRY_PROMETHEUS_HTTP_SERVER_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "telemetry/prometheus/prometheus_metrics.h"

namespace hanas::telemetry {

struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};
/// Called by the thread of its path, one call at a time.
using HttpHandler = std::function<HttpReply()>;

/// What strangers may take of a process. There is no limit for each address: on loopback, behind a proxy and among containers everybody has
/// the same one, the probe that must be answered too.
struct HttpLimits {
  /// Connections that are open at once, but no more than half of the files that the process may open (often 1024). One more closes the
  /// oldest: one that asks now is not kept out by those who came before it. From 1 on.
  int connections = 400;
  /// How long a client may take to send its request, and again to take its reply; then it is closed. However it goes about it: a byte now
  /// and then does not prolong it.
  absl::Duration patience = absl::Seconds(5);
  /// For one connection's request line and headers; what does not fit is refused.
  size_t request_bytes = size_t{16} << 10;
};

/// A small HTTP server for probes and scrapes: GET and HEAD of a fixed set of paths, one request a connection, no request body, no
/// encryption. Whatever else arrives is refused or closed.
///
/// Each path has a thread of its own: a slow handler holds up nobody who asks for another path. Those who wait for the same one share
/// its next call. Stops when destroyed, after the calls that are under way; what handlers borrow may be gone after that.
///
/// Thread-safe.
class HttpServer {
 public:
  /// `host` is an address or a name of this machine: "::" is every address, those of IPv4 too, and "localhost" is 127.0.0.1. Port 0: the
  /// system chooses. Returns UNAVAILABLE, saying where and why, when it cannot listen there.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& host, int port, std::map<std::string, HttpHandler> handlers,
                                                           const HttpLimits& limits = {});
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
