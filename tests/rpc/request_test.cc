// SPDX-License-Identifier: Apache-2.0
#include "rpc/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status_matchers.h"
#include "core/base/field_violation.h"
#include "hanas/v1/search.pb.h"

namespace hanas::rpc {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

auto BlamesOnly(const std::string& path) { return ElementsAre(Field(&FieldViolation::path, path)); }

TEST(PageTest, TokenLeadsBackToItsCursor) {
  for (const uint64_t cursor : {uint64_t{1}, uint64_t{1000}, ~uint64_t{0}})
    EXPECT_THAT(CursorOf("searches/1/tasks", PageToken("searches/1/tasks", cursor)), IsOkAndHolds(cursor));
  EXPECT_THAT(CursorOf("searches", ""), IsOkAndHolds(0));
}

TEST(PageTest, TokenOfAnotherQueryAndGarbageAreRefused) {
  std::string flipped = PageToken("searches", 5);
  flipped[3] = flipped[3] == 'A' ? 'B' : 'A';
  for (const std::string& token : {PageToken("searches/1/tasks", 5), PageToken("searches/2/tasks", 5), flipped, std::string("5"),
                                   std::string("!!"), std::string(10000, 'A'), std::string("\xff\0", 2)}) {
    const absl::Status status = CursorOf("searches", token).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("begin with an empty one")));
    EXPECT_THAT(ViolationsOf(status), BlamesOnly("page_token"));
  }
}

TEST(PageTest, SizeIsCoercedAndNeverNegative) {
  EXPECT_THAT(PageSize(0), IsOkAndHolds(kDefaultPageSize));
  EXPECT_THAT(PageSize(7), IsOkAndHolds(7));
  EXPECT_THAT(PageSize(1'000'000), IsOkAndHolds(kMaxPageSize));
  EXPECT_THAT(ViolationsOf(PageSize(-1).status()), BlamesOnly("page_size"));
}

TEST(RequestIdTest, IsShortAndPrintable) {
  EXPECT_THAT(CheckRequestId(""), IsOk());
  EXPECT_THAT(CheckRequestId(std::string(128, 'x')), IsOk());
  for (const std::string& bad :
       {std::string(129, 'x'), std::string("a b"), std::string("a\n"), std::string("\0", 1), std::string("\xc3\xa4")})
    EXPECT_THAT(ViolationsOf(CheckRequestId(bad)), BlamesOnly("request_id"));
}

TEST(KnownFieldsTest, UnknownOnesAreNamedWithTheirPath) {
  v1::CreateSearchRequest request;
  request.mutable_spec()->mutable_space()->add_stages();
  request.mutable_spec()->mutable_space()->add_stages()->set_stride(2);
  EXPECT_THAT(CheckKnownFields(request), IsOk());
  v1::StageSpec& stage = *request.mutable_spec()->mutable_space()->mutable_stages(1);
  stage.GetReflection()->MutableUnknownFields(&stage)->AddVarint(999, 1);
  EXPECT_THAT(ViolationsOf(CheckKnownFields(request)), BlamesOnly("spec.space.stages[1].#999"));
}

TEST(Utf8Test, OtherStringsAreNamedWithTheirPath) {
  v1::Report report;
  EXPECT_THAT(CheckUtf8(report), IsOk());
  report.set_search("searches/\xc3\xa4");
  EXPECT_THAT(CheckUtf8(report), IsOk());
  report.set_search("\xff");
  report.add_warnings()->set_text("fine");
  v1::Warning& warning = *report.add_warnings();
  warning.set_code("\x80");
  warning.add_members("member-1");
  warning.add_members("\xc3");
  const absl::Status status = CheckUtf8(report);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected UTF-8, found \"\\xff\"")));
  std::vector<std::string> paths;
  for (const FieldViolation& violation : ViolationsOf(status)) paths.push_back(violation.path);
  EXPECT_THAT(paths, ElementsAre("search", "warnings[1].code", "warnings[1].members[1]"));
}

}  // namespace
}  // namespace hanas::rpc
