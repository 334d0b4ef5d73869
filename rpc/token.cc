// SPDX-License-Identifier: Apache-2.0
#include "rpc/token.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "rpc/files.h"

namespace hanas::rpc {
namespace {

constexpr char kTokenVariable[] = "HANAS_TOKEN";
constexpr char kFileVariable[] = "HANAS_TOKEN_FILE";

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::string TokenPlace::ToString() const { return file.empty() ? kTokenVariable : file; }

absl::StatusOr<TokenPlace> FindToken(const std::string& file) {
  if (!file.empty()) return TokenPlace{file, true};
  if (const std::string named = Variable(kFileVariable); !named.empty()) return TokenPlace{named, true};
  if (!Variable(kTokenVariable).empty()) return TokenPlace{"", true};
  if (const std::string state = UserStateDirectory(); !state.empty()) return TokenPlace{absl::StrCat(state, "/token"), false};
  return absl::FailedPreconditionError(absl::StrCat("expected a token in --token-file, ", kFileVariable, " or ", kTokenVariable,
                                                    ", found none, and no place of this user's: neither XDG_STATE_HOME nor HOME is set"));
}

absl::StatusOr<Secret> ReadToken(const TokenPlace& place) {
  if (!place.file.empty()) return ReadSecret(place.file);
  absl::StatusOr<Secret> token = Secret::Parse(Variable(kTokenVariable));
  if (token.ok()) return token;
  return absl::InvalidArgumentError(absl::StrCat(kTokenVariable, ": ", token.status().message()));
}

absl::StatusOr<Secret> ReadOrMakeToken(const TokenPlace& place) {
  if (place.file.empty()) return ReadToken(place);
  const std::string directory = std::filesystem::absolute(place.file).parent_path().string();
  std::error_code error;
  // A directory that somebody chose is left as it is: it may be one of secrets of other programs too.
  if (!place.chosen || !std::filesystem::exists(directory, error)) {
    if (const absl::StatusOr<bool> made = MakePrivateDirectory(directory); !made.ok()) return made.status();
  }
  return ReadOrMakeSecret(place.file);
}

}  // namespace hanas::rpc
