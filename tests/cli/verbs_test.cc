// SPDX-License-Identifier: Apache-2.0
// The program as its users see it: arguments in, text and exit codes out, against a coordinator that a test scripts.
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/commands/exit_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/verbs_fixture.h"
#include "tests/support/loopback.h"

namespace hanas::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(VerbsTest, SubmitPrintsTheNameAndNothingElse) {
  const Ended ended = Run({"submit", Example("tiny.yaml")});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "searches/1\n");
  EXPECT_EQ(Run({"submit", Example("tiny.yaml"), "--request-id", "mine"}).code, 0);
  coordinator_.With([](FakeState& state) {
    ASSERT_EQ(state.created.size(), 2U);
    EXPECT_THAT(state.created[0].request_id(), StartsWith("submit-"));
    EXPECT_EQ(state.created[0].spec().name(), "tiny");
    EXPECT_EQ(state.created[1].request_id(), "mine");
  });
}

TEST_F(VerbsTest, ValidateOnlyPrintsTheForecastAndCreatesNothing) {
  coordinator_.With([](FakeState& state) {
    state.forecast.set_operator_keys(603);
    state.forecast.set_training_steps(5000);
    state.forecast.set_basis("counts only");
  });
  const Ended ended = Run({"submit", Example("tiny.yaml"), "--validate-only"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("603 operators"));
  EXPECT_THAT(ended.out, HasSubstr("counts only"));
  coordinator_.With([](FakeState& state) {
    EXPECT_TRUE(state.created.at(0).validate_only());
    EXPECT_THAT(state.searches, IsEmpty());
  });
}

TEST_F(VerbsTest, ValidateOnlySaysThatLimitsCannotBeKept) {
  coordinator_.With([](FakeState& state) { state.infeasible = "the fastest network needs 3 ms"; });
  const Ended ended = Run({"submit", Example("tiny.yaml"), "--validate-only"});
  EXPECT_EQ(ended.code, static_cast<int>(ExitCode::kInfeasible));
  EXPECT_EQ(ended.err, "hanas: the fastest network needs 3 ms\n");
}

TEST_F(VerbsTest, TheCoordinatorsViolationsNameThePlaceInTheFile) {
  coordinator_.With([](FakeState& state) {
    FieldViolations violations;
    violations.Add("limits[0].at_most", "expected at least 3 ms on this device, found 1");
    state.create_status = violations.ToStatus();
  });
  const Ended ended = Run({"submit", Example("tiny.yaml")});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr("tiny.yaml:31:21: target.limits.latency: expected at least 3 ms"));
}

TEST_F(VerbsTest, AListHasEveryPageInEveryFormat) {
  for (const int id : {1, 2, 3, 4, 5}) AddSearch(absl::StrCat("searches/", id), v1::PHASE_TRAINING);
  EXPECT_THAT(Run({"list"}).out, HasSubstr("searches/5  shoes  training"));
  EXPECT_EQ(Run({"list", "-o", "name"}).out, "searches/1\nsearches/2\nsearches/3\nsearches/4\nsearches/5\n");
  const Ended json = Run({"list", "-o", "json"});
  EXPECT_THAT(json.out, StartsWith("{\n \"searches\": [\n"));
  EXPECT_THAT(json.out, HasSubstr("\"name\": \"searches/5\""));
  EXPECT_THAT(json.out, HasSubstr("\"phase\": \"TRAINING\""));
  EXPECT_THAT(json.out, HasSubstr("\"nextPageToken\": \"\""));
  const Ended yaml = Run({"list", "--output", "yaml"});
  EXPECT_THAT(yaml.out, StartsWith("searches:\n  - name: searches/1\n"));
  EXPECT_THAT(yaml.out, HasSubstr("phase: TRAINING\n"));
}

TEST_F(VerbsTest, ListsPassTheirFilterOn) {
  AddSearch("searches/1", v1::PHASE_TRAINING);
  EXPECT_EQ(Run({"list", "--filter", "phase = TRAINING", "-o", "name"}).out, "searches/1\n");
  EXPECT_EQ(Run({"tasks", "1", "--filter", "failures > 0"}).code, 0);
  EXPECT_EQ(Run({"candidates", "1", "--filter", "accuracy > 0.5"}).code, 0);
  EXPECT_EQ(Run({"workers", "--filter", "state = IDLE"}).code, 0);
  EXPECT_EQ(Run({"devices", "--filter", "state = OFFLINE"}).code, 0);
  EXPECT_EQ(Run({"list"}).code, 0);
  coordinator_.With([](FakeState& state) {
    EXPECT_THAT(state.filters, ElementsAre("phase = TRAINING", "failures > 0", "accuracy > 0.5", "state = IDLE", "state = OFFLINE", ""));
  });
  EXPECT_EQ(Run({"candidates", "1", "--front", "--filter", "accuracy > 0.5"}).code, 2) << "a front has none";
}

TEST_F(VerbsTest, ShowIsTheProgressOrTheReport) {
  AddSearch("searches/2", v1::PHASE_TRAINING);
  AddDoneSearch();
  EXPECT_THAT(Run({"show", "searches/2"}).out, HasSubstr("searches/2 \"shoes\" is training\n"));
  EXPECT_THAT(Run({"show", "1"}).out, HasSubstr("Searched small on"));
  EXPECT_THAT(Run({"show", "1", "-o", "json"}).out, HasSubstr("\"phase\": \"SUCCEEDED\""));
}

TEST_F(VerbsTest, TransitionsAreSentAndRefusalsHaveACodeOfTheirOwn) {
  AddSearch("searches/1", v1::PHASE_TRAINING);
  EXPECT_EQ(Run({"pause", "1"}).out, "searches/1 is paused\n");
  EXPECT_EQ(Run({"resume", "searches/1", "-o", "name"}).out, "searches/1\n");
  EXPECT_EQ(Run({"finish", "1"}).out, "searches/1 is verifying\n");
  EXPECT_EQ(Run({"cancel", "1"}).out, "searches/1 is cancelled\n");
  EXPECT_THAT(calls(),
              ElementsAre("PauseSearch searches/1", "ResumeSearch searches/1", "FinishSearch searches/1", "CancelSearch searches/1"));
  AddDoneSearch();
  const Ended refused = Run({"cancel", "1"});
  EXPECT_EQ(refused.code, static_cast<int>(ExitCode::kRefused));
  EXPECT_EQ(refused.err, "hanas: expected a search that goes on, found searches/1 SUCCEEDED\n");
}

TEST_F(VerbsTest, TrainAsksForAMemberAndFollowsOnlyWhatComesAfter) {
  AddDoneSearch();
  coordinator_.With([](FakeState& state) {
    state.searches["searches/1"].set_last_sequence(7);
    state.stream_ends = true;
  });
  EXPECT_EQ(Run({"train", "1"}).code, static_cast<int>(ExitCode::kUsage)) << "which one?";
  EXPECT_EQ(Run({"train", "1", "--member", "member-4", "--steps", "-1"}).code, static_cast<int>(ExitCode::kUsage));
  EXPECT_EQ(Run({"train", "1", "--member", "member-4"}).out, "searches/1 is verifying: member-4 is trained on\n");
  Run({"train", "1", "--member", "member-2", "--target", "phone", "--steps", "50", "--watch"});
  coordinator_.With([](FakeState& state) { EXPECT_THAT(state.watched_after, ElementsAre(7)); });
  EXPECT_THAT(calls(), testing::IsSupersetOf(
                           {"TrainMember member-4 of \"\" for 0: searches/1", "TrainMember member-2 of \"phone\" for 50: searches/1"}));
}

TEST_F(VerbsTest, DeletesWhatItCanAndSaysWhatItCannot) {
  AddSearch("searches/1", v1::PHASE_SUCCEEDED);
  AddSearch("searches/2", v1::PHASE_TRAINING);
  AddSearch("searches/3", v1::PHASE_CANCELLED);
  const Ended some = Run({"delete", "1", "searches/2", "searches/7", "searches/3"});
  EXPECT_EQ(some.code, static_cast<int>(ExitCode::kRefused)) << "that of the first failure";
  EXPECT_EQ(some.out, "searches/1 is deleted\nsearches/3 is deleted\n");
  EXPECT_THAT(some.err, HasSubstr("searches/2 goes on; --cancel does both"));
  EXPECT_THAT(some.err, HasSubstr("no search searches/7"));
  EXPECT_EQ(Run({"delete", "searches/1"}).code, static_cast<int>(ExitCode::kNotFound));
  EXPECT_EQ(Run({"delete", "nonsense", "searches/2"}).code, static_cast<int>(ExitCode::kUsage)) << "before anything is deleted";
  const Ended forced = Run({"delete", "--cancel", "searches/2"});
  EXPECT_EQ(forced.code, 0) << forced.err;
  coordinator_.With([](FakeState& state) { EXPECT_THAT(state.searches, IsEmpty()); });
  AddSearch("searches/4", v1::PHASE_SUCCEEDED);
  EXPECT_EQ(Run({"delete", "--cancel", "searches/4"}).code, 0) << "what is over needs no cancelling";
}

TEST_F(VerbsTest, OnlyAFullDiskIsAFullDisk) {
  const auto submit = [&](const absl::Status& status) {
    coordinator_.With([&](FakeState& state) { state.create_status = status; });
    return Run({"submit", Example("tiny.yaml")}).code;
  };
  EXPECT_EQ(submit(WithReason(absl::ResourceExhaustedError("no room"), kDiskFull)), static_cast<int>(ExitCode::kDiskFull));
  EXPECT_EQ(submit(absl::ResourceExhaustedError("Received message larger than max")), static_cast<int>(ExitCode::kFailed));
}

TEST_F(VerbsTest, BadNamesAreRefusedHereUnknownOnesThere) {
  for (const char* name : {"searches/", "searches/x", "tasks/1", "0", "-1", "1/../2", "", "99999999999999999999"}) {
    const Ended ended = Run({"show", "--", name});
    EXPECT_EQ(ended.code, static_cast<int>(ExitCode::kUsage)) << name;
  }
  EXPECT_EQ(Run({"show", "seven"}).err, "hanas: expected a name such as searches/7, found \"seven\"\n");
  EXPECT_EQ(Run({"drain", "3"}).err, "hanas: expected a name such as workers/7 or devices/7, found \"3\"\n");
  const Ended unknown = Run({"show", "77"});
  EXPECT_EQ(unknown.code, static_cast<int>(ExitCode::kNotFound));
  EXPECT_EQ(unknown.err, "hanas: no search searches/77\n");
}

TEST_F(VerbsTest, ReplayFailsWhenItDiffers) {
  coordinator_.With([](FakeState& state) {
    state.replay.set_steps(12);
    state.replay.set_tasks(34);
    state.replay.set_identical(true);
  });
  EXPECT_EQ(Run({"replay", "1"}).out, "searches/1 decided once more: 12 steps, 34 tasks, identical\n");
  coordinator_.With([](FakeState& state) {
    state.replay.set_identical(false);
    state.replay.set_difference("step 7: recorded round/1, found round/2");
  });
  const Ended differs = Run({"replay", "1"});
  EXPECT_EQ(differs.code, static_cast<int>(ExitCode::kDiffers));
  EXPECT_THAT(differs.out, HasSubstr("step 7: recorded round/1, found round/2"));
}

TEST_F(VerbsTest, TasksCandidatesAndTheFarm) {
  AddSearch("searches/1", v1::PHASE_SEARCHING);
  coordinator_.With([](FakeState& state) {
    for (int i = 0; i < 5; ++i) {
      v1::TaskSummary& task = state.tasks.emplace_back();
      task.set_name(absl::StrCat("tasks/", i + 1));
      task.set_key(absl::StrCat("round/0/evaluate/", i));
      task.set_state(i == 4 ? v1::TaskSummary::STATE_FAILED : v1::TaskSummary::STATE_DONE);
      v1::Candidate& candidate = state.candidates.emplace_back();
      candidate.set_sequence(i + 1);
      candidate.set_accuracy(0.5 + 0.1 * i);
      candidate.set_latency_us(100);
      v1::Worker& worker = state.workers.emplace_back();
      worker.set_name(absl::StrCat("workers/", i + 1));
      worker.set_state(v1::Worker::STATE_IDLE);
    }
    v1::Device& device = state.devices.emplace_back();
    device.set_name("devices/9");
    device.set_display_name("board");
    device.set_state(v1::Device::STATE_MEASURING);
    device.set_health(v1::Device::HEALTH_HEALTHY);
    device.mutable_info()->mutable_device()->set_cpu("Cortex");
    device.mutable_info()->mutable_device()->set_threads(4);
  });
  EXPECT_EQ(Run({"tasks", "1", "-o", "name"}).out, "tasks/1\ntasks/2\ntasks/3\ntasks/4\ntasks/5\n");
  EXPECT_EQ(Run({"tasks", "1", "--state", "failed", "-o", "name"}).out, "tasks/5\n");
  const Ended some = Run({"candidates", "1", "--limit", "3", "-o", "name"});
  EXPECT_EQ(some.out, "1\n2\n3\n");
  EXPECT_EQ(some.err, "hanas: these are 3 of 5; --limit 0 shows all\n");
  EXPECT_EQ(Run({"candidates", "1", "--front", "-o", "name"}).out, "5\n");
  EXPECT_THAT(Run({"candidates", "1"}).out, HasSubstr("90.0 %"));
  EXPECT_THAT(Run({"workers"}).out, HasSubstr("workers/5"));
  EXPECT_THAT(Run({"devices"}).out, HasSubstr("devices/9  board   measuring  healthy  Cortex        4"));
  EXPECT_EQ(Run({"drain", "workers/2"}).code, 0);
  EXPECT_EQ(Run({"drain", "devices/9", "--undo"}).code, 0);
  EXPECT_THAT(calls(), Contains("SetDrain workers/2 on"));
  EXPECT_THAT(calls(), Contains("SetDrain devices/9 off"));
  const Ended explained = Run({"explain", "1"});
  EXPECT_THAT(explained.out, HasSubstr("4 done, 0 running, 0 waiting, 1 failed"));
  EXPECT_THAT(explained.out, HasSubstr("board"));
  EXPECT_THAT(Run({"explain", "1", "-o", "yaml"}).out, HasSubstr("\ntasks:\n  - name: tasks/1\n"));
  const Ended json = Run({"explain", "1", "-o", "json"});
  EXPECT_THAT(json.out, StartsWith("{\n \"search\": {\n  \"name\": \"searches/1\",\n"));
  EXPECT_THAT(json.out, HasSubstr(" \"tasks\": [\n  {\n   \"name\": \"tasks/1\",\n"));
}

TEST_F(VerbsTest, AReaderThatGoesAwayEndsTheProgramQuietly) {
  AddSearch("searches/1", v1::PHASE_TRAINING);
  LiveProgram watch("hanas", {"watch", "1"}, Environment());
  coordinator_.Await([](const FakeState& state) { return !state.watched_after.empty(); });
  watch.StopReading();
  coordinator_.With([](FakeState& state) {
    for (int i = 1; i < 100; ++i) state.events.push_back(MakeEvent(i, "more"));
  });
  EXPECT_EQ(watch.Wait(), static_cast<int>(ExitCode::kReaderGone));
}

TEST_F(VerbsTest, OutputThatCannotBeWrittenIsAnError) {
  AddSearch("searches/1", v1::PHASE_TRAINING);
  const std::string command =
      absl::StrCat("HANAS_COORDINATOR=", address_, " ", ProgramPath("hanas"), " list > /dev/full 2> ", folder_, "/err");
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), static_cast<int>(ExitCode::kDiskFull));
  EXPECT_THAT(ReadText(folder_ + "/err"), StartsWith("hanas: cannot write the output"));
}

TEST_F(VerbsTest, NobodyThereAndNobodyAnsweringAreTheSameCode) {
  const std::string address = address_;
  server_.reset();
  const Ended gone = RunProgram("hanas", {"list"}, {"HANAS_COORDINATOR=" + address});
  EXPECT_EQ(gone.code, kUnreachable);
  EXPECT_THAT(gone.err, StartsWith(absl::StrCat("hanas: no coordinator answers at ", address, "; start one")));
  // A peer that accepts and never says anything.
  const SilentListener silent;
  const std::string dead = absl::StrCat("127.0.0.1:", silent.port());
  EXPECT_EQ(RunProgram("hanas", {"list", "--coordinator", dead, "--timeout", "0.3"}).code, kUnreachable);
  const Ended health = RunProgram("hanas", {"health", "--coordinator", dead, "--timeout", "0.3"});
  EXPECT_EQ(health.code, kUnreachable);
  EXPECT_THAT(health.err, HasSubstr("does not answer"));
  EXPECT_EQ(RunProgram("hanas", {"health", "--metrics-url", "http://" + dead, "--timeout", "0.3"}).code, kUnreachable);
}

TEST_F(VerbsTest, HealthIsForScripts) {
  EXPECT_EQ(Run({"health"}).code, 0);
  EXPECT_EQ(Run({"health", "--metrics-url", "ftp://x"}).code, static_cast<int>(ExitCode::kUsage));
  // Options come before the environment.
  EXPECT_EQ(RunProgram("hanas", {"health", "--coordinator", address_}, {"HANAS_COORDINATOR=127.0.0.1:1"}).code, 0);
  EXPECT_EQ(RunProgram("hanas", {"health"}, {"HANAS_COORDINATOR=127.0.0.1:1"}).code, kUnreachable);
  EXPECT_EQ(Run({"health", "--coordinator", "nonsense"}).code, static_cast<int>(ExitCode::kUsage));
}

TEST_F(VerbsTest, ACoordinatorOnAnotherMachineIsAskedOnlyWhenThatIsAllowed) {
  AddSearch("searches/1", v1::PHASE_TRAINING);
  // This machine by an address that is not of its loopback.
  const std::string other = absl::StrCat("0.0.0.0:", server_->address().port);
  const std::vector<std::string> list = {"list", "-o", "name", "--coordinator", other};
  const Ended refused = RunProgram("hanas", list);
  EXPECT_EQ(refused.code, static_cast<int>(ExitCode::kUsage));
  EXPECT_THAT(refused.err, HasSubstr("--insecure-connect allows it"));
  EXPECT_EQ(RunProgram("hanas", list, {"HANAS_INSECURE_CONNECT=false"}).err, refused.err);

  EXPECT_EQ(RunProgram("hanas", list, {"HANAS_INSECURE_CONNECT=true"}).out, "searches/1\n");
  for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{{"submit", Example("tiny.yaml"), "--validate-only"},
                                                                                    {"list"},
                                                                                    {"show", "1"},
                                                                                    {"explain", "1"},
                                                                                    {"pause", "1"},
                                                                                    {"resume", "1"},
                                                                                    {"tasks", "1"},
                                                                                    {"candidates", "1"},
                                                                                    {"workers"},
                                                                                    {"devices"},
                                                                                    {"drain", "workers/1"},
                                                                                    {"health"}}) {
    std::vector<std::string> arguments = verb;
    arguments.insert(arguments.end(), {"--coordinator", other, "--insecure-connect"});
    const Ended ended = RunProgram("hanas", arguments);
    EXPECT_EQ(ended.code, 0) << verb.front() << ": " << ended.err;
  }
  AddDoneSearch();
  coordinator_.With([](FakeState& state) { state.stream_ends = true; });
  EXPECT_EQ(RunProgram("hanas", {"watch", "1", "--insecure-connect"}, {"HANAS_COORDINATOR=" + other}).code, 0);
  EXPECT_EQ(RunProgram("hanas", {"__complete", absl::StrCat("hanas show --insecure-connect --coordinator ", other, " ")}).out,
            "words\nsearches/1\n");

  const Ended neither = RunProgram("hanas", list, {"HANAS_INSECURE_CONNECT=maybe"});
  EXPECT_EQ(neither.code, static_cast<int>(ExitCode::kUsage));
  EXPECT_EQ(neither.err, "hanas: HANAS_INSECURE_CONNECT: expected true or false, found \"maybe\"\n");
  EXPECT_EQ(RunProgram("hanas", {"validate", Example("tiny.yaml")}, {"HANAS_INSECURE_CONNECT=maybe"}).code, 0) << "it asks nobody";
}

struct Mistake {
  std::string line;
  std::string message;
};

TEST_F(VerbsTest, MistakesAreAnsweredWithASuggestion) {
  const std::vector<Mistake> rows = {
      {"runn", "hanas: unknown verb \"runn\" of hanas, did you mean \"run\"? `hanas --help` says more\n"},
      {"sumbit job.yaml", "hanas: unknown verb \"sumbit\" of hanas, did you mean \"submit\"? `hanas --help` says more\n"},
      {"data fech", "hanas: unknown verb \"fech\" of hanas data, did you mean \"fetch\"? `hanas data --help` says more\n"},
      {"submit --wacth job.yaml",
       "hanas: unknown flag \"--wacth\" of hanas submit, did you mean \"--watch\"? `hanas submit --help` says more\n"},
      {"submit --outptu=json",
       "hanas: unknown flag \"--outptu=json\" of hanas submit, did you mean \"--output\"? `hanas submit --help` says more\n"},
      {"list extra", "hanas: unknown argument \"extra\" of hanas list; `hanas list --help` says more\n"},
      {"list -o jsn",
       "hanas: --output: expected table, json, yaml, name; found \"jsn\", did you mean \"json\"?; `hanas list --help` says more\n"},
      {"submit", "hanas: job is required; `hanas submit --help` says more\n"},
      {"help exit-code", "hanas: there is no help on \"exit-code\", did you mean \"exit-codes\"?\n"},
  };
  for (const Mistake& row : rows) {
    const Ended ended = Run(absl::StrSplit(row.line, ' '));
    EXPECT_EQ(ended.code, static_cast<int>(ExitCode::kUsage)) << row.line;
    EXPECT_EQ(ended.err, row.message);
    EXPECT_THAT(ended.out, IsEmpty());
  }
}

TEST_F(VerbsTest, HelpIsTheSameBothWays) {
  EXPECT_EQ(Run({"help", "submit"}).out, Run({"submit", "--help"}).out);
  EXPECT_EQ(Run({"help", "data", "fetch"}).out, Run({"data", "fetch", "--help"}).out);
  EXPECT_EQ(Run({"help"}).out, Run({"--help"}).out);
  EXPECT_THAT(Run({"help", "exit-codes"}).out, HasSubstr("  9    no coordinator answers"));
  EXPECT_EQ(Run({}).code, static_cast<int>(ExitCode::kUsage));
}

TEST_F(VerbsTest, ColoursAreForTerminalsThatWantThem) {
  AddSearch("searches/1", v1::PHASE_FAILED);
  EXPECT_THAT(Run({"list"}).out, Not(HasSubstr("\x1b")));
  LiveProgram coloured("hanas", {"list"}, Environment(), /*columns=*/80);
  EXPECT_EQ(coloured.Wait(), 0);
  EXPECT_THAT(coloured.output(), HasSubstr("\x1b[31mfailed\x1b[0m"));
  LiveProgram plain("hanas", {"list"}, {"HANAS_COORDINATOR=" + address_, "NO_COLOR=1", "TERM=xterm"}, /*columns=*/80);
  plain.Wait();
  EXPECT_THAT(plain.output(), Not(HasSubstr("\x1b")));
}

TEST_F(VerbsTest, BashCompletesNamesOfSearches) {
  AddSearch("searches/17", v1::PHASE_TRAINING);
  AddSearch("searches/18", v1::PHASE_TRAINING);
  const std::string script = folder_ + "/hanas.bash";
  std::ofstream(script) << Run({"completion", "bash"}).out;
  EXPECT_EQ(std::system(absl::StrCat("bash -n ", script).c_str()), 0);
  const std::string hanas = ProgramPath("hanas");
  // What readline does when the Tab key is pressed: sets these variables and calls the function.
  const auto complete = [&](const std::string& line, const std::string& words, int index) {
    const std::string test = absl::StrCat(folder_, "/test.bash");
    std::ofstream(test) << "HANAS_COORDINATOR=" << address_ << "; export HANAS_COORDINATOR\nsource " << script
                        << "\ncompopt() { :; }\nCOMP_WORDS=(" << words << ")\nCOMP_CWORD=" << index << "\nCOMP_LINE='" << line
                        << "'\nCOMP_POINT=${#COMP_LINE}\n_hanas\nprintf '%s\\n' \"${COMPREPLY[@]}\" > " << folder_ << "/answer\n";
    EXPECT_EQ(std::system(absl::StrCat("bash ", test).c_str()), 0);
    return ReadText(folder_ + "/answer");
  };
  EXPECT_EQ(complete(hanas + " watch sea", hanas + " watch sea", 2), "searches/17\nsearches/18\n");
  EXPECT_EQ(complete(hanas + " pau", hanas + " pau", 1), "pause\n");
  EXPECT_EQ(complete(hanas + " list -o y", hanas + " list -o y", 3), "yaml\n");
  server_.reset();
  EXPECT_EQ(complete(hanas + " watch sea", hanas + " watch sea", 2), "\n") << "a coordinator that is away offers nothing";
}

// An interactive zsh on a terminal of its own, in which the Tab key is pressed; ^T says what has become of the line.
constexpr char kTypeIntoZsh[] = R"(
zmodload zsh/zpty
zpty shell zsh -f
zpty -w shell "PS1=; autoload -Uz compinit; $1"
zpty -w shell "save() { print -r -- \"\$BUFFER\" >> $FOLDER/lines; BUFFER=; }; zle -N save; bindkey '^T' save; setopt no_beep"
shift
for line; do zpty -w -n shell "$line"$'\t\x14'; done
zpty -w shell $'\nexit'
zpty -r shell output '*there is no such output*'
exit 0
)";

TEST_F(VerbsTest, ZshCompletesOnATerminal) {
  if (std::system("command -v zsh > /dev/null") != 0) GTEST_SKIP() << "expected zsh to type into, found none";
  AddSearch("searches/17", v1::PHASE_TRAINING);
  AddSearch("searches/18", v1::PHASE_TRAINING);
  std::ofstream(folder_ + "/_hanas") << Run({"completion", "zsh"}).out;
  std::ofstream(folder_ + "/type.zsh") << kTypeIntoZsh;
  std::ofstream(folder_ + "/job.yaml") << "name: x\n";
  const std::string path = fs::path(ProgramPath("hanas")).parent_path().string();
  // From a folder of functions, and read into the running shell.
  for (const std::string load : {"fpath=($FOLDER $fpath); compinit -u -D", "compinit -u -D; source $FOLDER/_hanas"}) {
    fs::remove(folder_ + "/lines");
    const std::string command =
        absl::StrCat("cd ", folder_, " && FOLDER=", folder_, " PATH=", path, ":$PATH HANAS_COORDINATOR=", address_,
                     " timeout 60 zsh -f type.zsh '", load, "' 'hanas sub' 'hanas list -o y' 'hanas list --output=j' ",
                     "'hanas data f' 'hanas validate jo' 'hanas watch sea' 'hanas help exit'");
    ASSERT_EQ(std::system(command.c_str()), 0);
    EXPECT_EQ(ReadText(folder_ + "/lines"),
              "hanas submit \nhanas list -o yaml \nhanas list --output=json \nhanas data fetch \nhanas validate job.yaml \n"
              "hanas watch searches/1\nhanas help exit-codes \n")
        << load;
  }
}

}  // namespace
}  // namespace hanas::cli
