// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_REPORTING_FAMILY_SENTENCES_H_
#define HANAS_COORDINATOR_REPORTING_FAMILY_SENTENCES_H_

#include <string>
#include <vector>

#include "coordinator/reporting/report_data.h"

namespace hanas::coordinator {

/// What the members won against plain networks, or that they did not: of each family, of the one that got all of the compute, of the
/// hypervolumes and the compute, and what one search cannot tell. Empty for a search without plain networks. A pure function of the
/// numbers.
std::vector<std::string> FamilySentences(const ReportData& data);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_REPORTING_FAMILY_SENTENCES_H_
