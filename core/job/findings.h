// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_JOB_FINDINGS_H_
#define HANAS_CORE_JOB_FINDINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hanas {

// What is found out about data and results that their users must know. Warnings travel from whoever finds them to the report, to standard
// error and to the metadata of exported files.

/// How many pictures a class has.
struct ClassPictures {
  std::string name;
  int64_t train = 0;  // training files, the validation split included
  int64_t test = 0;
  friend bool operator==(const ClassPictures&, const ClassPictures&) = default;
};

/// A reason not to take a result at face value. Programs branch on the code, which never changes its meaning; the text is a sentence.
struct Warning {
  std::string code;
  std::string text;
  std::vector<std::string> members = {};  // ids of the networks that it is about; empty: the data, or the whole search
  friend bool operator==(const Warning&, const Warning&) = default;
};

/// What is known of a data set without decoding a picture.
struct Survey {
  std::vector<ClassPictures> classes;  // in the order of labels
  std::vector<Warning> warnings;
  friend bool operator==(const Survey&, const Survey&) = default;
};

/// The share of the most frequent class among the test pictures: what always naming it is right for. 1 without pictures. Thread-safe.
double LargestTestShare(absl::Span<const ClassPictures> classes);

/// The mean, over classes with test pictures, of the share that is right of each; 0 when there is not one count for each class.
/// Thread-safe.
double BalancedAccuracy(absl::Span<const int64_t> class_correct, absl::Span<const ClassPictures> classes);

// The codes, all of them.
inline constexpr absl::string_view kDrawnData = "DRAWN_DATA";                          // the set is a stand-in that hanas drew
inline constexpr absl::string_view kLabelsAreNumbers = "LABELS_ARE_NUMBERS";           // nothing says what the classes are
inline constexpr absl::string_view kClassWithoutPictures = "CLASS_WITHOUT_PICTURES";   // in training or test
inline constexpr absl::string_view kFewPictures = "FEW_PICTURES";                      // of a class
inline constexpr absl::string_view kSplitMade = "SPLIT_MADE";                          // test pictures were set aside by hanas
inline constexpr absl::string_view kDamagedPictures = "DAMAGED_PICTURES";              // that were left out
inline constexpr absl::string_view kLeakedPictures = "LEAKED_PICTURES";                // of the test, which are among the training pictures
inline constexpr absl::string_view kNoBetterThanGuessing = "NO_BETTER_THAN_GUESSING";  // a network
inline constexpr absl::string_view kDominatedMember = "DOMINATED_MEMBER";              // another member is as good in everything
inline constexpr absl::string_view kLimitBroken = "LIMIT_BROKEN";                      // by a member, as measured

}  // namespace hanas

#endif  // HANAS_CORE_JOB_FINDINGS_H_
