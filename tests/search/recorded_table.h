// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SEARCH_RECORDED_TABLE_H_
#define HANAS_TESTS_SEARCH_RECORDED_TABLE_H_

#include <fstream>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "coordinator/search/evaluation.h"
#include "tests/search/table_space.h"

namespace hanas {

struct TableRow {
  double error = 0;
  double latency_us = 0;
  double size_bytes = 0;
};

/// tests/search/data/table.csv in memory; empty when the file is not there.
class RecordedTable {
 public:
  explicit RecordedTable(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      const std::vector<std::string> fields = absl::StrSplit(line, ',');
      Architecture architecture;
      for (const char digit : fields[0]) architecture.genes.push_back(static_cast<uint8_t>(digit - '0'));
      TableRow row;
      if (fields.size() == 4 && absl::SimpleAtod(fields[1], &row.error) && absl::SimpleAtod(fields[2], &row.latency_us) &&
          absl::SimpleAtod(fields[3], &row.size_bytes)) {
        rows_.emplace(std::move(architecture), row);
      }
    }
  }

  const absl::flat_hash_map<Architecture, TableRow>& rows() const { return rows_; }

  /// Error and latency; the violation is of a latency limit (0: none).
  Evaluation Evaluate(const Architecture& architecture, double latency_limit_us = 0) const {
    const TableRow& row = rows_.at(architecture);
    Evaluation evaluation = {.objectives = {row.error, row.latency_us}, .violation = 0};
    if (latency_limit_us > 0 && row.latency_us > latency_limit_us)
      evaluation.violation = (row.latency_us - latency_limit_us) / latency_limit_us;
    return evaluation;
  }

  static std::vector<double> Reference() { return {0.3, 2500}; }

 private:
  absl::flat_hash_map<Architecture, TableRow> rows_;
};

}  // namespace hanas

#endif  // HANAS_TESTS_SEARCH_RECORDED_TABLE_H_
