// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/artifact_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"

namespace hanas::coordinator {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 20;

absl::Duration SystemMonotonic() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

absl::Status CheckRef(const ArtifactRef& artifact) {
  if (absl::Status status = CheckSha256(artifact.sha256); !status.ok()) return status;
  if (artifact.size_bytes >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected an artifact size of 0 or more bytes, found ", artifact.size_bytes, " for ", artifact.sha256));
}

absl::Status OutOfRange(const std::string& message) { return WithReason(absl::OutOfRangeError(message), kUploadOutOfRange); }

/// The digest that the name of a part begins with; empty when it is another file's.
std::string DigestOfPart(const std::string& name) {
  const std::string digest = name.substr(0, name.find('.'));
  return CheckSha256(digest).ok() ? digest : "";
}

}  // namespace

absl::Status CheckSha256(absl::string_view sha256) {
  const bool hex = std::all_of(sha256.begin(), sha256.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (sha256.size() == 64 && hex) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected a SHA-256 of 64 lower-case hexadecimal digits, found \"", absl::CHexEscape(sha256.substr(0, 80)), "\""));
}

// ---- the store ----

absl::StatusOr<std::unique_ptr<ArtifactStore>> ArtifactStore::Open(std::string directory, ArtifactStoreOptions options) {
  if (!options.now) options.now = SystemMonotonic;
  for (const char* name : {"complete", "partial", "removed"}) {
    std::error_code error;
    std::filesystem::create_directories(directory + "/" + name, error);
    if (error) return FromErrno(error.value(), "making", absl::StrCat(directory, "/", name));
  }
  // A process that was killed may have renamed a file and not synced its name, and the directories may be new.
  for (const std::string& made : {directory + "/complete", directory}) {
    if (absl::Status status = SyncDirectory(made); !status.ok()) return status;
  }
  std::unique_ptr<ArtifactStore> store(new ArtifactStore(std::move(directory), std::move(options)));
  if (absl::Status status = store->FindParts(); !status.ok()) return status;
  return store;
}

absl::Status ArtifactStore::FindParts() {
  absl::MutexLock lock(&mutex_);
  const std::string path = absl::StrCat(directory_, "/partial");
  std::error_code error;
  for (std::filesystem::directory_iterator file(path, error), end; !error && file != end; file.increment(error)) {
    std::string digest = DigestOfPart(file->path().filename().string());
    std::error_code vanished;
    const auto bytes = static_cast<int64_t>(file->file_size(vanished));
    if (digest.empty() || vanished) continue;
    parts_[next_part_++] = {.sha256 = std::move(digest), .path = file->path().string(), .bytes = bytes, .used_at = options_.now()};
  }
  return error ? FromErrno(error.value(), "listing", path) : absl::OkStatus();
}

std::string ArtifactStore::CompletePath(absl::string_view sha256) const { return absl::StrCat(directory_, "/complete/", sha256); }
std::string ArtifactStore::RemovedPath(absl::string_view path) const {
  return absl::StrCat(directory_, "/removed/", path.substr(path.rfind('/') + 1));
}

ArtifactStore::FileIdentity ArtifactStore::FileIdentity::Of(int file) {
  struct stat info = {};
  if (fstat(file, &info) != 0) return {};
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .size_bytes = static_cast<int64_t>(info.st_size),
          .changed_ns = static_cast<int64_t>(info.st_ctim.tv_sec) * 1'000'000'000 + info.st_ctim.tv_nsec};
}

bool ArtifactStore::Contains(absl::string_view sha256) const {
  return CheckSha256(sha256).ok() && access(CompletePath(sha256).c_str(), R_OK) == 0;
}

bool ArtifactStore::IsVerified(absl::string_view sha256) const {
  const auto known = verified_.find(sha256);
  if (known == verified_.end()) return false;
  const absl::StatusOr<FileDescriptor> file = OpenFile(CompletePath(sha256), O_RDONLY);
  return file.ok() && FileIdentity::Of(file->get()) == known->second;
}

absl::StatusOr<ArtifactStore::UploadState> ArtifactStore::Stat(absl::string_view sha256) const {
  if (absl::Status status = CheckSha256(sha256); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  struct stat info = {};
  if (stat(CompletePath(sha256).c_str(), &info) == 0)
    return UploadState{.complete = true, .verified = IsVerified(sha256), .received_bytes = static_cast<int64_t>(info.st_size)};
  UploadState state;
  const absl::Duration now = options_.now();
  for (const auto& [id, part] : parts_) {
    if (part.sha256 == sha256 && MayContinue(part, now)) state.received_bytes = std::max(state.received_bytes, part.bytes);
  }
  return state;
}

bool ArtifactStore::MayContinue(const Part& part, absl::Duration now) const {
  return !part.busy && (part.writer == nullptr || now - part.used_at >= options_.stall);
}

absl::StatusOr<std::unique_ptr<ArtifactUpload>> ArtifactStore::BeginUpload(const ArtifactRef& artifact, int64_t offset) {
  if (absl::Status status = CheckRef(artifact); !status.ok()) return status;
  std::unique_ptr<ArtifactUpload> upload(new ArtifactUpload(this, artifact));
  FilesToDelete dropped;
  absl::MutexLock lock(&mutex_);
  if (IsVerified(artifact.sha256) && verified_.find(artifact.sha256)->second.size_bytes == artifact.size_bytes) {
    upload->stored_ = true;
    return upload;
  }
  const auto under_way = std::count_if(parts_.begin(), parts_.end(), [](const auto& part) { return part.second.writer != nullptr; });
  if (under_way >= options_.max_uploads)
    return WithReason(absl::UnavailableError(absl::StrCat("expected fewer than ", options_.max_uploads, " uploads at a time; try again")),
                      kTooManyUploads);
  const absl::StatusOr<uint64_t> part = offset == 0 ? NewPart(artifact, upload.get()) : ContinuePart(artifact, offset, upload.get());
  if (!part.ok()) return part.status();
  upload->part_ = *part;
  upload->kept_bytes_ = offset;
  absl::StatusOr<FileDescriptor> file = OpenFile(parts_[*part].path, O_RDWR);
  if (!file.ok()) {  // what is not there cannot be continued
    DropPart(*part, dropped);
    return file.status();
  }
  upload->file_ = *std::move(file);
  return upload;
}

absl::StatusOr<uint64_t> ArtifactStore::NewPart(const ArtifactRef& artifact, const ArtifactUpload* writer) {
  std::string path = absl::StrCat(directory_, "/partial/", artifact.sha256);
  const auto taken = [&] {
    mutex_.AssertHeld();
    return std::any_of(parts_.begin(), parts_.end(), [&](const auto& part) { return part.second.path == path; });
  };
  const uint64_t id = next_part_++;
  if (taken()) absl::StrAppend(&path, ".", id);
  while (taken()) absl::StrAppend(&path, ".");  // a number that an earlier process gave
  if (absl::Status status = OpenFile(path, O_RDWR | O_CREAT | O_TRUNC).status(); !status.ok()) return Keep(std::move(status));
  parts_[id] = {.sha256 = artifact.sha256, .path = std::move(path), .writer = writer, .used_at = options_.now()};
  return id;
}

absl::StatusOr<uint64_t> ArtifactStore::ContinuePart(const ArtifactRef& artifact, int64_t offset, const ArtifactUpload* writer) {
  const absl::Duration now = options_.now();
  std::optional<uint64_t> longest;
  for (const auto& [id, part] : parts_) {
    if (part.sha256 != artifact.sha256 || !MayContinue(part, now)) continue;
    if (!longest.has_value() || part.bytes > parts_[*longest].bytes) longest = id;
  }
  const int64_t bytes = longest.has_value() ? parts_[*longest].bytes : 0;
  // Where the part ends, or nowhere: going back in what others have sent would undo their work.
  if (!longest.has_value() || offset != bytes || offset > artifact.size_bytes) {
    return OutOfRange(
        absl::StrCat("expected data from the offset ", std::min(bytes, artifact.size_bytes), ", found ", offset, " for ", artifact.sha256));
  }
  Part& part = parts_[*longest];
  part.writer = writer;
  part.used_at = now;
  return *longest;
}

absl::StatusOr<ArtifactStore::Part*> ArtifactStore::Owned(uint64_t part, const ArtifactUpload* writer) {
  const auto found = parts_.find(part);
  if (found != parts_.end() && found->second.writer == writer) return &found->second;
  return WithReason(
      absl::AbortedError("another stream continues this upload, which had stalled; ask how much there is and go on from there"),
      kUploadContinued);
}

int64_t ArtifactStore::PartBytes() const {
  int64_t bytes = 0;
  for (const auto& [id, part] : parts_) bytes += part.bytes;
  return bytes;
}

absl::Status ArtifactStore::MakeRoom(int64_t bytes, FilesToDelete& dropped) {
  while (PartBytes() + bytes > options_.max_part_bytes) {
    const size_t before = parts_.size();
    DropOldestRestingPart(dropped);
    if (parts_.size() != before) continue;
    return WithReason(absl::UnavailableError(absl::StrCat("expected uploads under way to bring at most ", options_.max_part_bytes,
                                                          " bytes together; try again")),
                      kTooManyUploads);
  }
  return absl::OkStatus();
}

void ArtifactStore::DropPart(uint64_t part, FilesToDelete& dropped) {
  const std::string& path = parts_[part].path;
  if (std::string removed = RemovedPath(path); std::rename(path.c_str(), removed.c_str()) == 0) {
    dropped.Add(std::move(removed));
  } else {
    unlink(path.c_str());
  }
  parts_.erase(part);
}

void ArtifactStore::DropOldestRestingPart(FilesToDelete& dropped) {
  auto oldest = parts_.end();
  for (auto part = parts_.begin(); part != parts_.end(); ++part) {
    if (part->second.writer != nullptr) continue;
    if (oldest == parts_.end() || part->second.used_at < oldest->second.used_at) oldest = part;
  }
  if (oldest != parts_.end()) DropPart(oldest->first, dropped);
}

absl::Status ArtifactStore::Note(absl::Status written) {
  absl::MutexLock lock(&mutex_);
  return Keep(std::move(written));
}

absl::Status ArtifactStore::Keep(absl::Status written) { return written_ = std::move(written); }

absl::Status ArtifactStore::written() const {
  absl::MutexLock lock(&mutex_);
  return written_;
}

absl::StatusOr<ArtifactRef> ArtifactStore::Put(absl::string_view bytes) {
  ArtifactRef artifact = {.sha256 = Sha256(bytes), .size_bytes = static_cast<int64_t>(bytes.size())};
  const absl::StatusOr<std::unique_ptr<ArtifactUpload>> upload = BeginUpload(artifact, 0);
  if (!upload.ok()) return upload.status();
  if (absl::Status status = (*upload)->Write(0, bytes); !status.ok()) return status;
  if (absl::Status status = (*upload)->Finish(); !status.ok()) return status;
  return artifact;
}

absl::StatusOr<std::unique_ptr<ArtifactReader>> ArtifactStore::OpenReader(absl::string_view sha256, int64_t offset) {
  if (absl::Status status = CheckSha256(sha256); !status.ok()) return status;
  absl::StatusOr<FileDescriptor> file = OpenFile(CompletePath(sha256), O_RDONLY);
  if (absl::IsNotFound(file.status()))
    return WithReason(absl::NotFoundError(absl::StrCat("expected an artifact that is stored, found none: ", sha256)), kArtifactNotFound);
  if (!file.ok()) return file.status();
  std::unique_ptr<ArtifactReader> reader(new ArtifactReader(this, std::string(sha256), *std::move(file), offset));
  if (offset >= 0 && offset <= reader->identity_.size_bytes) return reader;
  return absl::OutOfRangeError(
      absl::StrCat("expected an offset from 0 to ", reader->identity_.size_bytes, ", found ", offset, " for ", sha256));
}

absl::StatusOr<std::string> ArtifactStore::Read(absl::string_view sha256, int64_t offset, int64_t max_bytes) {
  const absl::StatusOr<std::unique_ptr<ArtifactReader>> reader = OpenReader(sha256, offset);
  if (!reader.ok()) return reader.status();
  return (*reader)->Next(max_bytes);
}

absl::StatusOr<std::vector<std::string>> ArtifactStore::List() const {
  std::set<std::string> digests;
  const std::string path = absl::StrCat(directory_, "/complete");
  std::error_code error;
  for (std::filesystem::directory_iterator file(path, error), end; !error && file != end; file.increment(error)) {
    if (std::string digest = file->path().filename().string(); CheckSha256(digest).ok()) digests.insert(std::move(digest));
  }
  if (error) return FromErrno(error.value(), "listing", path);
  absl::MutexLock lock(&mutex_);
  for (const auto& [id, part] : parts_) {
    if (part.writer == nullptr) digests.insert(part.sha256);
  }
  return std::vector<std::string>(digests.begin(), digests.end());
}

absl::Status ArtifactStore::Remove(absl::string_view sha256) {
  if (absl::Status status = CheckSha256(sha256); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  const auto remove = [&](const std::string& path) {
    const bool gone = std::rename(path.c_str(), RemovedPath(path).c_str()) == 0 || errno == ENOENT;
    return gone ? absl::OkStatus() : FromErrno(errno, "removing", path);
  };
  if (absl::Status status = remove(CompletePath(sha256)); !status.ok()) return status;
  if (const auto known = verified_.find(sha256); known != verified_.end()) verified_.erase(known);
  for (auto part = parts_.begin(); part != parts_.end();) {
    const auto next = std::next(part);
    if (part->second.sha256 == sha256 && part->second.writer == nullptr) {
      if (absl::Status status = remove(part->second.path); !status.ok()) return status;
      parts_.erase(part);
    }
    part = next;
  }
  return absl::OkStatus();
}

absl::Status ArtifactStore::Purge() {
  const std::string path = absl::StrCat(directory_, "/removed");
  std::error_code error;
  for (std::filesystem::directory_iterator file(path, error), end; !error && file != end; file.increment(error)) {
    if (unlink(file->path().c_str()) != 0 && errno != ENOENT) return FromErrno(errno, "removing", file->path().string());
  }
  return error ? FromErrno(error.value(), "listing", path) : absl::OkStatus();
}

void ArtifactStore::NoteVerified(absl::string_view sha256, const FileIdentity& file) {
  absl::MutexLock lock(&mutex_);
  verified_[std::string(sha256)] = file;
}

void ArtifactStore::RemoveDamaged(absl::string_view sha256, const FileIdentity& file) {
  absl::MutexLock lock(&mutex_);
  const std::string path = CompletePath(sha256);
  const absl::StatusOr<FileDescriptor> now = OpenFile(path, O_RDONLY);
  if (!now.ok() || FileIdentity::Of(now->get()) != file) return;
  if (std::rename(path.c_str(), RemovedPath(path).c_str()) != 0) unlink(path.c_str());
}

// ---- uploads ----

ArtifactUpload::ArtifactUpload(ArtifactStore* store, ArtifactRef artifact) : store_(store), artifact_(std::move(artifact)) {}

ArtifactUpload::~ArtifactUpload() {
  if (part_ == 0) return;
  FilesToDelete dropped;
  absl::MutexLock lock(&store_->mutex_);
  const absl::StatusOr<ArtifactStore::Part*> part = store_->Owned(part_, this);
  if (!part.ok()) return;
  // A write that failed half-way, and what an earlier stream brought beyond the point where this one began, do not count.
  const bool rests = (*part)->bytes > 0 && ftruncate(file_.get(), (*part)->bytes) == 0;
  if (!rests) {
    store_->DropPart(part_, dropped);
    return;
  }
  (*part)->writer = nullptr;
  (*part)->used_at = store_->options_.now();
  const auto resting = [this] {
    store_->mutex_.AssertHeld();
    return std::count_if(store_->parts_.begin(), store_->parts_.end(), [](const auto& other) { return other.second.writer == nullptr; });
  };
  while (resting() > store_->options_.max_resting_parts) store_->DropOldestRestingPart(dropped);
}

absl::StatusOr<bool> ArtifactUpload::HashKept(int64_t max_bytes) {
  if (hashed_bytes_ >= kept_bytes_) return true;
  {
    absl::MutexLock lock(&store_->mutex_);
    const absl::StatusOr<ArtifactStore::Part*> part = store_->Owned(part_, this);
    if (!part.ok()) return part.status();
    (*part)->used_at = store_->options_.now();
  }
  const int64_t end = hashed_bytes_ + std::min(max_bytes, kept_bytes_ - hashed_bytes_);
  while (hashed_bytes_ < end) {
    const absl::StatusOr<std::string> block =
        ReadAt(file_.get(), std::min(kBlockBytes, end - hashed_bytes_), hashed_bytes_, artifact_.sha256);
    if (!block.ok()) return block.status();
    if (block->empty()) return absl::UnavailableError(absl::StrCat("the part of ", artifact_.sha256, " became shorter; send it again"));
    hasher_.Add(*block);
    hashed_bytes_ += static_cast<int64_t>(block->size());
  }
  return hashed_bytes_ == kept_bytes_;
}

absl::Status ArtifactUpload::Write(int64_t offset, absl::string_view data) {
  if (stored_) return absl::OkStatus();
  if (absl::Status status = HashKept(std::numeric_limits<int64_t>::max()).status(); !status.ok()) return status;
  const auto length = static_cast<int64_t>(data.size());
  std::string path;
  {
    FilesToDelete dropped;
    absl::MutexLock lock(&store_->mutex_);
    const absl::StatusOr<ArtifactStore::Part*> part = store_->Owned(part_, this);
    if (!part.ok()) return part.status();
    if (offset != hashed_bytes_ || length > artifact_.size_bytes - offset) {
      return OutOfRange(absl::StrCat("expected data at ", hashed_bytes_, " that end within ", artifact_.size_bytes, " bytes, found ",
                                     length, " bytes at ", offset, " for ", artifact_.sha256));
    }
    if (absl::Status status = store_->MakeRoom(length, dropped); !status.ok()) return status;
    (*part)->busy = true;
    path = (*part)->path;
  }
  absl::Status status = WriteAt(file_.get(), data, offset, path);
  if (status.ok()) {
    hasher_.Add(data);
    hashed_bytes_ += length;
  }
  absl::MutexLock lock(&store_->mutex_);
  ArtifactStore::Part& part = store_->parts_[part_];
  part.busy = false;
  part.bytes = hashed_bytes_;
  part.used_at = store_->options_.now();
  return store_->Keep(std::move(status));
}

absl::Status ArtifactUpload::Finish() {
  if (stored_) return absl::OkStatus();
  if (absl::Status status = HashKept(std::numeric_limits<int64_t>::max()).status(); !status.ok()) return status;
  std::string path;
  {
    FilesToDelete dropped;
    absl::MutexLock lock(&store_->mutex_);
    const absl::StatusOr<ArtifactStore::Part*> part = store_->Owned(part_, this);
    if (!part.ok()) return part.status();
    if (hashed_bytes_ < artifact_.size_bytes) {
      return WithReason(absl::FailedPreconditionError(absl::StrCat("expected ", artifact_.size_bytes, " bytes, received ", hashed_bytes_,
                                                                   "; continue the upload of ", artifact_.sha256, " from there")),
                        kUploadIncomplete);
    }
    if (const std::string digest = hasher_.FinishHex(); digest != artifact_.sha256) {
      store_->DropPart(std::exchange(part_, 0), dropped);
      return WithReason(absl::DataLossError(absl::StrCat("expected ", artifact_.size_bytes, " bytes with SHA-256 ", artifact_.sha256,
                                                         ", found ", digest, "; the upload was dropped, send it again")),
                        kDigestMismatch);
    }
    (*part)->busy = true;
    path = (*part)->path;
  }
  return store_->Note(Publish(path));
}

absl::Status ArtifactUpload::Publish(const std::string& path) {
  absl::Status status;
  // Nothing may be assumed of bytes that could not be synced: they may be gone although they were written.
  if (ftruncate(file_.get(), artifact_.size_bytes) != 0 || fchmod(file_.get(), S_IRUSR) != 0 || fsync(file_.get()) != 0)
    status = FromErrno(errno, "syncing", path);
  {
    FilesToDelete dropped;
    absl::MutexLock lock(&store_->mutex_);
    if (status.ok() && std::rename(path.c_str(), store_->CompletePath(artifact_.sha256).c_str()) != 0)
      status = FromErrno(errno, "renaming", path);
    if (!status.ok()) {
      store_->DropPart(std::exchange(part_, 0), dropped);
      return status;
    }
    store_->parts_.erase(std::exchange(part_, 0));
    for (auto part = store_->parts_.begin(); part != store_->parts_.end();) {  // nobody needs what rests of it
      const auto next = std::next(part);
      if (part->second.sha256 == artifact_.sha256 && part->second.writer == nullptr) store_->DropPart(part->first, dropped);
      part = next;
    }
  }
  // Others may rely on it, and be told so, only when its name is as durable as its bytes.
  if (absl::Status synced = SyncDirectory(absl::StrCat(store_->directory_, "/complete")); !synced.ok()) return synced;
  store_->NoteVerified(artifact_.sha256, ArtifactStore::FileIdentity::Of(file_.get()));
  stored_ = true;
  file_ = FileDescriptor();  // nobody writes to it any more
  return absl::OkStatus();
}

// ---- reading ----

absl::StatusOr<std::string> ArtifactReader::Next(int64_t max_bytes) {
  const int64_t count = std::clamp<int64_t>(max_bytes, 0, identity_.size_bytes - offset_);
  absl::StatusOr<std::string> data = ReadAt(file_.get(), count, offset_, sha256_);
  if (!data.ok()) return data;
  if (static_cast<int64_t>(data->size()) != count)
    return Damaged(absl::StrCat("expected ", identity_.size_bytes, " bytes, found ", offset_ + static_cast<int64_t>(data->size())));
  offset_ += count;
  if (!hashing_) return data;
  hasher_.Add(*data);
  if (!data->empty() || offset_ < identity_.size_bytes) return data;
  hashing_ = false;
  if (const std::string digest = hasher_.FinishHex(); digest != sha256_)
    return Damaged(absl::StrCat("its bytes have the SHA-256 ", digest));
  store_->NoteVerified(sha256_, identity_);
  return data;
}

absl::Status ArtifactReader::Damaged(const std::string& why) {
  store_->RemoveDamaged(sha256_, identity_);
  return WithReason(absl::DataLossError(absl::StrCat("the stored artifact ", sha256_, " does not match its name: ", why,
                                                     "; it was taken out of the store, upload it again")),
                    kArtifactDamaged);
}

}  // namespace hanas::coordinator
