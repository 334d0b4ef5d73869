// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.h"

#include <fcntl.h>
#include <grpc/compression.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "rpc/call_metrics.h"
#include "rpc/client.h"
#include "rpc/stalled_calls.h"

namespace hanas::rpc {
namespace {

absl::Status WriteAll(int descriptor, absl::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, absl::StrCat("cannot write ", path));
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(descriptor) != 0) return ErrnoStatus(errno, absl::StrCat("cannot sync ", path));
  return absl::OkStatus();
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

absl::Status WriteFileAtomically(const std::string& path, absl::string_view text) {
  const std::string temporary = absl::StrCat(path, ".", ::getpid(), ".tmp");
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return ErrnoStatus(errno, absl::StrCat("cannot create ", temporary));
  absl::Status status = WriteAll(descriptor, text, temporary);
  if (::close(descriptor) != 0 && status.ok()) status = ErrnoStatus(errno, absl::StrCat("cannot write ", temporary));
  if (status.ok() && std::rename(temporary.c_str(), path.c_str()) != 0) status = ErrnoStatus(errno, absl::StrCat("cannot replace ", path));
  if (!status.ok()) ::unlink(temporary.c_str());
  return status;
}

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
  builder.AddListeningPort(address->ToString(), grpc::InsecureServerCredentials(), &port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(MeasureCalls(options.metrics));
  interceptors.push_back(EndStalledCalls(options.max_stall));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address->ToString(), ": the port is taken or the address is not of this machine"));
  }
  address->port = port;
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
