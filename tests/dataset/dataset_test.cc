// SPDX-License-Identifier: Apache-2.0
#include "dataset/dataset.h"

#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"
#include "dataset/draw.h"
#include "dataset/idx.h"
#include "dataset/image_folder.h"
#include "dataset/manifest.h"
#include "dataset/pictures.h"
#include "dataset/sha256.h"
#include "dataset/survey.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/jpeg.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;
using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// A directory of its own, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (fs::temp_directory_path() / "hanas-dataset-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteAll(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

void WriteGzip(const fs::path& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

class IdxDatasetTest : public ::testing::Test {
 protected:
  IdxDatasetTest() { EXPECT_THAT(DrawDataset(set().string(), {.num_train = 200, .num_test = 100, .seed = 3}), IsOk()); }
  fs::path set() const { return directory_.path() / "set"; }
  std::string root() const { return directory_.path().string(); }
  static DatasetSpec Spec() { return {.name = "drawn", .format = DatasetFormat::kIdx, .directory = "set", .validation_images = 50}; }

  TemporaryDirectory directory_;
};

TEST_F(IdxDatasetTest, SplitsTrainingFilesAndKeepsTestFiles) {
  const absl::StatusOr<Dataset> dataset = Dataset::Load(Spec(), root());
  ASSERT_THAT(dataset, IsOk());
  EXPECT_EQ(dataset->size(Split::kTrain), 150);
  EXPECT_EQ(dataset->size(Split::kValidation), 50);
  EXPECT_EQ(dataset->size(Split::kTest), 100);
  EXPECT_EQ(dataset->num_classes(), 10);
  std::multiset<std::vector<uint8_t>> split;
  for (const Split part : {Split::kTrain, Split::kValidation}) {
    for (int64_t i = 0; i < dataset->size(part); ++i) split.emplace(dataset->image(part, i).begin(), dataset->image(part, i).end());
  }
  const absl::StatusOr<IdxImages> all = ReadIdxImages((set() / "train-images-idx3-ubyte").string());
  ASSERT_THAT(all, IsOk());
  std::multiset<std::vector<uint8_t>> files;
  for (int64_t i = 0; i < all->count; ++i) files.emplace(all->pixels.begin() + i * 784, all->pixels.begin() + (i + 1) * 784);
  EXPECT_EQ(split, files);
}

TEST_F(IdxDatasetTest, SameSeedSameSplitOtherSeedOtherDigest) {
  const absl::StatusOr<Dataset> one = Dataset::Load(Spec(), root());
  const absl::StatusOr<Dataset> two = Dataset::Load(Spec(), root());
  const absl::StatusOr<Dataset> other = Dataset::Load(Spec(), root(), {.split_seed = 9});
  ASSERT_THAT(one, IsOk());
  ASSERT_THAT(other, IsOk());
  EXPECT_EQ(one->digest(), two->digest());
  EXPECT_NE(one->digest(), other->digest());
  EXPECT_EQ(one->digest().size(), 64U);
  int same = 0;
  for (int64_t i = 0; i < 50; ++i) same += one->image(Split::kValidation, i) == other->image(Split::kValidation, i) ? 1 : 0;
  EXPECT_LT(same, 10);
}

/// Few pictures of a class, and none of them to tell networks apart by, is what chance gives now and then.
TEST(DatasetTest, EachClassGivesItsShareToValidation) {
  const auto split = [](const std::vector<int>& counts, int validation_images) {
    Dataset::Images images;
    std::vector<std::string> names;
    for (size_t c = 0; c < counts.size(); ++c) {
      names.push_back(absl::StrCat(c));
      for (int i = 0; i < counts[c]; ++i) {
        images.pixels.push_back(static_cast<uint8_t>(images.labels.size()));
        images.labels.push_back(static_cast<int32_t>(c));
      }
    }
    const Dataset dataset =
        Dataset::Create({.name = "x", .directory = "x", .validation_images = validation_images}, 3, {1, 1, 1}, names, images, images, {})
            .value();
    std::vector<int> of_class(counts.size(), 0);
    for (int64_t i = 0; i < dataset.size(Split::kValidation); ++i) ++of_class[static_cast<size_t>(dataset.label(Split::kValidation, i))];
    return of_class;
  };
  EXPECT_THAT(split({100, 50, 50}, 20), ::testing::ElementsAre(10, 5, 5));
  EXPECT_THAT(split({9, 9, 1}, 3), ::testing::ElementsAre(2, 1, 0)) << "what is left over goes to the first of equals";
  EXPECT_THAT(split({12, 1, 1}, 4), ::testing::ElementsAre(4, 0, 0)) << "a class of one picture is trained on";
  EXPECT_THAT(split({4, 2, 2}, 7), ::testing::ElementsAre(3, 2, 2)) << "seven of eight cannot leave one of each";
}

TEST(DatasetTest, CountsTestImagesThatAreTrainedOn) {
  const Dataset::Images train = {.pixels = {1, 2, 3, 4, 5}, .labels = {0, 1, 0, 1, 0}};
  const Dataset::Images test = {.pixels = {5, 6, 1, 1}, .labels = {0, 0, 1, 0}};
  const Dataset dataset =
      Dataset::Create({.name = "x", .directory = "x", .validation_images = 2}, 0, {1, 1, 1}, {"a", "b"}, train, test, {}).value();
  EXPECT_EQ(dataset.CountLeaked(), 3);
}

TEST_F(IdxDatasetTest, GzipIsRecognisedByContent) {
  const absl::StatusOr<Dataset> plain = Dataset::Load(Spec(), root());
  for (const char* name : {"train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
    const std::string bytes = ReadAll(set() / name);
    fs::remove(set() / name);
    WriteGzip(set() / absl::StrCat(name, ".gz"), bytes);
  }
  const absl::StatusOr<Dataset> packed = Dataset::Load(Spec(), root());
  ASSERT_THAT(packed, IsOk());
  EXPECT_EQ(packed->image(Split::kTrain, 7), plain->image(Split::kTrain, 7));
  EXPECT_EQ(packed->mean(), plain->mean());
}

TEST_F(IdxDatasetTest, TheFilesDigestIsKnownWithoutLoading) {
  const auto files_digest = [&](ReadingBudget budget = {.bytes = 1 << 20, .files = 4}) { return FilesDigest(set().string(), budget); };
  const absl::StatusOr<Dataset> dataset = Dataset::Load(Spec(), root());
  ASSERT_THAT(dataset, IsOk());
  EXPECT_EQ(files_digest(), dataset->files_digest());

  // The split is no part of it, nor is what else lies there; every byte of the files is.
  DatasetSpec other_split = Spec();
  other_split.validation_images = 60;
  const absl::StatusOr<Dataset> split = Dataset::Load(other_split, root());
  ASSERT_THAT(split, IsOk());
  EXPECT_EQ(split->files_digest(), dataset->files_digest());
  EXPECT_NE(split->digest(), dataset->digest());
  WriteAll(set() / "README", "drawn");
  EXPECT_EQ(files_digest(), dataset->files_digest());
  const fs::path labels = set() / "t10k-labels-idx1-ubyte";
  std::string bytes = ReadAll(labels);
  bytes.back() = static_cast<char>(bytes.back() == 0 ? 1 : 0);
  WriteAll(labels, bytes);
  EXPECT_NE(files_digest(), dataset->files_digest());
  EXPECT_EQ(files_digest(), Dataset::Load(Spec(), root())->files_digest());
}

TEST_F(IdxDatasetTest, TheFilesDigestKeepsToItsBudget) {
  ReadingBudget enough = {.bytes = 1 << 20, .files = 9};
  EXPECT_NE(FilesDigest(set().string(), enough), "");
  EXPECT_EQ(enough.bytes, (1 << 20) - (16 + 200 * 784) - (8 + 200) - (16 + 100 * 784) - (8 + 100));
  EXPECT_EQ(enough.files, 5U);
  for (ReadingBudget small : {ReadingBudget{.bytes = 1 << 20, .files = 3}, ReadingBudget{.bytes = 100'000, .files = 4}}) {
    const int64_t before = small.bytes;
    EXPECT_EQ(FilesDigest(set().string(), small), "");
    EXPECT_EQ(small.bytes, before);
  }
  // Of what is no data set, or no longer one, nothing is said.
  EXPECT_EQ(FilesDigest((directory_.path() / "absent").string(), enough), "");
  fs::remove(set() / "t10k-labels-idx1-ubyte");
  EXPECT_EQ(FilesDigest(set().string(), enough), "");
}

struct BadFile {
  const char* name;
  const char* file;
  std::function<std::string(std::string)> change;
  absl::StatusCode code;
  const char* message;
};

class BadFileTest : public IdxDatasetTest, public ::testing::WithParamInterface<BadFile> {};

TEST_P(BadFileTest, IsRefusedWithFileAndRemedy) {
  const fs::path path = set() / GetParam().file;
  WriteAll(path, GetParam().change(ReadAll(path)));
  const absl::StatusOr<Dataset> dataset = Dataset::Load(Spec(), root());
  EXPECT_THAT(dataset.status(), StatusIs(GetParam().code, AllOf(HasSubstr(GetParam().message), HasSubstr("hanas data fetch"))));
}

constexpr const char* kImages = "train-images-idx3-ubyte";
constexpr const char* kLabels = "train-labels-idx1-ubyte";
std::string SetByte(const std::string& bytes, size_t at, char value) { return bytes.substr(0, at) + value + bytes.substr(at + 1); }
std::string Gzip(const std::string& bytes) {
  const TemporaryDirectory directory;
  WriteGzip(directory.path() / "x", bytes);
  return ReadAll(directory.path() / "x");
}

INSTANTIATE_TEST_SUITE_P(
    All, BadFileTest,
    ::testing::Values(
        BadFile{"Empty", kImages, [](const std::string&) { return std::string(); }, absl::StatusCode::kDataLoss, "truncated"},
        BadFile{"HeaderOnly", kImages, [](const std::string& b) { return b.substr(0, 9); }, absl::StatusCode::kDataLoss, "extents"},
        BadFile{"Truncated", kImages, [](const std::string& b) { return b.substr(0, b.size() - 1); }, absl::StatusCode::kDataLoss,
                "truncated"},
        BadFile{"TruncatedLabels", kLabels, [](const std::string& b) { return b.substr(0, 20); }, absl::StatusCode::kDataLoss,
                "expected 200 bytes of labels, found 12"},
        BadFile{"Trailing", kImages, [](const std::string& b) { return b + "x"; }, absl::StatusCode::kDataLoss,
                "more bytes after the last item"},
        BadFile{"WrongMagic", kImages, [](const std::string& b) { return SetByte(b, 3, 1); }, absl::StatusCode::kInvalidArgument,
                "expected the magic number 0x00000803, found 0x00000801"},
        BadFile{"Text", kLabels, [](const std::string&) { return std::string("<html>not found</html>"); },
                absl::StatusCode::kInvalidArgument, "magic number"},
        BadFile{"NoImages", kImages, [](const std::string& b) { return SetByte(b, 7, 0); }, absl::StatusCode::kInvalidArgument,
                "expected extents of 1 to"},
        BadFile{"HugeHeader", kImages, [](const std::string& b) { return SetByte(b, 4, 0x7f); }, absl::StatusCode::kInvalidArgument,
                "expected extents of 1 to"},
        BadFile{"LabelOutOfRange", "t10k-labels-idx1-ubyte", [](const std::string& b) { return SetByte(b, 30, 77); },
                absl::StatusCode::kInvalidArgument, "expected labels of 0 to 9, found 77 at test image 22"},
        BadFile{"CountsDiffer", "t10k-labels-idx1-ubyte", [](const std::string& b) { return SetByte(b, 7, 99).substr(0, 8 + 99); },
                absl::StatusCode::kInvalidArgument, "as many labels as images (100), found 99"},
        BadFile{"GzipCutShort", kLabels, [](const std::string& b) { return Gzip(b).substr(0, 60); }, absl::StatusCode::kDataLoss,
                "expected"},
        BadFile{"GzipBadChecksum", kLabels,
                [](const std::string& b) {
                  std::string packed = Gzip(b);
                  packed[packed.size() - 6] = static_cast<char>(packed[packed.size() - 6] ^ 0x55);
                  return packed;
                },
                absl::StatusCode::kDataLoss, "gzip"}),
    [](const auto& test) { return test.param.name; });

/// A header, and zeros that compress to a thousandth: it is not unpacked.
TEST(IdxBombTest, CompressedFilesThatGrowTooMuchAreRefusedByTheirHeader) {
  const TemporaryDirectory directory;
  const fs::path path = directory.path() / "images";
  const std::string header("\x00\x00\x08\x03\x00\x01\x86\xa0\x00\x00\x00\x1c\x00\x00\x00\x1c", 16);  // 100 000 of 28x28
  WriteGzip(path, header);
  EXPECT_THAT(ReadIdxImages(path.string()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("at most 100 times the"), HasSubstr("78400000 promised"), HasSubstr(path.string()))));
  const std::string small("\x00\x00\x08\x03\x00\x00\x27\x10\x00\x00\x00\x1c\x00\x00\x00\x1c", 16);  // 10 000
  WriteGzip(path, small + std::string(7'840'000, '\0'));
  EXPECT_THAT(ReadIdxImages(path.string()), IsOk()) << "a drawn set may be of one colour";
  WriteGzip(path, small + std::string(7'840'001, '\0'));
  EXPECT_THAT(ReadIdxImages(path.string()).status(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("found more bytes")));
}

TEST_F(IdxDatasetTest, RefusesBadSpecifications) {
  DatasetSpec spec = Spec();
  spec.validation_images = 200;
  EXPECT_THAT(Dataset::Load(spec, root()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 1 to 199 of 200 training files, found 200")));
  for (const char* directory : {"../set", "/etc", "", "set/../../x"}) {
    spec = Spec();
    spec.directory = directory;
    EXPECT_THAT(Dataset::Load(spec, root()).status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected a path below")));
  }
  spec.directory = "absent";
  EXPECT_THAT(Dataset::Load(spec, root()).status(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("hanas data fetch")));
}

void WriteJpeg(const fs::path& path, int width, int height, uint8_t red) { hanas::WriteJpeg(path, width, height, {red, 20, 20}); }

TEST(ImageFolderTest, ClassesAreFoldersInOrderAndImagesHaveOneSize) {
  const TemporaryDirectory directory;
  for (const char* part : {"train", "test"}) {
    for (const auto& [name, red] : {std::pair<const char*, uint8_t>{"bag", 200}, {"ankle", 100}}) {
      fs::create_directories(directory.path() / "set" / part / name);
      for (int i = 0; i < 3; ++i) WriteJpeg(directory.path() / "set" / part / name / absl::StrCat(i, ".jpg"), 16 + 8 * i, 12 + 8 * i, red);
    }
  }
  const DatasetSpec spec = {.name = "", .format = DatasetFormat::kImageFolder, .directory = "set", .validation_images = 2};
  absl::StatusOr<Dataset> dataset = Dataset::Load(spec, directory.path().string(), {.image_side = 16});
  ASSERT_THAT(dataset, IsOk());
  EXPECT_THAT(dataset->class_names(), ::testing::ElementsAre("ankle", "bag"));
  EXPECT_EQ(dataset->height(), 16);
  EXPECT_EQ(dataset->width(), 16);
  EXPECT_EQ(dataset->picture_form(), (PictureForm{.side = 16}));
  EXPECT_EQ(dataset->channels(), 3);
  for (int64_t i = 0; i < dataset->size(Split::kTest); ++i) {
    EXPECT_NEAR(dataset->image(Split::kTest, i)[0], dataset->label(Split::kTest, i) == 0 ? 100 : 200, 4);
    EXPECT_NEAR(dataset->image(Split::kTest, i)[1], 20, 4);
  }
  const absl::StatusOr<Dataset> grey = Dataset::Load(spec, directory.path().string(), {.image_side = 16, .image_channels = 1});
  ASSERT_THAT(grey, IsOk());
  EXPECT_EQ(grey->channels(), 1);
  EXPECT_NEAR(grey->image(Split::kTest, 0)[0], 0.299 * (grey->label(Split::kTest, 0) == 0 ? 100 : 200) + 0.701 * 20, 4);
  // What pictures become is part of what networks see, and no part of the files.
  DatasetSpec cropped = spec;
  cropped.fit = PictureFit::kCrop;
  for (const absl::StatusOr<Dataset>& other : {Dataset::Load(spec, directory.path().string(), {.image_side = 12}),
                                               Dataset::Load(cropped, directory.path().string(), {.image_side = 16})}) {
    ASSERT_THAT(other, IsOk());
    EXPECT_NE(other->digest(), dataset->digest());
    EXPECT_EQ(other->files_digest(), dataset->files_digest());
  }
  ReadingBudget budget = {.bytes = 1 << 20, .files = 12};
  EXPECT_EQ(FilesDigest((directory.path() / "set").string(), budget), dataset->files_digest());
  budget.files = 11;
  EXPECT_EQ(FilesDigest((directory.path() / "set").string(), budget), "") << "one file too many";
  const fs::path broken = directory.path() / "set/test/bag/1.jpg";
  WriteAll(broken, ReadAll(broken).substr(0, 40));
  EXPECT_THAT(Dataset::Load(spec, directory.path().string(), {.image_side = 16}).status(),
              StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("found 1 in " + (directory.path() / "set/test").string()),
                                                          HasSubstr("remove the file: bag/1.jpg"))));
}

/// Pictures that nobody has split: beside one another in train/, or in the set's own directory.
TEST(ImageFolderTest, ASixthOfEachClassIsSetAsideWhereThereIsNoTest) {
  std::vector<std::string> digests;
  for (const char* const part : {"train/", ""}) {
    const TemporaryDirectory directory;
    const fs::path set = directory.path() / "set";
    for (const auto& [name, pictures] : {std::pair<const char*, int>{"ankle", 20}, {"bag", 13}}) {
      fs::create_directories(set / part / name);
      for (int i = 0; i < pictures; ++i)
        WriteJpeg(set / part / name / absl::StrCat(i, ".jpg"), 8, 8, static_cast<uint8_t>(12 * i + (pictures == 13 ? 6 : 0)));
    }
    const DatasetSpec spec = {.name = "set", .format = DatasetFormat::kImageFolder, .directory = "set", .validation_images = 2};
    const absl::StatusOr<Dataset> dataset = Dataset::Load(spec, directory.path().string(), {.image_side = 8});
    ASSERT_THAT(dataset, IsOk());
    const std::vector<ClassPictures> expected = {{"ankle", 17, 3}, {"bag", 11, 2}};
    const Survey loaded = SurveyOf(*dataset, set.string());
    EXPECT_EQ(loaded.classes, expected);
    EXPECT_EQ(dataset->CountLeaked(), 0) << "each picture is on one side";
    const absl::StatusOr<Survey> survey = SurveyDataset(DatasetFormat::kImageFolder, set.string());
    ASSERT_THAT(survey, IsOk());
    EXPECT_EQ(survey->classes, expected) << "which is known before anything is decoded";
    EXPECT_EQ(survey->warnings.front().code, kSplitMade);
    EXPECT_EQ(loaded.warnings.front(), survey->warnings.front());
    const absl::StatusOr<Pictures> pictures = LookAtPictures(DatasetFormat::kImageFolder, set.string());
    ASSERT_THAT(pictures, IsOk());
    EXPECT_EQ(pictures->train, 28);
    EXPECT_EQ(pictures->test, 5);
    EXPECT_THAT(pictures->not_read, ::testing::IsEmpty());
    ReadingBudget budget = {.bytes = 1 << 20, .files = 33};
    EXPECT_EQ(FilesDigest(set.string(), budget), dataset->files_digest());
    std::string test;
    for (int64_t i = 0; i < dataset->size(Split::kTest); ++i) absl::StrAppend(&test, dataset->image(Split::kTest, i)[0], " ");
    digests.push_back(test);
  }
  EXPECT_EQ(digests[0], digests[1]) << "which ones depends on the files alone";
}

TEST(ImageFolderTest, ASetOfOneClassOrWithoutTrainingPicturesIsNone) {
  const TemporaryDirectory directory;
  EXPECT_FALSE(IsImageFolder(directory.path().string()));
  fs::create_directories(directory.path() / "one");
  WriteJpeg(directory.path() / "one/1.jpg", 8, 8, 1);
  EXPECT_FALSE(IsImageFolder(directory.path().string()));
  fs::create_directories(directory.path() / "two/deeper");
  WriteJpeg(directory.path() / "two/deeper/1.jpg", 8, 8, 1);
  EXPECT_FALSE(IsImageFolder(directory.path().string())) << "what lies deeper may be anything";
  WriteJpeg(directory.path() / "two/1.jpg", 8, 8, 1);
  EXPECT_TRUE(IsImageFolder(directory.path().string()));
  fs::create_directories(directory.path() / "val");
  EXPECT_FALSE(IsImageFolder(directory.path().string())) << "a test without pictures to train on";
}

/// The size stands in a JPEG file's header, and is believed by whoever allocates first.
TEST(ImageFolderTest, PicturesThatClaimToBeHugeAreRefusedByTheirHeader) {
  for (const auto& [width, height] : {std::pair<int, int>{65500, 65500}, {16385, 10}, {16000, 16000}}) {
    const TemporaryDirectory directory;
    fs::create_directories(directory.path() / "class");
    const fs::path path = directory.path() / "class/1.jpg";
    WriteJpeg(path, 16, 12, 100);
    std::string bytes = ReadAll(path);
    const size_t frame = bytes.find("\xff\xc0");  // the frame header: length, precision, height, width
    ASSERT_NE(frame, std::string::npos);
    for (const auto& [at, extent] : {std::pair<size_t, int>{frame + 5, height}, {frame + 7, width}}) {
      bytes[at] = static_cast<char>(extent >> 8);
      bytes[at + 1] = static_cast<char>(extent);
    }
    WriteAll(path, bytes);
    EXPECT_THAT(ReadImageFolder(directory.path().string(), {.side = 8}, 3).status(),
                StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr(absl::StrCat(width, "x", height)), HasSubstr("1.jpg"))));
  }
}

TEST(ImageFolderTest, ImagesThatDoNotFitTogetherAreRefusedAtTheFirst) {
  const TemporaryDirectory directory;
  fs::create_directories(directory.path() / "class");
  for (int i = 0; i < 6; ++i) WriteJpeg(directory.path() / "class" / absl::StrCat(i, ".jpg"), 16, 12, 100);
  EXPECT_THAT(ReadImageFolder(directory.path().string(), {.side = 32768}, 3).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found 6 of 32768x32768x3")));
}

TEST(DatasetTest, HoldsAsManyClassesAsAJobMayHave) {
  const auto create = [](int classes) {
    Dataset::Images images;
    std::vector<std::string> names;
    for (int i = 0; i < classes; ++i) {
      images.labels.push_back(i);
      names.push_back(absl::StrCat("class ", i));
    }
    images.pixels.resize(static_cast<size_t>(classes));
    return Dataset::Create({.name = "many", .directory = "many", .validation_images = 1}, 0, {1, 1, 1}, names, images, images, {});
  };
  const absl::StatusOr<Dataset> dataset = create(bounds::kMaxClasses);
  ASSERT_THAT(dataset, IsOk());
  EXPECT_EQ(dataset->num_classes(), bounds::kMaxClasses);
  EXPECT_EQ(dataset->label(Split::kTest, bounds::kMaxClasses - 1), bounds::kMaxClasses - 1);
  EXPECT_THAT(create(bounds::kMaxClasses + 1), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 to 10000 classes, found 10001")));
}

TEST(Sha256Test, KnownAnswer) { EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); }

}  // namespace
}  // namespace hanas
