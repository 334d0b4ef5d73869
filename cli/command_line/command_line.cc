// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/command_line/completion.h"
#include "cli/command_line/reference.h"
#include "cli/command_line/words.h"
#include "cli/commands/data_commands.h"
#include "cli/commands/farm_commands.h"
#include "cli/commands/init_command.h"
#include "cli/commands/local_run.h"
#include "cli/commands/presets_command.h"
#include "cli/commands/search_commands.h"
#include "cli/commands/watch_command.h"
#include "cli/init/choose_job.h"
#include "config/spelling.h"
#include "core/base/bounds.h"
#include "core/job/search_job.h"

#ifndef HANAS_VERSION
#define HANAS_VERSION "unknown"
#endif

namespace hanas::cli {
namespace {

constexpr char kDescription[] =
    "hanas finds the neural network that is most accurate on the device you will ship, under limits on its measured latency and its size.\n"
    "\n"
    "On this machine, with your own pictures:\n"
    "  hanas init DATA --out job.yaml\n"
    "  hanas run job.yaml --data DATA/.. --out my-search\n"
    "\n"
    "Or with an example, a quarter of an hour on two cores (stop it whenever you like; the same command goes on):\n"
    "  hanas run examples/fashion-mnist.yaml --out my-search\n"
    "\n"
    "On a coordinator, with its workers and devices:\n"
    "  hanas submit JOB.yaml --watch\n"
    "  hanas export searches/1 --out my-search\n";

constexpr char kFooter[] =
    "`hanas help VERB` says more, with an example. `hanas help exit-codes` lists the exit codes. docs/cli.md is all of it on one page;\n"
    "docs/job-file.md describes the keys of a job.";

constexpr char kInsecureConnect[] = "--insecure-connect";

// Groups of the help.
constexpr char kLocal[] = "On this machine";
constexpr char kSearches[] = "Searches on a coordinator";
constexpr char kFilterDetails[] =
    "A filter is one comparison, or several joined by AND: FIELD = VALUE and FIELD != VALUE, of numbers also <, <=, > and >=, and\n"
    "FIELD : VALUE for a text that contains the value, in upper or lower case. A value with spaces stands in double quotes.\n"
    "Fields of searches are name, spec.name, spec.dataset.name, phase, paused_phase, finishing, error_code and job_digest; those of\n"
    "the other lists are in docs/api.md, and in the answer to a filter with a wrong one.";
constexpr char kFarm[] = "Workers and devices";
constexpr char kOther[] = "Other";

/// Accepts one of `words`.
CLI::Validator OneOf(std::vector<std::string> words) {
  return CLI::Validator(
      [words = std::move(words)](std::string& value) {
        if (std::find(words.begin(), words.end(), value) != words.end()) return std::string();
        const std::string closest = config::ClosestWord(value, words);
        return absl::StrCat("expected ", absl::StrJoin(words, ", "), "; found \"", value, "\"",
                            closest.empty() ? "" : absl::StrCat(", did you mean \"", closest, "\"?"));
      },
      "");
}

OutputFormat FormatOf(const std::string& word) {
  const std::vector<std::string>& words = WordsOfType("FORMAT");
  return static_cast<OutputFormat>(std::find(words.begin(), words.end(), word) - words.begin());
}

}  // namespace

struct CommandLine::State {
  using Command = std::function<ExitCode()>;

  CLI::App app{kDescription, "hanas"};
  Command chosen;

  // Arguments, shared by the verbs: one of them is parsed.
  RemoteOptions remote;
  std::string output = "table";
  RunOptions run;
  InitOptions init;
  SubmitOptions submit;
  WatchOptions watch;
  ExportOptions exported;
  DeleteOptions deleted;
  TrainOptions trained;
  CandidatesOptions candidates;
  std::string name;
  std::string references;
  std::string task_state;
  std::string filter;
  bool undo = false;
  std::string metrics_url;
  double health_timeout = 5;
  std::string dataset;
  std::string to;
  std::vector<std::string> urls;
  uint64_t seed = 1;
  std::string shell;
  std::string line;
  std::vector<std::string> words;

  CLI::App* Add(CLI::App& parent, const std::string& group, const std::string& verb, const std::string& description,
                const std::string& example, const std::string& details = "") {
    CLI::App* added = parent.add_subcommand(verb, description)->group(group);
    added->footer(absl::StrCat(details, details.empty() ? "" : "\n\n", "Example:\n  ", example));
    return added;
  }

  /// What every verb that asks a coordinator takes.
  void AddCoordinator(CLI::App* verb, double& timeout) {
    verb->add_option("--coordinator", remote.coordinator, "Where the coordinator listens, HOST:PORT or unix:/PATH; else HANAS_COORDINATOR")
        ->default_str(kDefaultCoordinator)
        ->type_name("ADDRESS");
    verb->add_flag(kInsecureConnect, remote.insecure_connect,
                   "Allow a coordinator on another machine, without encryption; else HANAS_INSECURE_CONNECT");
    verb->add_option("--token-file", remote.token_file,
                     "File with the token that a coordinator on TCP asks for; else HANAS_TOKEN_FILE, HANAS_TOKEN, or the user's own")
        ->type_name("FILE");
    verb->add_option("--timeout", timeout, "How long to wait for each answer")
        ->check(CLI::Range(0.01, 3600.0).description(""))
        ->capture_default_str()
        ->type_name("SECONDS");
  }
  void AddRemote(CLI::App* verb, const Command& command, bool formats = true) {
    AddCoordinator(verb, remote.timeout_seconds);
    if (formats) {
      verb->add_option("-o,--output", output, "table for people; json, yaml or name for programs")
          ->check(OneOf(WordsOfType("FORMAT")))
          ->capture_default_str()
          ->type_name("FORMAT");
    }
    verb->callback([this, command] {
      remote.output = FormatOf(output);
      chosen = command;
    });
  }
  CLI::Option* AddFilter(CLI::App* verb) { return AddFilter(verb, filter); }
  static CLI::Option* AddFilter(CLI::App* verb, std::string& into) {
    return verb->add_option("--filter", into, "Only those that it holds for: comparisons joined by AND (`hanas list --help`)")
        ->type_name("FILTER");
  }
  void AddSearch(CLI::App* verb, std::string& target) {
    verb->add_option("search", target, "searches/ID, or its ID")->required()->type_name("SEARCH");
  }
  /// A verb about one search, without arguments of its own.
  CLI::App* AddSearchVerb(const std::string& verb, const std::string& description, const std::string& example, const Command& command,
                          const std::string& details = "") {
    CLI::App* added = Add(app, kSearches, verb, description, example, details);
    AddSearch(added, name);
    AddRemote(added, command);
    return added;
  }
  void AddTransition(const std::string& verb, const std::string& description, Transition transition, const std::string& details) {
    AddSearchVerb(
        verb, description, absl::StrCat("hanas ", verb, " searches/1"),
        [this, transition] { return TransitionCommand(remote, name, transition); }, details);
  }

  void AddLocal();
  void AddSubmitAndWatch();
  void AddSearches();
  void AddFarm();
  void AddOther(CommandLine* self);
};

void CommandLine::State::AddLocal() {
  CLI::App* run_verb = Add(
      app, kLocal, "run", "Run a search on this machine, to its end", "hanas run examples/fashion-mnist.yaml --out my-search",
      "Processes (a coordinator, workers, one profiler-agent) are started, watched and restarted for you; their logs are in DIR/logs.\n"
      "The directory belongs to one job: the same command goes on after an interrupt, and tries again what had failed. Without --data,\n"
      "HANAS_DATA_DIR is used; without both, Fashion-MNIST is fetched, and any other set is an error. Pictures that hanas draws stand in\n"
      "for a set of ten classes of grey images when --drawn-data asks for them.");
  run_verb->add_option("job", run.job_path, "The job, a YAML file")->required()->type_name("JOB.yaml");
  run_verb->add_option("--out", run.out, "Directory for the state and the results; the same one resumes")->required()->type_name("DIR");
  CLI::Option* run_data = run_verb->add_option("--data", run.data, "Directory that holds the job's data set")->type_name("DIR");
  run_verb->add_flag("--drawn-data", run.drawn_data, "Train on pictures that hanas draws, whose accuracies mean nothing elsewhere")
      ->excludes(run_data);
  run_verb->add_option("--workers", run.workers, "Worker processes of one thread each (default: one for each processor)")
      ->check(CLI::Range(1, 1024).description(""))
      ->type_name("N");
  const std::vector<std::string> kinds(NamesOf(ReferencesKind{}).begin(), NamesOf(ReferencesKind{}).end());
  run_verb
      ->add_option("--references", references,
                   absl::StrCat("What the report compares with, instead of what the job says: ", absl::StrJoin(kinds, ", ")))
      ->check(CLI::IsMember(kinds).description(""))
      ->type_name("KIND");
  run_verb
      ->add_option("--train-on", run.train_on,
                   "When the search is done: train on, export and verify this network of its front too, which was set aside")
      ->type_name("ID");
  run_verb->add_flag("--plain", run.plain, "Plain lines, also on a terminal");
  run_verb->add_flag("--quiet", run.quiet, "Only the result and errors");
  run_verb->callback([this] {
    for (size_t kind = 0; kind < NamesOf(ReferencesKind{}).size(); ++kind) {
      if (references == NamesOf(ReferencesKind{})[kind]) run.references = static_cast<ReferencesKind>(kind);
    }
    chosen = [this] { return RunLocally(run); };
  });

  CLI::App* init_verb =
      Add(app, kLocal, "init", "Look at a data set and at this machine, and write a job that runs",
          "hanas init data/flowers --out flowers.yaml",
          "DIR holds pictures (JPEG, PNG, WebP) in train/<class>/ and test/<class>/ (or val/), however deep, or in <class>/ alone, of\n"
          "which a sixth is set aside for testing, or the four IDX files {train,t10k}-{images-idx3,labels-idx1}-ubyte, or one folder that\n"
          "does. Labels and the headers of pictures are read; all that is\n"
          "wrong with them is said at once. The job has a comment above each key: why it has this value here, and what changing it does.\n"
          "Resolutions follow from the sizes of the pictures, steps and batch from what this machine trains in the time. Limits are\n"
          "left to you: what is within reach is known once the operators are measured, and `hanas run` says it. A file that is there\n"
          "already is kept (exit code 11) unless --force is given.");
  init_verb->add_option("data", init.data, "Directory of the data set (default: HANAS_DATA_DIR, else the current directory)")
      ->type_name("DIR");
  init_verb->add_option("--out", init.out, "The job to write")->capture_default_str()->type_name("JOB.yaml");
  init_verb->add_option("--minutes", init.minutes, "About what the search is to take")
      ->check(CLI::Range(kFewestMinutes, kMostMinutes).description(""))
      ->capture_default_str()
      ->type_name("N");
  init_verb->add_flag("--force", init.force, "Write over a file that is there already");
  init_verb->callback([this] { chosen = [this] { return InitCommand(init); }; });

  CLI::App* presets =
      Add(app, kLocal, "presets", "List the search spaces that a job can name, or print one", "hanas presets ofa-mobilenetv3");
  presets->add_option("name", name, "The preset to print; without it, all are listed")->type_name("NAME");
  presets->callback([this] { chosen = [this] { return PresetsCommand(name); }; });

  CLI::App* validate = Add(app, kLocal, "validate", "Check a job and say how large its space is", "hanas validate examples/tiny.yaml");
  validate->add_option("job", name, "The job, a YAML file")->required()->type_name("JOB.yaml");
  validate->callback([this] { chosen = [this] { return ValidateCommand(name); }; });

  CLI::App* data = Add(app, kLocal, "data", "Get data sets", "hanas data draw --to data/drawn");
  data->require_subcommand(1);
  CLI::App* fetch = Add(*data, "Verbs", "fetch", "Download a data set, checked to the byte; a cut download goes on where it was",
                        "hanas data fetch fashion-mnist --to data/fashion_mnist");
  fetch->add_option("dataset", dataset, "Its name")->required()->type_name("DATASET");
  fetch->add_option("--to", to, "Folder for its files (default: data/fashion_mnist)")->type_name("DIR");
  fetch->add_option("--url", urls, "Folder to fetch from, instead of the known mirrors; may be repeated")->type_name("URL");
  fetch->callback([this] { chosen = [this] { return FetchCommand(dataset, to, urls); }; });
  CLI::App* draw = Add(*data, "Verbs", "draw", "Draw a data set of ten classes of figures, for use without a network",
                       "hanas data draw --to data/drawn");
  draw->add_option("--to", to, "Folder for its files (default: data/drawn)")->type_name("DIR");
  draw->add_option("--seed", seed, "The same seed draws the same images")->capture_default_str()->type_name("N");
  draw->callback([this] { chosen = [this] { return DrawCommand(to, seed); }; });
}

void CommandLine::State::AddSubmitAndWatch() {
  CLI::App* submit_verb =
      Add(app, kSearches, "submit", "Submit a job; prints the name of its search", "hanas submit examples/tiny.yaml --watch",
          "Submitting the same job again gives the same search, whatever became of it, so a script may repeat the command.\n"
          "A --request-id of your own makes another one.");
  submit_verb->add_option("job", submit.job_path, "The job, a YAML file")->required()->type_name("JOB.yaml");
  CLI::Option* validate_only =
      submit_verb->add_flag("--validate-only", submit.validate_only, "Check everything and print the forecast; create nothing");
  submit_verb->add_flag("--watch", submit.watch, "Follow it to its end")->excludes(validate_only);
  submit_verb->add_option("--request-id", submit.request_id, "The same id gives the same search (default: of the job)")->type_name("ID");
  submit_verb->add_flag("--plain", submit.plain, "With --watch: plain lines, also on a terminal");
  AddRemote(submit_verb, [this] { return SubmitCommand(remote, submit); });

  CLI::App* watch_verb =
      Add(app, kSearches, "watch", "Follow a search to its end", "hanas watch searches/1",
          "When the coordinator goes away, for instance because it is restarted, the command says so once, waits, and goes on after\n"
          "the last event that it had. With -o json each event is one line; -o name prints the numbers for --after. The exit code\n"
          "is that of the search.");
  AddSearch(watch_verb, watch.name);
  watch_verb->add_option("--after", watch.after, "Begin after the event of this number")
      ->check(CLI::NonNegativeNumber.description(""))
      ->type_name("N");
  watch_verb->add_option("--give-up-after", watch.give_up_seconds, "Without an answer for so long, give up; 0: never")
      ->check(CLI::NonNegativeNumber.description(""))
      ->capture_default_str()
      ->type_name("SECONDS");
  watch_verb->add_flag("--plain", watch.plain, "Plain lines, also on a terminal");
  AddRemote(watch_verb, [this] { return WatchCommand(remote, watch); });
}

void CommandLine::State::AddSearches() {
  AddSubmitAndWatch();
  CLI::App* list = Add(app, kSearches, "list", "List the searches", "hanas list --filter 'phase = FAILED AND spec.name : shoes' -o name",
                       kFilterDetails);
  AddFilter(list);
  AddRemote(list, [this] { return ListCommand(remote, filter); });
  AddSearchVerb("show", "Show a search: its phases and progress, or its report when it is done", "hanas show searches/1",
                [this] { return ShowCommand(remote, name); });
  AddSearchVerb("explain", "Say what a search is blocked on, what runs where, what failed, and what to do", "hanas explain searches/1",
                [this] { return ExplainCommand(remote, name); });
  AddTransition("pause", "Pause a search; its tasks are handed back at the next step boundary", Transition::kPause, "");
  AddTransition("resume", "Go on with a paused search, or try again what failed", Transition::kResume,
                "Of a failed search, the failed tasks get three attempts anew: mend the cause first (`hanas explain` names it).");
  AddTransition("finish", "Stop searching and verify the best so far", Transition::kFinish,
                "No further training and no more rounds; the search ends with a report of what it has found.");
  AddTransition("cancel", "Cancel a search for good", Transition::kCancel, "");
  CLI::App* train_verb =
      Add(app, kSearches, "train", "Train on, export and verify a network of the front that was set aside",
          "hanas train searches/1 --member member-4 --watch",
          "Of a search that has succeeded: its report lists the networks of its front that others deserved the long training more than.\n"
          "The search verifies again, and then has a report with this one too. `hanas cancel` gives up this training and leaves the\n"
          "search as it was. A member that was asked for before is not trained twice.");
  AddSearch(train_verb, trained.name);
  train_verb->add_option("--member", trained.member, "Which network: its name in the report")->required()->type_name("ID");
  train_verb->add_option("--steps", trained.steps, "Steps of training; 0: `final.steps` of the job, as it means them")
      ->check(CLI::Range(int64_t{0}, int64_t{bounds::kMaxSteps}).description(""))
      ->capture_default_str()
      ->type_name("N");
  train_verb->add_option("--target", trained.target, "Of which target; the first by default")->type_name("NAME");
  train_verb->add_flag("--watch", trained.watch, "Follow it to its end");
  train_verb->add_flag("--plain", trained.plain, "With --watch: plain lines, also on a terminal");
  AddRemote(train_verb, [this] { return TrainCommand(remote, trained); });
  CLI::App* delete_verb =
      Add(app, kSearches, "delete", "Delete searches that are over, with their tasks and events, for good",
          "hanas delete searches/1 searches/2",
          "It asks nothing. A search that goes on is refused (exit code 11) unless --cancel is given. Of several searches each that\n"
          "can be deleted is; the exit code is that of the first that could not. What other searches share stays theirs, files that\n"
          "were exported stay, and submitting the same job again makes a new search.");
  delete_verb->add_option("search", deleted.names, "searches/ID, or its ID; several may be given")->required()->type_name("SEARCH");
  delete_verb->add_flag("--cancel", deleted.cancel, "Cancel those that go on first");
  AddRemote(delete_verb, [this] { return DeleteCommand(remote, deleted); }, /*formats=*/false);
  AddSearchVerb("replay", "Decide a search once more from its recorded results, and say whether it came out the same",
                "hanas replay searches/1", [this] { return ReplayCommand(remote, name); });
  CLI::App* tasks = AddSearchVerb("tasks", "List the tasks of a search", "hanas tasks searches/1 --state failed",
                                  [this] { return TasksCommand(remote, name, task_state, filter); });
  tasks->add_option("--state", task_state, "Those in this state only")->check(OneOf(WordsOfType("STATE")))->type_name("STATE");
  AddFilter(tasks);
  CLI::App* candidates_verb =
      Add(app, kSearches, "candidates", "List the networks that a search has evaluated", "hanas candidates searches/1 --front");
  AddSearch(candidates_verb, candidates.name);
  CLI::Option* of_front =
      candidates_verb->add_flag("--front", candidates.front, "Only those that no other one beats in every objective of the job");
  AddFilter(candidates_verb, candidates.filter)->excludes(of_front);
  candidates_verb->add_option("--target", candidates.target, "Whose latencies, and whose front; the first target by default")
      ->type_name("NAME");
  candidates_verb->add_option("--limit", candidates.limit, "At most so many; 0: all")
      ->check(CLI::NonNegativeNumber.description(""))
      ->capture_default_str()
      ->type_name("N");
  AddRemote(candidates_verb, [this] { return CandidatesCommand(remote, candidates); });
  CLI::App* export_verb =
      Add(app, kSearches, "export", "Download the models and the report of a search that is done",
          "hanas export searches/1 --member member-2 --out my-search",
          "Every file is checked by its digest; what is there already is not downloaded again, and an interrupted download goes on.");
  AddSearch(export_verb, exported.name);
  export_verb->add_option("--out", exported.out, "Folder for models/, report.json and front.svg")->required()->type_name("DIR");
  export_verb
      ->add_option("--target", exported.target, "Of this target only, of those that the job lists; each has a folder DIR/targets/NAME")
      ->type_name("NAME");
  export_verb->add_option("--member", exported.members, "Only this network's models; may be repeated")->type_name("ID");
  AddRemote(export_verb, [this] { return ExportCommand(remote, exported); });
}

void CommandLine::State::AddFarm() {
  CLI::App* workers = Add(app, kFarm, "workers", "List the workers", "hanas workers --filter 'state = OFFLINE'");
  AddFilter(workers);
  AddRemote(workers, [this] { return WorkersCommand(remote, filter); });
  CLI::App* devices = Add(app, kFarm, "devices", "List the devices", "hanas devices -o json");
  AddFilter(devices);
  AddRemote(devices, [this] { return DevicesCommand(remote, filter); });
  CLI::App* drain = Add(app, kFarm, "drain", "Take a worker or a device out of service: it gets no more tasks", "hanas drain workers/3",
                        "Its task is handed back at the next step boundary; nothing is lost and no attempt is counted.");
  drain->add_option("name", name, "workers/ID or devices/ID")->required()->type_name("PARTY");
  drain->add_flag("--undo", undo, "Give it tasks again");
  AddRemote(drain, [this] { return DrainCommand(remote, name, !undo); }, /*formats=*/false);
  CLI::App* health =
      Add(app, kFarm, "health", "Ask whether a coordinator serves, or a worker or profiler-agent is well", "hanas health --timeout 2",
          "For container health checks: exit code 0 when all is well, 9 when nothing answers in time, 12 when the answer is no.");
  AddCoordinator(health, health_timeout);
  health->add_option("--metrics-url", metrics_url, "Ask /healthz there instead, as workers and agents serve it (http://127.0.0.1:9464)")
      ->type_name("URL");
  health->callback([this] {
    remote.timeout_seconds = health_timeout;
    chosen = [this] { return HealthCommand(remote, metrics_url); };
  });
}

void CommandLine::State::AddOther(CommandLine* self) {
  CLI::App* completion = Add(app, kOther, "completion", "Print the completion script of a shell", "source <(hanas completion bash)",
                             "Completes verbs, flags, and the names of searches, workers and devices that the coordinator knows.\n"
                             "zsh: hanas completion zsh > \"${fpath[1]}/_hanas\"");
  completion->add_option("shell", shell, "bash or zsh")->required()->check(OneOf(WordsOfType("SHELL")))->type_name("SHELL");
  completion->callback([this] {
    chosen = [this] {
      Print(CompletionScript(shell));
      return ExitCode::kOk;
    };
  });
  CLI::App* help = Add(app, kOther, "help", "Explain a verb, or list the exit codes", "hanas help exit-codes");
  help->add_option("topic", words, "A verb, or exit-codes")->type_name("TOPIC");
  help->callback([this, self] { chosen = [this, self] { return self->PrintHelp(words); }; });
  // Hidden: for shells and for docs/cli.md.
  CLI::App* complete = app.add_subcommand("__complete", "")->group("");
  complete->add_option("line", line)->required();
  complete->callback([this] {
    chosen = [this] {
      Print(Complete(app, line));
      return ExitCode::kOk;
    };
  });
  app.add_subcommand("__reference", "")->group("")->callback([this] {
    chosen = [this] {
      Print(ReferencePage(app));
      return ExitCode::kOk;
    };
  });
}

CommandLine::CommandLine() : state_(std::make_unique<State>()) {
  state_->app.footer(kFooter);
  state_->app.set_version_flag("--version", "hanas " HANAS_VERSION, "Print the version and exit");
  state_->app.require_subcommand(1);
  state_->AddLocal();
  state_->AddSearches();
  state_->AddFarm();
  state_->AddOther(this);
}

CommandLine::~CommandLine() = default;

const CLI::App& CommandLine::app() const { return state_->app; }

ExitCode CommandLine::PrintHelp(const std::vector<std::string>& words) {
  if (words.size() == 1 && words[0] == "exit-codes") {
    Print(ExitCodesText());
    return ExitCode::kOk;
  }
  const CLI::App* verb = &state_->app;
  std::string path = "hanas";
  for (const std::string& word : words) {
    std::vector<std::string> known = VerbsOf(*verb);
    if (verb == &state_->app) known.emplace_back("exit-codes");
    if (std::find(known.begin(), known.end(), word) == known.end()) {
      const std::string closest = config::ClosestWord(word, known);
      Complain(absl::StrCat("there is no help on \"", word, "\"",
                            closest.empty() ? "; `hanas --help` lists the verbs" : absl::StrCat(", did you mean \"", closest, "\"?")));
      return ExitCode::kUsage;
    }
    verb = verb->get_subcommand(word);
    absl::StrAppend(&path, " ", word);
  }
  Print(state_->app.get_formatter()->make_help(verb, path, CLI::AppFormatMode::Normal));
  return ExitCode::kOk;
}

ExitCode CommandLine::Run(int argc, const char* const* argv) {
  CLI::App& app = state_->app;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    std::ostringstream text;
    app.exit(success, text, text);
    Print(text.str());
    return FinishOutput();
  } catch (const CLI::ParseError& error) {
    if (argc <= 1) {
      Print(app.help());
      FinishOutput();
      return ExitCode::kUsage;
    }
    const std::string left_over = DescribeLeftOver(app);
    Complain(left_over.empty() ? absl::StrCat(error.what(), "; ", HelpHint(app)) : left_over);
    return ExitCode::kUsage;
  }
  RemoteOptions& remote = state_->remote;
  if (remote.coordinator.empty()) remote.coordinator = CoordinatorOfEnvironment();
  if (LastParsed(app).get_option_no_throw(kInsecureConnect) != nullptr && !remote.insecure_connect) {
    const absl::StatusOr<bool> insecure_connect = InsecureConnectOfEnvironment();
    if (!insecure_connect.ok()) return Fail(insecure_connect.status());
    remote.insecure_connect = *insecure_connect;
  }
  const ExitCode code = state_->chosen();
  const ExitCode written = FinishOutput();
  return written == ExitCode::kOk ? code : written;
}

}  // namespace hanas::cli
