// SPDX-License-Identifier: Apache-2.0
#include "dataset/idx.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/base/error_reason.h"

namespace hanas {
namespace {

constexpr uint32_t kLabelMagic = 0x00000801;
constexpr uint32_t kImageMagic = 0x00000803;
constexpr int64_t kMaxImages = 10'000'000;
constexpr int64_t kMaxExtent = 4096;
constexpr int64_t kMaxBytes = int64_t{1} << 34;
// Pictures do not compress to a hundredth; what claims to is refused before it is unpacked, unless it is small.
constexpr int64_t kMaxExpansion = 100;
constexpr int64_t kMaxUnjudgedBytes = int64_t{64} << 20;
constexpr absl::string_view kRemedy = "; get the files again, for instance with: hanas data fetch fashion-mnist";

struct GzClose {
  void operator()(gzFile_s* file) const { gzclose(file); }
};
using GzFile = std::unique_ptr<gzFile_s, GzClose>;

/// Reads a file, plain or gzip, and says what is wrong with it.
class Reader {
 public:
  static absl::StatusOr<Reader> Open(const std::string& path) {
    GzFile file(gzopen(path.c_str(), "rb"));
    if (file == nullptr) {
      return absl::NotFoundError(
          absl::StrCat("expected an IDX file, found none (", std::generic_category().message(errno), ")", kRemedy, ": ", path));
    }
    gzbuffer(file.get(), 1U << 18);
    return Reader(path, std::move(file));
  }

  /// Whether a file of this size may hold the `total` bytes that its header, which was read, promises.
  absl::Status CheckPromise(int64_t total) const {
    std::error_code error;
    const auto packed = static_cast<int64_t>(std::filesystem::file_size(path_, error));
    if (gzdirect(file_.get()) != 0) {
      const int64_t expected = static_cast<int64_t>(gztell(file_.get())) + total;
      if (error || packed == expected) return absl::OkStatus();
      return Broken(absl::StrCat("expected ", expected, " bytes, found ", packed,
                                 packed < expected ? " (the file is truncated)" : " (there are more bytes after the last item)"));
    }
    if (total <= kMaxUnjudgedBytes) return absl::OkStatus();
    if (!error && total / kMaxExpansion <= packed) return absl::OkStatus();
    return Invalid(absl::StrCat("expected content of at most ", kMaxExpansion, " times the ", packed,
                                " bytes of the compressed file, found ", total, " promised"));
  }

  absl::Status Read(absl::string_view what, uint8_t* out, int64_t count) {
    int64_t done = 0;
    while (done < count) {
      const auto chunk = static_cast<unsigned>(std::min<int64_t>(count - done, 1 << 24));
      const int got = gzread(file_.get(), out + done, chunk);
      if (got < 0) return Broken(absl::StrCat("expected ", what, ", found a damaged gzip stream"));
      if (got == 0) return Broken(absl::StrCat("expected ", count, " bytes of ", what, ", found ", done, " (the file is truncated)"));
      done += got;
    }
    return absl::OkStatus();
  }

  absl::Status ExpectEnd() {
    uint8_t extra = 0;
    const int got = gzread(file_.get(), &extra, 1);
    if (got > 0) return Broken("expected the end of the file after the last item, found more bytes");
    int code = Z_OK;
    gzerror(file_.get(), &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) return Broken("expected a complete gzip stream, found a damaged end");
    return absl::OkStatus();
  }

  absl::StatusOr<uint32_t> ReadWord(absl::string_view what) {
    std::array<uint8_t, 4> b{};
    if (absl::Status status = Read(what, b.data(), 4); !status.ok()) return status;
    return (uint32_t{b[0]} << 24) | (uint32_t{b[1]} << 16) | (uint32_t{b[2]} << 8) | uint32_t{b[3]};
  }

  /// The extents after the magic number.
  absl::StatusOr<std::vector<int64_t>> ReadHeader(uint32_t magic, size_t rank) {
    const absl::StatusOr<uint32_t> found = ReadWord("magic number");
    if (!found.ok()) return found.status();
    if (*found != magic) return Invalid(absl::StrFormat("expected the magic number 0x%08x, found 0x%08x", magic, *found));
    std::vector<int64_t> extents;
    for (size_t i = 0; i < rank; ++i) {
      const absl::StatusOr<uint32_t> extent = ReadWord("extents");
      if (!extent.ok()) return extent.status();
      extents.push_back(*extent);
      const int64_t limit = i == 0 ? kMaxImages : kMaxExtent;
      if (extents[i] < 1 || extents[i] > limit)
        return Invalid(absl::StrCat("expected extents of 1 to ", limit, ", found ", absl::StrJoin(extents, "x")));
    }
    return extents;
  }

  absl::Status Invalid(absl::string_view what) const { return absl::InvalidArgumentError(absl::StrCat(what, kRemedy, ": ", path_)); }
  absl::Status Broken(absl::string_view what) const { return absl::DataLossError(absl::StrCat(what, kRemedy, ": ", path_)); }

 private:
  Reader(std::string path, GzFile file) : path_(std::move(path)), file_(std::move(file)) {}
  std::string path_;
  GzFile file_;
};

void AppendWord(uint32_t word, std::vector<uint8_t>& out) {
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<uint8_t>(word >> shift));
}

absl::Status WriteFile(const std::string& path, absl::Span<const uint8_t> header, absl::Span<const uint8_t> data) {
  const std::string temporary = absl::StrCat(path, ".partial");
  const auto fail = [&](int error) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    return ErrnoStatus(error, absl::StrCat("cannot write ", path));
  };
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr) return fail(errno);
  bool ok =
      std::fwrite(header.data(), 1, header.size(), file) == header.size() && std::fwrite(data.data(), 1, data.size(), file) == data.size();
  int error = errno;
  if (std::fclose(file) != 0) {
    ok = false;
    error = errno;
  }
  if (!ok) return fail(error);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return fail(errno);
  return absl::OkStatus();
}

absl::StatusOr<IdxImages> ReadImagesHeader(Reader& reader) {
  const absl::StatusOr<std::vector<int64_t>> extents = reader.ReadHeader(kImageMagic, 3);
  if (!extents.ok()) return extents.status();
  const IdxImages images = {.count = (*extents)[0], .height = (*extents)[1], .width = (*extents)[2], .pixels = {}};
  const int64_t image_bytes = images.height * images.width;
  if (images.count > kMaxBytes / image_bytes)
    return reader.Invalid(absl::StrCat("expected at most ", kMaxBytes, " bytes, found ", absl::StrJoin(*extents, "x")));
  if (absl::Status status = reader.CheckPromise(images.count * image_bytes); !status.ok()) return status;
  return images;
}

}  // namespace

absl::StatusOr<IdxImages> ReadIdxImagesHeader(const std::string& path) {
  absl::StatusOr<Reader> reader = Reader::Open(path);
  return reader.ok() ? ReadImagesHeader(*reader) : reader.status();
}

absl::Status CheckIdxSizes(const IdxImages& train, const IdxImages& test, const std::string& directory) {
  if (test.height == train.height && test.width == train.width) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected test images of ", train.height, "x", train.width, " as in training, found ",
                                                 test.height, "x", test.width, ": ", directory));
}

absl::StatusOr<IdxImages> ReadIdxImages(const std::string& path) {
  absl::StatusOr<Reader> reader = Reader::Open(path);
  if (!reader.ok()) return reader.status();
  absl::StatusOr<IdxImages> header = ReadImagesHeader(*reader);
  if (!header.ok()) return header.status();
  IdxImages images = *std::move(header);
  const int64_t total = images.count * images.height * images.width;
  // Grows with what is really there: a header alone cannot make it allocate everything.
  constexpr int64_t kChunk = int64_t{1} << 24;
  for (int64_t done = 0; done < total;) {
    const int64_t chunk = std::min(kChunk, total - done);
    images.pixels.resize(static_cast<size_t>(done + chunk));
    if (absl::Status status = reader->Read("pixels", images.pixels.data() + done, chunk); !status.ok()) return status;
    done += chunk;
  }
  if (absl::Status status = reader->ExpectEnd(); !status.ok()) return status;
  return images;
}

absl::StatusOr<std::vector<uint8_t>> ReadIdxLabels(const std::string& path) {
  absl::StatusOr<Reader> reader = Reader::Open(path);
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<std::vector<int64_t>> extents = reader->ReadHeader(kLabelMagic, 1);
  if (!extents.ok()) return extents.status();
  std::vector<uint8_t> labels(static_cast<size_t>((*extents)[0]));
  if (absl::Status status = reader->Read("labels", labels.data(), (*extents)[0]); !status.ok()) return status;
  if (absl::Status status = reader->ExpectEnd(); !status.ok()) return status;
  return labels;
}

absl::Status WriteIdxImages(const std::string& path, const IdxImages& images) {
  if (images.pixels.size() != static_cast<size_t>(images.count * images.height * images.width)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected ", images.count, "x", images.height, "x", images.width, " pixels, found ", images.pixels.size()));
  }
  std::vector<uint8_t> header;
  AppendWord(kImageMagic, header);
  for (const int64_t extent : {images.count, images.height, images.width}) AppendWord(static_cast<uint32_t>(extent), header);
  return WriteFile(path, header, images.pixels);
}

absl::Status WriteIdxLabels(const std::string& path, absl::Span<const uint8_t> labels) {
  std::vector<uint8_t> header;
  AppendWord(kLabelMagic, header);
  AppendWord(static_cast<uint32_t>(labels.size()), header);
  return WriteFile(path, header, labels);
}

}  // namespace hanas
