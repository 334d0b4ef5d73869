// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CONFIG_JOB_FILE_H_
#define HANAS_CONFIG_JOB_FILE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/field_violation.h"
#include "core/job/search_job.h"

namespace hanas::config {

class SourceMap;

/// A search job as a YAML file; docs/job-file.md describes the keys. Reading is strict: an unknown, repeated or missing key, a value of
/// another type, an empty choice and a combination that core refuses are all reported, all at once, one line each:
///   job.yaml:12:14: space.stages[0].kernels[1]: expected an odd kernel size, found 4
/// The lines are ordered by place, 50 at most; a mistake that follows from another one at the same field is left out. What is not a text of
/// one YAML document within core/base/bounds.h is refused before it is built: no text takes long or much memory to refuse.
///
/// Immutable, hence thread-safe. Copyable.
class JobFile {
 public:
  /// `file_name` is what messages start with. Returns INVALID_ARGUMENT with the lines above. No exception escapes.
  static absl::StatusOr<JobFile> Parse(absl::string_view text, absl::string_view file_name);

  /// Returns NOT_FOUND when the file cannot be opened, DATA_LOSS when reading it fails, INVALID_ARGUMENT as Parse does and for a file above
  /// 1 MiB.
  static absl::StatusOr<JobFile> Load(const std::string& path);

  const SearchJob& job() const { return job_; }

  /// The line above for a violation that somebody else found in the job, for instance a server: the same paths, mapped to this file.
  std::string Describe(const FieldViolation& violation) const;

 private:
  JobFile(std::string file_name, SearchJob job, std::shared_ptr<const SourceMap> source)
      : file_name_(std::move(file_name)), job_(std::move(job)), source_(std::move(source)) {}

  std::string file_name_;
  SearchJob job_;
  std::shared_ptr<const SourceMap> source_;
};

}  // namespace hanas::config

#endif  // HANAS_CONFIG_JOB_FILE_H_
