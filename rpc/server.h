// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_SERVER_H_
#define HANAS_RPC_SERVER_H_

#include <grpcpp/server.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/address.h"
#include "rpc/reflection.h"
#include "rpc/token.h"
#include "telemetry/metrics.h"

namespace hanas::rpc {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";  // port 0: the system chooses
  bool insecure_listen = false;        // allows hosts other than loopback, without encryption
  std::optional<Secret> token;         // that calls on TCP must show, those of health excepted; none, of tests: nobody is asked
  std::string port_file;               // receives the port, complete or not at all, once the server answers; empty: none
  telemetry::Metrics* metrics = &telemetry::NoMetrics();  // of calls; borrowed, must outlive the server
  int max_poll_threads = 2;  // that wait for new short calls; each short call in progress has a thread of its own besides
  // A peer that answers nothing, with or without calls, is gone after the sum; its calls are then cancelled.
  absl::Duration keepalive_time = absl::Seconds(10);
  absl::Duration keepalive_timeout = absl::Seconds(10);
  // A client that does not take what a call sends for so long has its call cancelled, also when it answers.
  absl::Duration max_stall = absl::Seconds(30);
  // A connection that has not said what HTTP/2 begins with by then is closed.
  absl::Duration handshake_timeout = absl::Seconds(10);
};

/// A gRPC server with our limits, grpc.health.v1 for the server ("") and for each service by its name, and reflection (reflection.h). It
/// takes no compressed messages: gRPC expands them before it looks at their size. Stops when destroyed.
///
/// Thread-safe.
class Server {
 public:
  /// `services` are borrowed and must outlive the server. A Unix socket has the mode 0600: it is reached by this user alone, who is asked
  /// for no token; one that a dead process left behind is replaced. Returns INVALID_ARGUMENT for a bad address, UNAVAILABLE when it cannot
  /// listen there (the message says where and why: in use, for instance), and the errno's status when the port file cannot be written.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, const std::vector<grpc::Service*>& services);
  ~Server();

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Where it listens, with the real port.
  const Address& address() const { return address_; }

  /// A channel that stays in this process, for tests.
  std::shared_ptr<grpc::Channel> InProcessChannel();

  /// What grpc.health.v1 answers from now on, until Shutdown.
  void SetServing(bool serving);

  /// Health answers NOT_SERVING and no new call is accepted; calls in progress are cancelled after `grace`. Idempotent. Blocks.
  void Shutdown(absl::Duration grace = absl::Seconds(2));

 private:
  Server(std::unique_ptr<Reflection> reflection, std::unique_ptr<grpc::Server> server, Address address);

  std::unique_ptr<Reflection> reflection_;  // the server uses it
  std::unique_ptr<grpc::Server> server_;
  Address address_;
};

}  // namespace hanas::rpc

#endif  // HANAS_RPC_SERVER_H_
