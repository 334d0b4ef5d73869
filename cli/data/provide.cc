// SPDX-License-Identifier: Apache-2.0
#include "cli/data/provide.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "cli/data/fetch.h"
#include "dataset/draw.h"
#include "dataset/image_folder.h"

namespace hanas::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kDrawnName[] = "drawn";

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::string HowToGet(const SearchJob& job, const std::string& root) {
  const std::string folder = absl::StrCat(root, "/", job.dataset.directory);
  if (job.dataset.name == FashionMnist().name) {
    return absl::StrCat("; fetch it with `hanas data fetch fashion-mnist --to ", folder, "`");
  }
  if (job.dataset.format == DatasetFormat::kIdx) {
    return "; put the four IDX files there";
  }
  return "; put pictures into train/<class>/ and test/<class>/ there, or into <class>/ alone, or give another --data";
}

/// Whether a drawn set has the shape that the job's space is made for.
bool CanBeDrawn(const SearchJob& job) {
  return job.dataset.format == DatasetFormat::kIdx && job.space.input_channels == 1 && job.space.num_classes == kDrawnClasses;
}

DatasetSpec DrawnInstead(const DatasetSpec& dataset) {
  DatasetSpec drawn = dataset;
  drawn.name = kDrawnName;
  drawn.directory = kDrawnName;
  return drawn;
}

ProvidedData Use(const std::string& root, const DatasetSpec& dataset, absl::string_view remark) {
  return {root, dataset, absl::StrCat("Data: ", dataset.name, " in ", root, "/", dataset.directory, remark)};
}

}  // namespace

absl::Status FindDataset(const DatasetSpec& dataset, const std::string& root) {
  const std::string folder = absl::StrCat(root, "/", dataset.directory);
  if (dataset.format == DatasetFormat::kImageFolder) {
    if (IsImageFolder(folder)) return absl::OkStatus();
    return absl::NotFoundError(absl::StrCat("expected the folder ", folder, "/train, or nothing but folders of pictures in ", folder,
                                            ", one for each class, found another layout"));
  }
  for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
    const std::string path = absl::StrCat(folder, "/", name);
    if (!Exists(path) && !Exists(path + ".gz"))
      return absl::NotFoundError(absl::StrCat("expected ", path, " or ", name, ".gz beside it, found neither"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ProvidedData> ProvideData(const SearchJob& job, const DataSources& sources) {
  const std::string& own = sources.own_directory;
  if (sources.drawn) {
    if (!CanBeDrawn(job)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--drawn-data: expected a job on ", kDrawnClasses, " classes of grey images in IDX files, found one on ", job.space.num_classes,
          " classes of images of ", job.space.input_channels, " channels (", Name(job.dataset.format), "); give --data with its data set"));
    }
    const DatasetSpec drawn = DrawnInstead(job.dataset);
    if (!FindDataset(drawn, own).ok()) {
      if (absl::Status status = sources.draw(absl::StrCat(own, "/", drawn.directory)); !status.ok()) return status;
    }
    return Use(own, drawn, ", drawn by hanas");
  }
  if (!sources.root.empty()) {
    if (const absl::Status found = FindDataset(job.dataset, sources.root); !found.ok()) {
      return absl::NotFoundError(absl::StrCat("data set \"", job.dataset.name, "\": ", found.message(), HowToGet(job, sources.root)));
    }
    return Use(sources.root, job.dataset, "");
  }
  if (FindDataset(job.dataset, own).ok()) return Use(own, job.dataset, "");
  std::string found = "neither";
  if (job.dataset.name == FashionMnist().name) {
    const absl::Status fetched = sources.fetch(absl::StrCat(own, "/", job.dataset.directory));
    if (fetched.ok()) return Use(own, job.dataset, ", just fetched");
    if (absl::IsCancelled(fetched) || absl::IsResourceExhausted(fetched)) return fetched;
    found = "neither, and it could not be fetched";
  }
  return absl::NotFoundError(absl::StrCat(
      "data set \"", job.dataset.name, "\": expected --data DIR or HANAS_DATA_DIR with DIR/", job.dataset.directory, ", found ", found,
      HowToGet(job, "DIR"), CanBeDrawn(job) ? "; or ask for a drawn stand-in, which says nothing about real images: --drawn-data" : ""));
}

}  // namespace hanas::cli
