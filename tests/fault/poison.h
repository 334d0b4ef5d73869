// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_FAULT_POISON_H_
#define HANAS_TESTS_FAULT_POISON_H_

#include <optional>
#include <string>

#include "core/job/search_job.h"
#include "hanas/v1/task.pb.h"

namespace hanas::fault {

/// The job of SmallJob with another seed and a space of this name: nothing of it is shared with other jobs, and one of its networks is
/// more than who evaluates it can bear.
inline constexpr char kPoisonedSpace[] = "poisoned";
SearchJob PoisonedJob();

/// The text of the network to be evaluated that nobody can bear; none when the task has no such network.
std::optional<std::string> FindPoison(const v1::Task& task);

}  // namespace hanas::fault

#endif  // HANAS_TESTS_FAULT_POISON_H_
