// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_APP_TRAINING_SEED_H_
#define HANAS_COORDINATOR_APP_TRAINING_SEED_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "core/job/search_job.h"

namespace hanas::coordinator {

/// What a training task of this key draws its randomness from: the job's seed, or for final training one derived from it, since that begins
/// anew at step 0 and would see the batches of the training before it once more. What is trained alone to be told apart has the job's: so
/// all of these see the same batches. Pure.
uint64_t TrainingSeed(const SearchJob& job, absl::string_view task_key);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_APP_TRAINING_SEED_H_
