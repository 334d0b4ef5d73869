// SPDX-License-Identifier: Apache-2.0
// Train, evaluate, bind, pack, measure and verify one small network through the executors of worker and agent: all but the coordinator.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_reason.h"
#include "core/bound/preprocess.h"
#include "core/plan/exec_plan.h"
#include "dataset/draw.h"
#include "export/bound_model_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "profiler-agent/runtime/xnnpack/xnnpack_runtime.h"
#include "profiler-agent/service/agent_executor.h"
#include "rpc/convert/job.h"
#include "rpc/convert/space.h"
#include "tests/core/small_space.h"
#include "tests/services/fakes.h"
#include "worker/service/artifact_cache.h"
#include "worker/service/worker_executor.h"
#include "worker/torch/create_engine.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::string AgentProgram() { return absl::StrCat(std::getenv("HANAS_BIN_DIR"), "/hanas-profiler-agent"); }

class ChainTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root_ = std::filesystem::path(::testing::TempDir()) / absl::StrCat("hanas-chain-", ::getpid());
    std::filesystem::create_directories(root_);
    ASSERT_THAT(DrawDataset((root_ / "drawn").string(), {.num_train = 600, .num_test = 200, .seed = 3}), IsOk());
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(root_); }

  v1::SpaceSpec Space() const { return rpc::ToProto(SmallSpaceSpec()); }
  v1::DatasetSpec Data() const { return rpc::ToProto(DatasetSpec{"drawn", DatasetFormat::kIdx, "drawn", 100}); }
  v1::TrainingSpec Training(int64_t steps) const {
    TrainingSpec training;
    training.steps = steps;
    training.batch_size = 16;
    return rpc::ToProto(training);
  }
  v1::Task TrainTask(int64_t from, int64_t to, const v1::ArtifactRef& initial) const {
    v1::Task task;
    task.mutable_lease()->set_task("tasks/1");
    v1::TrainTask& train = *task.mutable_train();
    *train.mutable_space() = Space();
    *train.mutable_dataset() = Data();
    *train.mutable_training() = Training(4);
    train.set_seed(5);
    train.set_from_step(from);
    train.set_to_step(to);
    *train.mutable_initial() = initial;
    return task;
  }
  v1::ArtifactRef Train() {
    const auto trained = worker_.Execute(TrainTask(0, 4, {}), context_);
    EXPECT_THAT(trained, IsOk());
    return trained->train().checkpoint();
  }
  /// Of the network and the smallest one.
  v1::Task EvaluateTask(const v1::ArtifactRef& checkpoint) const {
    v1::Task task;
    v1::EvaluateTask& evaluate = *task.mutable_evaluate();
    *evaluate.mutable_space() = Space();
    *evaluate.mutable_dataset() = Data();
    *evaluate.mutable_checkpoint() = checkpoint;
    evaluate.set_validation_images(100);
    evaluate.set_calibration_images(64);
    for (const Architecture& architecture : {network_, lowering_.space().Smallest({8, 8})}) {
      *evaluate.add_architectures() = rpc::ToProto(architecture);
      evaluate.add_graph_digests(GraphDigest(lowering_.Lower(architecture)).ToHex());
    }
    return task;
  }
  v1::Task BindTask(const v1::ArtifactRef& checkpoint) const {
    v1::Task task;
    v1::BindTask& bind = *task.mutable_bind();
    *bind.mutable_space() = Space();
    *bind.mutable_dataset() = Data();
    *bind.mutable_checkpoint() = checkpoint;
    *bind.mutable_architecture() = rpc::ToProto(network_);
    bind.set_graph_digest(GraphDigest(lowering_.Lower(network_)).ToHex());
    bind.set_calibration_images(64);
    return task;
  }

  static inline std::filesystem::path root_;
  MemoryArtifacts artifacts_;
  DatasetStore datasets_{root_.string()};
  std::unique_ptr<TrainingEngine> engine_ = CreateTorchEngine({});
  WorkerExecutor worker_{engine_.get(), &artifacts_, &datasets_};
  ScriptedContext context_;
  Lowering lowering_{SmallConvnet()};
  Architecture network_ = lowering_.space().Largest({8, 8});
  BackendCaps caps_ = (*CreateXnnpackRuntime())->caps();
  AgentExecutor agent_{caps_, &artifacts_, AgentProgram()};
};

TEST_F(ChainTest, TrainsInChunksThatCompose) {
  const v1::ArtifactRef whole = Train();
  EXPECT_THAT(context_.reports, SizeIs(4));
  EXPECT_THAT(context_.last_note, HasSubstr("images/s"));
  const auto first = worker_.Execute(TrainTask(0, 2, {}), context_);
  ASSERT_THAT(first, IsOk());
  EXPECT_EQ(first->train().step(), 2);
  EXPECT_TRUE(first->train().reached_end());
  EXPECT_THAT(first->train().dataset_digest(), SizeIs(64));
  ASSERT_THAT(datasets_.List(), SizeIs(1));
  EXPECT_EQ(datasets_.List()[0].name, "drawn");
  EXPECT_EQ(datasets_.List()[0].digest, first->train().dataset_files());
  const auto second = worker_.Execute(TrainTask(2, 4, first->train().checkpoint()), context_);
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(second->train().checkpoint().sha256(), whole.sha256());
}

TEST_F(ChainTest, HandsBackACheckpointAtAStepBoundary) {
  context_.stop_after = 1;
  const auto handed_back = worker_.Execute(TrainTask(0, 4, {}), context_);
  ASSERT_THAT(handed_back, IsOk());
  EXPECT_EQ(handed_back->train().step(), 2);
  EXPECT_FALSE(handed_back->train().reached_end());
  EXPECT_TRUE(artifacts_.stored.contains(handed_back->train().checkpoint().sha256()));
  context_ = ScriptedContext();
  context_.stop_after = 0;
  context_.then = rpc::Directive::kAbandon;
  EXPECT_THAT(worker_.Execute(TrainTask(0, 4, {}), context_), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(ChainTest, ANetworkLearnsFromTheTeacherThatItsTaskNames) {
  const v1::ArtifactRef alone = Train();
  v1::Task task = TrainTask(0, 4, {});
  v1::Teacher& teacher = *task.mutable_train()->mutable_teacher();
  *teacher.mutable_space() = Space();
  *teacher.mutable_architecture() = rpc::ToProto(network_);
  *teacher.mutable_checkpoint() = alone;
  teacher.set_weight(0.5);
  teacher.set_temperature(4);
  teacher.set_calibration_images(64);
  const auto taught = worker_.Execute(task, context_);
  ASSERT_THAT(taught, IsOk());
  EXPECT_NE(taught->train().checkpoint().sha256(), alone.sha256());
  const auto again = worker_.Execute(task, context_);  // with the answers that it remembers
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->train().checkpoint().sha256(), taught->train().checkpoint().sha256());

  teacher.set_temperature(0);
  EXPECT_THAT(worker_.Execute(task, context_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("teacher.temperature: expected a number from 1 to 100, found 0")));
  teacher.set_temperature(4);
  teacher.mutable_architecture()->set_genes("none");
  EXPECT_THAT(worker_.Execute(task, context_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("teacher.architecture")));
}

TEST_F(ChainTest, BadTrainingTasksAreRefused) {
  EXPECT_THAT(worker_.Execute(TrainTask(2, 4, {}), context_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("checkpoint to continue from step 2")));
  EXPECT_THAT(worker_.Execute(TrainTask(0, 5, {}), context_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("to_step <= 4")));
  v1::Task task = TrainTask(0, 4, {});
  task.mutable_train()->mutable_dataset()->set_directory("elsewhere");
  const absl::Status missing = worker_.Execute(task, context_).status();
  EXPECT_EQ(ReasonOf(missing), "DATA_MISSING");
  task.mutable_train()->mutable_dataset()->set_directory("../etc");
  EXPECT_THAT(worker_.Execute(task, context_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("dataset.directory")));
  task = TrainTask(0, 4, {});
  task.mutable_train()->mutable_space()->set_num_classes(11);
  EXPECT_EQ(ReasonOf(worker_.Execute(task, context_).status()), "DATA_DISAGREES");
  EXPECT_THAT(worker_.Execute(v1::Task(), context_), StatusIs(absl::StatusCode::kUnimplemented));
}

TEST_F(ChainTest, DataOfAnotherDigestThanTheSearchBeganWithIsRefused) {
  v1::Task train = TrainTask(0, 4, {});
  const auto trained = worker_.Execute(train, context_);
  ASSERT_THAT(trained, IsOk());
  train.set_dataset_digest(trained->train().dataset_digest());
  EXPECT_THAT(worker_.Execute(train, context_), IsOk());

  v1::Task pack;
  *pack.mutable_pack_images()->mutable_dataset() = Data();
  for (v1::Task task : {train, BindTask(trained->train().checkpoint()), pack}) {
    task.set_dataset_digest(std::string(64, 'a'));
    const absl::Status refused = worker_.Execute(task, context_).status();
    EXPECT_EQ(ReasonOf(refused), "DATA_DISAGREES") << refused;
    EXPECT_THAT(refused.message(), HasSubstr(std::string(64, 'a')));
    EXPECT_THAT(refused.message(), HasSubstr(trained->train().dataset_digest()));
  }
}

TEST_F(ChainTest, EvaluatesAndRefusesAnotherLowering) {
  v1::Task task = EvaluateTask(Train());
  v1::EvaluateTask& evaluate = *task.mutable_evaluate();
  const auto evaluated = worker_.Execute(task, context_);
  ASSERT_THAT(evaluated, IsOk());
  ASSERT_EQ(evaluated->evaluate().accuracies_size(), 2);
  EXPECT_EQ(evaluated->evaluate().accuracies(1).images(), 100);
  evaluate.set_graph_digests(1, std::string(32, '0'));
  const absl::Status refused = worker_.Execute(task, context_).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(ReasonOf(refused), "LOWERING_DISAGREES");
}

TEST_F(ChainTest, TrainsNetworksAloneBeforeItScoresThem) {
  v1::Task task = EvaluateTask({});
  v1::TrainAlone& train = *task.mutable_evaluate()->mutable_train();
  *train.mutable_training() = Training(6);
  train.add_steps(3);
  train.add_steps(6);
  train.set_seed(5);
  const auto evaluated = worker_.Execute(task, context_);
  ASSERT_THAT(evaluated, IsOk());
  ASSERT_EQ(evaluated->evaluate().accuracies_size(), 2);
  EXPECT_EQ(evaluated->evaluate().accuracies(0).images(), 100);
  EXPECT_THAT(context_.reports, SizeIs(3 + 1 + 6 + 1)) << "every step, and every network";
  EXPECT_EQ(context_.reports.back(), std::pair(int64_t{2}, int64_t{2}));
  EXPECT_THAT(artifacts_.stored, IsEmpty()) << "what they learned is not kept";

  // A network's score does not depend on what else the task is about.
  v1::Task second = task;
  v1::EvaluateTask& one = *second.mutable_evaluate();
  one.mutable_architectures()->DeleteSubrange(0, 1);
  one.mutable_graph_digests()->DeleteSubrange(0, 1);
  one.mutable_train()->mutable_steps()->Set(0, 6);
  one.mutable_train()->mutable_steps()->RemoveLast();
  const auto alone = worker_.Execute(second, context_);
  ASSERT_THAT(alone, IsOk());
  EXPECT_EQ(alone->evaluate().accuracies(0).loss(), evaluated->evaluate().accuracies(1).loss());

  train.mutable_steps()->Set(1, 0);
  EXPECT_THAT(worker_.Execute(task, context_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("evaluate.train.steps: expected at least 1, found 0")));
  train.mutable_steps()->RemoveLast();
  EXPECT_THAT(
      worker_.Execute(task, context_),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("evaluate.train.steps: expected one for each of 2 architectures, found 1")));
}

/// Runs out of memory at the second network that it is to evaluate.
class SmallMemoryEngine : public TrainingEngine {
 public:
  absl::StatusOr<std::vector<ClassificationScore>> Evaluate(const EvaluateRequest&, absl::Span<const Architecture>,
                                                            const EvaluateProgress& progress) override {
    progress(0, {});
    return WithReason(absl::ResourceExhaustedError("evaluation: out of memory"), "NO_MEMORY");
  }
  absl::StatusOr<TrainResult> Train(const TrainRequest&, const std::function<Continue(const TrainProgress&)>&) override { return None(); }
  absl::StatusOr<std::vector<float>> Answers(const AnswersRequest&, const std::function<Continue(int64_t)>&) override { return None(); }
  absl::StatusOr<BoundModel> Bind(const BindRequest&) override { return None(); }
  absl::StatusOr<BoundEvaluation> EvaluateBound(const EvaluateBoundRequest&, const std::function<Continue(int64_t)>&) override {
    return None();
  }
  absl::StatusOr<BoundTrace> TraceBound(const BoundModel&, const Dataset&, Split, int64_t) override { return None(); }

 private:
  static absl::Status None() { return absl::UnimplementedError("not asked for here"); }
};

/// Nothing that it trains learns.
class DivergingEngine : public SmallMemoryEngine {
 public:
  absl::StatusOr<TrainResult> Train(const TrainRequest&, const std::function<Continue(const TrainProgress&)>&) override {
    return absl::OutOfRangeError("the loss is not finite");
  }
};

TEST_F(ChainTest, ANetworkWhoseTrainingDivergesIsAsGoodAsOneThatGuesses) {
  v1::Task task = EvaluateTask({});
  v1::TrainAlone& train = *task.mutable_evaluate()->mutable_train();
  *train.mutable_training() = Training(4);
  train.add_steps(4);
  train.add_steps(4);
  DivergingEngine engine;
  WorkerExecutor worker(&engine, &artifacts_, &datasets_);
  const auto evaluated = worker.Execute(task, context_);
  ASSERT_THAT(evaluated, IsOk());
  EXPECT_EQ(evaluated->evaluate().accuracies(1).correct(), 10);
  EXPECT_EQ(evaluated->evaluate().accuracies(1).images(), 100);
  EXPECT_NEAR(evaluated->evaluate().accuracies(1).loss(), std::log(10), 1e-9);
}

TEST_F(ChainTest, TrainingAloneStopsAtAStepWhenItIsToldTo) {
  v1::Task task = EvaluateTask({});
  v1::TrainAlone& train = *task.mutable_evaluate()->mutable_train();
  *train.mutable_training() = Training(4);
  train.add_steps(4);
  train.add_steps(4);
  context_.stop_after = 5;
  EXPECT_THAT(worker_.Execute(task, context_), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(context_.reports, SizeIs(6));
}

TEST_F(ChainTest, AnEvaluationThatFailsNamesTheNetwork) {
  SmallMemoryEngine engine;
  WorkerExecutor worker(&engine, &artifacts_, &datasets_);
  const absl::Status failed = worker.Execute(EvaluateTask(*artifacts_.Upload("checkpoint")), context_).status();
  EXPECT_THAT(failed, StatusIs(absl::StatusCode::kResourceExhausted,
                               AllOf(HasSubstr("out of memory; at network 2 of 2"),
                                     HasSubstr(lowering_.space().ToReadable(lowering_.space().Smallest({8, 8}))))));
  EXPECT_EQ(ReasonOf(failed), "NO_MEMORY");
}

TEST_F(ChainTest, WhatTheWorkerBindsTheAgentVerifies) {
  const auto bound = worker_.Execute(BindTask(Train()), context_);
  ASSERT_THAT(bound, IsOk());
  EXPECT_EQ(bound->bind().test().images(), 200);
  v1::Task pack;
  *pack.mutable_pack_images()->mutable_dataset() = Data();
  const auto packed = worker_.Execute(pack, context_);
  ASSERT_THAT(packed, IsOk());
  EXPECT_EQ(packed->pack_images().num_images(), 200);
  EXPECT_EQ(packed->pack_images().classes_size(), 10);
  ASSERT_FALSE(packed->pack_images().warnings().empty());
  EXPECT_EQ(packed->pack_images().warnings(0).code(), "DRAWN_DATA");

  v1::Task task;
  task.mutable_lease()->set_task("tasks/9");
  v1::VerifyModelTask& verify = *task.mutable_verify_model();
  *verify.mutable_bound_model() = bound->bind().bound_model();
  *verify.mutable_onnx() = bound->bind().onnx();
  *verify.mutable_images() = packed->pack_images().images();
  verify.set_rounds(5);
  verify.set_max_rounds(5);
  verify.set_agreement_images(100);
  verify.set_seed(1);
  const auto verified = agent_.Execute(task, context_);
  ASSERT_THAT(verified, IsOk());
  const v1::VerifyModelResult& result = verified->verify_model();
  EXPECT_THAT(result.device().p50_us(), Gt(0));
  EXPECT_THAT(result.exported_latency().p50_us(), Gt(0));
  EXPECT_THAT(result.exported_runtime(), HasSubstr("onnxruntime"));
  EXPECT_EQ(result.compared(), 100);
  EXPECT_GE(result.agreeing(), 99);
  EXPECT_EQ(result.exported().images(), 200);
  // The file gives the same answers however it is opened; other readers round elsewhere, and many images of a barely trained network are
  // close calls.
  EXPECT_EQ(result.reopened().differing(), 0);
  EXPECT_EQ(result.reopened().accuracy().correct(), result.exported().correct());
  EXPECT_EQ(result.device_accuracy().accuracy().images(), 200);
  EXPECT_LE(result.device_accuracy().differing(), 4);
  EXPECT_NEAR(static_cast<double>(result.exported().correct()), static_cast<double>(bound->bind().test().correct()), 2);

  // With two threads every network is timed, the exported one too; the answers are those of one.
  if (std::thread::hardware_concurrency() >= 2) {
    AgentExecutor of_two(caps_, &artifacts_, AgentProgram(), &telemetry::NoMetrics(), {.num_threads = 2});
    const auto shared = of_two.Execute(task, context_);
    ASSERT_THAT(shared, IsOk());
    EXPECT_GT(shared->verify_model().device().p50_us(), 0);
    EXPECT_GT(shared->verify_model().exported_latency().p50_us(), 0);
    EXPECT_EQ(shared->verify_model().exported().correct(), result.exported().correct());
    EXPECT_EQ(shared->verify_model().device_accuracy().accuracy().correct(), result.device_accuracy().accuracy().correct());
    EXPECT_EQ(shared->verify_model().agreeing(), result.agreeing());
  }

  // The same file with a local function "Conv" in it (field 25 of a model) gets no further than the agent's check.
  const std::string hostile = artifacts_.stored[verify.onnx().sha256()] +
                              "\xca\x01\x06\x0a\x04"
                              "Conv";
  *verify.mutable_onnx() = *artifacts_.Upload(hostile);
  EXPECT_THAT(agent_.Execute(task, context_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found ModelProto.functions")));
}

TEST_F(ChainTest, WorkerAndAgentPreprocessAlike) {
  network_ = lowering_.space().Largest({16, 16});
  const auto bound = worker_.Execute(BindTask(Train()), context_);
  ASSERT_THAT(bound, IsOk());
  const auto model = ParseBoundModel(artifacts_.stored[bound->bind().bound_model().sha256()]);
  ASSERT_THAT(model, IsOk());
  const auto dataset = datasets_.Get({"drawn", DatasetFormat::kIdx, "drawn", 100}, 28, 1);
  ASSERT_THAT(dataset, IsOk());
  const Dataset& data = **dataset;
  ASSERT_NE(data.height(), model->preprocessing.input_height) << "the test is about resizing";
  for (int64_t i = 0; i < 20; ++i) {
    const auto trace = engine_->TraceBound(*model, data, Split::kTest, i);
    ASSERT_THAT(trace, IsOk());
    const auto here = PreprocessImage(data.image(Split::kTest, i), data.height(), data.width(), data.channels(), model->preprocessing);
    ASSERT_THAT(here, IsOk());
    EXPECT_EQ(*here, trace->values[static_cast<size_t>(model->graph.input)]) << "image " << i;
  }
}

TEST_F(ChainTest, TheAgentMeasuresOperatorsAndNetworksAndStreamsRounds) {
  const std::vector<OpKey> keys = EnumerateOpKeys(lowering_, caps_);
  v1::Task task;
  v1::MeasureOperatorsTask& operators = *task.mutable_measure_operators();
  for (size_t i = 0; i < 4; ++i) operators.add_keys(ToString(keys[i * keys.size() / 4]));
  operators.set_rounds(5);
  operators.set_max_rounds(5);
  const auto measured = agent_.Execute(task, context_);
  ASSERT_THAT(measured, IsOk());
  EXPECT_EQ(measured->measure_operators().rows_size(), 4);
  size_t rows = 0;
  for (const auto& [round, visits] : context_.rounds) rows += visits.size();
  EXPECT_EQ(rows, 20U);

  // An attempt that is given the rounds of an earlier one does not repeat them.
  for (const auto& [round, visits] : context_.rounds) {
    v1::RecordedRound& recorded = *operators.add_recorded();
    recorded.set_round(round);
    recorded.mutable_rows()->Assign(visits.begin(), visits.end());
  }
  ScriptedContext again;
  const auto repeated = agent_.Execute(task, again);
  ASSERT_THAT(repeated, IsOk());
  EXPECT_THAT(again.rounds, IsEmpty());
  EXPECT_EQ(repeated->measure_operators().rows(0).flushed_us(), measured->measure_operators().rows(0).flushed_us());

  v1::Task networks;
  v1::NetworkToMeasure& network = *networks.mutable_measure_networks()->add_networks();
  networks.mutable_measure_networks()->set_rounds(5);
  networks.mutable_measure_networks()->set_max_rounds(5);
  *network.mutable_space() = Space();
  *network.mutable_architecture() = rpc::ToProto(network_);
  network.set_plan_digest(PlanDigest(MakePlan(lowering_.Lower(network_), caps_)).ToHex());
  const auto whole = agent_.Execute(networks, context_);
  ASSERT_THAT(whole, IsOk());
  EXPECT_THAT(whole->measure_networks().rows(0).p50_us(), Gt(0));
  network.set_plan_digest(std::string(32, '0'));
  EXPECT_EQ(ReasonOf(agent_.Execute(networks, context_).status()), "PLAN_DISAGREES");
}

TEST_F(ChainTest, TheAgentRefusesBadTasksAndStops) {
  v1::Task task;
  task.mutable_measure_operators()->add_keys("conv9d");
  task.mutable_measure_operators()->set_rounds(5);
  task.mutable_measure_operators()->set_max_rounds(5);
  EXPECT_THAT(agent_.Execute(task, context_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("keys[0]")));
  EXPECT_THAT(agent_.Execute(TrainTask(0, 1, {}), context_), StatusIs(absl::StatusCode::kUnimplemented));

  task.mutable_measure_operators()->set_max_rounds(-1);
  EXPECT_THAT(agent_.Execute(task, context_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("measure_operators: measure options: expected max_rounds")));
  task.mutable_measure_operators()->set_max_rounds(5);
  v1::Task verify;
  verify.mutable_verify_model()->set_rounds(5);
  verify.mutable_verify_model()->set_max_rounds(5);
  EXPECT_THAT(agent_.Execute(verify, context_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("verify_model.agreement_images: expected at least 1, found 0")));
  verify.mutable_verify_model()->set_agreement_images(1);
  for (v1::ArtifactRef* artifact : {verify.mutable_verify_model()->mutable_bound_model(), verify.mutable_verify_model()->mutable_onnx(),
                                    verify.mutable_verify_model()->mutable_images()}) {
    artifact->set_sha256(std::string(64, '0'));
    artifact->set_size_bytes(int64_t{1} << 30);
  }
  EXPECT_THAT(agent_.Execute(verify, context_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bytes together")))
      << "before anything is fetched";

  task.mutable_measure_operators()->set_keys(0, ToString(EnumerateOpKeys(lowering_, caps_).front()));
  context_.stop_after = 0;
  EXPECT_THAT(agent_.Execute(task, context_), StatusIs(absl::StatusCode::kCancelled));
  context_ = ScriptedContext();
  context_.record_status = absl::CancelledError("the lease is lost");
  EXPECT_THAT(agent_.Execute(task, context_), StatusIs(absl::StatusCode::kCancelled, HasSubstr("the lease is lost")));
  // A program that is no agent.
  context_ = ScriptedContext();
  AgentExecutor broken(caps_, &artifacts_, "/bin/true");
  EXPECT_EQ(ReasonOf(broken.Execute(task, context_).status()), "MEASURE_GARBAGE");
}

TEST_F(ChainTest, TheCacheSparesTransfersAndForgetsTheOldest) {
  const std::string directory = (root_ / "cache").string();
  auto cache = ArtifactCache::Create(&artifacts_, directory, /*max_bytes=*/2500);
  ASSERT_THAT(cache, IsOk());
  const v1::ArtifactRef first = *cache->Upload(std::string(1000, 'a'));
  EXPECT_EQ(*cache->Download(first), std::string(1000, 'a'));
  EXPECT_EQ(artifacts_.downloads, 0);
  // A damaged file is fetched again.
  std::filesystem::resize_file(directory + "/" + first.sha256(), 999);
  EXPECT_EQ(*cache->Download(first), std::string(1000, 'a'));
  EXPECT_EQ(artifacts_.downloads, 1);
  for (const char letter : {'b', 'c', 'd'}) ASSERT_THAT(cache->Upload(std::string(1000, letter)), IsOk());
  EXPECT_LE(std::distance(std::filesystem::directory_iterator(directory), {}), 2);
  v1::ArtifactRef evil = first;
  evil.set_sha256("../../etc/passwd");
  EXPECT_THAT(cache->Download(evil), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace hanas
