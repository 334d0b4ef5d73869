// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/backends/backends.h"

#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/export/dense_model.h"
#include "tests/export/random_bound_model.h"

namespace hanas {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

TEST(BackendsTest, AreThoseThatJobsMayName) {
  std::vector<absl::string_view> names;
  for (const Backend& backend : Backends()) names.push_back(backend.name);
  EXPECT_THAT(names, testing::UnorderedElementsAreArray(BackendNames()));
}

TEST(BackendsTest, AChildMakesTheRuntimeThatItsParentAnnounced) {
  for (const Backend& backend : Backends()) {
    const absl::StatusOr<std::unique_ptr<DeviceRuntime>> probed = backend.probe();
    ASSERT_THAT(probed, IsOk());
    EXPECT_EQ((*probed)->caps().name, backend.name);
    const absl::StatusOr<std::unique_ptr<DeviceRuntime>> created = CreateRuntime((*probed)->caps());
    ASSERT_THAT(created, IsOk());
    EXPECT_EQ((*created)->caps(), (*probed)->caps());
  }
  EXPECT_THAT(CreateRuntime({.name = "abacus"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("expected a backend of this agent (xnnpack), found \"abacus\"")));
}

TEST(BackendsTest, NumbersOfThreadsThatMakeNoSenseAreRefused) {
  for (const Backend& backend : Backends()) {
    const absl::StatusOr<std::unique_ptr<DeviceRuntime>> probed = backend.probe();
    ASSERT_THAT(probed, IsOk());
    for (const int threads : {-1, 0, 257, 300}) {
      EXPECT_THAT(CreateRuntime((*probed)->caps(), {.num_threads = threads}),
                  StatusIs(absl::StatusCode::kInvalidArgument, absl::StrCat("runtime: expected 1 to 256 threads, found ", threads)));
    }
    const absl::StatusOr<std::unique_ptr<DeviceRuntime>> several = CreateRuntime((*probed)->caps(), {.num_threads = 2});
    ASSERT_THAT(several, IsOk());
    EXPECT_EQ((*several)->caps(), (*probed)->caps()) << "what a backend can do does not depend on threads";
  }
}

/// One value of two executions: integers are equal, floats up to the order of sums.
void ExpectSame(const ExecPlan& plan, int value, const NetworkInstance& one, const NetworkInstance& two) {
  const absl::StatusOr<std::vector<float>> expected = one.ReadValue(value);
  const absl::StatusOr<std::vector<float>> found = two.ReadValue(value);
  ASSERT_THAT(expected, IsOk());
  ASSERT_THAT(found, IsOk());
  if (plan.values[static_cast<size_t>(value)].type == ElementType::kInt8) {
    EXPECT_EQ(*found, *expected) << "value " << value;
  } else {
    EXPECT_THAT(*found, testing::Pointwise(testing::FloatNear(1e-4F), *expected)) << "value " << value;
  }
}

TEST(BackendsTest, ThreadsChangeNoValueOfANetwork) {
  for (const Backend& backend : Backends()) {
    const absl::StatusOr<std::unique_ptr<DeviceRuntime>> probed = backend.probe();
    ASSERT_THAT(probed, IsOk());
    const BackendCaps caps = (*probed)->caps();
    const absl::StatusOr<std::unique_ptr<DeviceRuntime>> alone = CreateRuntime(caps);
    const absl::StatusOr<std::unique_ptr<DeviceRuntime>> shared = CreateRuntime(caps, {.num_threads = 2});
    ASSERT_THAT(alone, IsOk());
    ASSERT_THAT(shared, IsOk());
    for (uint64_t seed = 0; seed < 12; ++seed) {
      const BoundModel model = DenseModel(seed);
      const ExecPlan plan = MakePlan(model.graph, caps);
      const auto one = (*alone)->PrepareNetwork(model.graph, plan, &model, {.keep_values = true});
      const auto two = (*shared)->PrepareNetwork(model.graph, plan, &model, {.keep_values = true});
      ASSERT_THAT(one, IsOk());
      ASSERT_THAT(two, IsOk());
      const std::vector<float> image = RandomImage(model, seed);
      ASSERT_THAT((*one)->Infer(image), IsOk());
      for (int repeat = 0; repeat < 3; ++repeat) {  // who takes which part differs from run to run
        ASSERT_THAT((*two)->Infer(image), IsOk());
        for (int value = 0; value < static_cast<int>(plan.values.size()); ++value) ExpectSame(plan, value, **one, **two);
      }
    }
  }
}

}  // namespace
}  // namespace hanas
