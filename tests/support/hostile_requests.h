// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SUPPORT_HOSTILE_REQUESTS_H_
#define HANAS_TESTS_SUPPORT_HOSTILE_REQUESTS_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace hanas {

/// What a stranger may send to a server of /healthz.
struct HostileRequest {
  const char* name;
  std::string bytes;
  /// The status of the answer, as a regular expression; null: closed without an answer, or with one of 4xx.
  const char* status = nullptr;
};

inline void PrintTo(const HostileRequest& request, std::ostream* out) { *out << request.name; }

inline std::string ManyHeaders(int count, size_t bytes) {
  std::string headers;
  for (int i = 0; i < count; ++i) absl::StrAppend(&headers, "X-", i, ": ", std::string(bytes, 'a'), "\r\n");
  return headers;
}

inline const std::vector<HostileRequest>& HostileRequests() {
  using namespace std::string_literals;  // strings with zeros in them
  static const char kHost[] = "\r\nHost: x\r\n\r\n";
  static const auto* const kRequests = new std::vector<HostileRequest>{
      {"Garbage", "GARBAGE\r\n\r\n"},
      {"EmptyLines", "\r\n\r\n\r\n\r\nGARBAGE\r\n\r\n"},
      {"TlsHello", "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03 \r\n\r\n"s},
      {"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "4..|505"},
      {"UnknownVersion", "GET /healthz HTTP/9.9\r\n\r\n", "4..|505"},
      {"NoVersion", "GET /healthz\r\n\r\n"},
      {"NoHost", "GET /healthz HTTP/1.1\r\n\r\n", "400"},
      {"OldVersion", "GET /healthz HTTP/1.0\r\n\r\n", "200"},
      {"LowerCaseMethod", absl::StrCat("get /healthz HTTP/1.1", kHost), "405"},
      {"EscapedZero", absl::StrCat("GET /healthz%00 HTTP/1.1", kHost), "404"},
      {"RawZero", "GET /health\0z HTTP/1.1\r\nHost: x\r\n\r\n"s},
      {"ZeroInHeader", "GET /healthz HTTP/1.1\r\nHost: x\0y\r\n\r\n"s, "4.."},
      {"PathTraversal", absl::StrCat("GET /../../etc/passwd HTTP/1.1", kHost), "404"},
      {"EscapedPathTraversal", absl::StrCat("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1", kHost), "404"},
      {"BrokenEscape", absl::StrCat("GET /%zz HTTP/1.1", kHost), "404"},
      {"Query", absl::StrCat("GET /healthz?a=1&b=%00&c HTTP/1.1", kHost), "200"},
      {"AbsoluteForm", absl::StrCat("GET http://x:80/healthz HTTP/1.1", kHost), "200"},
      {"AbsoluteFormOfNothing", absl::StrCat("GET http://x HTTP/1.1", kHost), "404"},
      {"AsteriskForm", absl::StrCat("OPTIONS * HTTP/1.1", kHost), "404"},
      {"ConnectMethod", absl::StrCat("CONNECT x:443 HTTP/1.1", kHost), "404"},
      {"LongTarget", absl::StrCat("GET /", std::string(100'000, 'a'), " HTTP/1.1", kHost), "4.."},
      {"LongMethod", absl::StrCat(std::string(100'000, 'A'), " /healthz HTTP/1.1", kHost)},
      {"LongHeader", absl::StrCat("GET /healthz HTTP/1.1\r\nHost: x\r\n", ManyHeaders(1, 100'000), "\r\n"), "4.."},
      {"ManyHeaders", absl::StrCat("GET /healthz HTTP/1.1\r\nHost: x\r\n", ManyHeaders(10'000, 1), "\r\n"), "4.."},
      {"HeaderWithoutColon", "GET /healthz HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", "4..|200"},
      {"FoldedHeader", "GET /healthz HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", "4..|200"},
      {"TwoHosts", "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "4..|200"},
      {"BodyOnGet", "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "200"},
      {"MissingBodyOnPost", "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n", "405"},
      {"LargeBodyOnPost", absl::StrCat("POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", std::string(100'000, 'b')),
       "405"},
      {"ExpectedBody", "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", "405"},
      {"HugeContentLength", "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", "4.."},
      {"NegativeContentLength", "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "4.."},
      {"ChunkedBody", "POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "405"},
      {"BrokenChunks", "GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n", "4..|200"},
      {"LengthAndChunks", "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "4.."},
      {"Upgrade", "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "200"},
      {"Pipelined", absl::StrCat("GET /healthz HTTP/1.1", kHost, "GET /healthz HTTP/1.1", kHost), "200"},
      {"BareLineFeeds", "GET /healthz HTTP/1.1\nHost: x\n\n", "4..|200"},
      {"BareCarriageReturn", "GET /healthz HTTP/1.1\r\nHost: x\ry\r\n\r\n", "4..|200"},
  };
  return *kRequests;
}

}  // namespace hanas

#endif  // HANAS_TESTS_SUPPORT_HOSTILE_REQUESTS_H_
