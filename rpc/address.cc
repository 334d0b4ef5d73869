// SPDX-License-Identifier: Apache-2.0
#include "rpc/address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace hanas::rpc {
namespace {

bool IsIpv6(const std::string& host) {
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1;
}

/// Letters, digits, dots and hyphens: what a resolver may be asked for.
bool IsNameOrIpv4(absl::string_view host) {
  constexpr size_t kLongestName = 253;
  return !host.empty() && host.size() <= kLongestName && host.front() != '-' &&
         std::all_of(host.begin(), host.end(), [](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_'; });
}

bool IsLoopback(const std::string& host) {
  if (host == "localhost" || host == "::1") return true;
  in_addr v4{};
  return inet_pton(AF_INET, host.c_str(), &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

}  // namespace

std::string Address::ToString() const {
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port) : absl::StrCat("[", host, "]:", port);
}

absl::StatusOr<Address> ParseAddress(absl::string_view text, AddressUse use, bool insecure) {
  const size_t colon = text.rfind(':');
  absl::string_view host = colon == text.npos ? text : text.substr(0, colon);
  const bool bracketed = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  int port = -1;
  if (colon == text.npos || (bracketed ? !IsIpv6(std::string(host)) : !IsNameOrIpv4(host)) ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port)) {
    return absl::InvalidArgumentError(absl::StrCat("expected an address HOST:PORT such as 127.0.0.1:7700, found \"", text, "\""));
  }
  const int lowest = use == AddressUse::kListen ? 0 : 1;
  if (port < lowest || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("expected a port from ", lowest, " to 65535, found ", port, " in \"", text, "\""));
  }
  Address address{std::string(host), port};
  if (!insecure && !IsLoopback(address.host)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected a loopback host (127.0.0.1, ::1 or localhost), found \"", host, "\" in \"", text,
        "\": there is no TLS and no authentication yet, so whoever reaches a port may do everything; ",
        use == AddressUse::kListen ? "--insecure-listen" : "--insecure-connect", " allows it all the same, for a network that you trust"));
  }
  return address;
}

}  // namespace hanas::rpc
