// SPDX-License-Identifier: Apache-2.0
// Tokens: their files, and servers that ask for them.
#include "rpc/token.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "core/base/error_reason.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "hanas/v1/search.grpc.pb.h"
#include "rpc/client.h"
#include "rpc/files.h"
#include "rpc/search_client.h"
#include "rpc/server.h"
#include "rpc/status.h"
#include "tests/support/scratch_directory.h"

namespace hanas::rpc {
namespace {

namespace fs = std::filesystem;

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

/// A user: a home of its own and no variables of ours.
class TokenTest : public testing::Test {
 protected:
  TokenTest() {
    for (const char* variable : {"XDG_STATE_HOME", "HANAS_TOKEN", "HANAS_TOKEN_FILE"}) ::unsetenv(variable);
    ::setenv("HOME", home_.c_str(), 1);
  }

  std::string Path(const std::string& name) const { return absl::StrCat(home_, "/", name); }
  std::string OwnFile() const { return Path(".local/state/hanas/token"); }
  static int ModeOf(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return static_cast<int>(info.st_mode & 07777);
  }
  static void Write(const std::string& path, const std::string& text, mode_t mode = 0600) {
    std::ofstream(path) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
  }

  const ScratchDirectory scratch_;
  const std::string home_ = scratch_.path().string();
};

TEST_F(TokenTest, Is256RandomBitsInHexadecimal) {
  const Secret token = Secret::Make();
  EXPECT_THAT(token.text(), SizeIs(64));
  EXPECT_NE(token.text(), Secret::Make().text());
  EXPECT_TRUE(Secret::Parse(absl::StrCat(" ", token.text(), "\r\n"))->Matches(token.text()));
  EXPECT_FALSE(token.Matches(token.text().substr(1)));
  EXPECT_FALSE(token.Matches(""));
  EXPECT_FALSE(token.Matches(Secret::Make().text()));
  for (const std::string& bad : {std::string(), std::string("secret"), token.text() + "0", std::string(64, 'g')}) {
    EXPECT_THAT(Secret::Parse(bad), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("64 hexadecimal digits")));
  }
  EXPECT_THAT(Secret::Parse("swordfish").status().message(), Not(HasSubstr("swordfish"))) << "what is wrong may still be a secret";
}

TEST_F(TokenTest, TheFirstProcessMakesItForAll) {
  std::set<std::string> tokens;
  absl::Mutex mutex;
  std::vector<std::thread> racers;
  for (int i = 0; i < 16; ++i) {
    racers.emplace_back([&] {
      const absl::StatusOr<Secret> token = ReadOrMakeToken(*FindToken(""));
      absl::MutexLock lock(&mutex);
      tokens.insert(token.ok() ? token->text() : token.status().ToString());
    });
  }
  for (std::thread& racer : racers) racer.join();
  EXPECT_THAT(tokens, SizeIs(1));
  EXPECT_EQ(ReadToken(*FindToken(""))->text(), *tokens.begin());
  EXPECT_EQ(ModeOf(OwnFile()), 0600);
  EXPECT_EQ(ModeOf(Path(".local/state/hanas")), 0700);
  EXPECT_EQ(std::distance(fs::directory_iterator(Path(".local/state/hanas")), {}), 1) << "no temporary file stays";
}

TEST_F(TokenTest, IsLookedForWhereSomebodySaidAndElseAtTheUsersOwnPlace) {
  EXPECT_EQ(FindToken("")->ToString(), OwnFile());
  ::setenv("XDG_STATE_HOME", Path("state").c_str(), 1);
  EXPECT_EQ(FindToken("")->ToString(), Path("state/hanas/token"));
  ::setenv("XDG_STATE_HOME", "relative", 1);
  EXPECT_EQ(FindToken("")->ToString(), OwnFile());
  ::setenv("HANAS_TOKEN", std::string(64, 'a').c_str(), 1);
  EXPECT_EQ(FindToken("")->ToString(), "HANAS_TOKEN");
  EXPECT_EQ(ReadToken(*FindToken(""))->text(), std::string(64, 'a'));
  ::setenv("HANAS_TOKEN", "b", 1);
  EXPECT_THAT(ReadToken(*FindToken("")), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("HANAS_TOKEN: ")));
  ::setenv("HANAS_TOKEN_FILE", "/run/secrets/token", 1);
  EXPECT_EQ(FindToken("")->ToString(), "/run/secrets/token");
  EXPECT_EQ(FindToken("/etc/token")->ToString(), "/etc/token");
  for (const char* variable : {"XDG_STATE_HOME", "HANAS_TOKEN", "HANAS_TOKEN_FILE", "HOME"}) ::unsetenv(variable);
  EXPECT_THAT(FindToken(""), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("--token-file")));
}

TEST_F(TokenTest, AFileThatOthersMayReadIsRefusedWithItsMode) {
  const std::string token = Secret::Make().text();
  for (const mode_t mode : {0604, 0640, 0660, 0644}) {
    Write(Path("token"), token, mode);
    const absl::Status refused = ReadToken(*FindToken(Path("token"))).status();
    EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition,
                                  AllOf(HasSubstr(absl::StrFormat("found mode %04o", mode)), HasSubstr(Path("token")))));
    EXPECT_THAT(refused.message(), Not(HasSubstr(token)));
    EXPECT_THAT(ReadOrMakeToken(*FindToken(Path("token"))), StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_THAT(CreateChannel("127.0.0.1:1", {.token_file = Path("token")}), StatusIs(absl::StatusCode::kFailedPrecondition));
  }
  Write(Path("token"), token, 0400);
  EXPECT_THAT(CreateChannel("127.0.0.1:1", {.token_file = Path("token")}), IsOk());
  EXPECT_THAT(CreateChannel("127.0.0.1:1", {.token_file = Path("missing")}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(Path("missing"))));
  EXPECT_THAT(CreateChannel("127.0.0.1:1", {.token_file = home_}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected a file")));
  Write(Path("token"), std::string(1 << 20, 'a'));
  EXPECT_THAT(ReadToken(*FindToken(Path("token"))), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(TokenTest, LooseDirectoriesOfTheUserAreTightened) {
  fs::create_directories(Path(".local/state/hanas"));
  fs::permissions(Path(".local/state"), static_cast<fs::perms>(0755));
  fs::permissions(Path(".local/state/hanas"), static_cast<fs::perms>(0775));
  ASSERT_THAT(ReadOrMakeToken(*FindToken("")), IsOk());
  EXPECT_EQ(ModeOf(Path(".local/state/hanas")), 0700);
  EXPECT_EQ(ModeOf(Path(".local/state")), 0755) << "not ours";
  EXPECT_THAT(MakePrivateDirectory(Path(".local/state/hanas")), IsOkAndHolds(false));
  EXPECT_THAT(MakePrivateDirectory(OwnFile()), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("expected a directory")));
  if (::geteuid() != 0) {
    EXPECT_THAT(MakePrivateDirectory("/"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("uid 0")));
  }
}

// ---- servers ----

class AnySearches : public v1::SearchService::Service {
 public:
  grpc::Status GetSearch(grpc::ServerContext*, const v1::GetSearchRequest* request, v1::Search* search) override {
    ++calls;
    search->set_name(request->name());
    return grpc::Status::OK;
  }
  int calls = 0;
};

class AskingServerTest : public TokenTest {
 protected:
  static absl::StatusOr<std::unique_ptr<SearchClient>> ClientOf(const Server& server, const std::string& token_file = "") {
    return SearchClient::Create(server.address().ToString(), absl::Seconds(30), false, token_file);
  }
  AnySearches searches_;
};

TEST_F(AskingServerTest, AnswersNobodyWithoutItsToken) {
  const auto server = Server::Start({.token = Secret::Make()}, {&searches_}).value();
  const auto client = ClientOf(*server).value();
  const absl::Status missing = client->GetSearch("searches/1").status();
  EXPECT_THAT(missing, StatusIs(absl::StatusCode::kUnauthenticated, AllOf(HasSubstr(OwnFile()), HasSubstr("--token-file"))));
  EXPECT_EQ(ReasonOf(missing), kTokenRequired);

  Write(Path("another"), Secret::Make().text());
  const absl::Status wrong = (*ClientOf(*server, Path("another")))->GetSearch("searches/1").status();
  EXPECT_THAT(wrong, StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr(Path("another"))));
  EXPECT_EQ(ReasonOf(wrong), kTokenWrong);
  EXPECT_EQ(searches_.calls, 0);
  EXPECT_THAT(client->CheckHealth(), IsOk()) << "probes have no token";
}

TEST_F(AskingServerTest, AnswersTheUserWhoseTokenItIs) {
  const auto server = Server::Start({.token = *ReadOrMakeToken(*FindToken(""))}, {&searches_}).value();
  EXPECT_THAT((*ClientOf(*server))->GetSearch("searches/1"), IsOk());
  EXPECT_EQ(searches_.calls, 1);
}

TEST_F(AskingServerTest, AClientThatCameBeforeTheTokenFindsItLater) {
  const Secret token = Secret::Make();
  const auto server = Server::Start({.token = token}, {&searches_}).value();
  const auto client = ClientOf(*server).value();
  EXPECT_EQ(ReasonOf(client->GetSearch("searches/1").status()), kTokenRequired);
  ASSERT_THAT(MakePrivateDirectory(Path(".local/state/hanas")), IsOk());
  Write(OwnFile(), Secret::Make().text());
  EXPECT_EQ(ReasonOf(client->GetSearch("searches/1").status()), kTokenWrong);
  Write(OwnFile(), token.text());
  EXPECT_THAT(client->GetSearch("searches/1"), IsOk());
}

TEST_F(AskingServerTest, RefusesStreamsReflectionAndUnknownMethodsToo) {
  const auto server = Server::Start({.token = Secret::Make()}, {&searches_}).value();
  const auto channel = grpc::CreateChannel(server->address().ToString(), grpc::InsecureChannelCredentials());
  for (const char* method : {"/hanas.v1.SearchService/WatchSearch", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                             "/hanas.v1.SearchService/NoSuchMethod", "/grpc.health.v1.Health", "/"}) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    SetDeadline(context, absl::Seconds(30));
    grpc::CompletionQueue queue;
    const grpc::Slice nothing("");
    const auto call = stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(&nothing, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << method << ": " << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr("token"));
  }
}

TEST_F(AskingServerTest, AChannelInItsOwnProcessIsNotAsked) {
  const auto server = Server::Start({.token = Secret::Make()}, {&searches_}).value();
  const auto stub = v1::SearchService::NewStub(server->InProcessChannel());
  grpc::ClientContext context;
  v1::Search search;
  EXPECT_THAT(FromGrpcStatus(stub->GetSearch(&context, {}, &search)), IsOk());
}

// ---- Unix sockets ----

TEST_F(AskingServerTest, AUnixSocketIsItsUsersAndAsksForNothing) {
  // Every character that a URI escapes, and a path of the longest length.
  const std::string directory = Path("run time%41#?é");
  fs::create_directory(directory);
  std::string path = directory + "/";
  path.append(kMaxUnixPathBytes - path.size(), 's');
  const auto server = Server::Start({.listen = "unix:" + path, .token = Secret::Make()}, {&searches_});
  ASSERT_THAT(server, IsOk());
  EXPECT_EQ((*server)->address().ToString(), "unix:" + path);
  ASSERT_TRUE(fs::is_socket(path));
  EXPECT_EQ(ModeOf(path), 0600);
  EXPECT_THAT((*ClientOf(**server))->GetSearch("searches/1"), IsOk());
  const auto second = Server::Start({.listen = "unix:" + path}, {&searches_});
  EXPECT_THAT(second, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("in use")));
  EXPECT_THAT((*ClientOf(**server))->GetSearch("searches/1"), IsOk()) << "the first one is not disturbed";
}

TEST_F(AskingServerTest, ASocketOfADeadProcessIsReplaced) {
  const std::string path = Path("socket");
  const pid_t child = ::fork();
  if (child == 0) {
    // Bound and never removed, as after kill -9.
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, kMaxUnixPathBytes);
    ::_exit(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 && ::listen(fd, 1) == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(fs::is_socket(path));
  const auto server = Server::Start({.listen = "unix:" + path}, {&searches_});
  ASSERT_THAT(server, IsOk());
  EXPECT_THAT((*ClientOf(**server))->GetSearch("searches/1"), IsOk());
}

TEST_F(AskingServerTest, NothingButASocketIsReplaced) {
  Write(Path("file"), "precious");
  EXPECT_THAT(Server::Start({.listen = "unix:" + Path("file")}, {}), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no socket")));
  EXPECT_TRUE(fs::is_regular_file(Path("file")));
  EXPECT_THAT(Server::Start({.listen = "unix:" + Path("none/socket")}, {}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no such directory")));
}

}  // namespace
}  // namespace hanas::rpc
