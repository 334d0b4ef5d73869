// SPDX-License-Identifier: Apache-2.0
#include "tests/architecture/include_rules.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::architecture {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  return content.str();
}

// Every source of the repository, relative to its root, sorted. A new top-level folder is seen without being listed anywhere.
std::set<std::string> SourceFiles() {
  const std::filesystem::path root = HANAS_SOURCE_DIR;
  std::set<std::string> files;
  for (auto entry = std::filesystem::recursive_directory_iterator(root); entry != std::filesystem::recursive_directory_iterator();
       ++entry) {
    const std::string name = entry->path().filename();
    if (entry->is_directory() && entry.depth() == 0 && (name == "build" || name.starts_with('.'))) entry.disable_recursion_pending();
    if (!entry->is_regular_file()) continue;
    if (name.ends_with(".h") || name.ends_with(".cc")) files.insert(std::filesystem::relative(entry->path(), root).generic_string());
  }
  return files;
}

std::string Describe(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& violation : violations) absl::StrAppend(&text, violation.file, ":", violation.line, ": ", violation.message, "\n");
  return text;
}

TEST(IncludeRulesTest, EverySourceKeepsToTheTable) {
  const std::set<std::string> files = SourceFiles();
  ASSERT_THAT(files, testing::Contains("core/base/digest.h"));
  for (const std::string& file : files) {
    EXPECT_EQ(Describe(CheckIncludes(file, ReadFile(std::filesystem::path(HANAS_SOURCE_DIR) / file))), "");
  }
}

TEST(IncludeRulesTest, EverySourceHasTheHouseForm) {
  for (const std::string& file : SourceFiles()) {
    EXPECT_EQ(Describe(CheckForm(file, ReadFile(std::filesystem::path(HANAS_SOURCE_DIR) / file))), "");
  }
}

TEST(TypesDefinedInTest, FindsWhatNamespacesHold) {
  EXPECT_THAT(
      TypesDefinedIn("namespace a::b {\nstruct X;\nstruct X {\n  struct Inner {};\n};\nnamespace c {\nclass Y final : public X {\n};\n"
                     "}  // namespace c\nenum class Z : uint8_t { k };\n}  // namespace a::b\n"),
      ElementsAre("a::b::X", "a::b::c::Y", "a::b::Z"));
}

// A program that links two types of one name is undefined, though every one of its sources compiles.
TEST(IncludeRulesTest, NoTypeIsDefinedTwice) {
  std::map<std::string, std::string> where;
  for (const std::string& file : SourceFiles()) {
    if (!file.ends_with(".h") || file.starts_with("tests/")) continue;
    for (const std::string& type : TypesDefinedIn(ReadFile(std::filesystem::path(HANAS_SOURCE_DIR) / file))) {
      const auto [first, is_new] = where.emplace(type, file);
      EXPECT_TRUE(is_new) << type << " is defined in " << first->second << " and in " << file;
    }
  }
  EXPECT_TRUE(where.contains("hanas::SearchJob"));
}

TEST(IncludeRulesTest, TheTableHasNoCycleAndNoMisspeltEntry) {
  EXPECT_THAT(FindCycle(Rooms()), IsEmpty());
  EXPECT_THAT(UnknownEntries(Rooms()), IsEmpty());
  EXPECT_THAT(FindCycle({{"a", {"b"}}, {"b", {"c"}}, {"c", {"a"}}}), ElementsAre("a", "b", "c", "a"));
  EXPECT_THAT(UnknownEntries({{"a", {"b", "a"}}}), ElementsAre("b"));
}

struct IncludeCase {
  std::string name;
  std::string file;
  std::string include;
  std::string expected_error;  // empty: allowed
};

class IncludeRulesCaseTest : public testing::TestWithParam<IncludeCase> {};

TEST_P(IncludeRulesCaseTest, IsJudged) {
  const IncludeCase& c = GetParam();
  const std::string content = absl::StrCat("// SPDX-License-Identifier: Apache-2.0\n\n#include ", c.include, "\n");
  const std::vector<Violation> violations = CheckIncludes(c.file, content);
  if (c.expected_error.empty()) {
    EXPECT_EQ(Describe(violations), "");
  } else {
    EXPECT_THAT(violations, ElementsAre(AllOf(Field(&Violation::file, c.file), Field(&Violation::line, 3),
                                              Field(&Violation::message, HasSubstr(c.expected_error)))));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, IncludeRulesCaseTest,
    testing::Values(
        IncludeCase{"DownTheChain", "coordinator/driver/round_step.cc", "\"coordinator/search/nsga2.h\"", ""},
        IncludeCase{"WithinARoom", "coordinator/search/nsga2.cc", "\"coordinator/search/nsga2.h\"", ""},
        IncludeCase{"EveryoneSeesCore", "export/onnx.cc", "\"core/graph/graph.h\"", ""},
        IncludeCase{"StateHasNoClock", "coordinator/state/updates.cc", "\"coordinator/clock/clock.h\"", "coordinator/state may include"},
        IncludeCase{"JudgingDoesNotDecide", "coordinator/judging/candidates.cc", "\"coordinator/driver/round_step.h\"",
                    "coordinator/judging may include"},
        IncludeCase{"ReportingDoesNotDrive", "coordinator/reporting/report_data.cc", "\"coordinator/driver/round_step.h\"",
                    "coordinator/reporting may include"},
        IncludeCase{"SchedulingKnowsNoUseCase", "coordinator/scheduling/scheduler.cc", "\"coordinator/app/app.h\"",
                    "coordinator/scheduling may include"},
        IncludeCase{"Siblings", "coordinator/search/nsga2.cc", "\"coordinator/store/store.h\"", "coordinator/search may include"},
        IncludeCase{"UpTheChain", "coordinator/store/store.h", "\"coordinator/scheduling/scheduler.h\"", "coordinator/store may include"},
        IncludeCase{"SkippingALayer", "coordinator/service/service.cc", "\"coordinator/store/store.h\"", "coordinator/service may include"},
        IncludeCase{"CoreUpwards", "core/graph/graph.cc", "\"core/lowering/lowering.h\"", "core/graph may include"},
        IncludeCase{"AnotherComponent", "worker/engine/engine.cc", "\"coordinator/scheduling/scheduler.h\"", "worker/engine may include"},
        IncludeCase{"EngineIsNotAboveTorch", "worker/engine/engine.cc", "\"worker/torch/supernet.h\"", "worker/engine may include"},
        IncludeCase{"OnlyMainSeesRocksDbStore", "coordinator/scheduling/scheduler.cc", "\"coordinator/store/rocksdb/store.h\"",
                    "may include"},
        IncludeCase{"MainWires", "coordinator/main.cc", "\"coordinator/store/rocksdb/store.h\"", ""},
        IncludeCase{"TestCodeInProduct", "cli/run.cc", "\"tests/support/fake.h\"", "may not include test"},
        IncludeCase{"UnknownFolder", "worker/service/service.cc", "\"worker/misc/x.h\"", "a folder of the layout"},
        IncludeCase{"NotFromTheRoot", "cli/run.cc", "\"run.h\"", "from the repository root"},
        IncludeCase{"TorchInItsPlace", "worker/torch/supernet.cc", "<torch/torch.h>", ""},
        IncludeCase{"TorchLeaks", "worker/service/service.cc", "<torch/torch.h>", "LibTorch headers are kept in {worker/torch}"},
        IncludeCase{"RocksDbLeaks", "coordinator/store/store.h", "\"rocksdb/db.h\"", "RocksDB headers are kept in"},
        IncludeCase{"GrpcLeaks", "coordinator/scheduling/scheduler.cc", "<grpcpp/grpcpp.h>", "gRPC headers are kept in"},
        IncludeCase{"RecordsStayInTheStore", "rpc/convert/task.cc", "\"hanas/store/records.pb.h\"", "rpc/convert may include"},
        IncludeCase{"StoreDoesNotSpeakTheWire", "coordinator/store/codec.cc", "\"hanas/v1/task.pb.h\"", "coordinator/store may include"},
        IncludeCase{"BackendsAreSiblings", "profiler-agent/runtime/xnnpack/graph.cc", "\"profiler-agent/runtime/onnxruntime/session.h\"",
                    "profiler-agent/runtime/xnnpack may include"},
        IncludeCase{"StubsAreGrpc", "coordinator/store/store.cc", "\"hanas/v1/worker.grpc.pb.h\"", "gRPC headers are kept in"},
        IncludeCase{"GrpcInService", "worker/service/service.cc", "<grpcpp/grpcpp.h>", ""},
        IncludeCase{"XnnpackInItsPlace", "profiler-agent/runtime/xnnpack/graph.cc", "<xnnpack.h>", ""},
        IncludeCase{"XnnpackLeaks", "profiler-agent/measure/protocol.cc", "<xnnpack.h>", "XNNPACK headers are kept in"},
        IncludeCase{"FlatBuffersInTheirPlace", "export/bound_model_file.cc", "\"flatbuffers/flatbuffers.h\"", ""},
        IncludeCase{"FlatBuffersLeak", "profiler-agent/service/child_jobs.cc", "\"flatbuffers/flatbuffers.h\"",
                    "FlatBuffers headers are kept in {export}"},
        IncludeCase{"GoogleTestInProduct", "cli/run.cc", "\"gtest/gtest.h\"", "GoogleTest headers are kept in"},
        IncludeCase{"CoreThreads", "core/base/digest.cc", "<thread>", "core uses C++20 and Abseil only"},
        IncludeCase{"CoreLocks", "core/base/digest.cc", "\"absl/synchronization/mutex.h\"", "core uses C++20 and Abseil only"},
        IncludeCase{"CoreSystem", "core/base/digest.cc", "<sys/stat.h>", "core uses C++20 and Abseil only"},
        IncludeCase{"CoreAbseil", "core/base/digest.cc", "\"absl/strings/str_cat.h\"", ""}),
    [](const auto& parameter) { return parameter.param.name; });

TEST(IncludeRulesTest, SourceOutsideTheLayoutIsReported) { EXPECT_THAT(CheckIncludes("coordinator/helpers/x.cc", ""), SizeIs(1)); }

TEST(IncludeRulesTest, OddlySpacedIncludesAreSeen) {
  EXPECT_THAT(CheckIncludes("core/base/digest.cc", "\t#  include  <thread>\n"), SizeIs(1));
}

TEST(CheckFormTest, ReportsLicenceGuardAndLength) {
  EXPECT_THAT(CheckForm("rpc/a.h", "#pragma once\n"), SizeIs(2));
  EXPECT_THAT(CheckForm("rpc/a.h", "// SPDX-License-Identifier: Apache-2.0\n#ifndef HANAS_RPC_A_H_\n#define HANAS_RPC_A_H_\n#endif\n"),
              IsEmpty());
  EXPECT_THAT(CheckForm("rpc/a.cc", "// SPDX-License-Identifier: Apache-2.0\n" + std::string(601, '\n')), SizeIs(1));
}

}  // namespace
}  // namespace hanas::architecture
