// SPDX-License-Identifier: Apache-2.0
#include "coordinator/service/paging.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/digest.h"
#include "core/base/field_violation.h"

namespace hanas::coordinator {
namespace {

/// "1:<digest of the query>:": the version of the form and what the token is bound to.
std::string Prefix(absl::string_view query) { return absl::StrCat("1:", DigestBuilder().Add(query).Build().ToHex().substr(0, 16), ":"); }

absl::Status FieldError(std::string path, std::string message) {
  FieldViolations violations;
  violations.Add(std::move(path), std::move(message));
  return violations.ToStatus();
}

absl::Status BadToken(absl::string_view query) {
  return FieldError("page_token", absl::StrCat("expected the next_page_token of an answer about ", query,
                                               ", found another; leave it empty to begin anew"));
}

}  // namespace

absl::StatusOr<Page> ParsePage(int page_size, absl::string_view page_token, absl::string_view query) {
  if (page_size < 0)
    return FieldError("page_size", absl::StrCat("expected 0 (", kDefaultPageSize, ") to ", kMaxPageSize, ", found ", page_size));
  Page page = {.size = static_cast<size_t>(page_size == 0 ? kDefaultPageSize : std::min(page_size, kMaxPageSize))};
  if (page_token.empty()) return page;
  std::string text;
  if (page_token.size() > 100 || !absl::WebSafeBase64Unescape(page_token, &text)) return BadToken(query);
  absl::string_view number = text;
  if (!absl::ConsumePrefix(&number, Prefix(query)) || !absl::SimpleAtoi(number, &page.after)) return BadToken(query);
  return page;
}

std::string PageToken(absl::string_view query, uint64_t last) { return absl::WebSafeBase64Escape(absl::StrCat(Prefix(query), last)); }

}  // namespace hanas::coordinator
