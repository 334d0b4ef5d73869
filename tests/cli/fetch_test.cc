// SPDX-License-Identifier: Apache-2.0
#include "cli/data/fetch.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/status/status_matchers.h"
#include "dataset/sha256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/http_server.h"

namespace hanas::cli {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Body(size_t size) {
  std::string body(size, ' ');
  for (size_t i = 0; i < size; ++i) body[i] = static_cast<char>('a' + i * 7 % 26);
  return body;
}

class FetchTest : public testing::Test {
 protected:
  FetchTest() {
    dataset_ = {.name = "set",
                .directory = "set",
                .files = {{"a.gz", static_cast<int64_t>(body_.size()), Sha256Hex(body_)}},
                .mirrors = {server_.url()}};
  }
  void TearDown() override { std::filesystem::remove_all(to_); }

  std::string Fetched() const {
    std::ifstream file(to_ + "/a.gz", std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  bool Exists(const std::string& name) const { return std::filesystem::exists(to_ + "/" + name); }

  const std::string to_ = testing::TempDir() + "/hanas_fetch_test." + std::to_string(getpid());
  const std::string body_ = Body(100000);
  HttpServer server_;
  RemoteDataset dataset_;
};

TEST_F(FetchTest, FetchesChecksAndNamesTheFile) {
  server_.Put("/a.gz", {.body = body_});
  EXPECT_THAT(FetchDataset(dataset_, to_), IsOk());
  EXPECT_EQ(Fetched(), body_);
  EXPECT_FALSE(Exists("a.gz.part"));
}

TEST_F(FetchTest, WhatIsThereIsNotFetchedAgain) {
  server_.Put("/a.gz", {.body = body_});
  ASSERT_THAT(FetchDataset(dataset_, to_), IsOk());
  ASSERT_THAT(FetchDataset(dataset_, to_), IsOk());
  EXPECT_THAT(server_.requests(), ElementsAre("GET /a.gz"));
}

TEST_F(FetchTest, ACutTransferGoesOnWhereItWas) {
  server_.Put("/a.gz", {.body = body_, .cut_after = 40000, .cuts = 1});
  EXPECT_THAT(FetchDataset(dataset_, to_), IsOk());
  EXPECT_EQ(Fetched(), body_);
  EXPECT_THAT(server_.requests(), ElementsAre("GET /a.gz", "GET /a.gz from 40000"));
}

TEST_F(FetchTest, AServerWithoutRangesIsAskedFromTheBeginning) {
  server_.Put("/a.gz", {.body = body_, .cut_after = 40000, .cuts = 1, .ranges = false});
  EXPECT_THAT(FetchDataset(dataset_, to_), IsOk());
  EXPECT_EQ(Fetched(), body_);
}

TEST_F(FetchTest, ATransferThatIsAlwaysCutIsKeptForTheNextCall) {
  server_.Put("/a.gz", {.body = body_, .cut_after = 10000, .cuts = 3});
  EXPECT_THAT(FetchDataset(dataset_, to_), StatusIs(absl::StatusCode::kUnavailable, HasSubstr(server_.url() + "/a.gz: ")));
  EXPECT_FALSE(Exists("a.gz"));
  EXPECT_TRUE(Exists("a.gz.part"));
  EXPECT_THAT(FetchDataset(dataset_, to_), IsOk());
  EXPECT_EQ(server_.requests().back(), "GET /a.gz from 30000");
}

TEST_F(FetchTest, AWrongDigestIsRefusedAndNothingIsLeft) {
  std::string wrong = body_;
  wrong[5] ^= 1;
  server_.Put("/a.gz", {.body = wrong});
  EXPECT_THAT(FetchDataset(dataset_, to_), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("expected sha256 " + dataset_.files[0].sha256 +
                                                                                           ", found " + Sha256Hex(wrong))));
  EXPECT_FALSE(Exists("a.gz"));
  EXPECT_FALSE(Exists("a.gz.part"));
}

TEST_F(FetchTest, AShortOrLongFileIsRefused) {
  server_.Put("/a.gz", {.body = body_.substr(0, 500)});
  EXPECT_THAT(FetchDataset(dataset_, to_), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("expected 100000 bytes, found 500")));
  server_.Put("/a.gz", {.body = body_ + "more"});
  std::filesystem::remove_all(to_);
  EXPECT_THAT(FetchDataset(dataset_, to_), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("expected 100000 bytes, found more")));
  EXPECT_FALSE(Exists("a.gz"));
}

TEST_F(FetchTest, AMissingFileIsReported) {
  EXPECT_THAT(FetchDataset(dataset_, to_),
              StatusIs(absl::StatusCode::kNotFound, "a.gz could not be fetched:\n  " + server_.url() + "/a.gz: the server answered 404"));
}

TEST_F(FetchTest, TheNextMirrorHelpsOut) {
  HttpServer other;
  other.Put("/a.gz", {.body = body_});
  dataset_.mirrors.push_back(other.url());
  EXPECT_THAT(FetchDataset(dataset_, to_), IsOk());
  EXPECT_EQ(Fetched(), body_);
}

TEST_F(FetchTest, AStalePartOfSomethingElseDoesNotSpoilTheFile) {
  server_.Put("/a.gz", {.body = body_});
  std::filesystem::create_directories(to_);
  std::ofstream(to_ + "/a.gz.part") << std::string(5000, '?');
  EXPECT_THAT(FetchDataset(dataset_, to_), IsOk());
  EXPECT_EQ(Fetched(), body_);
}

TEST_F(FetchTest, NobodyListeningIsUnavailable) {
  int closed_port = 0;
  {
    const HttpServer gone;
    closed_port = std::stoi(gone.url().substr(gone.url().rfind(':') + 1));
  }
  dataset_.mirrors = {"http://127.0.0.1:" + std::to_string(closed_port)};
  EXPECT_THAT(FetchDataset(dataset_, to_), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(FetchTest, OtherProtocolsAreRefused) {
  dataset_.mirrors = {"file:///etc"};
  EXPECT_THAT(FetchDataset(dataset_, to_), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(FetchTest, TheCallerCanStop) {
  server_.Put("/a.gz", {.body = body_});
  FetchOptions options;
  options.progress = [](const RemoteFile&, int64_t) { return false; };
  EXPECT_THAT(FetchDataset(dataset_, to_, options), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_FALSE(Exists("a.gz"));
}

TEST_F(FetchTest, AFolderThatCannotBeMadeIsNamed) {
  EXPECT_THAT(FetchDataset(dataset_, "/dev/null/data").message(), HasSubstr("cannot make /dev/null/data"));
  EXPECT_THAT(server_.requests(), IsEmpty());
}

}  // namespace
}  // namespace hanas::cli
