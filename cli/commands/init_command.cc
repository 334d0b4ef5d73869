// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/init_command.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands/local_run.h"
#include "cli/commands/output.h"
#include "cli/commands/shell_word.h"
#include "cli/init/choose_job.h"
#include "cli/init/find_data.h"
#include "cli/init/write_job.h"
#include "config/job_file.h"
#include "core/base/error_reason.h"
#include "core/base/plain_name.h"
#include "core/base/quantity.h"
#include "core/base/text.h"
#include "dataset/pictures.h"
#include "dataset/survey.h"
#include "profiler-agent/device/host_probe.h"
#include "rpc/files.h"

namespace hanas::cli {
namespace {

namespace fs = std::filesystem;

absl::Status Existing(const std::string& path) {
  return absl::AlreadyExistsError(absl::StrCat("expected no file at ", path, ", found one; --force writes over it, --out names another"));
}

/// Writes a file that is not there yet, or, when asked to, whatever is there.
absl::Status WriteText(const std::string& path, const std::string& text, bool force) {
  if (force) return rpc::WriteFileAtomically(path, text);
  std::FILE* file = std::fopen(path.c_str(), "wx");
  if (file == nullptr) return errno == EEXIST ? Existing(path) : ErrnoStatus(errno, absl::StrCat("cannot write ", path));
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  int error = written ? 0 : errno;
  if (std::fclose(file) != 0 && error == 0) error = errno;
  if (error == 0) return absl::OkStatus();
  std::error_code ignored;
  fs::remove(path, ignored);
  return ErrnoStatus(error, absl::StrCat("cannot write ", path));
}

/// Names, labels and pictures, with everything that is wrong with them in one status.
absl::StatusOr<FoundData> LookAtData(const DataPlace& place) {
  FoundData data = {.place = place, .classes = {}, .pictures = {}};
  absl::StatusOr<Survey> survey = SurveyDataset(place.format, place.Path());
  if (!survey.ok() && place.format == DatasetFormat::kIdx) return survey.status();  // which has looked at the headers too
  absl::StatusOr<Pictures> pictures = LookAtPictures(place.format, place.Path());
  if (survey.ok() && pictures.ok()) {
    for (const Warning& warning : survey->warnings) Complain(absl::StrCat("warning: ", warning.text, " (", warning.code, ")"));
    for (const std::string& sentence : pictures->damaged) Complain(absl::StrCat("warning: damaged, and left out: ", sentence));
    data.classes = std::move(survey->classes);
    data.pictures = *std::move(pictures);
    return data;
  }
  std::vector<std::string> wrong;
  if (!survey.ok()) wrong.emplace_back(survey.status().message());
  if (!pictures.ok()) wrong.emplace_back(pictures.status().message());
  return absl::InvalidArgumentError(absl::StrJoin(wrong, "\n"));
}

std::string SizesText(const Pictures& pictures) {
  const auto text = [](const PictureSize& size) { return absl::StrCat(size.width, "x", size.height); };
  if (pictures.smallest == pictures.largest) return text(pictures.median);
  return absl::StrCat(text(pictures.smallest), " to ", text(pictures.largest), ", median ", text(pictures.median));
}

std::string ColourText(const Pictures& pictures) {
  if (pictures.shows_colour) return "colour";
  return pictures.stored_with_colour ? "grey, stored with colour" : "grey";
}

void SayFound(const FoundData& data, const FoundMachine& machine) {
  const Pictures& pictures = data.pictures;
  const int64_t all = pictures.train + pictures.test;
  Print(absl::StrCat("Data     ", Printable(data.place.Path()), ", ", Name(data.place.format), "\n"));
  Print(absl::StrCat("  classes   ", data.classes.size(), "; pictures for training + test: ", Printable(PicturesText(data.classes)), "\n"));
  Print(absl::StrCat("  pictures  ", pictures.train, " for training, ", pictures.test, " for test: ", SizesText(pictures), ", ",
                     ColourText(pictures),
                     pictures.looked_at < all ? absl::StrCat(" (of ", pictures.looked_at, " that were looked at)") : "", "\n"));
  if (pictures.turned > 0) Print(absl::StrCat("  turned    ", pictures.turned, " as their EXIF data says\n"));
  for (const std::string& sentence : pictures.not_read) Print(absl::StrCat("  not read  ", sentence, "\n"));
  Print(absl::StrCat(
      "Machine  ", Printable(machine.cpu_model), ", ", machine.isa, ", ", machine.cores, machine.cores == 1 ? " core" : " cores",
      machine.memory_bytes > 0 ? absl::StrCat(", ", FormatBytes(static_cast<double>(machine.memory_bytes)), " of memory") : "", "\n"));
}

ExitCode FailData(const absl::Status& status) {
  Complain(status.message());
  return ExitCode::kData;
}

FoundMachine LookAtMachine() {
  const HostIdentity host = HostProbe().Identify();
  return {.cpu_model = host.cpu_model, .isa = host.isa, .cores = host.num_cpus, .memory_bytes = host.memory_bytes};
}

}  // namespace

ExitCode InitCommand(const InitOptions& options) {
  std::error_code ignored;
  if (!options.force && fs::exists(fs::symlink_status(options.out, ignored))) return Fail(Existing(options.out));
  const std::string data_root = DataRoot("");
  const std::string where = !options.data.empty() ? options.data : data_root.empty() ? "." : data_root;
  const absl::StatusOr<DataPlace> place = FindData(where, data_root);
  if (!place.ok()) return FailData(place.status());
  const absl::StatusOr<FoundData> data = LookAtData(*place);
  if (!data.ok()) return FailData(data.status());
  const FoundMachine machine = LookAtMachine();
  const absl::StatusOr<DraftJob> draft = ChooseJob(*data, machine, options.minutes);
  if (!draft.ok()) return FailData(draft.status());

  std::vector<std::string> words = {
      "hanas", "run", PathArgument(options.out), "--data", place->root, "--out", absl::StrCat(draft->job.name, "-search")};
  if (draft->workers != DefaultWorkers()) words.insert(words.end(), {"--workers", absl::StrCat(draft->workers)});
  const std::string command = ShellCommand(words);
  const std::string text = WriteJob(*draft, command);
  if (const absl::StatusOr<config::JobFile> read = config::JobFile::Parse(text, options.out); !read.ok()) return Fail(read.status());
  if (const absl::Status status = WriteText(options.out, text, options.force); !status.ok()) return Fail(status);

  SayFound(*data, machine);
  for (const std::string& remark : draft->remarks) Print(absl::StrCat("  ", remark, "\n"));
  Print(absl::StrCat("\nWrote ", Printable(options.out), ", with the reasons for its values. It takes about ",
                     FormatSeconds(draft->run_seconds), " here, good to a factor of two. Go on with\n  ",
                     IsOneLine(command) ? command : Printable(command), "\n"));
  return ExitCode::kOk;
}

}  // namespace hanas::cli
