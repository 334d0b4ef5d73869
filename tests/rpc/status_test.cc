// SPDX-License-Identifier: Apache-2.0
#include "rpc/status.h"

#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::rpc {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;

absl::Status OverTheWire(const absl::Status& status) { return FromGrpcStatus(ToGrpcStatus(status)); }

TEST(Status, EveryCodeSurvives) {
  EXPECT_THAT(OverTheWire(absl::OkStatus()), IsOk());
  for (int code = 1; code <= 16; ++code) {
    const auto wanted = static_cast<absl::StatusCode>(code);
    EXPECT_THAT(OverTheWire(absl::Status(wanted, "what, where, what to do")), StatusIs(wanted, "what, where, what to do"));
  }
}

TEST(Status, ViolationsSurvive) {
  FieldViolations violations;
  violations.Add("space.stages[2].widths", "expected at least one choice, found an empty list");
  violations.Add("training.steps", "expected a number from 1 to 100000000, found 0");
  const absl::Status back = OverTheWire(violations.ToStatus());
  EXPECT_EQ(ViolationsOf(back), violations.items());
  EXPECT_EQ(back.message(), violations.ToStatus().message());
}

TEST(Status, ReasonSurvives) {
  const absl::Status back = OverTheWire(WithReason(absl::FailedPreconditionError("token 7 is stale"), "STALE_LEASE"));
  EXPECT_EQ(ReasonOf(back), "STALE_LEASE");
  EXPECT_TRUE(HasReason(back, "STALE_LEASE"));
  EXPECT_THAT(ReasonOf(OverTheWire(absl::InternalError("x"))), IsEmpty());
}

TEST(Status, ReasonAndViolationsTogether) {
  FieldViolations violations;
  violations.Add("a", "b");
  const absl::Status back = OverTheWire(WithReason(violations.ToStatus(), "INFEASIBLE_LIMITS"));
  EXPECT_EQ(ReasonOf(back), "INFEASIBLE_LIMITS");
  EXPECT_EQ(ViolationsOf(back), violations.items());
}

TEST(Status, AMessageThatQuotesBytesKeepsItsDetails) {
  const absl::Status back = OverTheWire(WithReason(absl::DataLossError("cannot read Geb\xe4ude.jpg"), "DATA_UNREADABLE"));
  EXPECT_THAT(back, StatusIs(absl::StatusCode::kDataLoss, "cannot read Geb\xef\xbf\xbdude.jpg"));
  EXPECT_EQ(ReasonOf(back), "DATA_UNREADABLE");
}

TEST(Status, OkHasNoReason) {
  absl::Status ok;
  SetReason(ok, "STALE_LEASE");
  EXPECT_THAT(ok, IsOk());
  EXPECT_THAT(ReasonOf(ok), IsEmpty());
}

TEST(Status, WhatTrailersCannotHoldIsCutAndSaid) {
  FieldViolations violations;
  for (int i = 0; i < 5000; ++i) violations.Add(absl::StrCat("space.stages[", i, "].widths"), "expected something else");
  const grpc::Status wire = ToGrpcStatus(violations.ToStatus());
  EXPECT_THAT(wire.error_message().size() + wire.error_details().size(), Le(size_t{60000}));
  const absl::Status back = FromGrpcStatus(wire);
  EXPECT_GT(ViolationsOf(back).size(), 100U);
  EXPECT_LT(ViolationsOf(back).size(), 5000U);
  EXPECT_THAT(std::string(back.message()), HasSubstr(" more)"));
}

TEST(Status, GarbageInDetailsIsIgnored) {
  const grpc::Status wire(grpc::StatusCode::INTERNAL, "m", "\xff\x00 not a proto");
  EXPECT_THAT(FromGrpcStatus(wire), StatusIs(absl::StatusCode::kInternal, "m"));
}

}  // namespace
}  // namespace hanas::rpc
