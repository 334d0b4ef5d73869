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
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "coordinator/service/filter.h"
#include "rpc/request.h"

namespace hanas::coordinator {

// Pages of a list that is ordered by a number which only grows (ids, sequence numbers). A token names the last number of the page before
// (rpc/request.h), so it survives restarts and goes on correctly when elements are added or removed. Pure.

struct Page {
  std::string query;   // what selects the list, and its tokens are bound to: "workers", "searches/12/tasks"
  int size = 0;        // elements at most
  uint64_t after = 0;  // elements whose number is greater
  Filter filter;       // elements that it holds for
};

/// Elements in their order, as the application gave them.
template <typename Row>
struct Rows {
  std::vector<Row> rows;
  bool more = false;  // the list goes on behind them
};

/// A page ends before it takes more than this, so that a client with gRPC's default bound of 4 MiB reads it whatever others have stored.
/// One element alone may take more.
inline constexpr size_t kMaxPageBytes = size_t{1} << 20;
/// With a filter so many elements are looked at together, and so often for one page: a filter that holds for nothing costs no more.
inline constexpr size_t kFilteredRows = 1000;
inline constexpr int kMaxReads = 10;

/// Of any request with page_size and page_token and no filter. Returns INVALID_ARGUMENT for a negative size and for a token of another
/// query.
template <typename Request>
absl::StatusOr<Page> PageOf(const Request& request, std::string query) {
  const absl::StatusOr<int> size = rpc::PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const absl::StatusOr<uint64_t> after = rpc::CursorOf(query, request.page_token());
  if (!after.ok()) return after.status();
  return Page{std::move(query), *size, *after, {}};
}

/// The same of a list of `Message` with a filter on these fields, which is part of the query. Returns INVALID_ARGUMENT for a wrong one too.
template <typename Message, typename Request>
absl::StatusOr<Page> FilteredPageOf(const Request& request, const std::string& query, absl::Span<const absl::string_view> fields) {
  absl::StatusOr<Filter> filter = Filter::Parse(request.filter(), *Message::descriptor(), fields);
  if (!filter.ok()) return filter.status();
  const std::string filtered = absl::StrCat(" where ", absl::Utf8SafeCHexEscape(request.filter()));
  absl::StatusOr<Page> page = PageOf(request, filter->empty() ? query : absl::StrCat(query, filtered));
  if (page.ok()) page->filter = *std::move(filter);
  return page;
}

/// Makes `out` and the token of the page after it: as many elements as fit by number and by bytes, of those that the filter holds for.
/// `read` answers Rows, or a status, of at most so many elements after a number; `convert` makes a message of a row, `number` is what
/// orders it. Returns what `read` returned.
template <typename Message, typename Read, typename Convert, typename Number>
absl::Status FillPage(const Page& page, google::protobuf::RepeatedPtrField<Message>& out, std::string& next_page_token, const Read& read,
                      const Convert& convert, const Number& number) {
  size_t bytes = 0;
  uint64_t last = page.after;
  // Without a filter one more than fits says whether there is a next page.
  const size_t together = page.filter.empty() ? static_cast<size_t>(page.size) + 1 : kFilteredRows;
  for (int reads = 0; reads < kMaxReads; ++reads) {
    const auto found = read(last, together);
    if (!found.ok()) return found.status();
    for (const auto& row : found->rows) {
      Message message = convert(row);
      if (page.filter.Matches(message)) {
        bytes += message.ByteSizeLong();
        if (out.size() == page.size || (bytes > kMaxPageBytes && !out.empty())) {
          next_page_token = rpc::PageToken(page.query, last);
          return absl::OkStatus();
        }
        out.Add(std::move(message));
      }
      last = number(row);
    }
    if (!found->more) return absl::OkStatus();
  }
  next_page_token = rpc::PageToken(page.query, last);
  return absl::OkStatus();
}

/// What the application answered when asked for `asked` elements; it says nothing about more.
template <typename Row>
absl::StatusOr<Rows<Row>> RowsOf(absl::StatusOr<std::vector<Row>> found, size_t asked) {
  if (!found.ok()) return found.status();
  const bool more = found->size() == asked;
  return Rows<Row>{*std::move(found), more};
}

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SERVICE_PAGING_H_
