// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CONFIG_YAML_READER_H_
#define HANAS_CONFIG_YAML_READER_H_

#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/family/convnet/space_spec.h"
#include "core/job/fields.h"

namespace hanas::config {

struct Location {
  int line = 1;
  int column = 1;
};

/// A mistake at a place of the file.
struct Problem {
  Location location;
  std::string path;
  std::string message;
};

/// Where each field of a file was written, which fields of the job it became, and what is wrong with it.
///
/// Thread-compatible.
class SourceMap {
 public:
  void SetLocation(absl::string_view path, const YAML::Mark& mark);
  /// Says that the job's field `job_path` (and all below it) was written at `file_path`.
  void SetOrigin(std::string job_path, std::string file_path) { origins_[std::move(job_path)] = std::move(file_path); }

  /// Adds a problem at `path`'s place, or that of its closest ancestor.
  void Fail(absl::string_view path, absl::string_view message);

  /// The path in the file that a path in the job came from.
  std::string FilePath(absl::string_view job_path) const;
  Location Locate(absl::string_view file_path) const;
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  absl::flat_hash_map<std::string, Location> locations_;
  absl::flat_hash_map<std::string, std::string> origins_;
  std::vector<Problem> problems_;
};

/// `path` without its last key or index; empty when there is none.
absl::string_view ParentPath(absl::string_view path);

/// A plain or quoted scalar of the file.
struct Scalar {
  std::string text;
  bool quoted = false;
};

/// A time of up to days, which is written with units.
struct Seconds {
  double value = 0;
};

// Return INVALID_ARGUMENT "expected ..., found ..." when the scalar is of another type.
absl::Status ParseScalar(const Scalar& scalar, std::string& out);
absl::Status ParseScalar(const Scalar& scalar, bool& out);
absl::Status ParseScalar(const Scalar& scalar, int& out);
absl::Status ParseScalar(const Scalar& scalar, int64_t& out);
absl::Status ParseScalar(const Scalar& scalar, uint64_t& out);
absl::Status ParseScalar(const Scalar& scalar, double& out);
absl::Status ParseScalar(const Scalar& scalar, Seconds& out);
absl::Status ParseScalar(const Scalar& scalar, Precision& out);
absl::Status ParseScalar(const Scalar& scalar, Activation& out);
absl::Status ParseScalar(const Scalar& scalar, BlockKind& out);
absl::Status ParseScalar(const Scalar& scalar, Downsample& out);
absl::Status ParseScalar(const Scalar& scalar, GlobalPool& out);
absl::Status ParseScalar(const Scalar& scalar, SqueezeStyle& out);
absl::Status ParseScalar(const Scalar& scalar, WordPlace& out);

enum class Need : bool { kOptional = false, kRequired = true };

/// Reads the keys of one map, and reports those that nobody read. A key that is absent leaves its default; every mistake goes to the
/// SourceMap.
///
/// Borrows the SourceMap. Thread-compatible.
class MapReader {
 public:
  /// Reports when `node` is not a map; then nothing is found in it.
  MapReader(const YAML::Node& node, std::string path, SourceMap& source);
  MapReader(const MapReader&) = delete;
  MapReader& operator=(const MapReader&) = delete;

  const std::string& path() const { return path_; }
  SourceMap& source() const { return source_; }
  std::string PathOf(absl::string_view key) const { return path_.empty() ? std::string(key) : absl::StrCat(path_, ".", key); }

  bool Has(absl::string_view key) const;
  /// The value of `key` when it is there.
  std::optional<YAML::Node> Take(absl::string_view key, Need need = Need::kOptional);

  /// Return whether the key was there.
  template <typename T>
  bool Read(absl::string_view key, T& out, Need need = Need::kOptional) {
    const std::optional<YAML::Node> node = Take(key, need);
    if (node) ReadScalar(*node, PathOf(key), out);
    return node.has_value();
  }
  template <typename T>
  bool ReadList(absl::string_view key, std::vector<T>& out, Need need = Need::kOptional) {
    const std::optional<YAML::Node> node = Take(key, need);
    if (!node || !CheckList(*node, PathOf(key))) return node.has_value();
    out.clear();
    for (size_t i = 0; i < node->size(); ++i) {
      const std::string element_path = absl::StrCat(PathOf(key), "[", i, "]");
      source_.SetLocation(element_path, (*node)[i].Mark());
      T value{};
      if (ReadScalar((*node)[i], element_path, value)) out.push_back(value);
    }
    return true;
  }
  /// The maps of a list, with their paths. Empty when absent.
  std::vector<std::pair<std::string, YAML::Node>> ReadMaps(absl::string_view key, Need need = Need::kOptional);

  /// Reports unknown and repeated keys. Call it when every known key has been asked for.
  void Finish();

 private:
  template <typename T>
  bool ReadScalar(const YAML::Node& node, const std::string& path, T& out) {
    const std::optional<Scalar> scalar = ToScalar(node, path);
    if (!scalar) return false;
    const absl::Status status = ParseScalar(*scalar, out);
    if (!status.ok()) source_.Fail(path, status.message());
    return status.ok();
  }
  std::optional<Scalar> ToScalar(const YAML::Node& node, const std::string& path);
  bool CheckList(const YAML::Node& node, const std::string& path);

  struct Entry {
    std::string key;
    YAML::Mark mark;
    YAML::Node value;
  };
  std::string path_;
  SourceMap& source_;
  std::vector<Entry> entries_;
  std::vector<std::string> known_;
};

}  // namespace hanas::config

#endif  // HANAS_CONFIG_YAML_READER_H_
