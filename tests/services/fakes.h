// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SERVICES_FAKES_H_
#define HANAS_TESTS_SERVICES_FAKES_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "rpc/artifact_client.h"
#include "rpc/task_loop.h"

namespace hanas {

/// Artifacts in memory.
class MemoryArtifacts : public rpc::Artifacts {
 public:
  absl::StatusOr<v1::ArtifactRef> Upload(absl::string_view bytes) override {
    const v1::ArtifactRef artifact = rpc::ArtifactRefOf(bytes);
    stored[artifact.sha256()] = std::string(bytes);
    return artifact;
  }
  absl::StatusOr<std::string> Download(const v1::ArtifactRef& artifact) override {
    ++downloads;
    const auto found = stored.find(artifact.sha256());
    if (found == stored.end()) return absl::NotFoundError(absl::StrCat("no artifact ", artifact.sha256()));
    return found->second;
  }

  std::map<std::string, std::string> stored;
  int downloads = 0;
};

/// A lease that answers what the test says.
class ScriptedContext : public rpc::TaskContext {
 public:
  rpc::Directive ReportProgress(int64_t done, int64_t total, absl::string_view note) override {
    reports.emplace_back(done, total);
    last_note = std::string(note);
    return stop_after >= 0 && static_cast<int>(reports.size()) > stop_after ? then : rpc::Directive::kContinue;
  }
  absl::Status RecordRound(int round, const std::vector<v1::RoundRow>& rows) override {
    rounds.emplace_back(round, rows);
    return record_status;
  }
  bool ShouldStop() override { return stop_after == 0; }

  std::vector<std::pair<int64_t, int64_t>> reports;
  std::string last_note;
  std::vector<std::pair<int, std::vector<v1::RoundRow>>> rounds;
  absl::Status record_status;
  int stop_after = -1;  // reports that are answered kContinue; -1: all
  rpc::Directive then = rpc::Directive::kHandBack;
};

}  // namespace hanas

#endif  // HANAS_TESTS_SERVICES_FAKES_H_
