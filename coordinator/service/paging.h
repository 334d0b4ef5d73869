// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SERVICE_PAGING_H_
#define HANAS_COORDINATOR_SERVICE_PAGING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/repeated_field.h>

#include "absl/status/statusor.h"
#include "rpc/request.h"

namespace hanas::coordinator {

// Pages of a list that is ordered by a number which only grows (ids, sequence numbers). A token names the last number of the page before
// (rpc/request.h), so it survives restarts and goes on correctly when elements are added or removed. Pure.

struct Page {
  std::string query;   // what selects the list, and its tokens are bound to: "workers", "searches/12/tasks"
  int size = 0;        // elements at most
  uint64_t after = 0;  // elements whose number is greater
};

/// A page ends before it takes more than this, so that a client with gRPC's default bound of 4 MiB reads it whatever others have stored.
/// One element alone may take more.
inline constexpr size_t kMaxPageBytes = size_t{1} << 20;

/// Of any request with page_size and page_token. Returns INVALID_ARGUMENT for a negative size and for a token of another query.
template <typename Request>
absl::StatusOr<Page> PageOf(const Request& request, std::string query) {
  const absl::StatusOr<int> size = rpc::PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const absl::StatusOr<uint64_t> after = rpc::CursorOf(query, request.page_token());
  if (!after.ok()) return after.status();
  return Page{std::move(query), *size, *after};
}

/// Makes `out` and the token of the page after it from `rows`, the elements after page.after: as many as fit by number and by bytes.
/// `more` says that the list goes on behind them. `convert` makes a message of a row, `number` is what orders it.
template <typename Row, typename Message, typename Convert, typename Number>
void FillPage(const Page& page, const std::vector<Row>& rows, bool more, google::protobuf::RepeatedPtrField<Message>& out,
              std::string& next_page_token, const Convert& convert, const Number& number) {
  size_t bytes = 0;
  uint64_t last = page.after;
  for (const Row& row : rows) {
    Message message = convert(row);
    bytes += message.ByteSizeLong();
    if (const bool full = out.size() == page.size || (bytes > kMaxPageBytes && !out.empty()); full) {
      more = true;
      break;
    }
    out.Add(std::move(message));
    last = number(row);
  }
  if (more) next_page_token = rpc::PageToken(page.query, last);
}

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SERVICE_PAGING_H_
