// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_DATA_HTTP_PROBE_H_
#define HANAS_CLI_DATA_HTTP_PROBE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hanas::cli {

/// Asks for `url` once; proxies of the environment are not used. OK for an answer of 200 to 299. Returns INVALID_ARGUMENT unless it is an
/// http:// or https:// URL, UNAVAILABLE when nothing answers, DEADLINE_EXCEEDED when it does not within `timeout`, FAILED_PRECONDITION for
/// any other answer, with the first line of what it says. Thread-safe.
absl::Status ProbeHttp(const std::string& url, absl::Duration timeout);

}  // namespace hanas::cli

#endif  // HANAS_CLI_DATA_HTTP_PROBE_H_
