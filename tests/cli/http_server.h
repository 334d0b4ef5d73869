// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_CLI_HTTP_SERVER_H_
#define HANAS_TESTS_CLI_HTTP_SERVER_H_

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace hanas {

/// A file on the test server, and how badly it is served.
struct ServedFile {
  std::string body;
  size_t cut_after = std::string::npos;  // bytes of a response after which the connection is closed, the first `cuts` times
  int cuts = 0;
  bool ranges = true;  // answers "Range: bytes=n-"; else sends everything
};

/// The smallest HTTP/1.1 server that can show a client each way in which downloads go wrong: loopback only, one request at a time, closes
/// every connection. Thread-safe.
class HttpServer {
 public:
  HttpServer();
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void Put(const std::string& path, ServedFile file);
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  /// "GET /path" or "GET /path from n", in order.
  std::vector<std::string> requests();

 private:
  void Serve();
  void Answer(int connection);

  int listener_ = -1;
  int port_ = 0;
  absl::Mutex mutex_;
  std::map<std::string, ServedFile> files_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace hanas

#endif  // HANAS_TESTS_CLI_HTTP_SERVER_H_
