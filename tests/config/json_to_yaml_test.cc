// SPDX-License-Identifier: Apache-2.0
#include "config/json_to_yaml.h"

#include <yaml-cpp/yaml.h>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::config {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

TEST(JsonToYamlTest, KeepsKeysInOrderAndTypesAsTheyAre) {
  EXPECT_THAT(JsonToYaml(R"({"name": "searches/7", "done": 3, "share": 0.25, "noisy": false, "none": null,
                             "list": [1, "two", {"a": []}], "empty": {}})"),
              IsOkAndHolds("name: searches/7\n"
                           "done: 3\n"
                           "share: 0.25\n"
                           "noisy: false\n"
                           "none: ~\n"
                           "list:\n"
                           "  - 1\n"
                           "  - two\n"
                           "  - a: []\n"
                           "empty:\n"
                           "  {}\n"));
}

TEST(JsonToYamlTest, StringsThatLookLikeSomethingElseStayStrings) {
  for (const char* text :
       {"12", "1e5", "true", "no", "null", "~", "", "- a", "a: b", "#x", "2026-11-21", "a b", "0x1f", "line\\nbreak", "µs ±"}) {
    const absl::StatusOr<std::string> yaml = JsonToYaml(absl::StrCat("{\"key\": \"", text, "\"}"));
    ASSERT_THAT(yaml, IsOk()) << text;
    const YAML::Node value = YAML::Load(*yaml)["key"];
    EXPECT_EQ(value.Scalar(), absl::StrReplaceAll(text, {{"\\n", "\n"}})) << *yaml;
    EXPECT_EQ(value.Tag(), "!") << "read back as a plain word: " << *yaml;
  }
}

TEST(JsonToYamlTest, RefusesWhatIsNotJson) { EXPECT_THAT(JsonToYaml("{\"a\": [1, }"), StatusIs(absl::StatusCode::kInvalidArgument)); }

}  // namespace
}  // namespace hanas::config
