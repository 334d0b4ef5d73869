// SPDX-License-Identifier: Apache-2.0
#include "rpc/address.h"

#include <arpa/inet.h>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace hanas::rpc {
namespace {

bool IsLoopback(const std::string& host) {
  if (host == "localhost" || host == "::1") return true;
  in_addr v4{};
  return inet_pton(AF_INET, host.c_str(), &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

}  // namespace

std::string Address::ToString() const {
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port) : absl::StrCat("[", host, "]:", port);
}

absl::StatusOr<Address> ParseLoopbackAddress(absl::string_view text, bool allow_port_zero) {
  const size_t colon = text.rfind(':');
  absl::string_view host = colon == text.npos ? text : text.substr(0, colon);
  const bool bracketed = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  int port = -1;
  if (colon == text.npos || host.empty() || (!bracketed && host.find(':') != host.npos) ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port)) {
    return absl::InvalidArgumentError(absl::StrCat("expected an address HOST:PORT such as 127.0.0.1:7700, found \"", text, "\""));
  }
  if (port < (allow_port_zero ? 0 : 1) || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a port from ", allow_port_zero ? 0 : 1, " to 65535, found ", port, " in \"", text, "\""));
  }
  Address address{std::string(host), port};
  if (!IsLoopback(address.host)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a loopback host (127.0.0.1, ::1 or localhost), because connections are not encrypted, found \"", host,
                     "\" in \"", text, "\""));
  }
  return address;
}

}  // namespace hanas::rpc
