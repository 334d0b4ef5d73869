// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SERVICE_PAGING_H_
#define HANAS_COORDINATOR_SERVICE_PAGING_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas::coordinator {

// Pages of a list that is ordered by a number which only grows (ids, sequence numbers). A page token names the last number of the page
// before and is bound to its query, so it survives restarts and goes on correctly when elements are added. Clients must not look into it.
// Pure.

struct Page {
  size_t size = 0;
  uint64_t after = 0;  // elements whose number is greater
};

inline constexpr int kDefaultPageSize = 100;
inline constexpr int kMaxPageSize = 1000;

/// `query` is everything that selects the list ("workers", "tasks of searches/12"). A size of 0 is the default one, larger ones are cut.
/// Returns INVALID_ARGUMENT for a negative page_size and for a page_token of another query, or none of ours.
absl::StatusOr<Page> ParsePage(int page_size, absl::string_view page_token, absl::string_view query);

/// The token of the page after the element `last`.
std::string PageToken(absl::string_view query, uint64_t last);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SERVICE_PAGING_H_
