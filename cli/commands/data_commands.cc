// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/data_commands.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "cli/commands/interrupt.h"
#include "core/base/quantity.h"
#include "dataset/draw.h"

namespace hanas::cli {

absl::Status FetchWithProgress(const RemoteDataset& dataset, const std::string& to, Screen& screen) {
  const TakeInterrupts taken(/*patience=*/1);
  FetchOptions options;
  options.progress = [&screen](const RemoteFile& file, int64_t bytes) {
    screen.ShowLine(absl::StrFormat("%s  %s of %s", file.name, FormatBytes(static_cast<double>(bytes)),
                                    FormatBytes(static_cast<double>(file.size_bytes))));
    return NumInterrupts() == 0;
  };
  const absl::Status status = FetchDataset(dataset, to, options);
  screen.ClearLine();
  return status;
}

absl::Status DrawInto(const std::string& to, uint64_t seed) { return DrawDataset(to, {.seed = seed}); }

ExitCode FetchCommand(const std::string& name, const std::string& to, const std::vector<std::string>& urls) {
  Screen screen(Screen::ChooseMode(/*plain=*/false, /*quiet=*/false));
  RemoteDataset dataset = FashionMnist();
  if (name != dataset.name) {
    screen.Complain(absl::StrCat("expected a data set that can be fetched (", dataset.name, "), found \"", name, "\""));
    return ExitCode::kUsage;
  }
  if (!urls.empty()) {
    dataset.mirrors.clear();
    for (const std::string& url : urls) dataset.mirrors.emplace_back(absl::StripSuffix(url, "/"));
  }
  const std::string folder = to.empty() ? absl::StrCat("data/", dataset.directory) : to;
  const absl::Status status = FetchWithProgress(dataset, folder, screen);
  if (!status.ok()) {
    screen.Complain(status.message());
    const ExitCode code = ExitCodeOf(status);
    return code == ExitCode::kInterrupted || code == ExitCode::kDiskFull ? code : ExitCode::kData;
  }
  screen.Say(absl::StrCat(dataset.name, " is in ", folder, ", checked to the byte (licence: ", dataset.licence, ")"));
  return ExitCode::kOk;
}

ExitCode DrawCommand(const std::string& to, uint64_t seed) {
  Screen screen(Screen::ChooseMode(/*plain=*/false, /*quiet=*/false));
  const std::string folder = to.empty() ? "data/drawn" : to;
  screen.Say(absl::StrCat("Drawing 60 000 training and 10 000 test images into ", folder));
  if (const absl::Status status = DrawInto(folder, seed); !status.ok()) {
    screen.Complain(status.message());
    const ExitCode code = ExitCodeOf(status);
    return code == ExitCode::kDiskFull ? code : ExitCode::kData;
  }
  screen.Say("Done");
  return ExitCode::kOk;
}

}  // namespace hanas::cli
