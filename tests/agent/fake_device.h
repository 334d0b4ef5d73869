// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_AGENT_FAKE_DEVICE_H_
#define HANAS_TESTS_AGENT_FAKE_DEVICE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "profiler-agent/measure/clock.h"
#include "profiler-agent/runtime/runtime.h"

namespace hanas {

/// Time that passes only when somebody says so.
class FakeClock : public MeasureClock {
 public:
  int64_t NowNanoseconds() override { return now_; }
  int64_t CpuNanoseconds() override { return now_; }
  int64_t Interruptions() override { return interruptions_; }
  void Advance(double us) { now_ += static_cast<int64_t>(us * 1000); }
  void Interrupt() { ++interruptions_; }

 private:
  int64_t now_ = 1'000'000;
  int64_t interruptions_ = 0;
};

class FakeSleeper : public Sleeper {
 public:
  void Sleep(absl::Duration duration) override { sleeps.push_back(duration); }
  std::vector<absl::Duration> sleeps;
};

/// Takes what `cost_us` says at each run.
class FakeOperator : public OperatorInstance {
 public:
  FakeOperator(FakeClock& clock, std::function<double()> cost_us) : clock_(clock), cost_us_(std::move(cost_us)) {}
  absl::Status Run() override {
    clock_.Advance(cost_us_());
    return absl::OkStatus();
  }
  int64_t working_set_bytes() const override { return 64; }

 private:
  FakeClock& clock_;
  std::function<double()> cost_us_;
};

/// Operators cost what `cost_us` says of their output channels, at the visit-th preparation of that key.
class FakeRuntime : public DeviceRuntime {
 public:
  FakeRuntime(FakeClock& clock, std::function<double(int64_t channels, int visit)> cost_us) : clock_(clock), cost_us_(std::move(cost_us)) {}

  const BackendCaps& caps() const override { return caps_; }
  absl::StatusOr<std::unique_ptr<OperatorInstance>> PrepareOperator(const OpKey& key) override {
    if (key.output_channels == 13) return absl::InvalidArgumentError("operator: this device is superstitious");
    order.push_back(key.output_channels);
    const int visit = visits_[key.output_channels]++;
    return std::make_unique<FakeOperator>(clock_, [this, channels = key.output_channels, visit] { return cost_us_(channels, visit); });
  }
  absl::StatusOr<std::unique_ptr<NetworkInstance>> PrepareNetwork(const Graph&, const ExecPlan&, const BoundModel*,
                                                                  const NetworkOptions&) override {
    return absl::UnimplementedError("no networks");
  }
  std::vector<int64_t> order;

 private:
  FakeClock& clock_;
  std::function<double(int64_t, int)> cost_us_;
  std::map<int64_t, int> visits_;
  BackendCaps caps_{.name = "fake"};
};

/// A network whose logits are scripted; each run takes `cost_us`.
class FakeNetwork : public NetworkInstance {
 public:
  FakeNetwork(FakeClock& clock, std::function<double()> cost_us,
              std::function<std::vector<float>(absl::Span<const float>)> logits = nullptr, size_t inputs = 4)
      : clock_(clock), cost_us_(std::move(cost_us)), logits_(std::move(logits)), inputs_(inputs) {}
  size_t input_size() const override { return inputs_; }
  size_t output_size() const override { return 2; }
  absl::Status Run(absl::Span<const float>) override {
    clock_.Advance(cost_us_());
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<float>> Infer(absl::Span<const float> image) override { return logits_(image); }

 private:
  FakeClock& clock_;
  std::function<double()> cost_us_;
  std::function<std::vector<float>(absl::Span<const float>)> logits_;
  size_t inputs_;
};

}  // namespace hanas

#endif  // HANAS_TESTS_AGENT_FAKE_DEVICE_H_
