// SPDX-License-Identifier: Apache-2.0
// How a search is followed, and how its results are fetched.
#include <csignal>

#include "gmock/gmock.h"
#include "tests/cli/verbs_fixture.h"

namespace hanas::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(VerbsTest, ExportDownloadsChecksAndGoesOn) {
  AddDoneSearch();
  const std::string out = folder_ + "/out";
  const Ended one = Run({"export", "1", "--member", "member-2", "--out", out});
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(one.out, absl::StrCat(out, "/models/member-2.onnx\n", out, "/report.json\n", out, "/front.svg\n"));
  EXPECT_FALSE(fs::exists(out + "/models/member-1.onnx"));
  EXPECT_EQ(ReadText(out + "/models/member-2.onnx"), std::string(5000, '2'));

  // The connection is lost on the way: it goes on where it was. What is damaged is fetched anew.
  std::ofstream(out + "/models/member-2.onnx") << "damaged";
  artifacts_.FailDownloadAfter(3);
  EXPECT_EQ(Run({"export", "1", "--out", out}).code, 0);
  EXPECT_EQ(ReadText(out + "/models/member-1.onnx"), std::string(5000, '1'));
  EXPECT_EQ(ReadText(out + "/models/member-2.onnx"), std::string(5000, '2'));
  EXPECT_EQ(std::distance(fs::directory_iterator(out + "/models"), {}), 2) << "no partial file stays";
  EXPECT_THAT(ReadText(out + "/report.json"), HasSubstr("\"onnxFile\": \"models/member-1.onnx\""));

  // A transfer that an earlier call left behind is taken up, even a wrong one.
  const std::string sha256 = rpc::Sha256Hex(std::string(5000, '1'));
  fs::remove(out + "/models/member-1.onnx");
  std::ofstream(absl::StrCat(out, "/models/member-1.onnx.", sha256.substr(0, 16), ".part")) << std::string(2500, 'x');
  EXPECT_EQ(Run({"export", "1", "--out", out}).code, 0);
  EXPECT_EQ(ReadText(out + "/models/member-1.onnx"), std::string(5000, '1'));
}

TEST_F(VerbsTest, ExportRefusesWhatIsNotThere) {
  AddDoneSearch();
  AddSearch("searches/2", v1::PHASE_TRAINING);
  const Ended typo = Run({"export", "1", "--member", "membre-1", "--out", folder_ + "/a"});
  EXPECT_EQ(typo.code, static_cast<int>(ExitCode::kNotFound));
  EXPECT_THAT(typo.err, HasSubstr("did you mean \"member-1\"?"));
  EXPECT_EQ(Run({"export", "2", "--out", folder_ + "/a"}).code, static_cast<int>(ExitCode::kRefused));
  coordinator_.With([](FakeState& state) { state.reports["searches/2"].set_job_digest("another"); });
  EXPECT_EQ(Run({"export", "1", "--out", folder_ + "/a"}).code, 0);
  const Ended mixed = Run({"export", "2", "--out", folder_ + "/a"});
  EXPECT_EQ(mixed.code, static_cast<int>(ExitCode::kDirectory));
  EXPECT_THAT(mixed.err, HasSubstr("that of another job"));
  coordinator_.With([](FakeState& state) { state.reports["searches/1"].mutable_front(0)->set_onnx_sha256(std::string(64, 'a')); });
  EXPECT_EQ(Run({"export", "1", "--out", folder_ + "/a"}).code, static_cast<int>(ExitCode::kNotFound));
}

TEST_F(VerbsTest, WatchAndExportSayWhatSpeaksAgainstTheReport) {
  AddDoneSearch();
  coordinator_.With([](FakeState& state) {
    state.stream_ends = true;
    v1::Report& report = state.reports["searches/1"];
    v1::Warning& drawn = *report.add_warnings();
    drawn.set_code("DRAWN_DATA");
    drawn.set_text("The data set was drawn.");
    v1::Warning& dominated = *report.add_warnings();
    dominated.set_code("DOMINATED_MEMBER");
    dominated.set_text("After fine-tuning member-1 is dominated by member-2.");
    dominated.add_members("member-1");
  });
  const std::vector<std::string> watch = {"watch", "1"};
  const std::vector<std::string> fetch = {"export", "1", "--out", folder_ + "/warned"};
  for (const std::vector<std::string>& verb : {watch, fetch}) {
    const Ended ended = Run(verb);
    EXPECT_EQ(ended.code, 0) << verb[0] << ": " << ended.err;
    EXPECT_EQ(ended.err, "hanas: warning: The data set was drawn. (DRAWN_DATA)\n") << verb[0];
  }
  coordinator_.With([](FakeState& state) {
    v1::Warning& guessing = *state.reports["searches/1"].add_warnings();
    guessing.set_code("NO_BETTER_THAN_GUESSING");
    guessing.set_text("Every network guesses.");
    guessing.add_members("member-1");
    guessing.add_members("member-2");
  });
  for (const std::vector<std::string>& verb : {watch, fetch}) {
    const Ended ended = Run(verb);
    EXPECT_EQ(ended.code, static_cast<int>(ExitCode::kGuessing)) << verb[0] << ": " << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("Every network guesses. (NO_BETTER_THAN_GUESSING)")) << verb[0];
  }
}

TEST_F(VerbsTest, WatchGoesOnOverARestartAndSaysSoOnce) {
  AddSearch("searches/1", v1::PHASE_TRAINING);
  coordinator_.With([](FakeState& state) { state.events = {MakeEvent(1, "one"), MakeEvent(2, "two")}; });
  LiveProgram watch("hanas", {"watch", "1"}, Environment());
  ASSERT_TRUE(watch.ReadUntil("two")) << watch.output();
  server_->Shutdown(absl::ZeroDuration());
  server_.reset();
  ASSERT_TRUE(watch.ReadUntil("lost the coordinator")) << watch.output();
  AddDoneSearch();
  coordinator_.With([](FakeState& state) {
    state.events.push_back(MakeEvent(3, "three"));
    state.stream_ends = true;
  });
  Serve(address_);
  EXPECT_EQ(watch.Wait(), 0) << watch.output();
  EXPECT_THAT(watch.output(), HasSubstr("the coordinator is back"));
  EXPECT_THAT(watch.output(), HasSubstr("three"));
  for (const std::string once : {"one\n", "two\n", "lost the coordinator"}) {
    EXPECT_EQ(watch.output().find(once), watch.output().rfind(once)) << once;
  }
  coordinator_.With([](FakeState& state) {
    EXPECT_EQ(state.watched_after.front(), 0);
    EXPECT_EQ(state.watched_after.back(), 2);
  });
}

TEST_F(VerbsTest, WatchGivesUpEventually) {
  AddSearch("searches/1", v1::PHASE_TRAINING);
  LiveProgram watch("hanas", {"watch", "1", "--give-up-after", "0.2"}, Environment());
  coordinator_.Await([](const FakeState& state) { return !state.watched_after.empty(); });
  server_.reset();
  EXPECT_EQ(watch.Wait(), kUnreachable) << watch.output();
  EXPECT_THAT(watch.output(), HasSubstr("gave up after"));
}

TEST_F(VerbsTest, WatchEndsAsTheSearchDoes) {
  AddSearch("searches/1", v1::PHASE_FAILED);
  coordinator_.With([](FakeState& state) {
    state.searches["searches/1"].set_error("the fastest network needs 3 ms");
    state.searches["searches/1"].set_error_code("INFEASIBLE_LIMITS");
    state.events = {MakeEvent(1, "one"), MakeEvent(2, "two")};
    state.stream_ends = true;
  });
  const Ended ended = Run({"watch", "1", "-o", "json", "--after", "1"});
  EXPECT_EQ(ended.code, static_cast<int>(ExitCode::kInfeasible));
  EXPECT_THAT(ended.out, StartsWith("{\"sequence\":\"2\""));
  EXPECT_EQ(std::count(ended.out.begin(), ended.out.end(), '\n'), 1);
  EXPECT_THAT(ended.err, HasSubstr("the fastest network needs 3 ms"));
}

TEST_F(VerbsTest, AnInterruptedWatchSaysHowToGoOn) {
  AddSearch("searches/1", v1::PHASE_TRAINING);
  coordinator_.With([](FakeState& state) { state.events = {MakeEvent(4, "four")}; });
  LiveProgram watch("hanas", {"watch", "1"}, Environment());
  ASSERT_TRUE(watch.ReadUntil("four"));
  watch.Signal(SIGINT);
  EXPECT_EQ(watch.Wait(), 130);
  EXPECT_THAT(watch.output(), HasSubstr("hanas watch searches/1 --after 4"));
}

}  // namespace
}  // namespace hanas::cli
