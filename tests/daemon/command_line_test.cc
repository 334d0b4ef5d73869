// SPDX-License-Identifier: Apache-2.0
// What the three programs say about their options, and what they refuse before they start.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "config/process/exit_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/generated_section.h"
#include "tests/support/program.h"

namespace hanas {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

struct Ended {
  int status = 0;
  std::string output;
};

Ended RunProgram(const std::string& program, std::vector<std::string> arguments) {
  Program process(ProgramPath(program), std::move(arguments));
  const int status = process.Wait();
  return {status, process.output()};
}

/// A variable of the environment for as long as this lives.
class Variable {
 public:
  Variable(std::string name, const std::string& value) : name_(std::move(name)) { setenv(name_.c_str(), value.c_str(), 1); }
  ~Variable() { unsetenv(name_.c_str()); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const std::string name_;
};

class CommandLineTest : public ::testing::TestWithParam<std::string> {
 protected:
  CommandLineTest() {
    std::filesystem::create_directories(root_);
    unsetenv("HANAS_DATA_DIR");
  }
  ~CommandLineTest() override { std::filesystem::remove_all(root_); }

  /// What the program cannot do without.
  std::vector<std::string> Needed() const {
    if (GetParam() == "hanas-coordinator") return {"--data-dir", (root_ / "state").string()};
    return {"--coordinator", "127.0.0.1:7700"};
  }
  Ended RunWith(std::vector<std::string> more) const {
    std::vector<std::string> arguments = Needed();
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunProgram(GetParam(), arguments);
  }
  std::string Prefix() const {
    return GetParam() == "hanas-profiler-agent" ? "HANAS_AGENT_"
                                                : absl::AsciiStrToUpper(absl::StrReplaceAll(GetParam(), {{"-", "_"}})) + "_";
  }
  std::string File(const std::string& content) const {
    std::ofstream(root_ / "config.yaml") << content;
    return (root_ / "config.yaml").string();
  }

  const std::filesystem::path root_ = std::filesystem::path(::testing::TempDir()) / absl::StrCat("hanas-command-line-", ::getpid());
};

INSTANTIATE_TEST_SUITE_P(Programs, CommandLineTest, ::testing::Values("hanas-coordinator", "hanas-worker", "hanas-profiler-agent"),
                         [](const auto& program) { return absl::StrReplaceAll(program.param, {{"-", "_"}}); });

TEST_P(CommandLineTest, HelpTeaches) {
  const Ended help = RunProgram(GetParam(), {"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.output, AllOf(HasSubstr("\nExample:\n  " + GetParam() + " --"), HasSubstr("A flag wins over a variable"),
                                 HasSubstr("\nExit status:\n  0  "), HasSubstr(Prefix() + "HTTP_LISTEN; default: 127.0.0.1:0"),
                                 HasSubstr("--stop-timeout-seconds SECONDS")));
}

TEST_P(CommandLineTest, VersionNamesProgramBuildAndLibraries) {
  const Ended version = RunProgram(GetParam(), {"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_THAT(version.output, AllOf(MatchesRegex(GetParam() + " [0-9]+\\.[0-9]+\\.[0-9]+ \\([A-Za-z]+\\)\n(.|\n)*"), HasSubstr("\ngRPC 1."),
                                    HasSubstr("\nProtocol Buffers 3.")));
}

TEST_P(CommandLineTest, CheckConfigPrintsTheValuesInForceAndStartsNothing) {
  const Variable variable(Prefix() + "LOG_LEVEL", "error");
  const std::string file = File("log_level: warning\nlog_format: json\n");
  const Ended checked = RunWith({"--check-config", "--config", file, "--stop-timeout-seconds", "7"});
  EXPECT_EQ(checked.status, 0);
  EXPECT_THAT(checked.output, ::testing::ContainsRegex("log_level: error +# " + Prefix() + "LOG_LEVEL\n"));
  EXPECT_THAT(checked.output, ::testing::ContainsRegex("log_format: json +# .*config.yaml:2:13: log_format\n"));
  EXPECT_THAT(checked.output, ::testing::ContainsRegex("stop_timeout_seconds: 7 +# --stop-timeout-seconds\n"));
  EXPECT_THAT(checked.output, ::testing::ContainsRegex("http_listen: 127.0.0.1:0 +# default\n"));
  EXPECT_FALSE(std::filesystem::exists(root_ / "state"));
}

TEST_P(CommandLineTest, MistakesEndItBeforeItStarts) {
  const std::string file = File("http_listn: off\n");
  const Ended key = RunWith({"--config", file});
  EXPECT_EQ(key.status, 2);
  EXPECT_EQ(key.output, absl::StrCat(GetParam(), ": ", file, ":1:1: unknown key \"http_listn\", did you mean \"http_listen\"?\n"));

  EXPECT_THAT(RunWith({"--log-format", "xml"}).output, HasSubstr("--log-format: expected one of text, json, found \"xml\""));
  EXPECT_EQ(RunWith({"--http-port-file", "/nonexistent/port"}).status, 2);
  const Variable variable(Prefix() + "STOP_TIMEOUT_SECONDS", "soon");
  const Ended value = RunWith({"--check-config"});
  EXPECT_EQ(value.status, 2);
  EXPECT_THAT(value.output, HasSubstr(Prefix() + "STOP_TIMEOUT_SECONDS: expected a number from 1 to 3600, found \"soon\""));
}

TEST_P(CommandLineTest, WhatItNeedsMustBeGiven) {
  const Ended nothing = RunProgram(GetParam(), {});
  EXPECT_EQ(nothing.status, 2);
  EXPECT_THAT(nothing.output, HasSubstr("expected it on the command line, as " + Prefix()));
}

TEST_P(CommandLineTest, AMisspeltVariableIsWarnedOf) {
  const Variable variable(Prefix() + "LOG_FORMT", "json");
  const Ended checked = RunWith({"--check-config"});
  EXPECT_EQ(checked.status, 0);
  EXPECT_THAT(checked.output, HasSubstr("did you mean " + Prefix() + "LOG_FORMAT?"));
}

TEST_P(CommandLineTest, OtherAddressesThanLoopbackMustBeSpeltOut) {
  const Ended http = RunWith({"--check-config", "--http-listen", "0.0.0.0:9100"});
  EXPECT_EQ(http.status, 2);
  EXPECT_THAT(http.output, AllOf(HasSubstr("no TLS"), HasSubstr("--insecure-listen")));
  EXPECT_EQ(RunWith({"--check-config", "--http-listen", "0.0.0.0:9100", "--insecure-listen"}).status, 0);
  const bool coordinator = GetParam() == "hanas-coordinator";
  const std::string address = coordinator ? "--listen" : "--coordinator";
  const std::string permission = coordinator ? "--insecure-listen" : "--insecure-connect";
  const Ended refused = RunWith({"--check-config", address, "192.0.2.1:7700"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.output, HasSubstr(permission));
  EXPECT_EQ(RunWith({"--check-config", address, "192.0.2.1:7700", permission}).status, 0);
}

TEST_P(CommandLineTest, TheReferencePageIsThatOfTheProgram) {
  ExpectGeneratedSection("docs/configuration.md", GetParam(), RunProgram(GetParam(), {"--print-reference"}).output);
}

TEST(ExitStatusTest, TheReferencePageHasTheTable) {
  std::string text = "| status | meaning | a restart may help |\n|---|---|---|\n";
  for (const config::ProcessExitRow& row : config::kProcessExits) {
    absl::StrAppend(&text, "| ", static_cast<int>(row.code), " | ", row.meaning, " | ", row.restart_helps ? "yes" : "no", " |\n");
  }
  absl::StrAppend(&text, "| 128 + signal | ended at once, by a second SIGTERM or SIGINT | yes |\n");
  ExpectGeneratedSection("docs/configuration.md", "exit-status", text);
}

TEST(CoordinatorPathsTest, AreCheckedBeforeTheStart) {
  const Ended missing = RunProgram("hanas-coordinator", {"--check-config", "--data-dir", "/nonexistent/state"});
  EXPECT_EQ(missing.status, 2);
  EXPECT_THAT(missing.output, HasSubstr("--data-dir: expected a directory, or a name in one that exists, found /nonexistent/state"));
}

TEST(AgentThreadsTest, AreAtMostTheProcessorsThatItMayUse) {
  const auto check = [](const std::string& threads) {
    return RunProgram("hanas-profiler-agent", {"--check-config", "--coordinator", "127.0.0.1:7700", "--threads", threads});
  };
  const unsigned cpus = std::thread::hardware_concurrency();
  EXPECT_THAT(check("1").output, ::testing::ContainsRegex("threads: 1 +# --threads\n"));
  EXPECT_EQ(check(absl::StrCat(std::min(cpus, 256U))).status, 0);
  for (const std::string threads : {"0", "-1", "257", "300", "two"}) {
    const Ended refused = check(threads);
    EXPECT_EQ(refused.status, 2);
    EXPECT_THAT(refused.output, HasSubstr(absl::StrCat("--threads: expected a whole number from 1 to 256, found \"", threads, "\"")));
  }
  if (cpus >= 256) GTEST_SKIP() << "as many threads as are possible have a processor each here";
  const Variable variable("HANAS_AGENT_THREADS", absl::StrCat(cpus + 1));
  const Ended refused = RunProgram("hanas-profiler-agent", {"--coordinator", "127.0.0.1:7700"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.output, HasSubstr(absl::StrCat("HANAS_AGENT_THREADS: expected at most ", cpus,
                                                     ", the processors that this process may use, found ", cpus + 1)));
}

TEST(WorkerPathsTest, AreCheckedBeforeTheStart) {
  const Variable variable("HANAS_DATA_DIR", "/nonexistent");
  const Ended missing = RunProgram("hanas-worker", {"--coordinator", "127.0.0.1:1"});
  EXPECT_EQ(missing.status, 2);
  EXPECT_THAT(missing.output, HasSubstr("HANAS_DATA_DIR: expected a directory, found /nonexistent, which does not exist"));
}

}  // namespace
}  // namespace hanas
