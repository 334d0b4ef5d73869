// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_INTEGRATION_KILLED_RUN_H_
#define HANAS_TESTS_INTEGRATION_KILLED_RUN_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "hanas/v1/search.pb.h"
#include "tests/integration/local_run.h"

namespace hanas {

/// `hanas run` of examples/tiny.yaml, for tests that kill its processes. Skipped without the programs.
class KilledRunTest : public testing::Test {
 protected:
  void SetUp() override;
  std::vector<std::string> Arguments() const;

  /// Kills `victim` as soon as the search shows what `holds` waits for. Returns the events seen until then, that one included unless it is
  /// progress.
  std::vector<v1::SearchEvent> KillAt(const std::string& victim, const std::function<bool(const v1::SearchEvent&)>& holds);

  /// Nothing that was acknowledged is lost, and nothing is there twice. `before` are events from before the last kill.
  static void CheckHistory(const std::vector<v1::SearchEvent>& before, const v1::Report& report);

  std::unique_ptr<Workspace> workspace_;
  std::string out_;
};

}  // namespace hanas

#endif  // HANAS_TESTS_INTEGRATION_KILLED_RUN_H_
