// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_REPORT_MEMBER_VALUE_H_
#define HANAS_CLI_REPORT_MEMBER_VALUE_H_

#include "core/quantity/quantity_table.h"
#include "hanas/v1/search.pb.h"

namespace hanas::cli {

/// What a network of the report has of a quantity; of latency the p50. Thread-safe.
double ValueOf(const v1::Member& member, Quantity quantity);

}  // namespace hanas::cli

#endif  // HANAS_CLI_REPORT_MEMBER_VALUE_H_
