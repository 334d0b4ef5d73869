// SPDX-License-Identifier: Apache-2.0
#include "cli/data/http_probe.h"

#include <curl/curl.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace hanas::cli {
namespace {

constexpr size_t kMaxBodyBytes = 4096;

size_t Collect(const char* data, size_t size, size_t count, void* body) {
  std::string& text = *static_cast<std::string*>(body);
  text.append(data, std::min(size * count, kMaxBodyBytes - std::min(kMaxBodyBytes, text.size())));
  return size * count;
}

}  // namespace

absl::Status ProbeHttp(const std::string& url, absl::Duration timeout) {
  if (!absl::StartsWith(url, "http://") && !absl::StartsWith(url, "https://"))
    return absl::InvalidArgumentError(absl::StrCat("expected a URL such as http://127.0.0.1:9464, found \"", url, "\""));
  CURL* curl = curl_easy_init();
  if (curl == nullptr) return absl::InternalError("libcurl could not be initialised");
  const absl::Cleanup close = [&] { curl_easy_cleanup(curl); };
  std::string body;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(timeout)));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Collect);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_OPERATION_TIMEDOUT)
    return absl::DeadlineExceededError(absl::StrCat("no answer within ", absl::FormatDuration(timeout)));
  if (code == CURLE_URL_MALFORMAT)
    return absl::InvalidArgumentError(absl::StrCat("expected a URL such as http://127.0.0.1:9464, found \"", url, "\""));
  if (code != CURLE_OK) return absl::UnavailableError(curl_easy_strerror(code));
  long http = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
  if (http >= 200 && http < 300) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("it answered ", http, body.empty() ? "" : ": ", body.substr(0, body.find('\n'))));
}

}  // namespace hanas::cli
