// SPDX-License-Identifier: Apache-2.0
// What is shipped as an example, and what the reference shows, must load; and the example that people start with must stay cheap to
// profile.
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/status/status_matchers.h"
#include "config/job_file.h"
#include "core/family/convnet/convnet_space.h"
#include "core/plan/exec_plan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::config {
namespace {

using ::absl_testing::IsOk;

std::string Path(const std::string& relative) { return std::string(HANAS_SOURCE_DIR) + "/" + relative; }

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

size_t NumOpKeys(const std::string& example) {
  const absl::StatusOr<JobFile> file = JobFile::Load(Path(example));
  EXPECT_THAT(file, IsOk());
  if (!file.ok()) return 0;
  const BackendCaps caps = {.name = "xnnpack", .native = {{.compute = ElementType::kInt8}}};
  const size_t keys = EnumerateOpKeys(Lowering(ConvnetSpace::Define(file->job().space).value()), caps).size();
  std::printf("%s: %zu operator keys\n", example.c_str(), keys);
  return keys;
}

TEST(ExamplesTest, EveryExampleLoads) {
  int examples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Path("examples"))) {
    if (entry.path().extension() != ".yaml") continue;
    ++examples;
    EXPECT_THAT(JobFile::Load(entry.path().string()), IsOk()) << entry.path();
  }
  EXPECT_GE(examples, 3);
}

TEST(ExamplesTest, OperatorKeysStayWithinTheProfilingBudget) {
  EXPECT_LE(NumOpKeys("examples/fashion-mnist.yaml"), 800u);
  EXPECT_LE(NumOpKeys("examples/tiny.yaml"), 100u);
  EXPECT_LE(NumOpKeys("examples/cifar10.yaml"), 2500u);
  EXPECT_LE(NumOpKeys("examples/cifar10-quick.yaml"), 200u);
}

TEST(ExamplesTest, TheReferencesExampleLoads) {
  const std::string page = ReadText(Path("docs/job-file.md"));
  const size_t begin = page.find("```yaml\n");
  ASSERT_NE(begin, std::string::npos);
  const size_t end = page.find("```", begin + 8);
  const absl::StatusOr<JobFile> file = JobFile::Parse(page.substr(begin + 8, end - begin - 8), "docs/job-file.md");
  ASSERT_THAT(file, IsOk());
  const SearchJob& job = file->job();
  ASSERT_GE(job.limits.size(), 2U);
  EXPECT_DOUBLE_EQ(job.limits[0].at_most, 400);
  EXPECT_EQ(job.limits[1].at_most, 150000);
  EXPECT_THAT(job.space.stages[1].blocks[0].kernels, testing::ElementsAre(5));
  EXPECT_THAT(job.space.stages[1].blocks[1].kernels, testing::ElementsAre(3));
  EXPECT_THAT(job.space.stages[0].blocks[1].depthwise_precisions, testing::ElementsAre(Precision{8, 8}, Precision{16, 16}));
  EXPECT_THAT(job.space.stages[0].blocks[1].expand_precisions, testing::ElementsAre(Precision{4, 8}, Precision{8, 8}, Precision{16, 16}));
}

}  // namespace
}  // namespace hanas::config
