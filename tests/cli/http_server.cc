// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/log/check.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

std::string ReadRequest(int connection) {
  std::string request;
  char buffer[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t n = recv(connection, buffer, sizeof(buffer), 0);
    if (n <= 0) break;
    request.append(buffer, static_cast<size_t>(n));
  }
  return request;
}

void Send(int connection, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

HttpServer::HttpServer() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  CHECK_EQ(listen(listener_, 8), 0);
  socklen_t size = sizeof(address);
  CHECK_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

HttpServer::~HttpServer() {
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

void HttpServer::Put(const std::string& path, ServedFile file) {
  const absl::MutexLock lock(&mutex_);
  files_[path] = std::move(file);
}

std::vector<std::string> HttpServer::requests() {
  const absl::MutexLock lock(&mutex_);
  return requests_;
}

void HttpServer::Serve() {
  while (true) {
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    Answer(connection);
    shutdown(connection, SHUT_RDWR);
    close(connection);
  }
}

void HttpServer::Answer(int connection) {
  const std::string request = ReadRequest(connection);
  const std::string path = request.substr(4, request.find(' ', 4) - 4);
  size_t from = 0;
  if (const size_t range = request.find("Range: bytes="); range != std::string::npos) {
    const size_t begin = range + 13;
    CHECK(absl::SimpleAtoi(request.substr(begin, request.find('-', begin) - begin), &from));
  }
  const absl::MutexLock lock(&mutex_);
  requests_.push_back(absl::StrCat("GET ", path, from > 0 ? absl::StrCat(" from ", from) : ""));
  const auto found = files_.find(path);
  if (found == files_.end()) return Send(connection, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  ServedFile& file = found->second;
  if (!file.ranges) from = 0;
  const std::string body = file.body.substr(std::min(from, file.body.size()));
  const std::string status =
      from > 0 ? absl::StrCat("206 Partial Content\r\nContent-Range: bytes ", from, "-", file.body.size() - 1, "/", file.body.size())
               : std::string("200 OK");
  Send(connection, absl::StrCat("HTTP/1.1 ", status, "\r\nContent-Length: ", body.size(), "\r\nConnection: close\r\n\r\n"));
  const bool cut = file.cuts > 0;
  if (cut) --file.cuts;
  Send(connection, absl::string_view(body).substr(0, cut ? file.cut_after : absl::string_view::npos));
}

}  // namespace hanas
