// SPDX-License-Identifier: Apache-2.0
#include "cli/supervise/runtime_directory.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/error_reason.h"
#include "rpc/address.h"
#include "rpc/files.h"

namespace hanas::cli {
namespace {

constexpr absl::string_view kPrefix = "hanas-run-";
constexpr absl::string_view kRandom = "XXXXXX";  // mkdtemp replaces it
constexpr absl::string_view kSocket = "/socket";

std::string DirectoryOfVariable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value == '/' ? value : "";
}

/// Whether a socket can be at `path`: by making one.
absl::Status TrySocket(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, rpc::kMaxUnixPathBytes);
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return ErrnoStatus(errno, "cannot make a Unix socket");
  const int error = ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
  ::close(descriptor);
  ::unlink(path.c_str());
  return error == 0 ? absl::OkStatus() : ErrnoStatus(error, absl::StrCat("cannot make a Unix socket at ", path));
}

}  // namespace

absl::StatusOr<RuntimeDirectory> RuntimeDirectory::MakeBelow(const std::string& base) {
  std::string pattern = absl::StrCat(absl::StripSuffix(base, "/"), "/", kPrefix, kRandom);
  if (pattern.size() + kSocket.size() > rpc::kMaxUnixPathBytes) {
    return absl::FailedPreconditionError(
        absl::StrCat("the path of a Unix socket below ", base, " would be longer than ", rpc::kMaxUnixPathBytes, " bytes"));
  }
  if (::mkdtemp(pattern.data()) == nullptr) return ErrnoStatus(errno, absl::StrCat("cannot make a directory below ", base));
  RuntimeDirectory directory(pattern);
  if (!rpc::IsPrivateDirectory(pattern)) {
    return absl::FailedPreconditionError(absl::StrCat("expected a directory that only this user enters, which ", base, " does not give"));
  }
  if (absl::Status status = TrySocket(absl::StrCat(pattern, kSocket)); !status.ok()) return status;
  return directory;
}

absl::StatusOr<RuntimeDirectory> RuntimeDirectory::Make() {
  std::vector<std::string> bases;
  if (const std::string runtime = DirectoryOfVariable("XDG_RUNTIME_DIR"); rpc::IsPrivateDirectory(runtime)) bases.push_back(runtime);
  const std::string temporary = DirectoryOfVariable("TMPDIR");
  bases.push_back(temporary.empty() ? "/tmp" : temporary);
  std::vector<std::string> reasons;
  for (const std::string& base : bases) {
    absl::StatusOr<RuntimeDirectory> made = MakeBelow(base);
    if (made.ok()) return made;
    reasons.emplace_back(made.status().message());
  }
  return absl::FailedPreconditionError(absl::StrJoin(reasons, "; "));
}

void RuntimeDirectory::RemoveLeftover(absl::string_view address) {
  const absl::StatusOr<rpc::Address> left = rpc::ParseAddress(address, rpc::AddressUse::kConnect);
  if (!left.ok() || !left->is_unix()) return;
  absl::string_view directory = left->path;
  if (!absl::ConsumeSuffix(&directory, kSocket)) return;
  const absl::string_view name = directory.substr(directory.rfind('/') + 1);
  if (!absl::StartsWith(name, kPrefix) || name.size() != kPrefix.size() + kRandom.size() ||
      !rpc::IsPrivateDirectory(std::string(directory)))
    return;
  RuntimeDirectory{std::string(directory)};
}

RuntimeDirectory::~RuntimeDirectory() {
  if (path_.empty()) return;
  // By name: whatever else somebody put there is not ours to remove.
  ::unlink(absl::StrCat(path_, kSocket).c_str());
  ::rmdir(path_.c_str());
}

std::string RuntimeDirectory::address() const { return absl::StrCat("unix:", path_, kSocket); }

}  // namespace hanas::cli
