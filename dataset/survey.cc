// SPDX-License-Identifier: Apache-2.0
#include "dataset/survey.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/bounds.h"
#include "core/base/plain_name.h"
#include "core/base/text.h"
#include "core/base/utf8.h"
#include "dataset/idx.h"
#include "dataset/image_folder.h"
#include "dataset/manifest.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFew = 10;          // pictures: with fewer, neither learning nor an accuracy means much
constexpr size_t kMostListed = 20;    // mistakes
constexpr size_t kMostNamed = 8;      // classes or files in a sentence
constexpr double kLeakShare = 0.005;  // of the test pictures: with fewer, an accuracy means what it means without them

/// "h", or with its bytes when a name may look like another: "é" is one character, or two.
std::string Quoted(absl::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) { return absl::ascii_isprint(static_cast<unsigned char>(c)); });
  if (plain) return absl::StrCat("\"", name, "\"");
  const std::string bytes = absl::StrCat("\"", absl::CHexEscape(name), "\"");
  return IsUtf8(name) && IsOneLine(name) ? absl::StrCat("\"", name, "\" (", bytes, ")") : bytes;
}

std::string Named(std::vector<std::string> names) {
  const size_t more = names.size() - std::min(names.size(), kMostNamed);
  names.resize(names.size() - more);
  return absl::StrCat(absl::StrJoin(names, ", "), more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

/// How many pictures each class folder of a part has.
absl::StatusOr<std::map<std::string, int64_t>> CountFolders(const fs::path& part) {
  const absl::StatusOr<std::vector<std::string>> classes = ListClassFolders(part.string());
  if (!classes.ok()) return classes.status();
  std::map<std::string, int64_t> counts;
  for (const std::string& name : *classes) {
    const absl::StatusOr<std::vector<std::string>> pictures = ListPictures((part / name).string());
    if (!pictures.ok()) return pictures.status();
    counts[name] = static_cast<int64_t>(pictures->size());
  }
  return counts;
}

std::string PlaceOf(const std::string& part) { return part.empty() ? "the directory" : part + "/"; }

absl::StatusOr<std::vector<ClassPictures>> SurveyFolders(const std::string& directory) {
  const FolderParts parts = PartsOf(directory);
  const absl::StatusOr<std::map<std::string, int64_t>> train = CountFolders(fs::path(directory) / parts.train);
  if (!train.ok()) return train.status();
  const absl::StatusOr<std::map<std::string, int64_t>> test =
      parts.test.has_value() ? CountFolders(fs::path(directory) / *parts.test) : *train;
  if (!test.ok()) return test.status();
  std::vector<std::string> mistakes;
  const auto check = [&](const std::string& part, const std::map<std::string, int64_t>& here, const std::string& other_part,
                         const std::map<std::string, int64_t>& there) {
    for (const auto& [name, pictures] : here) {
      const std::string folder = absl::StrCat("class ", Quoted(name), " in ", part);
      if (!IsUtf8(name)) {
        mistakes.push_back(absl::StrCat(folder, " has a name that is not UTF-8: rename it"));
      } else if (!IsOneLine(name)) {
        mistakes.push_back(absl::StrCat(folder, " has a name with control characters: rename it"));
      }
      if (!there.contains(name)) mistakes.push_back(absl::StrCat(folder, " is not in ", other_part, ": add it there, or remove it"));
      if (pictures == 0) mistakes.push_back(absl::StrCat(folder, " has no pictures (", kPictureExtensions, "): add some, or remove it"));
    }
  };
  if (std::string mistake = MistakeInClasses(static_cast<int64_t>(train->size())); !mistake.empty())
    mistakes.push_back(absl::StrCat(mistake, " in ", PlaceOf(parts.train)));
  const std::string of_train = PlaceOf(parts.train);
  const std::string of_test = PlaceOf(parts.test.value_or(parts.train));
  check(of_train, *train, of_test, *test);
  if (parts.test.has_value()) check(of_test, *test, of_train, *train);
  if (!mistakes.empty()) return UnusableDataset(directory, mistakes);
  std::vector<ClassPictures> classes;
  for (const auto& [name, pictures] : *train) {
    const int64_t aside = TestShare(pictures);
    classes.push_back(parts.test.has_value() ? ClassPictures{name, pictures, test->at(name)}
                                             : ClassPictures{name, pictures - aside, aside});
  }
  return classes;
}

/// The header of the pictures. Adds what keeps them from being those of the labels, as far as it tells.
absl::StatusOr<IdxImages> CheckIdxPictures(const std::string& path, size_t labels, std::vector<std::string>& mistakes) {
  absl::StatusOr<IdxImages> header = ReadIdxImagesHeader(path);
  if (!header.ok()) {
    mistakes.emplace_back(header.status().message());
  } else if (header->count != static_cast<int64_t>(labels)) {
    mistakes.push_back(absl::StrCat("expected as many pictures as labels (", labels, "), found ", header->count, ": ", path));
  }
  return header;
}

absl::StatusOr<std::vector<ClassPictures>> SurveyIdx(const std::string& directory) {
  const absl::StatusOr<std::vector<uint8_t>> train = ReadIdxLabels(IdxPath(directory, "train-labels-idx1-ubyte"));
  if (!train.ok()) return train.status();
  const absl::StatusOr<std::vector<uint8_t>> test = ReadIdxLabels(IdxPath(directory, "t10k-labels-idx1-ubyte"));
  if (!test.ok()) return test.status();
  if (train->empty() || test->empty())
    return UnusableDataset(directory,
                           {absl::StrCat(train->size(), " training and ", test->size(), " test labels: there must be some of each")});
  const int largest = *std::max_element(train->begin(), train->end());
  std::vector<ClassPictures> classes(static_cast<size_t>(std::max(largest, 1)) + 1);
  for (size_t i = 0; i < classes.size(); ++i) classes[i].name = absl::StrCat(i);
  std::vector<std::string> mistakes;
  const auto of_train = CheckIdxPictures(IdxPath(directory, "train-images-idx3-ubyte"), train->size(), mistakes);
  const auto of_test = CheckIdxPictures(IdxPath(directory, "t10k-images-idx3-ubyte"), test->size(), mistakes);
  if (of_train.ok() && of_test.ok()) {
    const absl::Status sizes = CheckIdxSizes(*of_train, *of_test, directory);
    if (!sizes.ok()) mistakes.emplace_back(sizes.message());
  }
  std::map<int, int64_t> beyond;
  for (const uint8_t label : *test) beyond[label] += label > largest ? 1 : 0;
  for (const auto& [label, pictures] : beyond) {
    if (pictures > 0) mistakes.push_back(absl::StrCat("class ", label, " has ", pictures, " test pictures and none to train on"));
  }
  if (!mistakes.empty()) return UnusableDataset(directory, mistakes);
  for (const uint8_t label : *train) ++classes[label].train;
  for (const uint8_t label : *test) ++classes[label].test;
  return classes;
}

/// What is worth saying of a set with so many pictures in `directory`.
std::vector<Warning> WarningsOf(absl::Span<const ClassPictures> classes, const std::string& directory, DatasetFormat format) {
  std::vector<Warning> warnings;
  std::error_code ignored;
  if (fs::exists(fs::path(directory) / kDrawnMarker, ignored)) {
    warnings.push_back(
        {std::string(kDrawnData), "The data set was drawn by hanas, a stand-in: its accuracies say nothing about real images."});
  }
  if (format == DatasetFormat::kImageFolder && !PartsOf(directory).test.has_value()) {
    warnings.push_back(
        {std::string(kSplitMade),
         "The set has no test pictures of its own: of each class a sixth, the files with the lowest SHA-256, was set aside for "
         "testing. Pictures of one thing, or of one moment, may be on both sides."});
  }
  std::vector<std::string> none;
  std::vector<std::string> few;
  for (const ClassPictures& each : classes) {
    const int64_t fewest = std::min(each.train, each.test);
    if (fewest >= kFew) continue;
    (fewest == 0 ? none : few).push_back(absl::StrCat(Quoted(each.name), " (", each.train, " for training, ", each.test, " for test)"));
  }
  if (!none.empty()) {
    warnings.push_back({std::string(kClassWithoutPictures),
                        absl::StrCat("No network can know these classes, or nobody can tell whether it does, for want of pictures: ",
                                     Named(std::move(none)), ".")});
  }
  if (!few.empty()) {
    warnings.push_back({std::string(kFewPictures), absl::StrCat("These classes have fewer than ", kFew,
                                                                " pictures for training or test: ", Named(std::move(few)), ".")});
  }
  return warnings;
}

bool AreNumbers(absl::Span<const ClassPictures> classes) {
  for (size_t i = 0; i < classes.size(); ++i) {
    if (classes[i].name != absl::StrCat(i)) return false;
  }
  return true;
}

}  // namespace

absl::Status UnusableDataset(const std::string& directory, absl::Span<const std::string> mistakes) {
  std::string text = absl::StrCat("expected a data set that can be used, found in ", directory, ":");
  for (size_t i = 0; i < std::min(mistakes.size(), kMostListed); ++i) absl::StrAppend(&text, "\n  ", mistakes[i]);
  if (mistakes.size() > kMostListed) absl::StrAppend(&text, "\n  and ", mistakes.size() - kMostListed, " more");
  return absl::InvalidArgumentError(text);
}

std::string MistakeInClasses(int64_t num_classes) {
  if (num_classes >= bounds::kMinClasses && num_classes <= bounds::kMaxClasses) return "";
  return absl::StrCat("expected ", bounds::kMinClasses, " to ", bounds::kMaxClasses, " classes, found ", num_classes);
}

absl::StatusOr<Survey> SurveyDataset(DatasetFormat format, const std::string& directory) {
  absl::StatusOr<std::vector<ClassPictures>> classes = format == DatasetFormat::kIdx ? SurveyIdx(directory) : SurveyFolders(directory);
  if (!classes.ok()) return classes.status();
  std::vector<Warning> warnings = WarningsOf(*classes, directory, format);
  return Survey{*std::move(classes), std::move(warnings)};
}

Survey SurveyOf(const Dataset& dataset, const std::string& directory) {
  Survey survey;
  for (const std::string& name : dataset.class_names()) survey.classes.push_back({name});
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    for (int64_t i = 0; i < dataset.size(split); ++i) {
      ClassPictures& pictures = survey.classes[static_cast<size_t>(dataset.label(split, i))];
      ++(split == Split::kTest ? pictures.test : pictures.train);
    }
  }
  survey.warnings =
      WarningsOf(survey.classes, directory, dataset.picture_form().has_value() ? DatasetFormat::kImageFolder : DatasetFormat::kIdx);
  if (const std::vector<std::string>& damaged = dataset.damaged(); !damaged.empty()) {
    constexpr size_t kLongestName = 200;
    std::vector<std::string> names;
    for (const std::string& file : damaged) names.push_back(Quoted(Shorten(file, kLongestName)));
    survey.warnings.push_back(
        {std::string(kDamagedPictures), absl::StrCat(damaged.size(), damaged.size() == 1 ? " picture is" : " pictures are",
                                                     " damaged and left out: ", Named(std::move(names)), ".")});
  }
  const int64_t leaked = dataset.CountLeaked();
  if (static_cast<double>(leaked) >= kLeakShare * static_cast<double>(dataset.size(Split::kTest))) {
    survey.warnings.push_back({std::string(kLeakedPictures),
                               absl::StrCat(leaked, " of ", dataset.size(Split::kTest),
                                            " test pictures are among the training pictures too: that a network knows them says nothing "
                                            "about pictures that it has not seen.")});
  }
  if (AreNumbers(survey.classes)) {
    survey.warnings.push_back({std::string(kLabelsAreNumbers),
                               absl::StrCat("Nothing says what the classes of ", dataset.name(),
                                            " are, so the exported files call them by their numbers: the files are not those of a set that "
                                            "hanas knows.")});
  }
  return survey;
}

std::string PicturesText(absl::Span<const ClassPictures> classes) {
  std::vector<std::string> parts;
  for (const ClassPictures& each : classes) parts.push_back(absl::StrCat(each.name, " ", each.train, " + ", each.test));
  return Named(std::move(parts));
}

}  // namespace hanas
