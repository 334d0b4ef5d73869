// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/backends/backends.h"

#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

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

}  // namespace
}  // namespace hanas
