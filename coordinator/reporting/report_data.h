// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_REPORTING_REPORT_DATA_H_
#define HANAS_COORDINATOR_REPORTING_REPORT_DATA_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/judging/compute.h"
#include "coordinator/judging/goals.h"
#include "coordinator/judging/search_context.h"
#include "coordinator/judging/standing.h"
#include "coordinator/state/search_view.h"
#include "coordinator/store/records.h"
#include "core/job/findings.h"
#include "core/job/search_job.h"

namespace hanas::coordinator {

/// What a network answers to a question with words for answers, and what it would take with the others, by the latency model.
struct ReportWordChoice {
  struct Other {
    std::string choice;
    double predicted_us = 0;
  };
  std::string gene;
  std::string choice;
  double predicted_us = 0;
  std::vector<Other> others;
};

/// A network of the report with everything that was found out about it.
struct ReportMember {
  MemberRecord record;
  std::string text;
  std::string json;
  std::string precision;
  CandidateCost cost;
  BindOutcome bound;
  VerifyOutcome verified;
  double training_seconds = 0;  // on this network alone
  double measured_us = 0;       // the job's statistic
  CostVector costs;             // of every quantity, as measured (goals.h)
  bool within_limits = false;
  std::vector<ReportWordChoice> word_choices;

  /// On the test images, of the exported file on the runtime that ships it.
  double accuracy() const { return verified.exported.fraction(); }
  /// Binomial standard deviation of the accuracy: sqrt(p (1 - p) / n).
  double accuracy_stddev() const;
};

struct ReportPair {
  std::string text;
  double sum_us = 0;
  double predicted_us = 0;
  double measured_us = 0;
  double cv = 0;
  bool held_out = false;
};

/// A member against a family of plain networks, at the member's latency.
struct FamilyComparison {
  std::string member;  // its id
  std::string family;  // "dense"
  FamilyAccuracy at_latency;
  double difference = 0;  // of accuracies, the member's less the family's; a fraction
  double stddev = 0;      // of the difference
};

/// What a front or a family dominates over latency and error.
struct FrontVolume {
  std::string of;  // "members", or a family
  double hypervolume = 0;
};

/// What there is to say of a search with plain networks.
struct FamilyData {
  std::vector<std::string> families;          // those of which a network is left, without all-in
  std::vector<FamilyComparison> comparisons;  // of every family with every member
  VolumeCorner corner;
  std::vector<FrontVolume> volumes;  // of the members, then of each family
  ComputeUse compute;                // of all targets
  std::optional<int64_t> break_even_targets;
};

/// The same operator in both types on this device; totals over the shapes that the table has in both.
struct OperatorComparison {
  std::string operator_text;  // "depthwise 3x3"
  int64_t num_shapes = 0;
  double int8_us = 0;
  double float_us = 0;
};

/// A network that was chosen and could not be trained, bound or verified.
struct ReportLeftOut {
  MemberRecord member;
  std::string text;
  LeftOutRecord record;
};

/// A network of the front that was fine-tuned and not trained on, since others deserved it more.
struct ReportSetAside {
  MemberRecord member;
  std::string text;
};

/// Everything that a report says of one target, before it is put into words.
struct ReportData {
  SearchRecord record;
  SearchJob job;
  size_t target_index = 0;
  Goals goals;
  double log10_networks = 0;
  bool searched_whole = false;      // every network of the space was evaluated and measured
  std::vector<ReportMember> front;  // ascending measured latency
  std::vector<ReportMember> references;
  std::vector<ReportLeftOut> left_out;
  std::vector<ReportSetAside> set_aside;
  FittedLatency latency;
  std::vector<ReportPair> pairs;
  FitOutcome predictor;  // the last one
  int64_t predictor_networks = 0;
  std::vector<OperatorComparison> comparisons;
  int64_t test_images = 0;
  Survey survey;                     // of the data set
  std::optional<FamilyData> family;  // of a search with ReferencesKind::kFamily

  const TargetSpec& target_spec() const { return TargetsOf(job)[target_index]; }
  const TargetRecord& target() const { return TargetAt(record, target_index); }
};

/// The members against the plain networks among the references, as both were measured. `front` and `references` are filled; compute is not
/// touched. Pure.
FamilyData CompareFamilies(const ReportData& data);

/// For the view's target. Requires a search that SUCCEEDED. Pure.
absl::StatusOr<ReportData> MakeReportData(const SearchView& view, SearchContext& context);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_REPORTING_REPORT_DATA_H_
