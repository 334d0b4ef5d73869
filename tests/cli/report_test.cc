// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "cli/report/report_text.h"
#include "core/base/quantity.h"

#include "cli/report/progress.h"
#include "cli/report/report_svg.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

void AddLimit(v1::Report& report, std::string of, double at_most) {
  v1::Limit& limit = *report.add_limits();
  limit.set_of(std::move(of));
  limit.set_at_most(at_most);
}

v1::Member MakeMember(const std::string& id, double accuracy, double p50_us, int64_t size_bytes, int64_t macs) {
  v1::Member member;
  member.set_id(id);
  member.set_precision("pw 8 · dw 16 · last 8");
  member.set_test_accuracy(accuracy);
  member.set_test_correct(static_cast<int64_t>(accuracy * 10000));
  member.set_test_images(10000);
  member.set_test_accuracy_stddev(0.004);
  member.set_latency_p50_us(p50_us);
  member.set_latency_p90_us(p50_us * 1.05);
  member.set_predicted_latency_us(p50_us * 0.98);
  member.set_predicted_error(-0.02);
  member.set_size_bytes(size_bytes);
  member.set_macs(macs);
  member.set_training_steps(150);
  member.set_within_limits(true);
  return member;
}

v1::Report MakeReport() {
  v1::Report report;
  report.set_space("small");
  report.set_dataset("fashion-mnist");
  report.set_log10_networks(12.34);
  v1::DeviceContext& device = *report.mutable_device();
  device.set_device("local");
  device.set_cpu("Some CPU");
  device.set_isa("avx512vnni");
  device.set_backend("xnnpack");
  device.set_backend_version("2024-11");
  device.set_threads(1);
  AddLimit(report, "latency", 1000);
  AddLimit(report, "size", 200000);
  report.set_statistic(v1::LATENCY_STATISTIC_P50);
  report.set_share_within_limits(0.42);
  report.set_share_samples(2000);
  report.set_test_images(10000);
  *report.add_front() = MakeMember("member-1", 0.842, 112, 45200, 1230000);
  *report.add_front() = MakeMember("member-2", 0.881, 412, 152000, 8100000);
  report.mutable_front(1)->set_latency_noisy(true);
  report.mutable_front(1)->set_within_limits(false);
  for (v1::Member& member : *report.mutable_front()) {
    member.set_exported_runtime("onnxruntime 1.21.0");
    member.set_reopened_correct(member.test_correct());
    member.set_device_correct(member.test_correct() - 1);
    member.set_device_differing(3);
    member.set_worker_correct(member.test_correct() + 2);
    member.set_runtime_agreement(1);
    member.set_runtime_agreement_images(100);
  }
  v1::Member& reference = *report.add_references();
  reference = MakeMember("middle-8bit", 0.86, 300, 120000, 5000000);
  reference.set_note("alone, 150 steps");
  reference.set_predicted_latency_us(0);
  reference.set_training_seconds(61);
  v1::LatencyTrust& trust = *report.mutable_latency_trust();
  trust.set_scale(1.04);
  trust.set_offset_us(5.1);
  trust.set_fitted_networks(12);
  trust.set_held_out_networks(8);
  trust.set_held_out_mape(0.021);
  trust.set_held_out_max_error(0.055);
  trust.set_held_out_spearman(0.99);
  trust.set_uncalibrated_mape(0.12);
  report.mutable_predictor_trust()->set_held_out_tau(0.61);
  report.mutable_predictor_trust()->set_held_out_rmse(0.011);
  report.mutable_predictor_trust()->set_trained_on(72);
  report.mutable_predictor_trust()->set_kind("mlp");
  report.set_operator_keys(603);
  report.set_operator_cv_median(0.008);
  report.add_findings()->set_sentence("depthwise 3x3 is 1.6× slower in int8 than in float here");
  report.add_sentences("1.8× faster at +0.6 points than middle-8bit, outside the noise");
  report.add_next_steps("more fine-tuning steps: every network was still improving");
  v1::PhaseProgress& phase = *report.add_phases();
  phase.set_phase(v1::PHASE_PROFILING);
  phase.set_done(603);
  phase.set_total(603);
  phase.set_unit("operators");
  phase.set_seconds(72);
  return report;
}

TEST(ReportTest, SaysWhatWasLeftOutAndWhy) {
  v1::Report report = MakeReport();
  EXPECT_THAT(RenderReport(report), Not(HasSubstr("Left out")));
  v1::LeftOut& network = *report.add_left_out();
  network.set_id("member-3");
  network.set_architecture_text("r20 w16");
  network.set_error("it broke (exporting member-3, after 3 attempts)");
  EXPECT_THAT(RenderReport(report), HasSubstr("Left out\n  member-3 (r20 w16): it broke (exporting member-3, after 3 attempts)\n"));
}

TEST(ReportTest, TheWholeScreen) {
  EXPECT_EQ(RenderReport(MakeReport()),
            R"(Searched small on fashion-mnist: 10^12.3 networks
Measured on local, Some CPU, avx512vnni, xnnpack 2024-11, 1 thread
Limits: p50 latency ≤ 1 ms, size ≤ 200 kB; 42.0 % of 2000 random networks keep them

The front: each network fine-tuned for 150 steps, then measured whole; accuracy on 10000 test images, ± one binomial standard deviation
  network         accuracy          p50 [p90]  predicted   error     size    MACs  precision
  member-1    84.2 ± 0.4 %    112 µs [118 µs]     110 µs  −2.0 %  45.2 kB  1.23 M  pw 8 · dw 16 · last 8
  member-2 !  88.1 ± 0.4 %  412 µs [433 µs] ~     404 µs  −2.0 %   152 kB  8.10 M  pw 8 · dw 16 · last 8

References, measured the same way
  network          accuracy        p50 [p90]  predicted  error    size    MACs  precision              trained
  middle-8bit  86.0 ± 0.4 %  300 µs [315 µs]          -      -  120 kB  5.00 M  pw 8 · dw 16 · last 8  alone, 150 steps
  ~ spread above 2 % over the rounds of measuring
  ! outside the limits when measured

What the search won
  1.8× faster at +0.6 points than middle-8bit, outside the noise

What decided
  depthwise 3x3 is 1.6× slower in int8 than in float here

How far to trust this
  latency: 2.1 % mean error (worst 5.5 %) on 8 networks not used to calibrate; the plain sum of operators is 12.0 % off; rank correlation 0.99
  latency model: 1.040 · sum of operators + 5.10 µs, fitted to 12 whole networks
  accuracy predictor (mlp, 72 networks): Kendall τ 0.61 on networks it had not seen, error 1.1 points
  603 operators measured, median spread over the rounds 0.8 %
  exported = reported: each accuracy is its file's own on onnxruntime 1.21.0; opened again with default options, 2 of 2 files give every test image the same class
  of 10000 test images the device's runtime gives at most 3 another class than the file; the worker's own score is at most 2 away
  the device's runtime and onnxruntime 1.21.0 with its optimiser off agree on the class of at least 100.0 % of the compared images

Time
  phase                      time
  profiling            1 min 12 s  603 operators
  in all               1 min 12 s
  of which references  1 min 01 s  (--references none leaves them out)

What to try next
  more fine-tuning steps: every network was still improving
)");
}

TEST(ReportTest, SaysWhichClassesAreRecognisedLeast) {
  v1::Report report = MakeReport();
  for (const auto& [name, test] : {std::pair<const char*, int>{"bag", 6000}, {"coat", 3000}, {"dress", 900}, {"shirt", 100}, {"hat", 0}}) {
    v1::ClassPictures& pictures = *report.add_classes();
    pictures.set_name(name);
    pictures.set_test(test);
  }
  v1::Member& member = *report.mutable_front(0);
  for (const int correct : {5400, 2400, 450, 20, 0}) member.add_class_correct(correct);
  member.set_balanced_accuracy(0.6);
  EXPECT_THAT(RenderReport(report),
              HasSubstr("Recognised least\n  member-1  shirt 20.0 %, dress 50.0 %, coat 80.0 %; mean of all classes 60.0 %\n"));

  // As many pictures of each class: the mean is the accuracy. Of many classes the first five tell more.
  report.clear_classes();
  member.clear_class_correct();
  for (int i = 0; i < 20; ++i) {
    v1::ClassPictures& pictures = *report.add_classes();
    pictures.set_name(absl::StrCat("c", i));
    pictures.set_test(500);
    member.add_class_correct(400 + i);
  }
  member.set_test_among_five(9700);
  EXPECT_THAT(RenderReport(report), HasSubstr("  member-1  c0 80.0 %, c1 80.2 %, c2 80.4 %; among the first five 97.0 %\n"));
}

TEST(ReportTest, SaysWhatWholeFilesTake) {
  v1::Report report = MakeReport();
  report.mutable_front(0)->set_model_bytes(48'900);
  report.mutable_front(0)->set_onnx_bytes(57'600);
  EXPECT_THAT(RenderReport(report),
              HasSubstr("  whole files, .hanas and .onnx, with what describes the network: member-1 48.9 kB and 57.6 kB\n"));
}

TEST(ReportTest, SaysWhatPicturesBecome) {
  v1::Report report = MakeReport();
  for (const char* const step : {"decode", "resize to 32x32"}) report.add_preparation(step);
  EXPECT_THAT(RenderReport(report), HasSubstr("networks\nPictures: decode; resize to 32x32\nMeasured on"));
}

TEST(ReportTest, SaysWhoWasTrainedOnAndWhoWasNot) {
  v1::Report report = MakeReport();
  for (v1::Member& member : *report.mutable_front()) {
    member.set_training_steps(900);
    member.set_final_steps(750);
  }
  v1::SetAside& set_aside = *report.add_set_aside();
  set_aside.set_id("member-3");
  set_aside.set_architecture_text("r16 conv");
  set_aside.set_training_steps(150);
  set_aside.set_validation_accuracy(0.871);
  set_aside.set_predicted_latency_us(81);
  const std::string text = RenderReport(report);
  EXPECT_THAT(text, HasSubstr("each network fine-tuned for 150 steps, trained on for 750, then measured whole"));
  EXPECT_THAT(text, HasSubstr("member-3: 87.1 % on validation images after 150 steps, 81.0 µs by the latency model (r16 conv)"));
}

TEST(ReportTest, WithoutASupernetEachNetworkHasItsSteps) {
  v1::Report report = MakeReport();
  report.set_screening(v1::SCREENING_ALONE);
  report.mutable_front(0)->set_training_steps(900);
  const std::string text = RenderReport(report);
  EXPECT_THAT(text, HasSubstr("each network trained alone (member-1 for 900 steps, member-2 for "));
  EXPECT_THAT(text, Not(HasSubstr("fine-tuned")));
}

TEST(ReportTest, WhatIsNotKnownIsLeftOut) {
  v1::Report report;
  report.set_space("small");
  report.set_dataset("drawn");
  const std::string text = RenderReport(report);
  EXPECT_THAT(text, HasSubstr("The front is empty."));
  EXPECT_THAT(text, HasSubstr("No limits"));
  EXPECT_THAT(text, Not(HasSubstr("How far to trust this")));
  EXPECT_THAT(text, Not(HasSubstr("References")));
}

TEST(ReportTest, SaysWhatPlainNetworksReach) {
  v1::Report report = MakeReport();
  const auto compare = [&](const char* member, v1::FamilyComparison::Basis basis, double difference) {
    v1::FamilyComparison& comparison = *report.add_comparisons();
    comparison.set_member(member);
    comparison.set_family("dense");
    comparison.set_basis(basis);
    comparison.set_difference(difference);
    comparison.set_stddev(0.005);
  };
  compare("member-1", v1::FamilyComparison::BASIS_NONE_AS_FAST, 0);
  compare("member-2", v1::FamilyComparison::BASIS_INTERPOLATED, -0.012);
  compare("member-3", v1::FamilyComparison::BASIS_SLOWEST, 0.02);
  v1::FrontVolumes::Volume& volume = *report.mutable_volumes()->add_volumes();
  volume.set_of("dense");
  volume.set_hypervolume(0.4321);
  report.mutable_compute()->set_search_seconds(600);
  report.mutable_compute()->set_opponents_seconds(1800);
  const std::string text = RenderReport(report);
  EXPECT_THAT(text, HasSubstr("  dense  member-1 none is as fast, member-2 −1.2 ± 0.5, member-3 +2.0 ± 0.5 (all are faster)\n"));
  EXPECT_THAT(text, HasSubstr("  hypervolume of dense: 0.432\n"));
  EXPECT_THAT(text, HasSubstr("compute of the search"));
  EXPECT_THAT(text, HasSubstr("not part of the search's"));
  EXPECT_THAT(RenderReport(MakeReport()), Not(HasSubstr("plain networks")));
}

TEST(ReportTest, AnExportThatScoresDifferentlyIsSaid) {
  v1::Report report = MakeReport();
  report.mutable_front(0)->set_reopened_differing(40);
  report.mutable_front(0)->set_reopened_correct(report.front(0).test_correct() - 25);
  EXPECT_THAT(
      RenderReport(report),
      HasSubstr("opened again with default options, 1 of 2 files give every test image the same class (member-1: 40 of 10000 images "
                "differ, 8395 correct for 8420)"));
}

TEST(ReportTest, TheDrawingHoldsEveryNetworkItsBarsAndTheLimit) {
  v1::Report report = MakeReport();
  report.set_space("a<b & \"c\"");
  report.clear_limits();
  AddLimit(report, "latency", 250);
  const std::string svg = RenderFrontSvg(report);
  EXPECT_THAT(svg, HasSubstr("a&lt;b &amp; &quot;c&quot;"));
  EXPECT_THAT(svg, HasSubstr(">member-1<"));
  EXPECT_THAT(svg, HasSubstr("<title>middle-8bit: 86.00 %, 300 µs, 120 kB, pw 8 · dw 16 · last 8</title></rect>"));
  EXPECT_THAT(svg, HasSubstr("limit 250 µs"));
  EXPECT_THAT(svg, HasSubstr("test accuracy, %"));
  EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(ReportTest, ADrawingWithoutNetworksIsStillADrawing) {
  const std::string svg = RenderFrontSvg(v1::Report());
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
  EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
}

v1::PhaseProgress At(int64_t done, double seconds) {
  v1::PhaseProgress progress;
  progress.set_phase(v1::PHASE_TRAINING);
  progress.set_done(done);
  progress.set_total(600);
  progress.set_unit("steps");
  progress.set_seconds(seconds);
  return progress;
}

TEST(ReportTest, ProgressShowsRateAndTimeLeft) {
  ProgressMeter meter;
  meter.Add(At(0, 0));
  EXPECT_EQ(meter.Line(0), "training   0/600 steps  0 %");
  meter.Add(At(60, 20));
  EXPECT_EQ(meter.Line(0), "training   60/600 steps  10 %  3.0/s  3 min 00 s left");
  v1::PhaseProgress last = At(150, 50);
  last.set_note("loss 1.23");
  meter.Add(last);
  EXPECT_EQ(meter.Line(0), "training   150/600 steps  25 %  3.0/s  2 min 30 s left  loss 1.23");
  EXPECT_EQ(meter.Line(20), "training   150/600 …");
}

TEST(ReportTest, ProgressOfARestartedPhaseBeginsAnew) {
  ProgressMeter meter;
  meter.Add(At(500, 100));
  meter.Add(At(400, 101));
  EXPECT_EQ(meter.Line(0), "training   400/600 steps  67 %");
}

TEST(ReportTest, TheTimeLeftDoesNotLeap) {
  // A phase whose units differ, as in VERIFYING: fast steps of training, then one slow unit for binding and verifying, four times over.
  ProgressMeter meter;
  double before = -1;
  double seconds = 0;
  int64_t done = 0;
  v1::PhaseProgress progress;
  progress.set_phase(v1::PHASE_VERIFYING);
  progress.set_unit("steps");
  progress.set_total(4 * 202);
  const auto see = [&] {
    progress.set_done(done);
    progress.set_seconds(seconds);
    meter.Add(progress);
    if (seconds < 5) {
      EXPECT_FALSE(meter.seconds_left()) << "too early to tell, at " << seconds;
    }
    if (!meter.seconds_left()) return;
    const double left = *meter.seconds_left();
    if (before >= 0) {
      EXPECT_LT(left, before * 1.25 + 2) << "at " << seconds << " s";
      EXPECT_GT(left, before * 0.75 - 2) << "at " << seconds << " s";
    }
    before = left;
  };
  for (int member = 0; member < 4; ++member) {
    for (int step = 0; step < 40; ++step) {
      see();
      done += 5;
      seconds += 1;
    }
    for (int slow = 0; slow < 16; ++slow) {
      see();
      if (slow % 8 == 7) ++done;
      seconds += 1;
    }
  }
  see();
  EXPECT_LT(before, 20);
}

TEST(ReportTest, CuttingRespectsCharacters) {
  EXPECT_EQ(CutToWidth("µµµµ", 3), "µµ…");
  EXPECT_EQ(CutToWidth("µµµµ", 4), "µµµµ");
}

TEST(ReportTest, ObjectivesAndLimitsBesideTheUsualAreShown) {
  v1::Report report = MakeReport();
  for (const char* of : {"accuracy", "size", "parameters"}) report.add_objectives()->set_of(of);
  report.mutable_front(0)->set_parameters(12345);
  report.clear_limits();
  AddLimit(report, "size", 100000);
  v1::Limit& limit = *report.add_limits();
  limit.set_of("accuracy");
  limit.set_at_least(0.8);
  const std::string text = RenderReport(report);
  EXPECT_THAT(text, HasSubstr("Optimised: accuracy, size, parameters\n"));
  EXPECT_THAT(text, HasSubstr("size ≤ 100 kB, accuracy ≥ 80 %"));
  EXPECT_THAT(text, HasSubstr("12.3 k"));
  EXPECT_THAT(RenderFrontSvg(report), HasSubstr("limit 100 kB")) << "what accuracy is traded against is drawn across";
}

}  // namespace
}  // namespace hanas::cli
