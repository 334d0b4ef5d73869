// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_REPORTING_CONCLUSIONS_H_
#define HANAS_COORDINATOR_REPORTING_CONCLUSIONS_H_

#include <string>
#include <vector>

#include "coordinator/reporting/report_data.h"
#include "core/job/findings.h"

namespace hanas::coordinator {

// What the numbers of a report say, in sentences. Pure functions of the numbers: nothing is claimed that they do not show. Two accuracies
// differ "outside the noise" when they are more than two standard deviations of their difference apart, sqrt(s1^2 + s2^2) with the binomial
// s of each.

/// "depthwise 3x3 is 1.5x slower in int8 than in float32 here (12 shapes, 940 µs against 630 µs in all)".
std::string ComparisonSentence(const OperatorComparison& comparison);

/// Why not to take the front at face value: what is known of the data set, networks no better than guessing, members that another one is as
/// good as in everything that was measured (fine-tuning reorders networks, and ties are many), and members outside their limits.
std::vector<Warning> Warnings(const ReportData& data);

/// What was found, what the Warnings say, and what the search won against each reference and each family of plain networks, or that it did
/// not.
std::vector<std::string> Conclusions(const ReportData& data);

/// What to try next.
std::vector<std::string> NextSteps(const ReportData& data);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_REPORTING_CONCLUSIONS_H_
