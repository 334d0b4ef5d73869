// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_DATASET_SURVEY_H_
#define HANAS_DATASET_SURVEY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/job/findings.h"
#include "core/job/search_job.h"
#include "dataset/dataset.h"

namespace hanas {

/// A file of this name beside a set says that hanas drew it.
inline constexpr char kDrawnMarker[] = "drawn-by-hanas.txt";

/// INVALID_ARGUMENT with what is wrong with the set in `directory`, a line for each mistake. Requires at least one. Thread-safe.
absl::Status UnusableDataset(const std::string& directory, absl::Span<const std::string> mistakes);

/// What is wrong with a set of so many classes, "" when nothing is. Thread-safe.
std::string MistakeInClasses(int64_t num_classes);

/// Looks at names and labels only, so that a set that cannot be used is refused within seconds. Returns INVALID_ARGUMENT with a line for
/// every mistake, by name: folders of classes that are in train/ or in test/ alone, that hold no pictures, or whose names are not UTF-8;
/// fewer or more classes than a space may have; test labels without training pictures; IDX files whose headers promise other pictures than
/// the labels name, pictures of two sizes, or more than such a file can hold. Returns NOT_FOUND when there are no classes at all, and the
/// errors of reading label files (see idx.h). Entries whose names begin with a dot are nobody's classes or pictures. Thread-safe.
absl::StatusOr<Survey> SurveyDataset(DatasetFormat format, const std::string& directory);

/// The same of a set that was loaded from `directory`, which knows names of labels that SurveyDataset does not. Thread-safe.
Survey SurveyOf(const Dataset& dataset, const std::string& directory);

/// "h 200 + 100, v 200 + 100": pictures of each class for training and test, the first of many classes. Thread-safe.
std::string PicturesText(absl::Span<const ClassPictures> classes);

}  // namespace hanas

#endif  // HANAS_DATASET_SURVEY_H_
