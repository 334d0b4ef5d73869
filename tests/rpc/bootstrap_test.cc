// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "hanas/v1/search.grpc.pb.h"
#include "rpc/address.h"
#include "rpc/client.h"
#include "rpc/retry.h"
#include "rpc/server.h"
#include "rpc/sha256.h"
#include "rpc/status.h"
#include "tests/rpc/fake_clock.h"

namespace hanas::rpc {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(Address, ReadsHostAndPort) {
  EXPECT_EQ(ParseAddress("127.0.0.1:7700", AddressUse::kConnect)->ToString(), "127.0.0.1:7700");
  EXPECT_EQ(ParseAddress("[::1]:1", AddressUse::kConnect)->ToString(), "[::1]:1");
  EXPECT_EQ(ParseAddress("localhost:65535", AddressUse::kConnect)->port, 65535);
  EXPECT_EQ(ParseAddress("127.3.2.1:0", AddressUse::kListen)->port, 0);
  for (const char* bad : {"",
                          ":",
                          "127.0.0.1",
                          "127.0.0.1:",
                          "127.0.0.1:0",
                          "127.0.0.1:65536",
                          "127.0.0.1:x",
                          "127.0.0.1:-1",
                          "::1:80",
                          "[::1]",
                          ":80",
                          "[localhost]:80",
                          "-x:80",
                          "a b:80",
                          "a/b:80",
                          "unix:",
                          "unix:x",
                          "unix:relative/x",
                          "unix:/directory/",
                          "unix:/a\nb"}) {
    EXPECT_THAT(ParseAddress(bad, AddressUse::kConnect, /*insecure=*/true), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

TEST(Address, ReadsThePathOfAUnixSocket) {
  const absl::StatusOr<Address> address = ParseAddress("unix:/run/a b:80", AddressUse::kConnect);
  ASSERT_THAT(address, IsOk());
  EXPECT_TRUE(address->is_unix());
  EXPECT_EQ(address->path, "/run/a b:80");
  EXPECT_EQ(address->host, "");
  EXPECT_EQ(address->port, 0);
  EXPECT_EQ(address->ToString(), "unix:/run/a b:80");
  EXPECT_EQ(address->Target(), "unix:/run/a%20b%3a80");
  const std::string longest = "unix:/" + std::string(kMaxUnixPathBytes - 1, 'p');
  EXPECT_THAT(ParseAddress(longest, AddressUse::kListen), IsOk());
  EXPECT_THAT(ParseAddress(longest + "p", AddressUse::kListen),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 107 bytes")));
  EXPECT_THAT(ParseAddress("unix:/run/x", AddressUse::kListenTcp), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(Address, OtherHostsThanLoopbackAreForThoseWhoSaySo) {
  for (const char* open :
       {"0.0.0.0:80", "[::]:80", "example.com:80", "10.0.0.1:80", "127.0.0.1.evil:80", "128.0.0.1:80", "coordinator:7700"}) {
    EXPECT_THAT(ParseAddress(open, AddressUse::kListen),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("no TLS"), HasSubstr("--insecure-listen"))));
    EXPECT_THAT(ParseAddress(open, AddressUse::kConnect), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--insecure-connect")));
    EXPECT_EQ(ParseAddress(open, AddressUse::kConnect, /*insecure=*/true)->ToString(), open);
  }
}

class EchoSearches : public v1::SearchService::Service {
 public:
  grpc::Status GetSearch(grpc::ServerContext*, const v1::GetSearchRequest* request, v1::Search* search) override {
    if (request->name() == "missing") return ToGrpcStatus(WithReason(absl::NotFoundError("no search missing"), "NO_SUCH_SEARCH"));
    search->set_name(request->name());
    return grpc::Status::OK;
  }
};

TEST(Server, ServesOnAnEphemeralPortAndWritesIt) {
  EchoSearches service;
  const std::filesystem::path directory = std::filesystem::path(::testing::TempDir()) / absl::StrCat("hanas-server-", ::getpid());
  std::filesystem::create_directories(directory);
  const std::string port_file = directory / "port";
  const absl::StatusOr<std::unique_ptr<Server>> server = Server::Start({.listen = "127.0.0.1:0", .port_file = port_file}, {&service});
  ASSERT_THAT(server, IsOk());
  int port = 0;
  std::ifstream(port_file) >> port;
  EXPECT_EQ(port, (*server)->address().port);
  EXPECT_NE(port, 0);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 1) << "no temporary file stays";

  const auto channel = CreateChannel((*server)->address().ToString());
  ASSERT_THAT(channel, IsOk());
  const auto stub = v1::SearchService::NewStub(*channel);
  v1::GetSearchRequest request;
  request.set_name("searches/1");
  v1::Search search;
  {
    grpc::ClientContext context;
    SetDeadline(context, absl::Seconds(30));
    ASSERT_THAT(FromGrpcStatus(stub->GetSearch(&context, request, &search)), IsOk());
    EXPECT_EQ(search.name(), "searches/1");
  }
  grpc::ClientContext context;
  SetDeadline(context, absl::Seconds(30));
  request.set_name("missing");
  const absl::Status status = FromGrpcStatus(stub->GetSearch(&context, request, &search));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, "no search missing"));
  EXPECT_EQ(ReasonOf(status), "NO_SUCH_SEARCH");

  // A second server cannot share the port.
  EXPECT_THAT(Server::Start({.listen = (*server)->address().ToString()}, {}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("cannot listen")));
  std::filesystem::remove_all(directory);
}

TEST(Server, RefusesAddressesThatOthersReach) {
  EXPECT_THAT(Server::Start({.listen = "0.0.0.0:0"}, {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("loopback")));
}

TEST(Server, AnUnwritablePortFileIsAnError) {
  EXPECT_THAT(Server::Start({.port_file = "/nonexistent/port"}, {}), StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nonexistent/port")));
}

TEST(Retry, WhatIsNotTemporaryIsAnAnswer) {
  JumpingClock clock;
  int calls = 0;
  EXPECT_THAT(RetryTemporary({}, clock,
                             [&] {
                               ++calls;
                               return absl::InternalError("x");
                             }),
              StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(clock.waits, SizeIs(0));
}

TEST(Retry, WaitsGrowWithJitterUpToTheMaximum) {
  JumpingClock clock;
  int calls = 0;
  const RetryPolicy policy{.initial_backoff = absl::Seconds(1), .max_backoff = absl::Seconds(4), .multiplier = 2, .jitter = 0.2};
  EXPECT_THAT(RetryTemporary(policy, clock, [&] { return ++calls < 6 ? absl::UnavailableError("away") : absl::OkStatus(); }), IsOk());
  ASSERT_THAT(clock.waits, SizeIs(5));
  const std::vector<double> nominal = {1, 2, 4, 4, 4};
  for (size_t i = 0; i < nominal.size(); ++i) {
    EXPECT_GE(clock.waits[i], 0.8 * absl::Seconds(nominal[i]));
    EXPECT_LE(clock.waits[i], 1.2 * absl::Seconds(nominal[i]));
  }
  EXPECT_NE(clock.waits[3], clock.waits[4]);
}

TEST(Retry, GivesUpAndSaysForHowLongItTried) {
  JumpingClock clock;
  const absl::Status status =
      RetryTemporary({.give_up_after = absl::Seconds(10)}, clock, [] { return absl::UnavailableError("connection refused"); });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("connection refused (tried for ")));
  EXPECT_LE(clock.Now(), absl::Seconds(10));
  EXPECT_GT(clock.Now(), absl::Seconds(7));
}

TEST(Retry, AFullDiskOverThereIsWaitedFor) {
  JumpingClock clock;
  int calls = 0;
  const absl::Status full = WithReason(absl::ResourceExhaustedError("no room"), kDiskFull);
  EXPECT_THAT(RetryTemporary({}, clock, [&] { return ++calls < 3 ? full : absl::OkStatus(); }), IsOk());
  const absl::Status given_up = RetryTemporary({}, clock, [&] { return full; });
  EXPECT_THAT(given_up, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("no room (tried for ")));
  EXPECT_EQ(ReasonOf(given_up), kDiskFull);
  // Another want of resources is not: a message that is too large stays so.
  calls = 0;
  EXPECT_THAT(RetryTemporary({}, clock, [&] { return ++calls < 3 ? absl::ResourceExhaustedError("too large") : absl::OkStatus(); }),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(Retry, StopsWhenCancelled) {
  JumpingClock clock;
  int calls = 0;
  const absl::Status status = RetryTemporary(
      {}, clock,
      [&] {
        ++calls;
        return absl::UnavailableError("away");
      },
      [&] { return calls == 3; });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(calls, 3);
}

TEST(Sha256, KnownAnswers) {
  // FIPS 180-4 examples.
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 hash;
  hash.Add("a");
  hash.Add("bc");
  EXPECT_EQ(hash.FinishHex(), Sha256Hex("abc"));
  EXPECT_THAT(CheckSha256Hex(Sha256Hex("x")), IsOk());
  for (const std::string& bad :
       {std::string(), std::string(63, 'a'), std::string(64, 'A'), std::string("../../../etc/passwd"), std::string(64, '/')}) {
    EXPECT_THAT(CheckSha256Hex(bad, "artifact.sha256"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("artifact.sha256"))) << bad;
  }
}

}  // namespace
}  // namespace hanas::rpc
