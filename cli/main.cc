// SPDX-License-Identifier: Apache-2.0
// The command line. Every command is a function of cli/commands; this file only reads arguments.

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "cli/commands/data_commands.h"
#include "cli/commands/exit_code.h"
#include "cli/commands/interrupt.h"
#include "cli/commands/local_run.h"
#include "cli/commands/search_commands.h"

namespace hanas::cli {
namespace {

constexpr char kDescription[] =
    "hanas finds the neural network that is most accurate on the device you will ship, under limits on its measured latency and its size.\n"
    "\n"
    "A first search, a quarter of an hour on two cores:\n"
    "  hanas run examples/fashion-mnist.yaml --out my-search\n"
    "Stop it whenever you like; the same command goes on. It ends with a table of measured networks, my-search/report.json, front.svg and\n"
    "one ONNX file for each network. Check a job of your own with `hanas validate JOB.yaml`; docs/job-file.md describes its keys.\n";

struct Arguments {
  RunOptions run;
  bool no_references = false;
  std::string coordinator;
  std::string job;
  std::string name;
  std::string out;
  std::string to;
  std::string dataset;
  std::vector<std::string> urls;
  uint64_t seed = 1;
  bool plain = false;
};

using Chosen = std::function<ExitCode()>;

void AddRun(CLI::App& app, Arguments& a, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("run", "Run a search on this machine, to its end");
  command->footer(
      "Processes (a coordinator, workers, one profiler-agent) are started, watched and restarted for you; their logs are in DIR/logs.\n"
      "The directory belongs to one job. Without --data, HANAS_DATA_DIR is used; without both, Fashion-MNIST is fetched, or a set is "
      "drawn.");
  command->add_option("job", a.run.job_path, "The job, a YAML file")->required()->type_name("JOB.yaml");
  command->add_option("--out", a.run.out, "Directory for the state and the results; the same one resumes")->required()->type_name("DIR");
  command->add_option("--data", a.run.data, "Directory that holds the job's data set")->type_name("DIR");
  command->add_option("--workers", a.run.workers, "Worker processes of one thread each (default: processors less one)")
      ->check(CLI::Range(1, 1024));
  command->add_flag("--no-references", a.no_references, "Do not train the reference networks of the report");
  command->add_flag("--plain", a.run.plain, "Plain lines, also on a terminal");
  command->add_flag("--quiet", a.run.quiet, "Only the result and errors");
  command->callback([&] {
    a.run.references = !a.no_references;
    chosen = [&] { return RunLocally(a.run); };
  });
}

void AddValidate(CLI::App& app, Arguments& a, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("validate", "Check a job and say how large its space is");
  command->add_option("job", a.job, "The job, a YAML file")->required()->type_name("JOB.yaml");
  command->callback([&] { chosen = [&] { return ValidateCommand(a.job); }; });
}

void AddData(CLI::App& app, Arguments& a, Chosen& chosen) {
  CLI::App* data = app.add_subcommand("data", "Get data sets");
  data->require_subcommand(1);
  CLI::App* fetch = data->add_subcommand("fetch", "Download a data set, checked to the byte; a cut download goes on where it was");
  fetch->add_option("dataset", a.dataset, "fashion-mnist")->required();
  fetch->add_option("--to", a.to, "Folder for its files (default: data/fashion_mnist)")->type_name("DIR");
  fetch->add_option("--url", a.urls, "Folder to fetch from, instead of the known mirrors; may be repeated")->type_name("URL");
  fetch->callback([&] { chosen = [&] { return FetchCommand(a.dataset, a.to, a.urls); }; });
  CLI::App* draw = data->add_subcommand("draw", "Draw a data set of ten classes of figures, for use without a network");
  draw->add_option("--to", a.to, "Folder for its files (default: data/drawn)")->type_name("DIR");
  draw->add_option("--seed", a.seed, "The same seed draws the same images")->capture_default_str();
  draw->callback([&] { chosen = [&] { return DrawCommand(a.to, a.seed); }; });
}

CLI::App* AddRemote(CLI::App& app, Arguments& a, const std::string& name, const std::string& description) {
  CLI::App* command = app.add_subcommand(name, description);
  command->add_option("--coordinator", a.coordinator, "Where the coordinator listens")->required()->type_name("HOST:PORT");
  return command;
}

void AddSearches(CLI::App& app, Arguments& a, Chosen& chosen) {
  CLI::App* submit = AddRemote(app, a, "submit", "Submit a job to a coordinator; prints the name of the search");
  submit->add_option("job", a.job, "The job, a YAML file")->required()->type_name("JOB.yaml");
  submit->callback([&] { chosen = [&] { return SubmitCommand(a.coordinator, a.job); }; });
  CLI::App* show = AddRemote(app, a, "show", "Show a search and its report, or all searches");
  show->add_option("name", a.name, "searches/ID (default: all)");
  show->add_option("--out", a.out, "Write report.json, front.svg and the models there")->type_name("DIR");
  show->callback([&] { chosen = [&] { return ShowCommand(a.coordinator, a.name, a.out); }; });
  CLI::App* watch = AddRemote(app, a, "watch", "Follow a search");
  watch->add_option("name", a.name, "searches/ID")->required();
  watch->add_flag("--plain", a.plain, "Plain lines, also on a terminal");
  watch->callback([&] { chosen = [&] { return WatchCommand(a.coordinator, a.name, a.plain); }; });
  CLI::App* cancel = AddRemote(app, a, "cancel", "Cancel a search");
  cancel->add_option("name", a.name, "searches/ID")->required();
  cancel->callback([&] { chosen = [&] { return CancelCommand(a.coordinator, a.name); }; });
}

int Main(int argc, char** argv) {
  CatchInterrupts();
  CLI::App app(kDescription, "hanas");
  app.footer(kExitCodesHelp);
  app.set_version_flag("--version", "hanas " HANAS_VERSION);
  app.require_subcommand(1);
  Arguments arguments;
  Chosen chosen;
  AddRun(app, arguments, chosen);
  AddValidate(app, arguments, chosen);
  AddData(app, arguments, chosen);
  AddSearches(app, arguments, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? static_cast<int>(ExitCode::kOk) : static_cast<int>(ExitCode::kUsage);
  }
  return static_cast<int>(chosen());
}

}  // namespace
}  // namespace hanas::cli

int main(int argc, char** argv) { return hanas::cli::Main(argc, argv); }
