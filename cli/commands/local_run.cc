// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/local_run.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands/data_commands.h"
#include "cli/commands/event_stream.h"
#include "cli/commands/interrupt.h"
#include "cli/commands/output.h"
#include "cli/commands/parties.h"
#include "cli/commands/results.h"
#include "cli/commands/screen.h"
#include "cli/commands/shell_word.h"
#include "cli/data/provide.h"
#include "cli/report/report_text.h"
#include "cli/report/resource_text.h"
#include "cli/supervise/local_agents.h"
#include "cli/supervise/process.h"
#include "cli/supervise/registration_watch.h"
#include "cli/supervise/run_directory.h"
#include "cli/supervise/runtime_directory.h"
#include "cli/supervise/supervisor.h"
#include "config/job_file.h"
#include "config/process/exit_code.h"
#include "core/base/error_reason.h"
#include "dataset/pictures.h"
#include "dataset/survey.h"
#include "rpc/clock.h"
#include "rpc/convert/job.h"
#include "rpc/files.h"
#include "rpc/search_client.h"

namespace hanas::cli {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kTick = absl::Milliseconds(100);
constexpr absl::Duration kStopGrace = absl::Seconds(20);
constexpr int kLogLinesShown = 8;
constexpr absl::Duration kRegistrationsAsked = absl::Seconds(1);
constexpr absl::Duration kSilence = absl::Seconds(5);  // of a coordinator that lives and does not answer
constexpr absl::Duration kQuiet = absl::Seconds(10);   // without an event: the search may wait for something
constexpr char kCoordinator[] = "coordinator";

absl::Status Interrupted() { return absl::CancelledError("interrupted"); }

/// One run, from a locked directory and data that is there. Confined to the main thread.
class LocalRun {
 public:
  LocalRun(const RunDirectory& directory, SearchJob job, std::string data_root, int workers, std::string train_on, Screen& screen)
      : directory_(directory),
        job_(std::move(job)),
        agents_(AgentsFor(job_)),
        data_root_(std::move(data_root)),
        workers_(workers),
        train_on_(std::move(train_on)),
        screen_(screen) {}

  /// The reports of all targets, when the search has succeeded and its results are written.
  absl::StatusOr<std::vector<v1::Report>> Run();

  /// Ends the children: politely, then, after a while or at a second interrupt, by force.
  void Shutdown();

  /// Whether a child ended because the disk was full.
  bool RanOutOfDisk() const;
  /// The error code of a search that FAILED; empty otherwise.
  const std::string& search_error_code() const { return search_error_code_; }

 private:
  absl::Status FindPrograms();
  absl::Status StartCoordinator();
  absl::Status StartCoordinatorOnTcp();
  absl::Status Connect();
  absl::Status StartParties();
  absl::Status Submit();
  /// Resumes a search that a user paused, and one that failed of something that may have been mended since.
  absl::Status TakeUpAgain(const v1::Search& search);
  /// To its end, from after the event of that number.
  absl::Status Follow(int64_t after = 0);
  /// When the search has succeeded: trains the network on that the user asked for, and follows that.
  absl::Status TrainOn();
  absl::StatusOr<std::vector<v1::Report>> Conclude();
  /// Keeps the children running; waits for nothing. Returns CANCELLED at an interrupt and ABORTED when a child was given up.
  absl::Status Attend();
  /// Asks the coordinator, now and then, whether the workers and the agent that run have registered. Returns ABORTED when one never does.
  absl::Status AttendRegistrations();
  /// Says that a child has not come so far as to `what`, or gives it up, as `verdict` has it.
  absl::Status SayLate(const Supervisor::Child& child, RegistrationWatch::Verdict verdict, absl::string_view what);
  /// Observes the coordinator, which does not serve yet.
  absl::Status AwaitCoordinator();
  /// Says why the search waits, when nothing has happened for a while.
  void SayBlockers();
  absl::Status Pause();
  /// Calls `call` until it returns anything but UNAVAILABLE; attends to the children meanwhile.
  template <typename Call>
  auto Persist(const Call& call) -> decltype(call());
  void Announce();
  void StopChildren(absl::string_view except, absl::Duration grace);
  absl::Status WriteRunFile() const;
  std::string Program(absl::string_view name) const { return absl::StrCat(programs_, "/hanas-", name); }
  std::string Log(absl::string_view name) const { return directory_.File(absl::StrCat("logs/", name, ".log")); }
  std::vector<std::string> CoordinatorCommand(absl::string_view listen, const std::vector<std::string>& more = {}) const;
  std::string PartyDirectory(absl::string_view name) const { return directory_.File(absl::StrCat("parties/", name)); }

  const RunDirectory& directory_;
  const SearchJob job_;
  const std::vector<LocalAgent> agents_;
  const std::string data_root_;
  const int workers_;
  const std::string train_on_;  // a member; empty: none
  Screen& screen_;

  std::optional<RuntimeDirectory> runtime_;  // of the coordinator's socket; none: it listens on loopback
  std::string programs_;
  std::string address_;
  std::string search_;
  std::string search_error_code_;
  // OMP_WAIT_POLICY: spinning threads of one process would starve the others.
  ProcessSpawner spawner_{{"OMP_WAIT_POLICY=passive"}};
  Supervisor supervisor_{&spawner_};
  RegistrationWatch registrations_;
  absl::Duration registrations_asked_ = -absl::InfiniteDuration();
  absl::Duration last_event_;                    // when the search last told something
  std::string said_blocker_;                     // the code that was said last
  absl::Duration blockers_asked_;                // when
  std::map<std::string, int> announced_starts_;  // by process: the number of starts that was last written and said
  std::unique_ptr<rpc::SearchClient> client_;
};

absl::Status LocalRun::FindPrograms() {
  const absl::StatusOr<std::string> programs = ProgramDirectory();
  if (!programs.ok()) return programs.status();
  programs_ = *programs;
  for (const char* name : {kCoordinator, "worker", "profiler-agent"}) {
    std::error_code error;
    if (!fs::exists(Program(name), error))
      return absl::NotFoundError(absl::StrCat("expected the program ", Program(name), " beside hanas, found none; build it"));
  }
  return absl::OkStatus();
}

std::vector<std::string> LocalRun::CoordinatorCommand(absl::string_view listen, const std::vector<std::string>& more) const {
  std::vector<std::string> command = {Program(kCoordinator),    "--listen",          std::string(listen),     "--data-dir",
                                      directory_.File("state"), "--die-with-parent", absl::StrCat(::getpid())};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

absl::Status LocalRun::StartCoordinator() {
  if (const absl::StatusOr<RunFile> last = directory_.ReadRunFile(); last.ok()) RuntimeDirectory::RemoveLeftover(last->address);
  absl::StatusOr<RuntimeDirectory> runtime = RuntimeDirectory::Make();
  if (!runtime.ok()) {
    screen_.Say(
        absl::StrCat("The processes talk over loopback, with your token, since there can be no Unix socket: ", runtime.status().message()));
    return StartCoordinatorOnTcp();
  }
  runtime_.emplace(*std::move(runtime));
  address_ = runtime_->address();
  supervisor_.Add({kCoordinator, CoordinatorCommand(address_), Log(kCoordinator)});
  return absl::OkStatus();
}

absl::Status LocalRun::StartCoordinatorOnTcp() {
  const std::string port_file = directory_.File("coordinator.port");
  const std::vector<std::string> with_port = {"--port-file", port_file};
  std::error_code error;
  fs::remove(port_file, error);
  supervisor_.Add({kCoordinator, CoordinatorCommand("127.0.0.1:0", with_port), Log(kCoordinator)});
  while (true) {
    if (absl::Status status = Pause(); !status.ok()) return status;
    if (absl::Status status = AwaitCoordinator(); !status.ok()) return status;
    std::ifstream file(port_file);
    int port = 0;
    if (file && file >> port && port > 0) {
      address_ = absl::StrCat("127.0.0.1:", port);
      break;
    }
  }
  // A restarted coordinator must be where the others look for it.
  supervisor_.SetCommand(kCoordinator, CoordinatorCommand(address_, with_port));
  return absl::OkStatus();
}

absl::Status LocalRun::Connect() {
  absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = rpc::SearchClient::Create(address_);
  if (!client.ok()) return client.status();
  client_ = *std::move(client);
  client_->CancelWhen([] { return NumInterrupts() > 0; });
  while (!client_->WaitUntilReady(kTick).ok()) {
    if (absl::Status status = Attend(); !status.ok()) return status;
    if (absl::Status status = AwaitCoordinator(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status LocalRun::StartParties() {
  for (int i = 1; i <= workers_; ++i) {
    const std::string name = absl::StrCat("worker-", i);
    supervisor_.Add({name,
                     {Program("worker"), "--coordinator", address_, "--name", name, "--data", data_root_, "--cache",
                      directory_.File(absl::StrCat("cache/", name)), "--state-dir", PartyDirectory(name), "--threads", "1",
                      "--die-with-parent", absl::StrCat(::getpid())},
                     Log(name)});
  }
  for (const LocalAgent& agent : agents_) {
    supervisor_.Add({agent.process,
                     {Program("profiler-agent"), "--coordinator", address_, "--name", agent.name, "--kind", kLocalDevice, "--backend",
                      agent.backend, "--threads", absl::StrCat(agent.threads), "--state-dir", PartyDirectory(agent.process),
                      "--die-with-parent", absl::StrCat(::getpid())},
                     Log(agent.process)});
  }
  return Attend();
}

absl::Status LocalRun::Submit() {
  const std::string request_id = absl::StrCat("run-", JobDigest(job_).ToHex());
  const absl::StatusOr<v1::Search> search =
      Persist([&] { return client_->CreateSearch(rpc::ToProto(ForThisProcessor(job_)), request_id); });
  if (!search.ok()) return search.status();
  search_ = search->name();
  if (absl::Status status = WriteRunFile(); !status.ok()) return status;
  screen_.Say(
      absl::StrCat("Following ", search_, "; from another terminal: hanas explain ", search_, " --coordinator ", ShellWord(address_)));
  return TakeUpAgain(*search);
}

absl::Status LocalRun::TakeUpAgain(const v1::Search& search) {
  const bool failed = CanBeMended(search);
  if (!failed && search.phase() != v1::PHASE_PAUSED) return absl::OkStatus();
  const absl::StatusOr<v1::Search> resumed = Persist([&] { return client_->ResumeSearch(search_); });
  // What cannot be tried again is reported as it is when the search is followed.
  if (absl::IsFailedPrecondition(resumed.status()) || absl::IsUnimplemented(resumed.status())) return absl::OkStatus();
  if (!resumed.ok()) return resumed.status();
  screen_.Say(failed ? absl::StrCat("It had failed: ", search.error(), "; trying again what failed") : "It was paused; going on");
  return absl::OkStatus();
}

absl::Status LocalRun::Follow(int64_t after) {
  EventStream events(client_.get(), search_, {.after_sequence = after});
  last_event_ = blockers_asked_ = rpc::SystemClock().Now();
  while (true) {
    if (const std::optional<v1::SearchEvent> event = events.Next(kTick)) {
      last_event_ = rpc::SystemClock().Now();
      screen_.Show(*event);
    } else if (const std::optional<absl::Status> end = events.ended()) {
      screen_.ClearLine();
      return *end;
    }
    if (absl::Status status = Attend(); !status.ok()) return status;
    if (absl::Status status = AttendRegistrations(); !status.ok()) return status;
    SayBlockers();
  }
}

absl::Status LocalRun::SayLate(const Supervisor::Child& child, RegistrationWatch::Verdict verdict, absl::string_view what) {
  if (verdict == RegistrationWatch::Verdict::kFine) return absl::OkStatus();
  const std::string text = absl::StrCat(child.spec.name, " runs, but has not ", what, "; its log is ", child.spec.log_file);
  if (verdict == RegistrationWatch::Verdict::kGivenUp) return absl::AbortedError(text);
  const std::string lines = LastLines(child.spec.log_file, kLogLinesShown);
  screen_.Say(absl::StrCat(text, lines.empty() ? ", which is empty" : "\n", lines));
  return absl::OkStatus();
}

absl::Status LocalRun::AwaitCoordinator() {
  const absl::Duration now = rpc::SystemClock().Now();
  for (const Supervisor::Child& child : supervisor_.children()) {
    if (child.spec.name != kCoordinator || child.state != Supervisor::State::kRunning) continue;
    if (absl::Status status = SayLate(child, registrations_.Observe(kCoordinator, child.starts, false, now), "begun to serve");
        !status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status LocalRun::AttendRegistrations() {
  const absl::Duration now = rpc::SystemClock().Now();
  const auto awaited = [&](const Supervisor::Child& child) {
    return child.spec.name != kCoordinator && child.state == Supervisor::State::kRunning &&
           registrations_.Awaits(child.spec.name, child.starts);
  };
  const auto& children = supervisor_.children();
  if (now - registrations_asked_ < kRegistrationsAsked || std::none_of(children.begin(), children.end(), awaited)) return absl::OkStatus();
  registrations_asked_ = now;
  const absl::StatusOr<std::map<std::string, double>> silent_seconds = SilentSecondsOf(*client_);
  if (!silent_seconds.ok()) return absl::OkStatus();  // a coordinator that does not answer is attended to elsewhere
  for (const Supervisor::Child& child : children) {
    if (!awaited(child)) continue;
    // A process that was there before it has the same name: it counts who was heard since this one was started.
    const auto agent = std::find_if(agents_.begin(), agents_.end(), [&](const LocalAgent& a) { return a.process == child.spec.name; });
    const auto party = silent_seconds->find(agent == agents_.end() ? child.spec.name : agent->name);
    const bool registered = party != silent_seconds->end() && absl::Seconds(party->second) < now - child.started;
    const RegistrationWatch::Verdict verdict = registrations_.Observe(child.spec.name, child.starts, registered, now);
    if (absl::Status status = SayLate(child, verdict, "registered with the coordinator"); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void LocalRun::SayBlockers() {
  const absl::Duration now = rpc::SystemClock().Now();
  if (now - last_event_ < kQuiet || now - blockers_asked_ < kQuiet) return;
  blockers_asked_ = now;
  const absl::StatusOr<v1::Search> search = client_->GetSearch(search_);
  if (!search.ok() || search->blockers().empty()) return;
  const v1::Blocker& blocker = search->blockers(0);
  if (blocker.code() == said_blocker_) return;
  said_blocker_ = blocker.code();
  screen_.Say(absl::StrCat("Waiting: ", blocker.text()));
}

absl::Status LocalRun::TrainOn() {
  if (train_on_.empty()) return absl::OkStatus();
  const absl::StatusOr<v1::Search> search = Persist([&] { return client_->GetSearch(search_); });
  if (!search.ok()) return search.status();
  if (search->phase() != v1::PHASE_SUCCEEDED) return absl::OkStatus();  // and it is said how it ended
  v1::TrainMemberRequest request;
  request.set_name(search_);
  request.set_member(train_on_);
  const absl::StatusOr<v1::Search> trained = Persist([&] { return client_->TrainMember(request); });
  if (absl::IsNotFound(trained.status()) || absl::IsFailedPrecondition(trained.status())) {
    // What there is, is reported all the same.
    screen_.Complain(absl::StrCat("--train-on: ", trained.status().message()));
    return absl::OkStatus();
  }
  if (!trained.ok()) return trained.status();
  // A client that has stopped watching does not watch again.
  if (absl::Status status = Connect(); !status.ok()) return status;
  return Follow(search->last_sequence());
}

absl::StatusOr<std::vector<v1::Report>> LocalRun::Conclude() {
  const absl::StatusOr<v1::Search> search = Persist([&] { return client_->GetSearch(search_); });
  if (!search.ok()) return search.status();
  if (search->phase() == v1::PHASE_FAILED) {
    search_error_code_ = search->error_code().empty() ? "UNKNOWN" : search->error_code();
    return absl::InternalError(search->error());
  }
  if (search->phase() == v1::PHASE_CANCELLED) {
    search_error_code_ = "CANCELLED";
    return absl::InternalError("the search was cancelled");
  }
  absl::StatusOr<std::vector<v1::Report>> reports = Persist([&] { return AllReports(*client_, search_); });
  if (!reports.ok()) return reports.status();
  for (v1::Report& report : *reports) {
    const std::string directory = DirectoryOf(report, directory_.path());
    if (absl::Status status = Persist([&] { return WriteResults(*client_, directory, report); }); !status.ok()) return status;
  }
  return reports;
}

absl::StatusOr<std::vector<v1::Report>> LocalRun::Run() {
  if (absl::Status status = FindPrograms(); !status.ok()) return status;
  if (absl::Status status = StartCoordinator(); !status.ok()) return status;
  if (absl::Status status = Connect(); !status.ok()) return status;
  if (absl::Status status = StartParties(); !status.ok()) return status;
  if (absl::Status status = Submit(); !status.ok()) return status;
  if (absl::Status status = Follow(); !status.ok()) return status;
  if (absl::Status status = TrainOn(); !status.ok()) return status;
  return Conclude();
}

absl::Status LocalRun::Attend() {
  if (NumInterrupts() > 0) return Interrupted();
  // Nobody reads what is said any more: stop as at an interrupt, rather than work on unseen.
  if (OutputBroken()) return absl::CancelledError("the output cannot be written");
  const absl::Status status = supervisor_.Tick(rpc::SystemClock().Now());
  Announce();
  return status;
}

bool LocalRun::RanOutOfDisk() const {
  const auto& children = supervisor_.children();
  return directory_.IsDiskFull() || std::any_of(children.begin(), children.end(), [](const Supervisor::Child& child) {
           return child.last_exit && child.last_exit->signal == 0 &&
                  child.last_exit->code == static_cast<int>(config::ProcessExit::kDiskFull);
         });
}

absl::Status LocalRun::Pause() {
  const absl::Status status = Attend();
  if (status.ok()) rpc::SystemClock().Sleep(kTick / 4);
  return status;
}

absl::Status StatusOf(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& value) {
  return value.status();
}

template <typename Call>
auto LocalRun::Persist(const Call& call) -> decltype(call()) {
  absl::Time say_at = absl::Now() + kSilence;
  while (true) {
    auto result = call();
    if (!absl::IsUnavailable(StatusOf(result))) return result;
    if (absl::Now() >= say_at) {
      screen_.Complain(absl::StrCat("the coordinator does not answer, trying again: ", StatusOf(result).message()));
      say_at = absl::InfiniteFuture();
    }
    if (absl::Status status = Pause(); !status.ok()) return status;
  }
}

void LocalRun::Announce() {
  bool changed = false;
  std::vector<std::string> lines;
  for (const Supervisor::Child& child : supervisor_.children()) {
    int& announced = announced_starts_[child.spec.name];
    if (child.starts == announced) continue;
    announced = child.starts;
    if (child.starts > 1 && child.last_exit) {
      lines.push_back(absl::StrCat(child.spec.name, " ", Describe(*child.last_exit), "; started again (start ", child.starts, ")"));
    }
    changed = true;
  }
  if (!changed) return;
  // The file first: whoever reads that a process was started again finds its new id there.
  if (absl::Status status = WriteRunFile(); !status.ok()) screen_.Complain(status.message());
  for (const std::string& line : lines) screen_.Say(line);
}

absl::Status LocalRun::WriteRunFile() const {
  RunFile run = {.address = address_, .search = search_, .processes = {}};
  for (const Supervisor::Child& child : supervisor_.children()) run.processes.push_back({child.spec.name, child.pid, child.starts});
  return directory_.WriteRunFile(run);
}

void LocalRun::StopChildren(absl::string_view except, absl::Duration grace) {
  const absl::Duration begin = rpc::SystemClock().Now();
  bool forced = NumInterrupts() > 1;
  supervisor_.Stop(forced ? SIGKILL : SIGTERM, except);
  while (!supervisor_.AllStopped(except)) {
    supervisor_.Tick(rpc::SystemClock().Now()).IgnoreError();
    if (supervisor_.AllStopped(except)) return;
    if (!forced && (NumInterrupts() > 1 || rpc::SystemClock().Now() - begin > grace)) {
      forced = true;
      supervisor_.Stop(SIGKILL, except);
    }
    rpc::SystemClock().Sleep(kTick / 5);
  }
}

void LocalRun::Shutdown() {
  // The coordinator last: the others hand their work back to it.
  StopChildren(kCoordinator, kStopGrace);
  StopChildren("", kStopGrace);
  WriteRunFile().IgnoreError();
}

/// What to show of the log of the child that was given up.
std::string LogOf(const absl::Status& status, const RunDirectory& directory) {
  const std::string name(status.message().substr(0, status.message().find(' ')));
  const std::string lines = LastLines(directory.File(absl::StrCat("logs/", name, ".log")), kLogLinesShown);
  return lines.empty() ? "" : absl::StrCat("\nIts last lines:\n", lines);
}

ExitCode ReportFailure(const absl::Status& status, const LocalRun& run, const config::JobFile& file, const RunDirectory& directory,
                       Screen& screen, absl::string_view command) {
  if (!run.search_error_code().empty()) {
    screen.Complain(status.message());
    return ExitCodeOfSearchError(run.search_error_code());
  }
  if (absl::IsCancelled(status)) {
    screen.Complain(absl::StrCat("stopped; nothing is lost. To go on: ", command));
    return ExitCode::kInterrupted;
  }
  if (run.RanOutOfDisk()) {
    screen.Complain(absl::StrCat("the disk that holds ", directory.path(),
                                 " is full; make room and run the same command, nothing is lost. ", status.message()));
    return ExitCode::kDiskFull;
  }
  const std::vector<FieldViolation> violations = ViolationsOf(status);
  for (const FieldViolation& violation : violations) screen.Complain(file.Describe(violation));
  if (violations.empty()) screen.Complain(absl::StrCat(status.message(), absl::IsAborted(status) ? LogOf(status, directory) : ""));
  return ExitCodeOf(status);
}

DataSources Sources(const RunOptions& options, const RunDirectory& directory, Screen& screen) {
  return {.drawn = options.drawn_data,
          .root = DataRoot(options.data),
          .own_directory = directory.File("data"),
          .fetch =
              [&screen](const std::string& to) {
                screen.Say("No data was given: fetching Fashion-MNIST (31 MB)");
                const absl::Status status = FetchWithProgress(FashionMnist(), to, screen);
                if (!status.ok()) screen.Say(status.message());
                return status;
              },
          .draw =
              [&screen](const std::string& to) {
                screen.Say(absl::StrCat("Drawing a data set into ", to));
                return DrawInto(to, /*seed=*/1);
              }};
}

void Warn(const Warning& warning, Screen& screen) { screen.Warn(absl::StrCat(warning.text, " (", warning.code, ")")); }

/// What the data set holds. Says it, and all that is wrong with it, before anything is started; nothing when it cannot be used.
std::optional<Survey> LookAtData(const ProvidedData& data, const SpaceSpec& space, const config::JobFile& file, Screen& screen) {
  const std::string directory = absl::StrCat(data.root, "/", data.dataset.directory);
  absl::StatusOr<Survey> survey = SurveyDataset(data.dataset.format, directory);
  if (!survey.ok()) screen.Complain(survey.status().message());
  if (data.dataset.format == DatasetFormat::kImageFolder) {
    screen.Say("Looking at every picture");
    // Minutes of measuring are not to come before a file that nobody can read.
    const absl::StatusOr<Pictures> pictures = LookAtPictures(data.dataset.format, directory, Thoroughly(DefaultWorkers()));
    if (!pictures.ok()) {
      screen.Complain(pictures.status().message());
      return std::nullopt;
    }
    for (const std::string& sentence : pictures->not_read) screen.Say(absl::StrCat("Not read: ", sentence));
    for (const std::string& sentence : pictures->damaged) screen.Say(absl::StrCat("Damaged, and left out: ", sentence));
  }
  if (!survey.ok()) return std::nullopt;
  screen.Say(absl::StrCat("Pictures for training + test: ", PicturesText(survey->classes)));
  for (const Warning& warning : survey->warnings) Warn(warning, screen);
  if (static_cast<int>(survey->classes.size()) == space.num_classes) return *std::move(survey);
  screen.Complain(file.Describe({"space.num_classes", absl::StrCat("expected ", survey->classes.size(),
                                                                   ", the classes of the data set, found ", space.num_classes)}));
  return std::nullopt;
}

ExitCode RunIn(const RunDirectory& directory, const config::JobFile& file, SearchJob job, const RunOptions& options, Screen& screen) {
  if (directory.resumes()) screen.Say(absl::StrCat("Going on with the search in ", directory.path()));
  if (!directory.tightened().empty())
    screen.Say(
        absl::StrCat("Others could read ", absl::StrJoin(directory.tightened(), ", "), " in ", directory.path(), "; now they cannot"));
  const absl::StatusOr<ProvidedData> data = [&] {
    const rpc::ScopedUmask private_files(S_IRWXG | S_IRWXO);
    return ProvideData(job, Sources(options, directory, screen));
  }();
  if (!data.ok()) {
    screen.Complain(data.status().message());
    return absl::IsNotFound(data.status()) ? ExitCode::kData : ExitCodeOf(data.status());
  }
  screen.Say(data->sentence);
  job.dataset = data->dataset;
  const std::optional<Survey> survey = LookAtData(*data, job.space, file, screen);
  if (!survey) return ExitCode::kData;
  const TakeInterrupts taken(/*patience=*/2);  // to stop, and to stop at once
  LocalRun run(directory, job, fs::absolute(data->root).string(), options.workers > 0 ? options.workers : DefaultWorkers(),
               options.train_on, screen);
  const absl::StatusOr<std::vector<v1::Report>> reports = run.Run();
  if (absl::IsCancelled(reports.status())) screen.Say("Stopping; once more to stop at once");
  run.Shutdown();
  if (!reports.ok()) return ReportFailure(reports.status(), run, file, directory, screen, RunCommandLine(options));
  screen.ClearLine();
  for (const v1::Report& report : *reports) {
    Print(absl::StrCat("\n", RenderReport(report), "\nFiles: ", DirectoryOf(report, options.out), "/report.json, front.svg, models/\n"));
  }
  std::set<std::string> said;
  for (const Warning& warning : survey->warnings) said.insert(warning.code);
  return SayWarnings(*reports, std::move(said));
}

}  // namespace

ExitCode RunLocally(const RunOptions& options) {
  Screen screen(Screen::ChooseMode(options.plain, options.quiet));
  screen.Say(absl::StrCat("Running ", options.job_path, " in ", options.out));
  const absl::StatusOr<config::JobFile> file = config::JobFile::Load(options.job_path);
  if (!file.ok()) {
    screen.Complain(file.status().message());
    return ExitCode::kUsage;
  }
  SearchJob job = file->job();
  if (options.references.has_value()) job.references = *options.references;
  const absl::StatusOr<RunDirectory> directory = RunDirectory::Open(options.out, job.name, JobDigest(job).ToHex());
  if (!directory.ok()) {
    screen.Complain(directory.status().message());
    return ExitCodeOf(directory.status());
  }
  return RunIn(*directory, *file, std::move(job), options, screen);
}

}  // namespace hanas::cli
