// SPDX-License-Identifier: Apache-2.0
#include "coordinator/app/training_seed.h"

#include <optional>

#include "coordinator/state/task_key.h"
#include "core/base/counter_random.h"

namespace hanas::coordinator {

uint64_t TrainingSeed(const SearchJob& job, absl::string_view task_key) {
  const std::optional<TaskKey> key = ParseTaskKey(task_key);
  if (!key.has_value() || key->stage != TaskStage::kMemberFinal) return job.seed;
  return CounterRandom(job.seed, "coordinator/final").NextUint64();
}

}  // namespace hanas::coordinator
