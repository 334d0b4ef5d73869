// SPDX-License-Identifier: Apache-2.0
#include "coordinator/service/filter.h"

#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/field_violation.h"
#include "core/base/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "hanas/v1/farm.pb.h"
#include "hanas/v1/search.pb.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOk;
using ::testing::HasSubstr;
using ::testing::StartsWith;

v1::Search MakeSearch() {
  v1::Search search;
  search.set_name("searches/7");
  search.set_phase(v1::PHASE_FAILED);
  search.set_finishing(true);
  search.mutable_spec()->set_name("shoes and \"bags\"");
  search.mutable_spec()->mutable_dataset()->set_name("Fashion-MNIST");
  return search;
}

bool SearchMatches(absl::string_view text, const v1::Search& search = MakeSearch()) {
  const absl::StatusOr<Filter> filter = Filter::Parse(text, *v1::Search::descriptor(), SearchFilterFields());
  EXPECT_THAT(filter, IsOk()) << text;
  return filter.ok() && filter->Matches(search);
}

/// What is wrong with a filter of searches; empty when nothing is.
std::string Wrong(absl::string_view text) {
  const absl::Status status = Filter::Parse(text, *v1::Search::descriptor(), SearchFilterFields()).status();
  if (status.ok()) return "";
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ViolationsOf(status).size(), 1U);
  EXPECT_EQ(ViolationsOf(status)[0].path, "filter");
  return ViolationsOf(status)[0].message;
}

TEST(Filter, OfNothingHoldsForEverything) {
  EXPECT_TRUE(Filter().Matches(MakeSearch()));
  for (const char* text : {"", " ", "\t \n"}) {
    const absl::StatusOr<Filter> filter = Filter::Parse(text, *v1::Search::descriptor(), SearchFilterFields());
    ASSERT_THAT(filter, IsOk());
    EXPECT_TRUE(filter->empty());
    EXPECT_TRUE(filter->Matches(MakeSearch()));
  }
}

TEST(Filter, ComparesEveryTypeOfField) {
  for (const char* holds :
       {"phase = FAILED", "phase=PHASE_FAILED", "phase != TRAINING", "name = searches/7", "name = \"searches/7\"", "name != searches/8",
        "finishing = true", "finishing != false", "spec.name : shoes", "spec.name : \"AND \\\"BAGS\\\"\"", "spec.dataset.name:mnist",
        "error_code = \"\"", "phase = FAILED AND spec.name : shoes AND finishing = true", "  phase  =  FAILED  AND  name : \"7\"  "})
    EXPECT_TRUE(SearchMatches(holds)) << holds;
  for (const char* does_not : {"phase = TRAINING", "phase != FAILED", "name = searches/70", "finishing = false", "spec.name : boots",
                               "phase = FAILED AND spec.name : boots", "spec.name : boots AND phase = FAILED", "paused_phase = TRAINING"})
    EXPECT_FALSE(SearchMatches(does_not)) << does_not;
  EXPECT_FALSE(SearchMatches("spec.dataset.name : mnist", v1::Search())) << "what is absent is empty";
}

TEST(Filter, OrdersNumbers) {
  v1::Candidate candidate;
  candidate.set_sequence(12);
  candidate.set_accuracy(0.9);
  candidate.set_size_bytes(int64_t{1} << 60);
  const auto matches = [&](const std::string& text) {
    const absl::StatusOr<Filter> filter = Filter::Parse(text, *v1::Candidate::descriptor(), CandidateFilterFields());
    EXPECT_THAT(filter, IsOk()) << text;
    return filter.ok() && filter->Matches(candidate);
  };
  for (const char* holds : {"accuracy >= 0.9", "accuracy<=0.9", "accuracy = 0.9", "accuracy > 89e-2", "accuracy < 1", "sequence > 11",
                            "sequence >= 12 AND sequence <= 12", "size_bytes = 1152921504606846976", "latency_us = 0", "sequence != -12"})
    EXPECT_TRUE(matches(holds)) << holds;
  for (const char* does_not : {"accuracy > 0.9", "sequence < 12", "size_bytes = 1152921504606846977", "latency_us != 0"})
    EXPECT_FALSE(matches(does_not)) << does_not;
}

TEST(Filter, FindsElementsOfLists) {
  v1::Worker worker;
  worker.mutable_info()->add_datasets("cifar10");
  worker.mutable_info()->add_datasets("mnist");
  const auto matches = [&](absl::string_view text) {
    return Filter::Parse(text, *v1::Worker::descriptor(), WorkerFilterFields())->Matches(worker);
  };
  EXPECT_TRUE(matches("info.datasets : mnist"));
  EXPECT_FALSE(matches("info.datasets : cifar")) << "an element, whole";
}

TEST(Filter, WhatItQuotesIsText) {
  for (const char* text : {"phase = FAILED \xc3\xa9", "\xe2\x82\xac = 1", "name = \"ends within a character \xe2\x82\xac"}) {
    const absl::Status status = Filter::Parse(text, *v1::Search::descriptor(), SearchFilterFields()).status();
    EXPECT_THAT(status, ::absl_testing::StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_TRUE(IsUtf8(status.message())) << absl::CHexEscape(status.message());
  }
}

TEST(Filter, SaysWhereItIsWrongAndWhatIsAllowedThere) {
  struct Case {
    std::string text;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"state = FAILED",
       "at character 1: expected a field, one of name, spec.name, spec.dataset.name, phase, paused_phase, finishing, "
       "error_code, job_digest, found \"state\""},
      {"phase = FAILED AND", "at character 19: expected a field, one of name"},
      {"phase = FAILED OR name = x", "at character 16: expected AND or the end, found \"OR\""},
      {"phase = FAILED and name = x", "at character 16: expected AND or the end, found \"and\""},
      {"phase = FAILED name = x", "at character 16: expected AND or the end, found \"name\""},
      {"phase FAILED", "at character 7: expected one of = !=, found \"F\""},
      {"phase : FAILED", "at character 7: expected one of = !=, found \":\""},
      {"phase > FAILED", "at character 7: expected one of = !=, found \">\""},
      {"phase == FAILED", "at character 7: expected one of = !=, found \"==\""},
      {"name < x", "at character 6: expected one of = != :, found \"<\""},
      {"phase", "at character 6: expected one of = !=, found its end"},
      {"phase =", "at character 8: expected a value, found its end"},
      {"phase = failed", "at character 9: expected one of PHASE_UNSPECIFIED, PENDING, PROFILING"},
      {"finishing = yes", "at character 13: expected true or false, found \"yes\""},
      {"spec.name = \"shoes", "at character 13: expected a text that ends with a quote, found \"\\\"shoes\""},
      {"spec.name = \"\\n\"", "at character 15: expected \\\" or \\\\, found"},
      {"(phase = FAILED)", "at character 1: expected a field"},
      {"spec.seed = 3", "at character 1: expected a field"},
      {std::string(1001, ' '), "at character 1: expected at most 1000 bytes, found 1001"},
  };
  for (const Case& test : cases) EXPECT_THAT(Wrong(test.text), StartsWith(test.message)) << test.text;
  EXPECT_THAT(Filter::Parse("sequence = 1.5", *v1::Candidate::descriptor(), CandidateFilterFields()).status().message(),
              HasSubstr("at character 12: expected a whole number, found \"1.5\""));
  EXPECT_THAT(Filter::Parse("accuracy > nan", *v1::Candidate::descriptor(), CandidateFilterFields()).status().message(),
              HasSubstr("at character 12: expected a number, found \"nan\""));
}

// A field that is not there any more would end the coordinator at the first filter that names it.
TEST(Filter, KnowsEveryFieldItOffers) {
  const auto check = [](const google::protobuf::Descriptor& type, absl::Span<const absl::string_view> fields) {
    for (const absl::string_view field : fields) {
      for (const char* rest : {" = 1", " = true", " : x", " = x"}) {
        if (Filter::Parse(absl::StrCat(field, rest), type, fields).ok()) break;
      }
    }
  };
  check(*v1::Search::descriptor(), SearchFilterFields());
  check(*v1::TaskSummary::descriptor(), TaskFilterFields());
  check(*v1::Candidate::descriptor(), CandidateFilterFields());
  check(*v1::Worker::descriptor(), WorkerFilterFields());
  check(*v1::Device::descriptor(), DeviceFilterFields());
}

}  // namespace
}  // namespace hanas::coordinator
