// SPDX-License-Identifier: Apache-2.0
// A peer that goes silent without closing its connection, as a machine does that lost its cable or was stopped.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "rpc/server.h"

namespace hanas::rpc {
namespace {

/// Connects and says what an HTTP/2 client says first; then answers nothing any more.
int ConnectAndGoSilent(int port) {
  const int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(peer, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  const std::string preface = std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\x04\0\0\0\0\0", 9);
  EXPECT_EQ(write(peer, preface.data(), preface.size()), static_cast<ssize_t>(preface.size()));
  return peer;
}

/// When the other side hung up, or `limit`.
absl::Duration UntilHungUp(int peer, absl::Duration limit) {
  const absl::Time begin = absl::Now();
  char bytes[4096];
  while (absl::Now() - begin < limit) {
    pollfd readable = {.fd = peer, .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, 100) > 0 && read(peer, bytes, sizeof(bytes)) <= 0) return absl::Now() - begin;
  }
  return limit;
}

TEST(KeepaliveTest, SilentPeerIsNoticedWithinTimeAndTimeout) {
  const auto server = Server::Start({.keepalive_time = absl::Milliseconds(400), .keepalive_timeout = absl::Milliseconds(300)}, {}).value();
  const int peer = ConnectAndGoSilent(server->address().port);
  const absl::Duration noticed = UntilHungUp(peer, absl::Seconds(30));
  EXPECT_GE(noticed, absl::Milliseconds(300)) << "not before it was asked";
  EXPECT_LT(noticed, absl::Seconds(15)) << "the connection itself would stay for hours";
  close(peer);
}

TEST(KeepaliveTest, DefaultsNoticeItWithin25Seconds) {
  const ServerOptions options;
  EXPECT_LE(options.keepalive_time + options.keepalive_timeout, absl::Seconds(25));
}

}  // namespace
}  // namespace hanas::rpc
