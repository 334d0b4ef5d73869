// SPDX-License-Identifier: Apache-2.0
#include "rpc/address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace hanas::rpc {
namespace {

constexpr absl::string_view kUnixPrefix = "unix:";

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

absl::StatusOr<Address> UnixAddress(absl::string_view path, absl::string_view text) {
  const bool plain = std::none_of(path.begin(), path.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); });
  if (!absl::StartsWith(path, "/") || absl::EndsWith(path, "/") || !plain) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected the absolute path of a socket, as in unix:/run/hanas/socket, found \"", absl::CHexEscape(text), "\""));
  }
  if (path.size() > kMaxUnixPathBytes) {
    return absl::InvalidArgumentError(absl::StrCat("expected a path of at most ", kMaxUnixPathBytes,
                                                   " bytes, which is what a socket can have, found ", path.size(), ": \"", text, "\""));
  }
  return Address{.path = std::string(path)};
}

}  // namespace

std::string Address::ToString() const {
  if (is_unix()) return absl::StrCat(kUnixPrefix, path);
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port) : absl::StrCat("[", host, "]:", port);
}

std::string Address::Target() const {
  if (!is_unix()) return ToString();
  std::string target(kUnixPrefix);
  for (const char c : path) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("/-._~", absl::string_view(&c, 1))) {
      target.push_back(c);
    } else {
      absl::StrAppend(&target, "%", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    }
  }
  return target;
}

absl::StatusOr<Address> ParseAddress(absl::string_view text, AddressUse use, bool insecure) {
  if (absl::string_view path = text; use != AddressUse::kListenTcp && absl::ConsumePrefix(&path, kUnixPrefix))
    return UnixAddress(path, text);
  const size_t colon = text.rfind(':');
  absl::string_view host = colon == text.npos ? text : text.substr(0, colon);
  const bool bracketed = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  int port = -1;
  if (colon == text.npos || (bracketed ? !IsIpv6(std::string(host)) : !IsNameOrIpv4(host)) ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port)) {
    return absl::InvalidArgumentError(absl::StrCat("expected an address HOST:PORT such as 127.0.0.1:7700",
                                                   use == AddressUse::kListenTcp ? "" : ", or unix:/PATH", ", found \"", text, "\""));
  }
  const int lowest = use == AddressUse::kConnect ? 1 : 0;
  if (port < lowest || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("expected a port from ", lowest, " to 65535, found ", port, " in \"", text, "\""));
  }
  Address address{.host = std::string(host), .port = port};
  if (!insecure && !IsLoopback(address.host)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected a loopback host (127.0.0.1, ::1 or localhost), found \"", host, "\" in \"", text,
        "\": there is no TLS, so whoever is on the way reads everything, the coordinator's token too; ",
        use == AddressUse::kConnect ? "--insecure-connect" : "--insecure-listen", " allows it all the same, for a network that you trust"));
  }
  return address;
}

}  // namespace hanas::rpc
