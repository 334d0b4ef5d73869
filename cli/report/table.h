// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_REPORT_TABLE_H_
#define HANAS_CLI_REPORT_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace hanas::cli {

/// Number of characters that a terminal shows for UTF-8 `text` (code points; no combining or wide ones are used here), colours left out.
/// Thread-safe.
size_t DisplayWidth(absl::string_view text);

/// Columns aligned under their headings.
///
/// Thread-compatible.
class Table {
 public:
  enum class Align : bool { kLeft, kRight };
  struct Column {
    std::string heading;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Requires one cell for each column.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// Every line begins with `indent` and ends in a newline, without trailing blanks.
  std::string Render(absl::string_view indent) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace hanas::cli

#endif  // HANAS_CLI_REPORT_TABLE_H_
