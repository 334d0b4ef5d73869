// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STATE_SHARING_H_
#define HANAS_COORDINATOR_STATE_SHARING_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "coordinator/state/state.h"

namespace hanas::coordinator {

// Work that searches have in common.
//
// The tasks that train a teacher, "teacher/N", are functions of the data set, the training and the seed; those that train a supernet,
// "train/N", of the space too; those that sample it, "sample/N" and "sample/predictor", of the sampling too. Searches that agree in these
// (JobDigests of core/job) share the tasks: every one of them sees each under its key, whichever search made it, also one that comes years
// later. So a supernet is trained once, and a search on another device costs its own profile, rounds and verification.
//
// A shared task is open only while a search wants it: goes on, and has come to the phase of the task. It is cancelled with the last one,
// and opened again, its failures forgotten, when another search comes to that phase. So no search takes work from another by ending, and a
// search that fails in training leaves the next one another chance.
//
// The task belongs to one of them for what their jobs agree in (TaskRecord::search): to the search that made it, and when that is deleted
// to the oldest one that is left. It goes with the last one. Searches of stores from before sharing have no digests in their records: they
// keep their tasks to themselves.

/// The digest under which a search's tasks with this key are shared; empty: they are its own.
const std::string& SharedUnder(const SearchRecord& search, absl::string_view key);

/// The searches that see the task: all that share it, or its own.
std::vector<uint64_t> SearchesOf(const State& state, const TaskRecord& task);

/// The searches that a task which is over may move on: those that see it, and for operators all that wait for rows of latency tables.
std::set<uint64_t> WaitingFor(const State& state, const TaskRecord& task);

/// Whether `search`, which sees the task, waits for it or soon will.
bool IsWanted(const SearchState& search, absl::string_view key);
/// Whether another search than `except` wants a shared task.
bool IsWantedByOthers(const State& state, const TaskRecord& task, uint64_t except);

/// Keys of operators that are being measured for others than the search's target, other targets or searches, on the same class of devices:
/// their rows will come into the same table. Paused searches are left out: nobody works for them.
absl::flat_hash_set<std::string> ComingOperators(const State& state, const SearchState& search, size_t target);

/// Notes the data set that an outcome was made on, if it says so and the search has noted none yet. True when it did.
bool NoteDataset(const Outcome& outcome, SearchRecord& record);

/// Makes a search that is new in the state see the tasks that it shares.
void JoinShared(State& state, SearchState& search);
/// Makes every search that shares it see a task that is new in the state.
void AttachTask(State& state, const TaskRecord& task);

/// Ends the sharing of a search that is deleted, and is in the state no more: tasks that others see become another one's. Returns those
/// that nobody else sees.
std::vector<uint64_t> LeaveShared(State& state, const SearchState& search, Changes& changes);

/// Opens again what was cancelled or failed of the shared tasks that a search needs in the phase that it enters.
void ReopenShared(State& state, const SearchState& search, SearchPhase entered, Changes& changes);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STATE_SHARING_H_
