// SPDX-License-Identifier: Apache-2.0
#include "tests/fault/coordinator_process.h"

#include <stdlib.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "coordinator/service/search_convert.h"
#include "coordinator/store/rocksdb/rocksdb_store.h"

namespace hanas::fault {

namespace fs = std::filesystem;

CoordinatorProcess::CoordinatorProcess(double lease_ttl_seconds) : lease_ttl_seconds_(lease_ttl_seconds) {
  std::string pattern = (fs::temp_directory_path() / "hanas-fault-XXXXXX").string();
  CHECK(mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
}

CoordinatorProcess::~CoordinatorProcess() {
  program_.reset();
  std::error_code error;
  fs::remove_all(directory_, error);
}

void CoordinatorProcess::Start() {
  program_.reset();
  if (fs::exists(File("port"))) fs::remove(File("port"));
  program_ = std::make_unique<Program>(
      HANAS_COORDINATOR,
      std::vector<std::string>{"--data-dir", data_dir(), "--listen", address_, "--port-file", File("port"), "--lease-ttl-seconds",
                               absl::StrCat(lease_ttl_seconds_), "--die-with-parent", absl::StrCat(getpid())});
}

bool CoordinatorProcess::AwaitListening() {
  if (!program_->AwaitOutput("listening")) return false;
  int port = 0;
  std::ifstream(File("port")) >> port;
  address_ = absl::StrCat("127.0.0.1:", port);
  return port > 0;
}

void CoordinatorProcess::Kill() {
  program_->Signal(SIGKILL);
  CHECK_EQ(program_->Wait(), -SIGKILL) << program_->output();
}

void CoordinatorProcess::Stop() {
  program_->Signal(SIGSTOP);
  CHECK(program_->AwaitStopped()) << program_->output();
}

void CoordinatorProcess::Continue() { program_->Signal(SIGCONT); }

int CoordinatorProcess::Wait() { return program_->Wait(); }

absl::StatusOr<coordinator::State> CoordinatorProcess::ReadState() const {
  const std::string copy = File("copy");
  fs::remove_all(copy);
  fs::copy(data_dir() + "/db", copy, fs::copy_options::recursive);
  const absl::StatusOr<std::unique_ptr<coordinator::Store>> store = coordinator::OpenRocksDbStore(copy);
  if (!store.ok()) return store.status();
  const absl::StatusOr<std::vector<coordinator::StoreRecord>> records = (*store)->Load();
  if (!records.ok()) return records.status();
  return coordinator::LoadState(*records, coordinator::ParseSpec);
}

std::string CoordinatorProcess::output() const { return program_->output(); }

}  // namespace hanas::fault
