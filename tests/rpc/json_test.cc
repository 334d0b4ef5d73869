// SPDX-License-Identifier: Apache-2.0
#include "rpc/json.h"

#include <google/protobuf/util/json_util.h>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "hanas/v1/farm.pb.h"
#include "hanas/v1/search.pb.h"
#include "rpc/enum_word.h"

namespace hanas::rpc {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(EnumWord, IsTheNameWithoutItsType) {
  EXPECT_EQ(EnumWord(v1::PHASE_FAILED), "FAILED");
  EXPECT_EQ(EnumWord(v1::LATENCY_STATISTIC_P90), "P90");
  EXPECT_EQ(EnumWord(v1::BLOCK_KIND_FUSED_MBCONV), "FUSED_MBCONV");
  EXPECT_EQ(EnumWord(v1::SQUEEZE_STYLE_MOBILENET_V3), "MOBILENET_V3");
  EXPECT_EQ(EnumWord(v1::Device::HEALTH_UNKNOWN), "UNKNOWN");
  EXPECT_EQ(EnumWord(v1::PHASE_UNSPECIFIED), "PHASE_UNSPECIFIED") << "of what, it would not say alone";
  EXPECT_EQ(EnumWord(static_cast<v1::Phase>(99)), "");
}

TEST(EnumWord, IsFoundByWordAndName) {
  const auto number = [](absl::string_view word) {
    const auto* const found = FindEnumWord(*v1::Phase_descriptor(), word);
    return found == nullptr ? -1 : found->number();
  };
  EXPECT_EQ(number("FAILED"), v1::PHASE_FAILED);
  EXPECT_EQ(number("PHASE_FAILED"), v1::PHASE_FAILED);
  EXPECT_EQ(number("PHASE_UNSPECIFIED"), v1::PHASE_UNSPECIFIED);
  for (const char* word : {"", "failed", "UNSPECIFIED", "STATE_FAILED", "PHASE_PHASE_FAILED"}) EXPECT_EQ(number(word), -1) << word;
}

// Every enumeration of the wire: an enumerator whose name does not begin with its type's would have no word.
TEST(EnumWord, EveryEnumeratorHasItsType) {
  for (const char* file : {"hanas/v1/search.proto", "hanas/v1/task.proto", "hanas/v1/farm.proto", "hanas/v1/data.proto"}) {
    const auto* const found = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(file);
    if (found == nullptr) continue;  // nothing of it is linked
    const auto check = [](const google::protobuf::EnumDescriptor& type) {
      for (int i = 0; i < type.value_count(); ++i) {
        const bool none = type.value(i)->number() == 0;
        EXPECT_EQ(EnumWord(*type.value(i)) == type.value(i)->name(), none) << type.value(i)->full_name();
      }
    };
    for (int i = 0; i < found->enum_type_count(); ++i) check(*found->enum_type(i));
    for (int i = 0; i < found->message_type_count(); ++i) {
      for (int j = 0; j < found->message_type(i)->enum_type_count(); ++j) check(*found->message_type(i)->enum_type(j));
    }
  }
}

v1::Search SampleSearch() {
  v1::Search search;
  search.set_name("searches/7");
  search.set_phase(v1::PHASE_FAILED);
  search.set_error("found \"PHASE_FAILED\"");
  search.mutable_create_time()->set_seconds(1'000'000'000);
  search.mutable_spec()->mutable_space()->mutable_stem()->set_activation(v1::ACTIVATION_HARD_SWISH);
  search.mutable_spec()->mutable_space()->add_stages()->add_kinds(v1::BLOCK_KIND_CONV);
  search.add_progress()->set_phase(v1::PHASE_PROFILING);
  return search;
}

TEST(Json, HasTheWordsOfEnumerationsAndIsProtobufsOtherwise) {
  const v1::Search search = SampleSearch();
  const std::string ours = ToJson(search, /*pretty=*/false).value();
  EXPECT_THAT(ours, HasSubstr(R"("phase":"FAILED")"));
  EXPECT_THAT(ours, HasSubstr(R"("pausedPhase":"PHASE_UNSPECIFIED")"));
  EXPECT_THAT(ours, HasSubstr(R"("kinds":["CONV"])"));
  EXPECT_THAT(ours, HasSubstr(R"(found \"PHASE_FAILED\")")) << "texts are left alone";

  v1::Search without_words;
  without_words.set_name("searches/7");
  without_words.mutable_create_time()->set_nanos(500'000'000);
  without_words.mutable_forecast()->set_measuring_seconds(0.1);
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  std::string theirs;
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(without_words, &theirs, options).ok());
  EXPECT_EQ(ToJson(without_words, /*pretty=*/true).value(), theirs);
}

TEST(Json, RoundTripsAndReadsProtobufsOwn) {
  const v1::Search search = SampleSearch();
  v1::Search back;
  ASSERT_THAT(FromJson(ToJson(search, /*pretty=*/true).value(), back), IsOk());
  EXPECT_TRUE(MessageDifferencer::Equals(back, search));
  std::string theirs;
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(search, &theirs).ok());
  EXPECT_THAT(theirs, HasSubstr("PHASE_PROFILING"));
  back.Clear();
  ASSERT_THAT(FromJson(theirs, back), IsOk());
  EXPECT_TRUE(MessageDifferencer::Equals(back, search));
}

TEST(Json, LeavesOutWhatItDoesNotKnowAndRefusesTheRest) {
  v1::Search search;
  EXPECT_THAT(FromJson(R"({"name": "searches/1", "newer": 3})", search), IsOk());
  EXPECT_EQ(search.name(), "searches/1");
  for (const char* text : {"", "{", "[]", R"({"name": 1, "phase": {}})"})
    EXPECT_THAT(FromJson(text, search), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected Search as JSON"))) << text;
}

}  // namespace
}  // namespace hanas::rpc
