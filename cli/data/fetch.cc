// SPDX-License-Identifier: Apache-2.0
#include "cli/data/fetch.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/error_reason.h"
#include "dataset/sha256.h"

namespace hanas::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kAttemptsPerMirror = 3;  // a cut transfer goes on where it was

struct CurlCloser {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};

/// One transfer into an open file; shared with curl's callbacks.
struct Transfer {
  const RemoteFile* file = nullptr;
  const FetchOptions* options = nullptr;
  int fd = -1;
  int64_t bytes = 0;  // in the file
  int write_error = 0;
  bool cancelled = false;
  bool too_long = false;
};

size_t OnData(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const size_t total = size * count;
  if (transfer.bytes + static_cast<int64_t>(total) > transfer.file->size_bytes) {
    transfer.too_long = true;
    return 0;
  }
  size_t written = 0;
  while (written < total) {
    const ssize_t n = ::write(transfer.fd, data + written, total - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      transfer.write_error = errno;
      return 0;
    }
    written += static_cast<size_t>(n);
  }
  transfer.bytes += static_cast<int64_t>(total);
  return total;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.options->progress && !transfer.options->progress(*transfer.file, transfer.bytes)) transfer.cancelled = true;
  return transfer.cancelled ? 1 : 0;
}

void SetOptions(CURL* curl, const std::string& url, const FetchOptions& options, Transfer& transfer, char* error_text) {
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "hanas");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(options.connect_timeout)));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1000L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(absl::ToInt64Seconds(options.stalled_after)));
  curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(transfer.bytes));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &OnData);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &OnProgress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error_text);
}

absl::Status TransferStatus(CURLcode code, CURL* curl, const Transfer& transfer, absl::string_view error_text) {
  if (transfer.write_error != 0) return ErrnoStatus(transfer.write_error, absl::StrCat("cannot write ", transfer.file->name));
  if (transfer.cancelled) return absl::CancelledError("the fetch was interrupted; the same command goes on where it was");
  if (transfer.too_long) return absl::DataLossError(absl::StrCat("expected ", transfer.file->size_bytes, " bytes, found more"));
  if (code == CURLE_OK) return absl::OkStatus();
  const std::string text(error_text.empty() ? curl_easy_strerror(code) : error_text);
  if (code == CURLE_HTTP_RETURNED_ERROR) {
    long http = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
    return http == 404 || http == 410 ? absl::NotFoundError(absl::StrCat("the server answered ", http))
                                      : absl::UnavailableError(absl::StrCat("the server answered ", http));
  }
  if (code == CURLE_RANGE_ERROR) return absl::OutOfRangeError(text);
  return absl::UnavailableError(text);
}

/// Appends to `part`, from its end, what `url` sends.
absl::Status Append(const std::string& url, const std::string& part, const RemoteFile& file, const FetchOptions& options) {
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("cannot write ", part));
  const absl::Cleanup close_file = [fd] { ::close(fd); };
  const off_t size = ::lseek(fd, 0, SEEK_END);
  Transfer transfer = {.file = &file, .options = &options, .fd = fd, .bytes = static_cast<int64_t>(size)};
  if (transfer.bytes == file.size_bytes) return absl::OkStatus();
  const std::unique_ptr<CURL, CurlCloser> curl(curl_easy_init());
  if (!curl) return absl::InternalError("libcurl could not be started");
  char error_text[CURL_ERROR_SIZE] = "";
  SetOptions(curl.get(), url, options, transfer, error_text);
  const CURLcode code = curl_easy_perform(curl.get());
  if (absl::Status status = TransferStatus(code, curl.get(), transfer, error_text); !status.ok()) return status;
  if (::fsync(fd) != 0) return ErrnoStatus(errno, absl::StrCat("cannot write ", part));
  return absl::OkStatus();
}

/// OK when `path` is the file, to the byte.
absl::Status CheckFile(const std::string& path, const RemoteFile& file) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return absl::NotFoundError(absl::StrCat("expected ", path, ", found none"));
  if (static_cast<int64_t>(size) != file.size_bytes)
    return absl::DataLossError(absl::StrCat("expected ", file.size_bytes, " bytes, found ", size));
  const absl::StatusOr<std::string> digest = Sha256HexOfFile(path);
  if (!digest.ok()) return digest.status();
  if (*digest != file.sha256) return absl::DataLossError(absl::StrCat("expected sha256 ", file.sha256, ", found ", *digest));
  return absl::OkStatus();
}

/// Whether asking again, from where the transfer was cut, can help.
bool IsCut(const absl::Status& status, int64_t before, int64_t after) { return absl::IsUnavailable(status) && after > before; }

int64_t SizeOf(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

absl::Status FetchFrom(const std::string& mirror, const std::string& part, const RemoteFile& file, const FetchOptions& options) {
  absl::Status status;
  for (int attempt = 0; attempt < kAttemptsPerMirror; ++attempt) {
    if (SizeOf(part) > file.size_bytes) fs::remove(part);
    const int64_t before = SizeOf(part);
    status = Append(absl::StrCat(mirror, "/", file.name), part, file, options);
    if (status.ok()) {
      status = CheckFile(part, file);
      if (status.ok()) return status;
      const bool whole = SizeOf(part) >= file.size_bytes;
      if (whole) fs::remove(part);
      // The rest of an earlier transfer may have been from somewhere else; one more try from the beginning tells.
      if (whole && before == 0) return status;
      if (!whole && SizeOf(part) == before) return status;
    } else if (absl::IsOutOfRange(status) || absl::IsDataLoss(status)) {
      fs::remove(part);  // the server cannot go on in the middle, or sends something else
      if (before == 0) return status;
    } else if (!IsCut(status, before, SizeOf(part))) {
      return status;
    }
  }
  return status;
}

/// What keeps any mirror from helping: our own disk, or the user.
bool IsOurs(const absl::Status& status) {
  return absl::IsCancelled(status) || absl::IsResourceExhausted(status) || absl::IsPermissionDenied(status) ||
         absl::IsFailedPrecondition(status) || absl::IsInternal(status);
}

absl::Status FetchFile(const RemoteDataset& dataset, const RemoteFile& file, const std::string& to, const FetchOptions& options) {
  const std::string path = absl::StrCat(to, "/", file.name);
  if (CheckFile(path, file).ok()) return absl::OkStatus();
  const std::string part = path + ".part";
  std::vector<std::string> tried;
  absl::StatusCode worst = absl::StatusCode::kUnavailable;
  for (const std::string& mirror : dataset.mirrors) {
    const absl::Status status = FetchFrom(mirror, part, file, options);
    if (status.ok()) {
      std::error_code error;
      fs::rename(part, path, error);
      return error ? ErrnoStatus(error.value(), absl::StrCat("cannot write ", path)) : absl::OkStatus();
    }
    if (IsOurs(status)) return status;
    if (absl::IsDataLoss(status) || (absl::IsNotFound(status) && worst != absl::StatusCode::kDataLoss)) worst = status.code();
    tried.push_back(absl::StrCat("  ", mirror, "/", file.name, ": ", status.message()));
  }
  return absl::Status(worst, absl::StrCat(file.name, " could not be fetched:\n", absl::StrJoin(tried, "\n")));
}

}  // namespace

const RemoteDataset& FashionMnist() {
  static const RemoteDataset* const kDataset = new RemoteDataset{
      .name = "fashion-mnist",
      .directory = "fashion_mnist",
      .licence = "MIT, Copyright 2017 Zalando SE",
      .files = {{"train-images-idx3-ubyte.gz", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
                {"train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
                {"t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
                {"t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}},
      .mirrors = {"https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
                  "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"}};
  return *kDataset;
}

absl::Status FetchDataset(const RemoteDataset& dataset, const std::string& to, const FetchOptions& options) {
  static const CURLcode kStarted = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kStarted != CURLE_OK) return absl::InternalError("libcurl could not be started");
  std::error_code error;
  fs::create_directories(to, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("cannot make ", to));
  for (const RemoteFile& file : dataset.files) {
    if (absl::Status status = FetchFile(dataset, file, to, options); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace hanas::cli
