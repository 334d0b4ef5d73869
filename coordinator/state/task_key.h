// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STATE_TASK_KEY_H_
#define HANAS_COORDINATOR_STATE_TASK_KEY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "coordinator/store/records.h"
#include "core/job/search_job.h"

namespace hanas::coordinator {

/// What a task of a search is for.
enum class TaskStage : uint8_t {
  kOperators,        // measures operators of the latency table
  kNetworks,         // measures whole networks that calibrate it
  kTeacher,          // trains the network that all others learn from, a chunk of steps
  kTrain,            // trains the supernet, a chunk of steps
  kSample,           // evaluates networks for the first predictor
  kSamplePredictor,  // fits it
  kWitness,          // evaluates networks that are known to keep the limits
  kRoundMeasure,     // measures networks of a round
  kRoundEvaluate,    // evaluates them: the same networks in the same pieces
  kRoundPredictor,   // fits the predictor that comes after the round
  kMemberTrain,      // trains one network of the report, a chunk of steps
  kMemberScreen,     // evaluates it on validation images, to tell whether it deserves longer training
  kMemberFinal,      // trains it on, a chunk of steps
  kMemberBind,       // folds, quantises and exports it
  kMemberVerify,     // measures and scores it whole
  kTestImages,       // packs the test images and tells what the data set holds
  kOpponentMeasure,  // measures plain networks that members may be compared with
  kOpponentProbe,    // trains one of them for a few steps, to know its rate
};

/// With whom a search shares the tasks of a stage.
enum class TaskSharing : uint8_t { kNobody, kSameTeacher, kSameSupernet, kSameSamples };

/// Names a task within its search. Every other name that code has for a task comes from here, by way of one table of stages.
struct TaskKey {
  TaskStage stage = TaskStage::kOperators;
  std::string target = {};  // of stages of targets: its name; empty: the only one
  int round = 0;            // of stages of rounds
  std::string member = {};  // of stages of members: its id
  int index = 0;            // of stages of several tasks

  /// The key of the same series with another index.
  TaskKey At(size_t position) const;
  /// The stored and logged form: "profile/operators/3", "round/1/evaluate/0", "targets/pi5/members/member-2/bind".
  std::string ToString() const;

  friend bool operator==(const TaskKey&, const TaskKey&) = default;
};

/// The key that has this text, if any.
std::optional<TaskKey> ParseTaskKey(absl::string_view text);

/// The phase in which tasks of the stage are made.
SearchPhase PhaseOf(TaskStage stage);
/// The same of a stored key. VERIFYING, the last one, for a text that is no key.
SearchPhase PhaseOfTask(absl::string_view text);

TaskSharing SharingOf(TaskStage stage);

/// Whether each target has tasks of the stage for itself.
bool IsOfTarget(TaskStage stage);

/// The index in TargetsOf(job) of the target whose task has this stored key; the first one for tasks that targets have in common.
size_t TargetOfTask(absl::string_view text, const SearchJob& job);

/// The predictor that is used in a round: of the samples in the first, else the one fitted after the round before.
TaskKey PredictorKey(int round);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_TASK_KEY_H_
