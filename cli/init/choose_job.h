// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CLI_INIT_CHOOSE_JOB_H_
#define HANAS_CLI_INIT_CHOOSE_JOB_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/init/find_data.h"
#include "core/job/findings.h"
#include "core/job/search_job.h"
#include "dataset/pictures.h"

namespace hanas::cli {

/// What is known of a data set that a job is to be written for.
struct FoundData {
  DataPlace place;
  std::vector<ClassPictures> classes;
  Pictures pictures;
};

/// What is known of the machine that is to run the job.
struct FoundMachine {
  std::string cpu_model;
  std::string isa;           // "avx2-avx512-vnni", as agents describe themselves
  int cores = 1;             // that this process may use
  int64_t memory_bytes = 0;  // 0: unknown
};

/// A job and why it is as it is.
struct DraftJob {
  SearchJob job;
  std::map<std::string, std::string> reasons;  // by the key as job files spell it, "training.steps": a sentence on this data and machine
  std::vector<std::string> remarks;            // sentences on what does not fit well
  int workers = 1;                             // that `hanas run` is to start
  double run_seconds = 0;                      // rough: what the whole search may take with them
};

/// What the search is to take unless somebody says so: the time of a person who waits for a first result.
inline constexpr int kUsualMinutes = 35;
inline constexpr int kFewestMinutes = 5;
inline constexpr int kMostMinutes = 7 * 24 * 60;

/// Chooses a value for every key from what was found, so that the search takes about `minutes`, as far as the machine's description tells
/// (to a factor of two) and the data deserves it. Pure: the same findings give the same job. The job has no limits: which ones are
/// within reach is known once the operators have been measured. Returns INVALID_ARGUMENT with a line for every reason why no job for this
/// data can run (see UnusableDataset). Requires at least two classes and data that LookAtPictures accepts. Thread-safe.
absl::StatusOr<DraftJob> ChooseJob(const FoundData& data, const FoundMachine& machine, int minutes = kUsualMinutes);

/// The last part of a path as a name of a job: other characters than letters, digits, '-', '_' and '.' become '-'. Thread-safe.
std::string JobNameOf(const std::string& path);

}  // namespace hanas::cli

#endif  // HANAS_CLI_INIT_CHOOSE_JOB_H_
