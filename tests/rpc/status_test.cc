// SPDX-License-Identifier: Apache-2.0
#include "rpc/status.h"

#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "core/base/text.h"
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

TEST(Status, ResourceSurvives) {
  const absl::Status back = OverTheWire(WithReason(absl::NotFoundError("no search searches/7"), kSearchNotFound, "searches/7"));
  EXPECT_EQ(ReasonOf(back), kSearchNotFound);
  EXPECT_EQ(ResourceOf(back), "searches/7");
}

/// What the status takes of a client's bound for headers: percent-encoded, base64, names, and what HTTP/2 counts besides.
size_t BytesOnTheWire(const grpc::Status& status) {
  std::string encoded;
  for (const char c : status.error_message()) c >= ' ' && c <= '~' && c != '%' ? encoded.append(1, c) : encoded.append("%00");
  return 2 * 32 + strlen("grpc-message") + encoded.size() + strlen("grpc-status-details-bin") +
         absl::Base64Escape(status.error_details()).size();
}

TEST(Status, TwentyOrdinaryViolationsAllArrive) {
  FieldViolations violations;
  for (int i = 0; i < 300; ++i)
    violations.Add(absl::StrCat("space.stages[", i, "].blocks[0].kernels[1]"), "expected an odd kernel size from 1 to 7, found 4");
  const grpc::Status wire = ToGrpcStatus(violations.ToStatus());
  EXPECT_THAT(BytesOnTheWire(wire), Le(size_t{6144}));
  const absl::Status back = FromGrpcStatus(wire);
  ASSERT_EQ(ViolationsOf(back).size(), 21U);
  EXPECT_EQ(ViolationsOf(back), ViolationsOf(violations.ToStatus()));
  EXPECT_EQ(ViolationsOf(back).back(), MoreViolations(280));
  EXPECT_THAT(std::string(back.message()), HasSubstr("space.stages[0].blocks[0].kernels[1]: expected an odd kernel size"));
  EXPECT_THAT(std::string(back.message()), HasSubstr(" more"));
}

TEST(Status, ViolationsWithoutRoomAreCounted) {
  FieldViolations violations;
  for (int i = 0; i < 40; ++i) violations.Add(absl::StrCat("a[", i, "]"), std::string(400, 'x'));
  const grpc::Status wire = ToGrpcStatus(violations.ToStatus());
  EXPECT_THAT(BytesOnTheWire(wire), Le(size_t{6144}));
  const std::vector<FieldViolation> back = ViolationsOf(FromGrpcStatus(wire));
  ASSERT_GT(back.size(), 5U);
  EXPECT_EQ(back.back(), MoreViolations(40 - static_cast<int64_t>(back.size() - 1)));
}

// Text of any bytes: printable, of several bytes each, percent signs, control characters, none of UTF-8.
std::string AnyText(CounterRandom& random, uint64_t max_bytes) {
  static constexpr absl::string_view kPieces[] = {"a",    "name ", "%",    "é",    "€",        "😀",    "\n",
                                                  "\x1b", "\x1e",  "\x1f", "\xff", "\xe2\x82", "\u202e"};
  const uint64_t bytes = random.UniformInt(max_bytes + 1);
  const bool one_kind = random.UniformInt(2) == 0;
  const uint64_t kind = random.UniformInt(std::size(kPieces));
  std::string text;
  while (text.size() < bytes) absl::StrAppend(&text, kPieces[one_kind ? kind : random.UniformInt(std::size(kPieces))]);
  return text;
}

TEST(Status, WhateverItSaysItIsPrintableBoundedAndKeepsItsMeaning) {
  for (uint64_t i = 0; i < 100; ++i) {
    SCOPED_TRACE(i);
    CounterRandom random(8, "status", i);
    const uint64_t sizes[] = {0, 10, 200, 3000, 20'000};
    const auto any_size = [&] { return sizes[random.UniformInt(std::size(sizes))]; };
    const auto code = static_cast<absl::StatusCode>(1 + random.UniformInt(16));
    absl::Status status(code, AnyText(random, any_size()));
    FieldViolations violations;
    for (uint64_t count = random.UniformInt(3) == 0 ? random.UniformInt(60) : 0; count > 0; --count)
      violations.Add(AnyText(random, any_size() / 10), AnyText(random, any_size()));
    if (!violations.empty()) status = violations.ToStatus();
    if (random.UniformInt(2) == 0) SetReason(status, AnyText(random, any_size()), AnyText(random, any_size()));

    const grpc::Status wire = ToGrpcStatus(status);
    EXPECT_THAT(BytesOnTheWire(wire), Le(size_t{6144}));
    EXPECT_EQ(Printable(wire.error_message()), wire.error_message());
    const absl::Status back = FromGrpcStatus(wire);
    EXPECT_EQ(back.code(), status.code());
    EXPECT_EQ(ReasonOf(back).empty(), ReasonOf(status).empty());
    const auto count = [](const absl::Status& of) {
      int64_t sum = 0;
      for (const FieldViolation& violation : ViolationsOf(of)) sum += CountOf(violation);
      return sum;
    };
    EXPECT_EQ(count(back), count(status)) << "each is there or counted";
    // The law: what is within the bound comes back as it was.
    EXPECT_EQ(OverTheWire(back), back);
  }
}

TEST(Status, GarbageInDetailsIsIgnored) {
  const grpc::Status wire(grpc::StatusCode::INTERNAL, "m", "\xff\x00 not a proto");
  EXPECT_THAT(FromGrpcStatus(wire), StatusIs(absl::StatusCode::kInternal, "m"));
}

}  // namespace
}  // namespace hanas::rpc
