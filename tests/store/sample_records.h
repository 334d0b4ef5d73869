// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_STORE_SAMPLE_RECORDS_H_
#define HANAS_TESTS_STORE_SAMPLE_RECORDS_H_

#include <string>
#include <vector>

#include "coordinator/store/codec/record_codec.h"

namespace hanas::coordinator {

/// A space of its own that a network may be of.
inline SpaceSpec SampleSpace() {
  SpaceSpec space = {.name = "plain", .resolutions = {32}, .input_channels = 1, .num_classes = 7};
  space.stages = {{.widths = {8}, .depths = {2}, .kinds = {BlockKind::kConv}, .blocks = {{}, {}}}};
  return space;
}

/// A task of every kind of work, done, with every field set.
inline std::vector<TaskRecord> SampleTasks() {
  const std::vector<Work> works = {TrainWork{.kind = TrainingKind::kFineTune,
                                             .slice = {{1, 2}},
                                             .initial = {"a", 1},
                                             .from_step = 1,
                                             .to_step = 2,
                                             .total_steps = 3,
                                             .space = SampleSpace(),
                                             .teacher = TeacherRef{{"t", 1}, SampleSpace(), {{1, 2}}}},
                                   EvaluateWork{.checkpoint = {"a", 1},
                                                .architectures = {{{1}}, {{2}}},
                                                .graph_digests = {"x", "y"},
                                                .all_validation_images = true,
                                                .steps = {3, 4},
                                                .teacher = TeacherRef{{"t", 1}, SampleSpace(), {{1, 2}}}},
                                   FitWork{7},
                                   BindWork{{"a", 1}, {{3}}, "g", SampleSpace()},
                                   PackWork{},
                                   MeasureOperatorsWork{{"k"}},
                                   MeasureNetworksWork{{{{4}}}, {"p"}, {SampleSpace()}},
                                   VerifyWork{{"a", 1}, {"b", 2}, {"c", 3}}};
  const std::vector<Outcome> outcomes = {TrainOutcome{{"a", 1}, 2, 0.5, 3, 4, "d", false, "f"},
                                         EvaluateOutcome{{{1, 2, 0.5}}, 3, "d", "f"},
                                         FitOutcome{std::string("\0p", 2), 0.5, 0.1, "mlp", 6},
                                         BindOutcome{{"a", 1}, {"b", 2}, {1, 2, 0.5}, 3},
                                         PackOutcome{{"a", 1}, 2, {{{"cat", 3, 4}}, {{"CODE", "A sentence.", {"member-1"}}}}, 7},
                                         MeasureOperatorsOutcome{{{"k", 1, 2, 0.1, 5, true}}, {.load_average = 0.5, .canary_ratio = 1}, 3},
                                         MeasureNetworksOutcome{{{1, 2, 3, 0.1, 5, true, 6}}, {.temperature_celsius = 40}, 3},
                                         VerifyOutcome{.device = {1, 2, 3},
                                                       .exported = {1, 2, 3},
                                                       .exported_runtime = "r",
                                                       .agreeing = 1,
                                                       .compared = 2,
                                                       .reopened = {.score = {1, 2, 0.5}, .differing = 1},
                                                       .device_accuracy = {.score = {0, 2, 0.25}, .differing = 2},
                                                       .class_correct = {1, 0},
                                                       .among_five = 2}};
  std::vector<TaskRecord> tasks;
  for (size_t i = 0; i < works.size(); ++i) {
    tasks.push_back({.id = 1,
                     .search = 2,
                     .key = "k",
                     .work = works[i],
                     .state = TaskState::kDone,
                     .attempt = 3,
                     .fencing_token = 4,
                     .party = 5,
                     .instance = "i",
                     .failures = 1,
                     .error = "e",
                     .rounds = {{1, {{0, 1, 2, 3, 4, true}}}},
                     .outcome = outcomes[i]});
  }
  return tasks;
}

/// With every part that a search can have.
inline SearchRecord SampleSearch() {
  SearchRecord search = {.id = 1, .request_id = "r", .spec = absl::Cord("s"), .job_digest = {1, 2}, .phase = SearchPhase::kSearching};
  search.phases = {{SearchPhase::kProfiling, 1.5, 2, 3, "operators"}};
  search.targets = {{.agent = "local",
                     .device = {.device = "local", .threads = 2},
                     .caps = {.name = "x", .native = {{.compute = ElementType::kFloat16}}},
                     .profile = ProfileRecord{5, 0.01, {{"macs", 1, 2}}, 0.5, 100},
                     .rounds = {{1, 2, 0.5, 0.6, 0.01, 3}}},
                    {.agent = "other"}};
  search.members = {
      {0, "m", true, TrainingKind::kAlone, 5, {{1, 2}}, {1, 2, 3}, 4},
      {1, "m", true, TrainingKind::kAlone, 5, {{1, 2}}, {1, 2, 3}, 4, 0},
      {0, "n", false, TrainingKind::kFineTune, 5, {{1, 2}}, {1, 2, 3}, 4, -1, std::nullopt, {4, 5, 6}, 7, true},
      {1, "dense-1", true, TrainingKind::kAlone, 5, {{1}}, {}, 0, -1, OpponentRecord{"dense", "dense-80k", 0.5, SampleSpace()}}};
  search.candidates_scored = 9;
  search.left_out = {{1, "m", "EXPORT_FAILED", "it broke"}};
  search.forecast = ForecastRecord{1, 2, 3, 4.5, 5.5, 6, "counts only"};
  search.compute_seconds = 12.5;
  search.paused = true;
  search.finishing = true;
  search.finish_reason = "asked by a user";
  search.dataset_digest = "d";
  search.dataset_files = "f";
  search.create_time_us = 7;
  search.end_time_us = 8;
  search.update_time_us = 9;
  return search;
}

}  // namespace hanas::coordinator

#endif  // HANAS_TESTS_STORE_SAMPLE_RECORDS_H_
