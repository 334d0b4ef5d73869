// SPDX-License-Identifier: Apache-2.0
#include "rpc/sha256.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "absl/log/check.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace hanas::rpc {

struct Sha256::Context {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> evp{EVP_MD_CTX_new()};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  CHECK(context_->evp != nullptr && EVP_DigestInit_ex(context_->evp.get(), EVP_sha256(), nullptr) == 1) << "libcrypto has no SHA-256";
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Add(absl::string_view bytes) { CHECK_EQ(EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size()), 1); }

std::string Sha256::FinishHex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  CHECK_EQ(EVP_DigestFinal_ex(context_->evp.get(), digest.data(), &size), 1);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

std::string Sha256Hex(absl::string_view bytes) {
  Sha256 hash;
  hash.Add(bytes);
  return hash.FinishHex();
}

absl::Status CheckSha256Hex(absl::string_view text, absl::string_view field) {
  const bool good =
      text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": expected 64 lower-case hexadecimal digits, found ", text.size(),
                                                 " characters: \"", absl::CHexEscape(text.substr(0, 80)), "\""));
}

}  // namespace hanas::rpc
