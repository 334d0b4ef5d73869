// SPDX-License-Identifier: Apache-2.0
// Damaged data files: IDX, plain and compressed, and pictures.
#include <stdlib.h>
#include <turbojpeg.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "absl/status/status_matchers.h"
#include "dataset/idx.h"
#include "dataset/image_folder.h"
#include "tests/parsers/damage.h"
#include "tests/support/pictures.h"

namespace hanas {
namespace {

namespace fs = std::filesystem;

class DataFilesTest : public testing::Test {
 protected:
  DataFilesTest() {
    std::string pattern = (fs::temp_directory_path() / "hanas-parsers-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~DataFilesTest() override { fs::remove_all(directory_); }

  std::string File(const std::string& name) const { return (directory_ / name).string(); }
  static std::string ReadAll(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  /// The path of a file with these bytes.
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(File(name), std::ios::binary) << bytes;
    return File(name);
  }
  std::string Compressed(const std::string& bytes) const {
    gzFile file = gzopen(File("compressed").c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return ReadAll(File("compressed"));
  }

  fs::path directory_;
};

TEST_F(DataFilesTest, IdxImages) {
  IdxImages images = {.count = 3, .height = 4, .width = 5, .pixels = {}};
  for (uint8_t i = 0; i < 60; ++i) images.pixels.push_back(i);
  ASSERT_THAT(WriteIdxImages(File("good"), images), absl_testing::IsOk());
  const std::string plain = ReadAll(File("good"));
  ExpectSurvivesDamage({.name = "IDX images",
                        .good = {plain, Compressed(plain)},
                        .parse =
                            [&](const std::string& bytes) {
                              const absl::StatusOr<IdxImages> read = ReadIdxImages(Write("damaged", bytes));
                              if (read.ok()) {
                                EXPECT_EQ(read->pixels.size(), static_cast<size_t>(read->count * read->height * read->width));
                              }
                              return read.status();
                            },
                        .rounds = 1000});
}

TEST_F(DataFilesTest, IdxLabels) {
  ASSERT_THAT(WriteIdxLabels(File("good"), {1, 2, 3, 4, 5, 6, 7, 8, 9}), absl_testing::IsOk());
  const std::string plain = ReadAll(File("good"));
  ExpectSurvivesDamage({.name = "IDX labels",
                        .good = {plain, Compressed(plain)},
                        .parse = [&](const std::string& bytes) { return ReadIdxLabels(Write("damaged", bytes)).status(); },
                        .rounds = 1000});
}

std::string Jpeg(int side) {
  std::vector<unsigned char> pixels(static_cast<size_t>(side * side * 3));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<unsigned char>(i * 7);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): the library's type
  tjhandle coder = tjInitCompress();
  EXPECT_EQ(tjCompress2(coder, pixels.data(), side, 0, side, TJPF_RGB, &bytes, &size, TJSAMP_420, 90, 0), 0);
  const std::string out(reinterpret_cast<const char*>(bytes), size);
  tjFree(bytes);
  tjDestroy(coder);
  return out;
}

TEST_F(DataFilesTest, ImageFolder) {
  fs::create_directory(directory_ / "class");
  const std::vector<uint8_t> pixels(size_t{12} * 9 * 3, 77);
  const std::string exif = ExifBytes(6);
  ExpectSurvivesDamage({.name = "pictures",
                        .good = {Jpeg(16), Jpeg(33), JpegWithExif(Jpeg(16), exif), PngWithExif(PngBytes(12, 9, pixels), exif),
                                 WebpWithExif(WebpBytes(12, 9, pixels), 12, 9, exif)},
                        .parse =
                            [&](const std::string& bytes) {
                              Write("class/1.jpg", bytes);
                              const absl::StatusOr<FolderImages> read = ReadImageFolder(directory_.string(), {.side = 8}, 3);
                              if (read.ok()) {
                                EXPECT_EQ(read->images.pixels.size(), 8U * 8U * 3U);
                              }
                              return read.status();
                            },
                        .rounds = 300});
}

}  // namespace
}  // namespace hanas
