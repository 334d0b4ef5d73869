// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_SECRET_H_
#define HANAS_RPC_SECRET_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::rpc {

/// 256 random bits that show who somebody is: a coordinator's token, a party's key. It never stands in an argument, a log or a message. A
/// value; thread-compatible.
class Secret {
 public:
  static Secret Make();
  /// Reads hexadecimal digits; white space around them is ignored. Returns INVALID_ARGUMENT for anything but 64 of them, without saying
  /// what it found.
  static absl::StatusOr<Secret> Parse(absl::string_view text);

  /// Takes as long whatever `shown` is, so that trying tells nothing.
  bool Matches(absl::string_view shown) const;
  /// 64 lower-case hexadecimal digits, for whoever shows or stores it.
  const std::string& text() const { return text_; }
  /// The 32 bytes.
  std::string bytes() const;

 private:
  explicit Secret(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

/// Reads the secret in a private file (rpc/files.h). Returns NOT_FOUND when there is no file, FAILED_PRECONDITION when others may read it,
/// INVALID_ARGUMENT when something else is in it, each naming the file. Thread-safe.
absl::StatusOr<Secret> ReadSecret(const std::string& file);

/// The same; a file that is not there is made. Of processes that race for it, one makes it and all have its secret.
absl::StatusOr<Secret> ReadOrMakeSecret(const std::string& file);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_SECRET_H_
