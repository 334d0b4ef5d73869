// SPDX-License-Identifier: Apache-2.0
#include "dataset/dataset.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <system_error>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "dataset/idx.h"
#include "dataset/image_folder.h"
#include "dataset/manifest.h"
#include "dataset/sha256.h"
#include "dataset/survey.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;

struct IdxPart {
  Dataset::Dimensions dimensions;
  Dataset::Images images;
};

absl::StatusOr<IdxPart> ReadIdxPart(const fs::path& directory, const std::string& prefix,
                                    std::vector<std::pair<std::string, std::string>>& files) {
  const std::string image_path = IdxPath(directory.string(), prefix + "-images-idx3-ubyte");
  const std::string label_path = IdxPath(directory.string(), prefix + "-labels-idx1-ubyte");
  absl::StatusOr<IdxImages> images = ReadIdxImages(image_path);
  if (!images.ok()) return images.status();
  const absl::StatusOr<std::vector<uint8_t>> labels = ReadIdxLabels(label_path);
  if (!labels.ok()) return labels.status();
  if (static_cast<int64_t>(labels->size()) != images->count) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected as many labels as images (", images->count, "), found ", labels->size(),
                     "; get the files again, for instance with: hanas data fetch fashion-mnist: ", label_path));
  }
  for (const std::string& path : {image_path, label_path}) {
    absl::StatusOr<std::string> sha256 = Sha256HexOfFile(path);
    if (!sha256.ok()) return sha256.status();
    files.emplace_back(fs::path(path).filename().string(), *std::move(sha256));
  }
  return IdxPart{{images->height, images->width, 1}, {std::move(images->pixels), {labels->begin(), labels->end()}}};
}

std::string Sha256OfBytes(absl::Span<const uint8_t> bytes) {
  return Sha256Hex(absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

/// A published set of IDX files whose labels have names, known by what is in the files, however they are compressed or called.
struct PublishedSet {
  std::array<absl::string_view, 4> sha256;  // of training pixels and labels, test pixels and labels
  std::vector<std::string> class_names;
};

const std::vector<PublishedSet>& PublishedSets() {
  static const auto* const kSets = new std::vector<PublishedSet>{
      // Fashion-MNIST (Xiao, Rasul, Vollgraf 2017).
      {{"2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"},
       {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}}};
  return *kSets;
}

/// Names where the set is a published one, else the numbers of the labels: a label means what its files say, not what the set is called.
std::vector<std::string> IdxClassNames(const IdxPart& train, const IdxPart& test) {
  const auto of_labels = [](const IdxPart& part) {
    return Sha256OfBytes(std::vector<uint8_t>(part.images.labels.begin(), part.images.labels.end()));
  };
  for (const PublishedSet& set : PublishedSets()) {
    // Pixels take longest, and differ only where labels do not.
    if (of_labels(train) == set.sha256[1] && of_labels(test) == set.sha256[3] && Sha256OfBytes(train.images.pixels) == set.sha256[0] &&
        Sha256OfBytes(test.images.pixels) == set.sha256[2]) {
      return set.class_names;
    }
  }
  std::vector<std::string> names;
  const int32_t largest = *std::max_element(train.images.labels.begin(), train.images.labels.end());
  for (int32_t i = 0; i <= std::max(largest, 1); ++i) names.push_back(absl::StrCat(i));
  return names;
}

absl::StatusOr<fs::path> DirectoryBelow(const std::string& root, const std::string& directory) {
  const fs::path relative = fs::path(directory).lexically_normal();
  if (directory.empty() || relative.is_absolute() || relative.begin()->string() == "..") {
    return absl::InvalidArgumentError(
        absl::StrCat("dataset.directory: expected a path below the data directory, found \"", directory, "\""));
  }
  fs::path path = fs::path(root) / relative;
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    return absl::NotFoundError(
        absl::StrCat("expected a directory with the data set, found none; give its parent with --data or HANAS_DATA_DIR, or run: ",
                     "hanas data fetch fashion-mnist: ", path.string()));
  }
  return path;
}

/// `total` shared out by `counts`, largest remainders first; of no class everything where that can be avoided. Requires 0 <= total <= the
/// sum.
std::vector<int64_t> SharesOf(const std::vector<int64_t>& counts, int64_t total) {
  const int64_t all = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  std::vector<int64_t> shares;
  std::vector<size_t> order(counts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  for (const int64_t count : counts) shares.push_back(count * total / all);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return counts[a] * total % all > counts[b] * total % all; });
  int64_t missing = total - std::accumulate(shares.begin(), shares.end(), int64_t{0});
  for (const int64_t kept : {1, 0}) {  // for training
    for (bool given = true; missing > 0 && given;) {
      given = false;
      for (const size_t i : order) {
        if (missing == 0 || shares[i] + kept >= counts[i]) continue;
        ++shares[i];
        --missing;
        given = true;
      }
    }
  }
  return shares;
}

}  // namespace

absl::string_view Name(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "validation";
    case Split::kTest:
      return "test";
  }
  return "?";
}

absl::StatusOr<Dataset> Dataset::Load(const DatasetSpec& spec, const std::string& root, const LoadOptions& options) {
  const absl::StatusOr<fs::path> directory = DirectoryBelow(root, spec.directory);
  if (!directory.ok()) return directory.status();
  Origin origin;
  if (spec.format == DatasetFormat::kIdx) {
    absl::StatusOr<IdxPart> train = ReadIdxPart(*directory, "train", origin.files);
    if (!train.ok()) return train.status();
    absl::StatusOr<IdxPart> test = ReadIdxPart(*directory, "t10k", origin.files);
    if (!test.ok()) return test.status();
    const auto shape = [](const IdxPart& part) {
      return IdxImages{.height = part.dimensions.height, .width = part.dimensions.width, .pixels = {}};
    };
    if (absl::Status sizes = CheckIdxSizes(shape(*train), shape(*test), directory->string()); !sizes.ok()) return sizes;
    std::vector<std::string> class_names = IdxClassNames(*train, *test);
    return Create(spec, options.split_seed, train->dimensions, std::move(class_names), std::move(train->images), std::move(test->images),
                  std::move(origin));
  }
  // All that is wrong with the folders at once, before decoding takes its time.
  if (const absl::StatusOr<Survey> survey = SurveyDataset(spec.format, directory->string()); !survey.ok()) return survey.status();
  const PictureForm form = {.side = options.image_side, .fit = spec.fit};
  const Dimensions dimensions = {form.side, form.side, options.image_channels};
  const FolderParts parts = PartsOf(directory->string());
  const auto read = [&](const std::string& part) -> absl::StatusOr<FolderImages> {
    absl::StatusOr<FolderImages> images = ReadImageFolder((*directory / part).string(), form, options.image_channels, options.threads);
    if (!images.ok()) return images;
    for (auto& [file, sha256] : images->files) origin.files.emplace_back((fs::path(part) / file).string(), sha256);
    for (const DamagedFile& file : images->damaged) origin.damaged.push_back((fs::path(part) / file.name).string());
    return images;
  };
  absl::StatusOr<FolderImages> train = read(parts.train);
  if (!train.ok()) return train.status();
  Images test;
  if (parts.test.has_value()) {
    absl::StatusOr<FolderImages> of_test = read(*parts.test);
    if (!of_test.ok()) return of_test.status();
    test = std::move(of_test->images);
  } else {
    test = SetAsideTest(*train);
  }
  origin.picture_form = form;
  return Create(spec, options.split_seed, dimensions, train->class_names, std::move(train->images), std::move(test), std::move(origin));
}

absl::StatusOr<Dataset> Dataset::Create(const DatasetSpec& spec, uint64_t split_seed, Dimensions dimensions,
                                        std::vector<std::string> class_names, Images train, Images test, Origin origin) {
  const auto available = static_cast<int64_t>(train.labels.size());
  if (spec.validation_images < 1 || spec.validation_images >= available) {
    return absl::InvalidArgumentError(absl::StrCat("dataset.validation_images: expected 1 to ", available - 1, " of ", available,
                                                   " training files, found ", spec.validation_images));
  }
  Dataset dataset;
  dataset.name_ = spec.name.empty() ? fs::path(spec.directory).filename().string() : spec.name;
  dataset.dimensions_ = dimensions;
  dataset.class_names_ = std::move(class_names);
  dataset.train_ = std::move(train);
  dataset.test_ = std::move(test);
  if (absl::Status status = dataset.Check(); !status.ok()) return status;
  dataset.picture_form_ = origin.picture_form;
  dataset.damaged_ = std::move(origin.damaged);
  const std::string manifest = Manifest(std::move(origin.files));
  dataset.files_digest_ = Sha256Hex(manifest);
  std::string form;
  if (dataset.picture_form_.has_value())
    form = absl::StrCat(Name(dataset.picture_form_->fit), " ", dimensions.height, "x", dimensions.width, "x", dimensions.channels, "\n");
  for (const std::string& file : dataset.damaged_) absl::StrAppend(&form, "without ", file, "\n");
  dataset.digest_ = Sha256Hex(absl::StrCat("split by class ", split_seed, " ", spec.validation_images, "\n", form, manifest));
  dataset.SplitTraining(spec.validation_images, split_seed);
  dataset.ComputeMoments();
  return dataset;
}

absl::Status Dataset::Check() const {
  if (const std::string mistake = MistakeInClasses(num_classes()); !mistake.empty())
    return absl::InvalidArgumentError(absl::StrCat(mistake, ": ", name_));
  const int64_t image_bytes = dimensions_.height * dimensions_.width * dimensions_.channels;
  for (const Images* part : {&train_, &test_}) {
    const char* const what = part == &train_ ? "training" : "test";
    if (part->labels.empty() || part->pixels.size() != part->labels.size() * static_cast<size_t>(image_bytes)) {
      return absl::InvalidArgumentError(absl::StrCat("expected ", image_bytes, " bytes for each of ", part->labels.size(), " ", what,
                                                     " images, found ", part->pixels.size(), ": ", name_));
    }
    for (size_t i = 0; i < part->labels.size(); ++i) {
      if (part->labels[i] >= 0 && part->labels[i] < num_classes()) continue;
      return absl::InvalidArgumentError(absl::StrCat("expected labels of 0 to ", num_classes() - 1, ", found ", part->labels[i], " at ",
                                                     what, " image ", i,
                                                     "; get the files again, for instance with: hanas data fetch fashion-mnist: ", name_));
    }
  }
  return absl::OkStatus();
}

void Dataset::SplitTraining(int64_t validation_images, uint64_t split_seed) {
  std::vector<int64_t> left(class_names_.size(), 0);
  for (const int32_t label : train_.labels) ++left[static_cast<size_t>(label)];
  left = SharesOf(left, validation_images);
  std::vector<int64_t> order(train_.labels.size());
  std::iota(order.begin(), order.end(), 0);
  CounterRandom random(split_seed, "dataset/split");
  random.Shuffle(absl::MakeSpan(order));
  for (const int64_t image : order) {
    int64_t& of_class = left[static_cast<size_t>(train_.labels[static_cast<size_t>(image)])];
    (of_class > 0 ? validation_order_ : train_order_).push_back(image);
    --of_class;
  }
}

int64_t Dataset::CountLeaked() const {
  const auto text = [](absl::Span<const uint8_t> bytes) {
    return absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  absl::flat_hash_set<absl::string_view> seen;
  for (const Split split : {Split::kTrain, Split::kValidation}) {
    for (int64_t i = 0; i < size(split); ++i) seen.insert(text(image(split, i)));
  }
  int64_t leaked = 0;
  for (int64_t i = 0; i < size(Split::kTest); ++i) leaked += seen.contains(text(image(Split::kTest, i))) ? 1 : 0;
  return leaked;
}

void Dataset::ComputeMoments() {
  const int64_t channels = dimensions_.channels;
  std::vector<double> sum(static_cast<size_t>(channels), 0);
  std::vector<double> squares = sum;
  for (int64_t i = 0; i < size(Split::kTrain); ++i) {
    const absl::Span<const uint8_t> pixels = image(Split::kTrain, i);
    for (int64_t c = 0; c < channels; ++c) {
      int64_t image_sum = 0;
      int64_t image_squares = 0;
      for (size_t p = static_cast<size_t>(c); p < pixels.size(); p += static_cast<size_t>(channels)) {
        image_sum += pixels[p];
        image_squares += int64_t{pixels[p]} * pixels[p];
      }
      sum[static_cast<size_t>(c)] += static_cast<double>(image_sum);
      squares[static_cast<size_t>(c)] += static_cast<double>(image_squares);
    }
  }
  const double count = static_cast<double>(size(Split::kTrain) * dimensions_.height * dimensions_.width);
  for (size_t c = 0; c < sum.size(); ++c) {
    const double mean = sum[c] / count / 255;
    const double variance = std::max(0.0, squares[c] / count / (255.0 * 255.0) - mean * mean);
    mean_.push_back(static_cast<float>(mean));
    stddev_.push_back(static_cast<float>(std::max(std::sqrt(variance), 1e-3)));  // an image set of one colour stays finite
  }
}

int64_t Dataset::size(Split split) const {
  switch (split) {
    case Split::kTrain:
      return static_cast<int64_t>(train_order_.size());
    case Split::kValidation:
      return static_cast<int64_t>(validation_order_.size());
    case Split::kTest:
      return static_cast<int64_t>(test_.labels.size());
  }
  return 0;
}

int64_t Dataset::Position(Split split, int64_t index) const {
  if (split == Split::kTest) return index;
  return (split == Split::kTrain ? train_order_ : validation_order_)[static_cast<size_t>(index)];
}

absl::Span<const uint8_t> Dataset::image(Split split, int64_t index) const {
  const auto bytes = static_cast<size_t>(dimensions_.height * dimensions_.width * dimensions_.channels);
  return absl::MakeConstSpan(Source(split).pixels).subspan(static_cast<size_t>(Position(split, index)) * bytes, bytes);
}

int32_t Dataset::label(Split split, int64_t index) const { return Source(split).labels[static_cast<size_t>(Position(split, index))]; }

}  // namespace hanas
