// SPDX-License-Identifier: Apache-2.0
#include "rpc/secret.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "rpc/files.h"
#include "rpc/process.h"

namespace hanas::rpc {
namespace {

constexpr size_t kDigits = 64;
constexpr size_t kMaxFileBytes = 4096;

}  // namespace

Secret Secret::Make() { return Secret(RandomBytesHex(kDigits / 2)); }

absl::StatusOr<Secret> Secret::Parse(absl::string_view text) {
  const absl::string_view digits = absl::StripAsciiWhitespace(text);
  if (digits.size() != kDigits || !std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return absl::ascii_isxdigit(c); })) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected ", kDigits, " hexadecimal digits, as `openssl rand -hex 32` prints them, found something else"));
  }
  return Secret(absl::AsciiStrToLower(digits));
}

bool Secret::Matches(absl::string_view shown) const {
  return shown.size() == text_.size() && CRYPTO_memcmp(shown.data(), text_.data(), text_.size()) == 0;
}

std::string Secret::bytes() const {
  std::string bytes;
  CHECK(absl::HexStringToBytes(text_, &bytes));
  return bytes;
}

absl::StatusOr<Secret> ReadSecret(const std::string& file) {
  const absl::StatusOr<std::string> text = ReadPrivateFile(file, kMaxFileBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<Secret> secret = Secret::Parse(*text);
  if (secret.ok()) return secret;
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", secret.status().message()));
}

absl::StatusOr<Secret> ReadOrMakeSecret(const std::string& file) {
  absl::StatusOr<Secret> secret = ReadSecret(file);
  if (!absl::IsNotFound(secret.status())) return secret;
  Secret fresh = Secret::Make();
  const absl::Status created = CreatePrivateFile(file, absl::StrCat(fresh.text(), "\n"));
  if (created.ok()) return fresh;
  return absl::IsAlreadyExists(created) ? ReadSecret(file) : created;
}

}  // namespace hanas::rpc
