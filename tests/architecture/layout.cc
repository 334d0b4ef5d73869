// SPDX-License-Identifier: Apache-2.0
// The table of ARCHITECTURE.md: who may include whom. Changing the layout means changing this file.

#include <string>
#include <vector>

#include "tests/architecture/include_rules.h"

namespace hanas::architecture {

const std::vector<Room>& Rooms() {
  static const std::vector<Room>* const kRooms = new std::vector<Room>{
      // core: a chain of its own, below everything.
      {"core/base", {}},
      {"core/statistics", {"core/base"}},
      {"core/quantity", {"core/base"}},
      {"core/space", {"core/base"}},
      {"core/graph", {"core/base"}},
      {"core/family", {"core/base", "core/space", "core/graph"}},
      {"core/family/convnet", {"core/base", "core/space", "core/graph", "core/family"}},
      {"core/lowering", {"core/base", "core/space", "core/graph", "core/family"}},  // no family by name
      {"core/plan", {"core/base", "core/space", "core/graph", "core/family", "core/lowering"}},
      {"core/cost", {"core/base", "core/space", "core/graph", "core/lowering", "core/plan"}},
      {"core/latency", {"core/base", "core/space", "core/graph", "core/lowering", "core/plan", "core/statistics"}},
      {"core/encoding", {"core/base", "core/space"}},
      {"core/bound", {"core/base", "core/space", "core/graph"}},
      {"core/job",
       {"core/base", "core/quantity", "core/space", "core/graph", "core/family", "core/family/convnet", "core/lowering", "core/plan"}},
      {"core/predictor", {"core/base", "core/encoding", "core/statistics"}},
      {"core/task", {}},

      // Shared by the processes.
      {"config", {"core/*"}},
      {"config/process", {"config"}},  // the options of a program: flags, environment, file
      {"dataset", {"core/*"}},
      {"proto/hanas/v1", {}},            // the wire
      {"proto/hanas/v1/data.pb.h", {}},  // the values that the wire and the store share
      {"proto/hanas/store", {}},         // the coordinator's records, which no other process sees
      {"rpc/convert", {"core/*", "proto/hanas/v1", "proto/hanas/v1/data.pb.h"}},
      {"rpc", {"core/*", "proto/hanas/v1", "telemetry"}},
      {"telemetry", {"core/base", "core/task"}},  // metrics as an interface, and the log
      {"telemetry/prometheus", {"telemetry"}},    // answering scrapes and probes: only programs need it
      {"export", {"core/*"}},
      // What the main functions of coordinator, worker and agent have in common.
      {"daemon", {"core/*", "config/process", "rpc", "telemetry", "telemetry/prometheus"}},

      // coordinator: core <- {search, surrogate, calibration, store} <- state <- {ledger <- scheduling, judging} <- {driver, reporting} <-
      // app <- service <- main. The store's records are protobufs of their own, but for the values of data.pb.h.
      {"coordinator/search", {"core/*"}},
      {"coordinator/surrogate", {"core/*"}},
      {"coordinator/calibration", {"core/*"}},
      {"coordinator/clock", {}},
      {"coordinator/store", {"core/*", "coordinator/clock", "telemetry"}},
      // Records as bytes, and what tasks bring as messages, which services read too.
      {"coordinator/store/codec", {"core/*", "coordinator/store", "proto/hanas/store", "proto/hanas/v1/data.pb.h", "rpc/convert"}},
      {"coordinator/store/rocksdb", {"core/*", "coordinator/store"}},
      // What is stored, and how it changes: values, without a clock or a thread.
      {"coordinator/state", {"core/*", "coordinator/calibration", "coordinator/store", "coordinator/store/codec", "telemetry"}},
      {"coordinator/ledger", {"core/*", "coordinator/clock", "coordinator/state", "coordinator/store", "telemetry"}},
      {"coordinator/scheduling",
       {"core/*", "coordinator/clock", "coordinator/state", "coordinator/store", "coordinator/ledger", "telemetry"}},
      {"coordinator/judging",
       {"core/*", "coordinator/search", "coordinator/surrogate", "coordinator/calibration", "coordinator/state", "coordinator/store"}},
      {"coordinator/driver", {"core/*", "coordinator/search", "coordinator/scheduling", "coordinator/judging", "coordinator/state"}},
      {"coordinator/reporting", {"core/*", "coordinator/judging", "coordinator/state", "coordinator/store"}},
      // Use cases: they look up, decide once and reply.
      {"coordinator/app",
       {"core/*", "coordinator/clock", "coordinator/store", "coordinator/state", "coordinator/ledger", "coordinator/scheduling",
        "coordinator/judging", "coordinator/driver", "coordinator/reporting", "telemetry"}},
      {"coordinator/service",
       {"core/*", "config", "proto/hanas/v1", "rpc", "rpc/convert", "coordinator/store/codec", "coordinator/app", "coordinator/reporting",
        "telemetry"}},
      {"coordinator/main.cc",
       {"core/*", "config/process", "daemon", "rpc", "telemetry", "telemetry/prometheus", "coordinator/app", "coordinator/clock",
        "coordinator/service", "coordinator/store", "coordinator/store/rocksdb"}},

      // worker: core <- engine <- torch; main wires torch behind the engine's interface.
      {"worker/engine", {"core/*", "dataset"}},
      {"worker/torch", {"core/*", "dataset", "export", "worker/engine"}},
      {"worker/service", {"core/*", "dataset", "export", "proto/hanas/v1", "rpc", "rpc/convert", "telemetry", "worker/engine"}},
      {"worker/main.cc",
       {"core/*", "config/process", "daemon", "dataset", "rpc", "telemetry", "telemetry/prometheus", "worker/engine", "worker/torch",
        "worker/service"}},

      // profiler-agent: core <- {device, runtime} <- {backends, measure} <- service <- main; one folder per backend below runtime, which
      // the table of backends names.
      {"profiler-agent/device", {"core/*"}},
      {"profiler-agent/runtime", {"core/*"}},
      {"profiler-agent/runtime/xnnpack", {"core/*", "profiler-agent/runtime"}},
      {"profiler-agent/runtime/onnxruntime", {"core/*", "profiler-agent/runtime"}},
      {"profiler-agent/backends", {"core/*", "profiler-agent/runtime", "profiler-agent/runtime/*"}},
      {"profiler-agent/measure", {"core/*", "export", "profiler-agent/device", "profiler-agent/runtime", "profiler-agent/runtime/*"}},
      {"profiler-agent/service",
       {"core/*", "export", "proto/hanas/v1", "rpc", "rpc/convert", "telemetry", "profiler-agent/device", "profiler-agent/runtime",
        "profiler-agent/runtime/*", "profiler-agent/backends", "profiler-agent/measure"}},
      {"profiler-agent/main.cc",
       {"core/*", "config/process", "daemon", "rpc", "rpc/convert", "telemetry", "telemetry/prometheus", "profiler-agent/device",
        "profiler-agent/runtime", "profiler-agent/runtime/*", "profiler-agent/backends", "profiler-agent/measure",
        "profiler-agent/service"}},

      {"cli", {"core/*", "dataset", "proto/hanas/v1", "rpc", "rpc/convert", "config", "config/process", "profiler-agent/device"}},
  };
  return *kRooms;
}

const std::vector<LibraryRule>& LibraryRules() {
  static const std::vector<LibraryRule>* const kRules = new std::vector<LibraryRule>{
      {"LibTorch", {"torch/", "ATen/", "c10/"}, {"worker/torch"}},
      {"RocksDB", {"rocksdb/"}, {"coordinator/store/rocksdb"}},
      {"gRPC",
       {"grpcpp/", "grpc/"},
       {"rpc", "coordinator/service", "worker/service", "profiler-agent/service", "coordinator/main.cc", "worker/main.cc",
        "profiler-agent/main.cc"}},
      {"Protobuf",
       {"google/protobuf/", "google/rpc/"},
       {"rpc", "rpc/convert", "cli", "coordinator/store/codec", "coordinator/service", "worker/service", "profiler-agent/service",
        "coordinator/main.cc", "worker/main.cc", "profiler-agent/main.cc"}},
      {"FlatBuffers", {"flatbuffers/"}, {"export"}},
      {"XNNPACK", {"xnnpack.h", "pthreadpool.h"}, {"profiler-agent/runtime/xnnpack"}},
      {"cpuinfo", {"cpuinfo.h"}, {"profiler-agent/device", "profiler-agent/runtime/xnnpack"}},
      {"ONNX Runtime", {"onnxruntime_c_api.h", "onnxruntime_cxx_api.h", "onnxruntime/"}, {"profiler-agent/runtime/onnxruntime"}},
      {"ONNX", {"onnx/"}, {"export"}},
      {"nlohmann-json", {"nlohmann/"}, {"cli", "export", "worker/engine"}},
      {"yaml-cpp", {"yaml-cpp/"}, {"config", "config/process"}},
      {"prometheus-cpp", {"prometheus/"}, {"telemetry/prometheus"}},
      {"libmicrohttpd", {"microhttpd.h"}, {"telemetry/prometheus"}},
      {"Eigen", {"Eigen/"}, {"coordinator/surrogate", "coordinator/calibration", "worker/engine"}},
      {"CLI11", {"CLI/"}, {"cli", "config/process"}},
      {"TurboJPEG", {"turbojpeg.h"}, {"dataset"}},
      {"libpng", {"png.h"}, {"dataset"}},
      {"libwebp", {"webp/"}, {"dataset"}},
      {"libcurl", {"curl/"}, {"cli"}},
      {"GoogleTest", {"gtest/", "gmock/", "absl/status/status_matchers.h"}, {}},
      {"Google Benchmark", {"benchmark/"}, {}},
  };
  return *kRules;
}

}  // namespace hanas::architecture
