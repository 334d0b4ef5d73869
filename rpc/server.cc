// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.h"

#include <grpc/compression.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "rpc/authentication.h"
#include "rpc/call_metrics.h"
#include "rpc/client.h"
#include "rpc/files.h"
#include "rpc/stalled_calls.h"

namespace hanas::rpc {
namespace {

/// Makes room for a socket at `path`: what a dead process left behind is removed.
absl::Status ClearSocket(const std::string& path) {
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, absl::StrCat("cannot listen on ", path));
  }
  if (!S_ISSOCK(info.st_mode))
    return absl::UnavailableError(absl::StrCat("cannot listen on ", path, ": there is a file that is no socket"));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, kMaxUnixPathBytes);
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return ErrnoStatus(errno, absl::StrCat("cannot listen on ", path));
  const int error = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
  ::close(probe);
  // A queue of connections that is full is one that somebody has.
  if (error == 0 || error == EAGAIN)
    return absl::UnavailableError(absl::StrCat("cannot listen on ", path, ": the socket is in use by another process"));
  if (error != ECONNREFUSED) return ErrnoStatus(error, absl::StrCat("cannot listen on ", path));
  return ::unlink(path.c_str()) == 0 ? absl::OkStatus() : ErrnoStatus(errno, absl::StrCat("cannot replace ", path));
}

void Configure(grpc::ServerBuilder& builder, const ServerOptions& options) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, kEnabledCompressions);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, static_cast<int>(absl::ToInt64Milliseconds(options.handshake_timeout)));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(absl::ToInt64Milliseconds(options.keepalive_time)));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(absl::ToInt64Milliseconds(options.keepalive_timeout)));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Our clients ping every ten seconds; gRPC's default would hang up on them.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, options.max_poll_threads);
}

}  // namespace

Server::Server(std::unique_ptr<Reflection> reflection, std::unique_ptr<grpc::Server> server, Address address)
    : reflection_(std::move(reflection)), server_(std::move(server)), address_(std::move(address)) {
  // gRPC knows only the server as a whole at first; from then on SetServing is about all of them.
  if (grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService(); health != nullptr) {
    for (const std::string& service : reflection_->services()) health->SetServingStatus(service, true);
  }
}

Server::~Server() { Shutdown(absl::ZeroDuration()); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, const std::vector<grpc::Service*>& services) {
  absl::StatusOr<Address> address = ParseAddress(options.listen, AddressUse::kListen, options.insecure_listen);
  if (!address.ok()) return address.status();
  grpc::EnableDefaultHealthCheckService(true);
  auto reflection = std::make_unique<Reflection>();
  grpc::ServerBuilder builder;
  reflection->AddTo(builder);
  Configure(builder, options);
  int port = 0;
  std::optional<ScopedUmask> socket_mask;
  if (address->is_unix()) {
    if (absl::Status status = ClearSocket(address->path); !status.ok()) return status;
    socket_mask.emplace(0177);
  }
  builder.AddListeningPort(
      address->Target(), address->is_unix() || !options.token.has_value() ? grpc::InsecureServerCredentials() : AskForToken(*options.token),
      &port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(MeasureCalls(options.metrics));
  interceptors.push_back(EndStalledCalls(options.max_stall));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  socket_mask.reset();
  if (server == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address->ToString(),
                                               address->is_unix() ? ": there is no such directory, or it may not be written"
                                                                  : ": the port is taken or the address is not of this machine"));
  }
  if (!address->is_unix()) address->port = port;
  std::unique_ptr<Server> started(new Server(std::move(reflection), std::move(server), *std::move(address)));
  if (!options.port_file.empty()) {
    if (absl::Status status = WriteFileAtomically(options.port_file, absl::StrCat(port, "\n")); !status.ok()) return status;
  }
  return started;
}

std::shared_ptr<grpc::Channel> Server::InProcessChannel() { return server_->InProcessChannel(grpc::ChannelArguments()); }

void Server::SetServing(bool serving) {
  if (grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService(); health != nullptr) health->SetServingStatus(serving);
}

void Server::Shutdown(absl::Duration grace) {
  if (grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService(); health != nullptr) health->Shutdown();
  server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(grace));
  server_->Wait();
}

}  // namespace hanas::rpc
