// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STATE_TASK_TEXT_H_
#define HANAS_COORDINATOR_STATE_TASK_TEXT_H_

#include <string>

#include "coordinator/store/records.h"

namespace hanas::coordinator {

// Tasks in the words of people, who do not know their keys. Thread-safe.

/// "training the supernet", "exporting member-2".
std::string ActivityOf(const TaskRecord& task);

/// Why a task failed: the error first, then what failed of it: "it broke (exporting member-2, after 3 attempts)".
std::string FailureText(const TaskRecord& task);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_TASK_TEXT_H_
