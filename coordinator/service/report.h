// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SERVICE_REPORT_H_
#define HANAS_COORDINATOR_SERVICE_REPORT_H_

#include "coordinator/reporting/report_data.h"
#include "hanas/v1/search.pb.h"

namespace hanas::coordinator {

/// The report of a search that SUCCEEDED. Files are named as the command line writes them: "<id>.onnx" and "<id>.hanas" beside the report.
/// Pure.
v1::Report MakeReport(const ReportData& data);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SERVICE_REPORT_H_
