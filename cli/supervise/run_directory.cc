// SPDX-License-Identifier: Apache-2.0
#include "cli/supervise/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/error_reason.h"
#include "rpc/files.h"

namespace hanas::cli {
namespace {

namespace fs = std::filesystem;

absl::Status Refuse(absl::string_view reason, absl::string_view message) {
  return WithReason(absl::FailedPreconditionError(message), reason);
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A folder that is there is left as it is; one that is made is this user's alone.
absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return absl::OkStatus();
  // Without a slash at the end, so that its name is its last part.
  const fs::path folder = fs::absolute(path).lexically_normal();
  return rpc::MakePrivateDirectory((folder.has_filename() ? folder : folder.parent_path()).string()).status();
}

absl::StatusOr<int> Lock(const std::string& path) {
  const std::string file = path + "/lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("cannot write in the output directory ", path));
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  const int error = errno;
  ::close(fd);
  if (error != EWOULDBLOCK) return ErrnoStatus(error, absl::StrCat("cannot lock ", file));
  return Refuse("DIRECTORY_IN_USE",
                absl::StrCat("another run is using ", path, "; wait for it, stop it (Ctrl-C there), or give another --out"));
}

/// What a run writes below its directory, beside the lock and the job's digest.
constexpr const char* kWritten[] = {"logs",     "models",           "state",       "cache",    "parties", "data",
                                    "run.json", "coordinator.port", "report.json", "front.svg"};

/// Those of kWritten that are there already, with something in them. Whatever else lies there is no reason not to run: lost+found of a
/// fresh volume, .snapshot of a file server, somebody's notes.
std::vector<std::string> InTheWay(const std::string& path) {
  std::vector<std::string> found;
  for (const char* name : kWritten) {
    std::error_code error;
    const fs::path entry = fs::path(path) / name;
    const bool nothing = !fs::exists(fs::symlink_status(entry, error)) || (fs::is_directory(entry, error) && fs::is_empty(entry, error));
    if (!nothing) found.emplace_back(name);
  }
  return found;
}

/// Decides whether the locked folder may serve the job. Returns whether it was begun before.
absl::StatusOr<bool> Claim(const std::string& path, absl::string_view name, absl::string_view digest) {
  const std::string file = path + "/job.digest";
  const std::string text = ReadText(file);
  const std::vector<absl::string_view> words = absl::StrSplit(absl::StripSuffix(text, "\n"), absl::MaxSplits(' ', 1));
  if (words[0] == digest) return true;
  const std::vector<std::string> others = InTheWay(path);
  if (others.empty()) {  // new, or of a run that ended before it began, for want of data
    if (absl::Status status = rpc::WriteFileAtomically(file, absl::StrCat(digest, " ", name, "\n"), 0600); !status.ok()) return status;
    return false;
  }
  if (text.empty()) {
    return Refuse("NOT_A_RUN_DIRECTORY", absl::StrCat("expected a directory of an earlier run, or one without what a run writes, found ",
                                                      absl::StrJoin(others, ", "), " of somebody else in ", path, "; give another --out"));
  }
  return Refuse(
      "OTHER_JOB",
      absl::StrCat(path, " holds the search of another job (\"", words.size() > 1 ? words[1] : "?",
                   "\", or this one before it was changed); give another --out, restore the job to resume, or remove the directory"));
}

}  // namespace

absl::StatusOr<RunDirectory> RunDirectory::Open(const std::string& path, absl::string_view job_name, absl::string_view job_digest) {
  std::error_code error;
  if (const absl::Status made = MakeFolder(path); !made.ok())
    return absl::Status(made.code(), absl::StrCat("cannot make the output directory ", path, ": ", made.message()));
  const std::string absolute = fs::absolute(path, error).lexically_normal().string();
  absl::StatusOr<int> lock = Lock(absolute);
  if (!lock.ok()) return lock.status();
  absl::StatusOr<bool> resumes = Claim(absolute, job_name, job_digest);
  if (!resumes.ok()) {
    ::close(*lock);
    return resumes.status();
  }
  RunDirectory directory(absolute, *lock, *resumes);
  for (const char* folder : {"cache", "logs", "parties", "state"}) {
    const absl::StatusOr<bool> tightened = rpc::MakePrivateDirectory(directory.File(folder));
    if (!tightened.ok()) return tightened.status();
    if (*tightened) directory.tightened_.emplace_back(folder);
  }
  fs::create_directories(directory.File("models"), error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("cannot make ", directory.File("models")));
  return directory;
}

absl::Status RunDirectory::WriteRunFile(const RunFile& run) const {
  nlohmann::ordered_json json = {{"address", run.address}, {"search", run.search}, {"processes", nlohmann::ordered_json::array()}};
  for (const RunFile::Process& process : run.processes)
    json["processes"].push_back({{"name", process.name}, {"pid", process.pid}, {"starts", process.starts}});
  // A path need not be UTF-8; what is not becomes U+FFFD.
  constexpr int kIndent = 2;
  const std::string text = json.dump(kIndent, ' ', /*ensure_ascii=*/false, nlohmann::ordered_json::error_handler_t::replace);
  return rpc::WriteFileAtomically(File("run.json"), text + "\n", 0600);
}

absl::StatusOr<RunFile> RunDirectory::ReadRunFile() const {
  std::error_code error;
  if (!fs::exists(File("run.json"), error)) return absl::NotFoundError(absl::StrCat("expected a file, found none: ", File("run.json")));
  const auto json = nlohmann::json::parse(ReadText(File("run.json")), nullptr, /*allow_exceptions=*/false);
  RunFile run;
  // Only what is of the right type counts: the file may have been edited.
  const auto text = [](const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto number = [](const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_integer() ? found->get<int>() : 0;
  };
  if (!json.is_object()) return absl::DataLossError(absl::StrCat("expected a JSON object, found something else: ", File("run.json")));
  run.address = text(json, "address");
  run.search = text(json, "search");
  if (const auto processes = json.find("processes"); processes != json.end() && processes->is_array()) {
    for (const nlohmann::json& process : *processes) {
      if (process.is_object()) run.processes.push_back({text(process, "name"), number(process, "pid"), number(process, "starts")});
    }
  }
  return run;
}

RunDirectory::RunDirectory(RunDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      resumes_(other.resumes_),
      tightened_(std::move(other.tightened_)) {}

RunDirectory::~RunDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

bool RunDirectory::IsDiskFull() const {
  constexpr uint64_t kFullDiskBytes = 4 << 20;
  struct statvfs info = {};
  return ::statvfs(path_.c_str(), &info) == 0 && static_cast<uint64_t>(info.f_bavail) * info.f_frsize < kFullDiskBytes;
}

std::string RunDirectory::File(absl::string_view relative) const { return absl::StrCat(path_, "/", relative); }

std::string LastLines(const std::string& path, int max_lines) {
  constexpr std::streamoff kTailBytes = 16 << 10;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return "";
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(0, size - kTailBytes));
  std::stringstream text;
  text << file.rdbuf();
  std::vector<std::string> lines = absl::StrSplit(text.str(), '\n', absl::SkipWhitespace());
  const size_t keep = std::min(lines.size(), static_cast<size_t>(std::max(0, max_lines)));
  return absl::StrJoin(lines.end() - static_cast<std::ptrdiff_t>(keep), lines.end(), "\n");
}

}  // namespace hanas::cli
