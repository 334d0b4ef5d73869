// SPDX-License-Identifier: Apache-2.0
// A program with measuring jobs that go wrong in every way, for child_process_test.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "core/base/error_reason.h"
#include "profiler-agent/device/host_probe.h"
#include "profiler-agent/measure/child.h"
#include "profiler-agent/measure/child_frames.h"
#include "profiler-agent/measure/child_protocol.h"

namespace {

using hanas::EmitRecord;

void WriteRaw(absl::string_view bytes) {
  if (write(hanas::kChildRecordDescriptor, bytes.data(), bytes.size()) < 0) std::abort();
}

[[noreturn]] void Hang() {
  for (;;) pause();
}

absl::Status EatMemory() {
  std::vector<std::unique_ptr<char[]>> blocks;
  for (;;) {
    constexpr size_t kBlock = size_t{16} << 20;
    blocks.push_back(std::make_unique<char[]>(kBlock));
    std::memset(blocks.back().get(), 1, kBlock);
  }
}

absl::Status Burn() {
  for (volatile bool go = true; go;) {
  }
  return absl::OkStatus();
}

/// Emits how many of `count` threads can live at the same time.
absl::Status StartThreads(int count, const EmitRecord& emit) {
  absl::Notification all_started;
  std::vector<std::thread> threads;
  try {
    while (static_cast<int>(threads.size()) < count) threads.emplace_back([&all_started] { all_started.WaitForNotification(); });
  } catch (const std::system_error&) {  // the number says it
  }
  all_started.Notify();
  for (std::thread& thread : threads) thread.join();
  return emit(absl::StrCat(threads.size()));
}

}  // namespace

int main(int argc, char** argv) {
  if (!hanas::IsChild(argc, argv)) return 2;
  return hanas::ChildMain(
      argc, argv,
      {{"echo",
        [](absl::string_view request, const EmitRecord& emit) {
          std::printf("noise on standard output\n");
          for (int i = 0; i < 3; ++i) {
            if (absl::Status status = emit(absl::StrCat(i, ":", request)); !status.ok()) return status;
          }
          return absl::OkStatus();
        }},
       {"refuse",
        [](absl::string_view, const EmitRecord&) { return hanas::WithReason(absl::InvalidArgumentError("no such operator"), "BAD_KEY"); }},
       {"exhausted", [](absl::string_view, const EmitRecord&) { return absl::ResourceExhaustedError("no memory for a tensor"); }},
       {"crash",
        [](absl::string_view, const EmitRecord& emit) {
          if (absl::Status status = emit("first"); !status.ok()) return status;
          std::fprintf(stderr, "assertion `x' failed\n");
          std::signal(SIGABRT, SIG_DFL);
          std::raise(SIGABRT);
          return absl::OkStatus();
        }},
       {"exit", [](absl::string_view, const EmitRecord&) -> absl::Status { _exit(9); }},
       {"quiet", [](absl::string_view, const EmitRecord&) -> absl::Status { _exit(0); }},
       {"hang", [](absl::string_view, const EmitRecord&) -> absl::Status { Hang(); }},
       {"hang-closed",
        [](absl::string_view, const EmitRecord&) -> absl::Status {
          for (int fd = 0; fd < 8; ++fd) close(fd);
          Hang();
        }},
       {"token",
        [](absl::string_view, const EmitRecord& emit) {
          const char* token = std::getenv("HANAS_TOKEN");
          return emit(token == nullptr ? "none" : token);
        }},
       {"cpus",
        [](absl::string_view, const EmitRecord& emit) {
          const int here = sched_getcpu();
          const std::vector<int> allowed = hanas::AllowedCpus();
          const bool among_them = std::find(allowed.begin(), allowed.end(), here) != allowed.end();
          return emit(absl::StrCat(allowed.size(), among_them ? "" : " and it is on none of them"));
        }},
       {"threads", [](absl::string_view request, const EmitRecord& emit) { return StartThreads(std::stoi(std::string(request)), emit); }},
       {"burn", [](absl::string_view, const EmitRecord&) { return Burn(); }},
       {"eat", [](absl::string_view, const EmitRecord&) { return EatMemory(); }},
       {"killed",
        [](absl::string_view, const EmitRecord&) {
          std::raise(SIGKILL);
          return absl::OkStatus();
        }},
       {"garbage",
        [](absl::string_view, const EmitRecord& emit) {
          if (absl::Status status = emit("good"); !status.ok()) return status;
          WriteRaw("12.5 us");
          return absl::OkStatus();
        }},
       {"flipped",
        [](absl::string_view, const EmitRecord&) {
          std::string frame = hanas::EncodeFrame(hanas::FrameType::kRecord, "12.5");
          frame.back() = '6';
          WriteRaw(frame);
          return absl::OkStatus();
        }},
       {"huge", [](absl::string_view, const EmitRecord& emit) { return emit(std::string(1 << 20, 'x')); }},
       {"cut",
        [](absl::string_view, const EmitRecord&) -> absl::Status {
          WriteRaw(hanas::EncodeFrame(hanas::FrameType::kRecord, "0123456789").substr(0, 20));
          _exit(0);
        }},
       {"after-end", [](absl::string_view, const EmitRecord&) {
          WriteRaw(hanas::EncodeFrame(hanas::FrameType::kEnd, ""));
          return absl::OkStatus();
        }}});
}
