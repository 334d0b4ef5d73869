// SPDX-License-Identifier: Apache-2.0
#include "profiler-agent/device/host_probe.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Optional;

namespace fs = std::filesystem;

class HostProbeTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() /
            ("hanas-host-probe-" + std::to_string(::getpid()) + "-" + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  fs::path root_;
};

TEST_F(HostProbeTest, EverythingIsAbsentOnABareHost) {
  const HostReading reading = HostProbe(root_.string()).Read();
  EXPECT_EQ(reading.load_average, std::nullopt);
  EXPECT_EQ(reading.steal_ticks, std::nullopt);
  EXPECT_EQ(reading.temperature_celsius, std::nullopt);
  EXPECT_EQ(reading.frequency_mhz, std::nullopt);
  EXPECT_EQ(reading.throttle_count, std::nullopt);
  const HostIdentity identity = HostProbe(root_.string()).Identify();
  EXPECT_EQ(identity.host_id.size(), 32);
  EXPECT_EQ(identity.governor, "");
  EXPECT_GE(identity.num_cpus, 1);
  EXPECT_FALSE(identity.isa.empty());
}

TEST_F(HostProbeTest, ReadsABoard) {
  Write("proc/loadavg", "1.25 0.70 0.50 2/345 6789\n");
  Write("proc/stat", "cpu  100 0 50 800 5 0 5 40 0 0\ncpu0 1 2 3\n");
  Write("proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n");
  Write("sys/class/thermal/thermal_zone0/temp", "41000\n");
  Write("sys/class/thermal/thermal_zone1/temp", "56500\n");
  Write("sys/class/thermal/thermal_zone2/temp", "broken\n");
  Write("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1800000\n");
  Write("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "600000\n");
  Write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand\n");
  Write("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "1800000\n");
  Write("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n");
  Write("sys/firmware/devicetree/base/model", std::string("Board 4 Model B\0", 16));
  HostProbe probe(root_.string());
  const HostReading reading = probe.Read();
  EXPECT_THAT(reading.load_average, Optional(1.25));
  EXPECT_THAT(reading.steal_ticks, Optional(40));
  EXPECT_THAT(reading.total_ticks, Optional(1000));
  EXPECT_THAT(reading.temperature_celsius, Optional(56.5));
  EXPECT_THAT(reading.frequency_mhz, Optional(600.0));
  EXPECT_THAT(reading.throttle_count, Optional(3));
  const HostIdentity identity = probe.Identify();
  EXPECT_EQ(identity.governor, "ondemand");
  EXPECT_EQ(identity.max_frequency_khz, 1800000);
  EXPECT_EQ(identity.cpu_model, "Board 4 Model B");
  EXPECT_EQ(identity.memory_bytes, 2048 * 1024);
}

TEST_F(HostProbeTest, HostIdFollowsTheMachineId) {
  const std::string by_name = HostProbe(root_.string()).Identify().host_id;
  Write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
  const std::string first = HostProbe(root_.string()).Identify().host_id;
  EXPECT_EQ(HostProbe(root_.string()).Identify().host_id, first);
  EXPECT_NE(first, by_name);
  EXPECT_NE(first, "0123456789abcdef0123456789abcdef") << "the machine id itself is confidential";
  Write("etc/machine-id", "uninitialized\n");
  EXPECT_EQ(HostProbe(root_.string()).Identify().host_id, by_name);
}

TEST_F(HostProbeTest, ThreadsGetACoreEachWhileThereAreCores) {
  const HostProbe probe(root_.string());
  EXPECT_THAT(probe.ChooseCpus({0, 1, 2, 3}, 2, 2), ElementsAre(2, 0)) << "nothing is known of cores";
  // Two packages of two cores of two processors each, numbered as many servers do: cores first, packages in turn.
  for (int cpu = 0; cpu < 8; ++cpu) {
    const std::string topology = "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    Write(topology + "thread_siblings_list", std::to_string(cpu % 4) + "," + std::to_string(cpu % 4 + 4) + "\n");
    Write(topology + "physical_package_id", std::to_string(cpu % 2) + "\n");
  }
  const std::vector<int> all = {0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_THAT(probe.ChooseCpus(all, 5, 1), ElementsAre(5));
  EXPECT_THAT(probe.ChooseCpus(all, 5, 2), ElementsAre(5, 3)) << "the other core of the package";
  EXPECT_THAT(probe.ChooseCpus(all, 5, 4), ElementsAre(5, 3, 0, 2)) << "a core each";
  EXPECT_THAT(probe.ChooseCpus(all, 5, 6), ElementsAre(5, 3, 0, 2, 1, 7)) << "then those that share one";
  EXPECT_THAT(probe.ChooseCpus({1, 5, 6}, 5, 2), ElementsAre(5, 6)) << "of those that are allowed only";
  EXPECT_THAT(probe.ChooseCpus({1, 5}, 5, 4), ElementsAre(5, 1)) << "there are no more";
}

TEST_F(HostProbeTest, ThreadsGetCoresOfOneSpeed) {
  for (int cpu = 0; cpu < 4; ++cpu)
    Write("sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpu_capacity", cpu < 2 ? "446\n" : "1024\n");
  const HostProbe probe(root_.string());
  EXPECT_THAT(probe.ChooseCpus({0, 1, 2, 3}, 3, 2), ElementsAre(3, 2));
  EXPECT_THAT(probe.ChooseCpus({0, 1, 2, 3}, 3, 3), ElementsAre(3, 2, 0));
}

TEST(HostProcessorsTest, ThisProcessMayUseSome) {
  EXPECT_FALSE(AllowedCpus().empty());
  EXPECT_EQ(static_cast<int>(AllowedCpus().size()), HostProbe().Identify().num_cpus);
}

TEST(HostStateTest, DifferencesOfCounters) {
  const HostReading before{.load_average = 0.5, .steal_ticks = 10, .total_ticks = 1000, .throttle_count = 2};
  const HostReading after{.load_average = 0.7, .steal_ticks = 30, .total_ticks = 2000, .temperature_celsius = 50, .throttle_count = 5};
  const HostState state = Between(before, after);
  EXPECT_THAT(state.load_average, Optional(0.7));
  EXPECT_THAT(state.steal_percent, Optional(DoubleNear(2.0, 1e-9)));
  EXPECT_THAT(state.throttle_events, Optional(3));
  EXPECT_THAT(state.temperature_celsius, Optional(50.0));
  EXPECT_THAT(Between({}, {}).steal_percent, Eq(std::nullopt));
}

}  // namespace
}  // namespace hanas
