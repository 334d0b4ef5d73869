// SPDX-License-Identifier: Apache-2.0
// The main of every test program. Differs from gmock_main in its exit status: a program whose cases were all skipped exits with 77, which
// ctest reports as skipped, and a program without cases fails.

#include <cstdio>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

constexpr int kSkipped = 77;  // SKIP_RETURN_CODE in cmake/HanasTargets.cmake.

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  const int status = RUN_ALL_TESTS();
  if (status != 0 || testing::GTEST_FLAG(list_tests)) return status;
  const testing::UnitTest& run = *testing::UnitTest::GetInstance();
  if (run.test_to_run_count() == 0) {
    std::fprintf(stderr, "No test case was selected.\n");
    return 1;
  }
  return run.skipped_test_count() == run.test_to_run_count() ? kSkipped : 0;
}
