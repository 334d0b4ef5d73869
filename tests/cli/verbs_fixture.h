// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_CLI_VERBS_FIXTURE_H_
#define HANAS_TESTS_CLI_VERBS_FIXTURE_H_

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands/exit_code.h"
#include "gtest/gtest.h"
#include "rpc/server.h"
#include "rpc/sha256.h"
#include "tests/cli/fake_coordinator.h"
#include "tests/rpc/fake_artifact_service.h"
#include "tests/support/hanas_process.h"

namespace hanas::cli {

namespace fs = std::filesystem;

inline constexpr int kUnreachable = static_cast<int>(ExitCode::kUnreachable);

inline v1::SearchEvent MakeEvent(int64_t sequence, const std::string& text) {
  v1::SearchEvent event;
  event.set_sequence(sequence);
  event.set_kind("round");
  event.set_text(text);
  return event;
}

inline std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The program as its users see it, against a coordinator that a test scripts.
class VerbsTest : public testing::Test {
 protected:
  VerbsTest() {
    fs::create_directories(folder_);
    Serve("127.0.0.1:0");
  }
  ~VerbsTest() override { fs::remove_all(folder_); }

  void Serve(const std::string& listen) {
    std::vector<grpc::Service*> services = coordinator_.services();
    services.push_back(&artifacts_);
    server_ = *rpc::Server::Start({.listen = listen}, services);
    address_ = server_->address().ToString();
  }
  std::vector<std::string> Environment() const { return {"HANAS_COORDINATOR=" + address_, "NO_COLOR=", "TERM=xterm"}; }
  Ended Run(std::vector<std::string> arguments) const { return RunProgram("hanas", std::move(arguments), Environment()); }
  std::string Example(const std::string& name) const { return absl::StrCat(HANAS_SOURCE_DIR, "/examples/", name); }

  void AddSearch(const std::string& name, v1::Phase phase) {
    coordinator_.With([&](FakeState& state) {
      v1::Search& search = state.searches[name];
      search.set_name(name);
      search.mutable_spec()->set_name("shoes");
      search.set_phase(phase);
    });
  }
  /// A done search with two networks, whose files are stored.
  void AddDoneSearch() {
    AddSearch("searches/1", v1::PHASE_SUCCEEDED);
    coordinator_.With([&](FakeState& state) {
      v1::Report& report = state.reports["searches/1"];
      report.set_search("searches/1");
      report.set_space("small");
      report.set_job_digest("d1");
      for (const std::string id : {"member-1", "member-2"}) {
        v1::Member& member = *report.add_front();
        member.set_id(id);
        member.set_latency_p50_us(100);
        member.set_test_accuracy(0.9);
        const std::string bytes(5000, id.back());
        member.set_onnx_sha256(rpc::Sha256Hex(bytes));
        artifacts_.Store(member.onnx_sha256(), bytes);
      }
    });
  }
  std::vector<std::string> calls() {
    std::vector<std::string> calls;
    coordinator_.With([&](FakeState& state) { calls = state.calls; });
    return calls;
  }

  const std::string folder_ = absl::StrCat(testing::TempDir(), "/hanas-verbs-", ::getpid());
  FakeCoordinator coordinator_;
  rpc::FakeArtifactService artifacts_;
  std::unique_ptr<rpc::Server> server_;
  std::string address_;
};

}  // namespace hanas::cli

#endif  // HANAS_TESTS_CLI_VERBS_FIXTURE_H_
