// SPDX-License-Identifier: Apache-2.0
#include "worker/service/dataset_store.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "core/base/plain_name.h"
#include "core/base/utf8.h"
#include "dataset/manifest.h"
#include "rpc/protocol.h"
#include "telemetry/event_log.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;

/// A worker reads no more than this of its data sets before it asks for work: their digests tell which searches it can serve.
constexpr ReadingBudget kAtStart = {.bytes = int64_t{256} << 20, .files = 20'000};

/// Leaves of the directories below `root` those that a job can name, sorted, at most as many as a worker may offer: data sets before
/// others, which may hold some deeper down. Whatever else lies there is no reason not to work.
void Offer(const std::string& root, std::vector<std::string>& names) {
  std::erase_if(names, [](const std::string& name) { return !IsUtf8(name) || !IsOneLine(name); });
  std::sort(names.begin(), names.end());
  if (names.size() <= rpc::kMaxDatasetsOfWorker) return;
  const auto others = std::stable_partition(names.begin(), names.end(),
                                            [&](const std::string& name) { return IsDataset((fs::path(root) / name).string()); });
  telemetry::LogEvent(telemetry::Severity::kWarning, "datasets_left_out",
                      {{"directory", root},
                       {"found", absl::StrCat(names.size())},
                       {"offered", absl::StrCat(rpc::kMaxDatasetsOfWorker)},
                       {"datasets", absl::StrCat(others - names.begin())}});
  names.resize(rpc::kMaxDatasetsOfWorker);
  std::sort(names.begin(), names.end());
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Dataset>> DatasetStore::Get(const DatasetSpec& spec, int64_t side, int channels) {
  FieldViolations violations;
  ValidateDatasetSpec(spec, violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  // Images in IDX files stay as they are.
  const std::string form = spec.format == DatasetFormat::kIdx ? "" : absl::StrCat(Name(spec.fit), "|", side, "|", channels);
  const std::string key = absl::StrCat(Name(spec.format), "|", spec.directory, "|", spec.validation_images, "|", spec.name, "|", form);
  if (loaded_ != nullptr && key == loaded_key_) return loaded_;
  if (root_.empty()) {
    return WithReason(absl::NotFoundError("this worker has no data directory; start it with --data DIR or set HANAS_DATA_DIR"),
                      "DATA_MISSING");
  }
  telemetry::LogEvent(telemetry::Severity::kInfo, "dataset_loading", {{"dataset", spec.name}, {"directory", spec.directory}});
  absl::StatusOr<Dataset> dataset = Dataset::Load(spec, root_, {.image_side = side, .image_channels = channels, .threads = threads_});
  if (!dataset.ok()) return WithReason(dataset.status(), absl::IsNotFound(dataset.status()) ? "DATA_MISSING" : "DATA_UNREADABLE");
  loaded_ = std::make_shared<const Dataset>(*std::move(dataset));
  loaded_key_ = key;
  survey_ = SurveyOf(*loaded_, (fs::path(root_) / spec.directory).string());
  telemetry::LogEvent(telemetry::Severity::kInfo, "dataset_loaded", {{"dataset", spec.name}, {"pictures", PicturesText(survey_.classes)}});
  for (const Warning& warning : survey_.warnings) {
    telemetry::LogEvent(telemetry::Severity::kWarning, "dataset_warning",
                        {{"dataset", spec.name}, {"code", warning.code}, {"message", warning.text}});
  }
  return loaded_;
}

std::vector<DatasetStore::Held> DatasetStore::List() const {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(root_, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored)) names.push_back(it->path().filename().string());
  }
  Offer(root_, names);
  ReadingBudget budget = kAtStart;
  std::vector<Held> held;
  for (std::string& name : names) {
    std::string digest = FilesDigest((fs::path(root_) / name).string(), budget);
    held.push_back({std::move(name), std::move(digest)});
  }
  return held;
}

}  // namespace hanas
