// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_LOOPBACK_H_
#define HANAS_TESTS_SUPPORT_LOOPBACK_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace hanas {

/// A TCP connection to 127.0.0.1 that sends what it is told, well-formed or not. Where nobody listens it is closed from the start.
class LoopbackConnection {
 public:
  explicit LoopbackConnection(int port) : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) close(std::exchange(descriptor_, -1));
  }
  ~LoopbackConnection() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  LoopbackConnection(LoopbackConnection&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  LoopbackConnection& operator=(LoopbackConnection&&) = delete;

  /// False when the other side has closed and takes no more.
  bool Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  /// Whatever arrives until the other side closes.
  std::string ReadToEnd() {
    std::string bytes;
    char buffer[4096];
    for (ssize_t n = 0; (n = recv(descriptor_, buffer, sizeof(buffer), 0)) > 0;) bytes.append(buffer, static_cast<size_t>(n));
    return bytes;
  }
  /// What has arrived, waiting for it; empty when the other side has closed.
  std::string Read() {
    char buffer[4096];
    const ssize_t count = recv(descriptor_, buffer, sizeof(buffer), 0);
    return count <= 0 ? std::string() : std::string(buffer, static_cast<size_t>(count));
  }
  /// Waits until there is something to read, the end included; false when there is nothing for `milliseconds`.
  bool AwaitReadable(int milliseconds) {
    pollfd awaited = {descriptor_, POLLIN, 0};
    return poll(&awaited, 1, milliseconds) > 0;
  }
  /// Closes at once, so that the other side sees a reset.
  void Reset() {
    const linger now = {1, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(std::exchange(descriptor_, -1));
  }

 private:
  int descriptor_;
};

/// Somebody on loopback who takes connections and never says anything.
class SilentListener {
 public:
  SilentListener() : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    CHECK_EQ(bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size), 0);
    CHECK_EQ(listen(descriptor_, 8), 0);
    CHECK_EQ(getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentListener() {
    close(descriptor_);
    if (accepted_ >= 0) close(accepted_);
  }
  SilentListener(const SilentListener&) = delete;
  SilentListener& operator=(const SilentListener&) = delete;

  int port() const { return port_; }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  /// Until somebody has connected.
  void Accept() { accepted_ = accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC); }

 private:
  int descriptor_;
  int accepted_ = -1;
  int port_ = 0;
};

/// What a server on loopback answers to these bytes, until it closes.
inline std::string Exchange(int port, absl::string_view request) {
  LoopbackConnection connection(port);
  connection.Send(request);
  return connection.ReadToEnd();
}

inline std::string HttpGet(int port, absl::string_view path) {
  return Exchange(port, absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"));
}

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_LOOPBACK_H_
