// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands/local_run.h"
#include "cli/commands/shell_word.h"

namespace hanas::cli {

// Workers stand still while the agent measures, so that no processor need be kept free for it.
int DefaultWorkers() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

std::string DataRoot(const std::string& given) {
  if (!given.empty()) return given;
  const char* environment = std::getenv("HANAS_DATA_DIR");
  return environment == nullptr ? "" : environment;
}

std::string RunCommandLine(const RunOptions& options) {
  std::vector<std::string> words = {program_invocation_name, "run", PathArgument(options.job_path), "--out", PathArgument(options.out)};
  const auto add = [&](bool wanted, const std::vector<std::string>& more) {
    if (wanted) words.insert(words.end(), more.begin(), more.end());
  };
  const std::string data = DataRoot(options.data);
  add(!data.empty() && !options.drawn_data, {"--data", PathArgument(data)});
  add(options.drawn_data, {"--drawn-data"});
  add(options.workers > 0, {"--workers", absl::StrCat(options.workers)});
  add(!options.train_on.empty(), {"--train-on", options.train_on});
  if (options.references.has_value()) add(true, {"--references", std::string(Name(*options.references))});
  add(options.plain, {"--plain"});
  add(options.quiet, {"--quiet"});
  return ShellCommand(words);
}

}  // namespace hanas::cli
