// SPDX-License-Identifier: Apache-2.0
#include "worker/service/dataset_store.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "dataset/manifest.h"
#include "telemetry/event_log.h"

namespace hanas {
namespace {

/// What a worker reads before it asks for work.
constexpr ReadingBudget kAtStart = {.bytes = int64_t{256} << 20, .files = 20'000};

}  // namespace

absl::StatusOr<std::shared_ptr<const Dataset>> DatasetStore::Get(const DatasetSpec& spec) {
  FieldViolations violations;
  ValidateDatasetSpec(spec, violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  const std::string key = absl::StrCat(Name(spec.format), "|", spec.directory, "|", spec.validation_images, "|", spec.name);
  if (loaded_ != nullptr && key == loaded_key_) return loaded_;
  if (root_.empty()) {
    return WithReason(absl::NotFoundError("this worker has no data directory; start it with --data DIR or set HANAS_DATA_DIR"),
                      "DATA_MISSING");
  }
  telemetry::LogEvent(telemetry::Severity::kInfo, "dataset_loading", {{"dataset", spec.name}, {"directory", spec.directory}});
  absl::StatusOr<Dataset> dataset = Dataset::Load(spec, root_);
  if (!dataset.ok()) return WithReason(dataset.status(), absl::IsNotFound(dataset.status()) ? "DATA_MISSING" : "DATA_UNREADABLE");
  loaded_ = std::make_shared<const Dataset>(*std::move(dataset));
  loaded_key_ = key;
  return loaded_;
}

std::vector<DatasetStore::Held> DatasetStore::List() const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(root_, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored)) names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  ReadingBudget budget = kAtStart;
  std::vector<Held> held;
  for (std::string& name : names) {
    std::string digest = FilesDigest((std::filesystem::path(root_) / name).string(), budget);
    held.push_back({std::move(name), std::move(digest)});
  }
  return held;
}

}  // namespace hanas
