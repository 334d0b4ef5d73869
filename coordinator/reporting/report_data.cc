// SPDX-License-Identifier: Apache-2.0
#include "coordinator/reporting/report_data.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/judging/plain_network.h"
#include "coordinator/state/task_key.h"

namespace hanas::coordinator {
namespace {

double ChainSeconds(const SearchView& view, const TaskKey& chain) {
  double seconds = 0;
  for (const TaskRecord* task : view.Numbered(chain)) {
    seconds += task->partial_seconds;
    if (task->outcome.has_value()) seconds += std::get<TrainOutcome>(*task->outcome).seconds;
  }
  return seconds;
}

/// `network` with an answer to every question, also to those that do not arise in it: the precision that most of its layers have, else the
/// middle choice. What another kind of block asks for is then comparable with what is there.
Architecture Answered(const SearchSpace& space, Architecture network) {
  std::map<std::string, int> counts;
  const auto word = [&](int g, int choice) { return space.ChoiceName(g, choice); };
  for (int g = 0; g < static_cast<int>(space.genes().size()); ++g) {
    if (space.gene(g).trait == Trait::kPrecision && space.IsActive(network, g)) ++counts[word(g, network.genes[static_cast<size_t>(g)])];
  }
  const auto most = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const Architecture asked = network;
  for (int g = 0; g < static_cast<int>(space.genes().size()); ++g) {
    if (space.IsActive(asked, g)) continue;
    const int choices = space.gene(g).num_choices();
    int answer = (choices - 1) / 2;
    for (int c = 0; space.gene(g).trait == Trait::kPrecision && most != counts.end() && c < choices; ++c) {
      if (word(g, c) == most->first) answer = c;
    }
    network.genes[static_cast<size_t>(g)] = static_cast<uint8_t>(answer);
  }
  return network;
}

/// Of stages and the head, not of single blocks: such as the kind of a stage's blocks.
std::vector<ReportWordChoice> WordChoices(const SearchSpace& space, const CandidateScorer& scorer, const Architecture& network) {
  std::vector<ReportWordChoice> result;
  for (int g = 0; g < static_cast<int>(space.genes().size()); ++g) {
    const Gene& gene = space.gene(g);
    const bool asked = gene.num_choices() > 1 && std::holds_alternative<std::string>(gene.choices.front()) && space.IsActive(network, g);
    if (!asked || absl::StrContains(gene.name, ".blocks[")) continue;
    const uint8_t chosen = network.genes[static_cast<size_t>(g)];
    ReportWordChoice choice = {.gene = gene.name, .choice = space.ChoiceName(g, chosen)};
    choice.predicted_us = scorer.ScoreOne(network).latency_us;
    for (int other = 0; other < gene.num_choices(); ++other) {
      if (other == chosen) continue;
      Architecture changed = Answered(space, network);
      changed.genes[static_cast<size_t>(g)] = static_cast<uint8_t>(other);
      space.Canonicalise(changed);
      choice.others.push_back({space.ChoiceName(g, other), scorer.ScoreOne(changed).latency_us});
    }
    result.push_back(std::move(choice));
  }
  return result;
}

/// What a network is, in words and numbers.
absl::StatusOr<ReportMember> Describe(const SearchView& view, const SearchContext& context, const CandidateScorer& scorer,
                                      const MemberRecord& record) {
  if (record.opponent.has_value()) {
    const absl::StatusOr<PlainNetwork> network = PlainNetwork::Define(record.opponent->space);
    if (!network.ok()) return network.status();
    ReportMember member = {.record = record,
                           .text = absl::StrCat(record.opponent->preset, " x", record.opponent->factor, ": ",
                                                network->space().ToReadable(record.architecture)),
                           .json = network->space().ToJson(record.architecture),
                           .precision = network->Summary()};
    member.cost = network->CostOn(view.target().caps);
    return member;
  }
  const SearchSpace& space = context.space();
  ReportMember member = {.record = record, .text = space.ToReadable(record.architecture), .json = space.ToJson(record.architecture)};
  member.precision = context.lowering().family().Summary(record.architecture);
  member.cost = scorer.ScoreOne(record.architecture);
  member.word_choices = WordChoices(space, scorer, record.architecture);
  return member;
}

absl::StatusOr<ReportMember> MakeMember(const SearchView& view, const SearchContext& context, const CandidateScorer& scorer,
                                        const Goals& goals, const MemberRecord& record) {
  const auto* bound = view.Done<BindOutcome>(view.MemberKey(TaskStage::kMemberBind, record));
  const auto* verified = view.Done<VerifyOutcome>(view.MemberKey(TaskStage::kMemberVerify, record));
  if (bound == nullptr || verified == nullptr)
    return absl::InternalError(absl::StrCat("expected ", record.id, " to be bound and verified, found it is not"));
  absl::StatusOr<ReportMember> described = Describe(view, context, scorer, record);
  if (!described.ok()) return described.status();
  ReportMember member = *std::move(described);
  member.bound = *bound;
  member.verified = *verified;
  member.training_seconds = ChainSeconds(view, view.MemberKey(TaskStage::kMemberTrain, record)) +
                            ChainSeconds(view, view.MemberKey(TaskStage::kMemberFinal, record));
  member.measured_us = StatisticUs(verified->device, view.target_spec().statistic);
  member.costs = CostsOf(member.cost, LatencyCalibration{}, member.accuracy());
  member.costs[IndexOf(Quantity::kLatency)] = member.measured_us;
  member.within_limits = TotalViolation(member.costs, goals.limits) <= 0;
  return member;
}

/// The seconds, and from how many targets on they are worth it.
void AddCompute(const SearchView& view, const ReportData& data, FamilyData& family) {
  family.compute = ComputeOf(view);
  const auto all_in =
      std::find_if(data.references.begin(), data.references.end(), [](const ReportMember& member) { return member.record.id == kAllIn; });
  if (all_in == data.references.end()) return;
  const double one_network = all_in->training_seconds + all_in->bound.seconds + all_in->verified.seconds;
  const double per_target = family.compute.targets_seconds / static_cast<double>(view.num_targets());
  family.break_even_targets = BreakEvenTargets(family.compute.shared_seconds, per_target, one_network);
}

absl::Status AddLeftOut(const SearchView& view, const SearchContext& context, const CandidateScorer& scorer, ReportData& data) {
  const std::vector<MemberRecord>& members = view.record().members;
  for (const LeftOutRecord& left_out : view.record().left_out) {
    const auto member = std::find_if(members.begin(), members.end(),
                                     [&](const MemberRecord& m) { return m.target == left_out.target && m.id == left_out.id; });
    if (left_out.target != view.target_index() || member == members.end()) continue;
    absl::StatusOr<ReportMember> described = Describe(view, context, scorer, *member);
    if (!described.ok()) return described.status();
    data.left_out.push_back({*member, std::move(described->text), left_out});
  }
  return absl::OkStatus();
}

std::string ClassOf(const OpKey& key) {
  if (key.kind != OpKind::kConv2d) return std::string(SchemaOf(key.kind).report_name);
  if (key.kernel == 1) return "pointwise convolution";
  const absl::string_view what = key.groups == 1 ? "convolution" : key.groups == key.output_channels ? "depthwise" : "grouped convolution";
  return absl::StrCat(what, " ", key.kernel, "x", key.kernel);
}

/// Shapes that the table has in both types, summed by class.
std::vector<OperatorComparison> CompareTypes(const LatencyTable& table, const std::vector<OpKey>& keys) {
  std::map<std::string, OperatorComparison> classes;
  for (const OpKey& key : keys) {
    const std::string name = ClassOf(key);
    if (name.empty() || key.input_type != ElementType::kInt8 || key.weight_type != ElementType::kInt8) continue;
    OpKey as_float = key;
    as_float.input_type = as_float.weight_type = as_float.output_type = ElementType::kFloat32;
    const LatencyRow* eight = table.Find(key);
    const LatencyRow* full = table.Find(as_float);
    if (eight == nullptr || full == nullptr) continue;
    OperatorComparison& comparison = classes[name];
    comparison.operator_text = name;
    ++comparison.num_shapes;
    comparison.int8_us += eight->flushed_us;
    comparison.float_us += full->flushed_us;
  }
  std::vector<OperatorComparison> result;
  for (auto& [name, comparison] : classes) result.push_back(std::move(comparison));
  return result;
}

}  // namespace

double ReportMember::accuracy_stddev() const {
  const double p = accuracy();
  return verified.exported.images > 0 ? std::sqrt(p * (1 - p) / static_cast<double>(verified.exported.images)) : 0;
}

absl::StatusOr<ReportData> MakeReportData(const SearchView& view, SearchContext& context) {
  const absl::StatusOr<const CandidateScorer*> scorer = context.Scorer(view);
  if (!scorer.ok()) return scorer.status();
  const int rounds = view.NumRounds();
  absl::StatusOr<FittedLatency> latency = context.FitLatency(view, rounds);
  if (!latency.ok()) return latency.status();
  ReportData data = {.record = view.record(),
                     .job = view.job(),
                     .target_index = view.target_index(),
                     .log10_networks = context.space().Log10Size(),
                     .searched_whole = context.searched_whole()};
  const absl::StatusOr<const Goals*> goals = context.GoalsOfJob(view);
  if (!goals.ok()) return goals.status();
  data.goals = **goals;
  data.latency = *std::move(latency);
  for (const MemberRecord& record : view.record().members) {
    if (record.target != view.target_index() || view.IsLeftOut(record)) continue;
    if (record.set_aside) {
      data.set_aside.push_back({record, context.space().ToReadable(record.architecture)});
      continue;
    }
    absl::StatusOr<ReportMember> member = MakeMember(view, context, **scorer, data.goals, record);
    if (!member.ok()) return member.status();
    data.test_images = std::max(data.test_images, member->verified.exported.images);
    (record.reference ? data.references : data.front).push_back(*std::move(member));
  }
  if (const auto* images = view.Done<PackOutcome>({.stage = TaskStage::kTestImages}); images != nullptr) data.survey = images->survey;
  if (absl::Status status = AddLeftOut(view, context, **scorer, data); !status.ok()) return status;
  std::stable_sort(data.front.begin(), data.front.end(),
                   [](const ReportMember& a, const ReportMember& b) { return a.measured_us < b.measured_us; });
  if (view.job().references == ReferencesKind::kFamily) {
    data.family = CompareFamilies(data);
    AddCompute(view, data, *data.family);
  }
  for (const MeasuredNetwork& network : view.Measurements(rounds)) {
    const double sum_us = (*scorer)->ScoreOne(network.architecture).sum_us;
    data.pairs.push_back({context.space().ToReadable(network.architecture), sum_us, ApplyCalibration(sum_us, data.latency.fit.calibration),
                          StatisticUs(network.measurement, view.target_spec().statistic), network.measurement.cv, network.held_out});
  }
  const auto concluded = static_cast<int>(view.target().rounds.size());
  if (const auto* fit = view.Done<FitOutcome>(PredictorKey(concluded)); fit != nullptr) {
    data.predictor = *fit;
    data.predictor_networks = static_cast<int64_t>(view.Evaluations(concluded).size());
  }
  if (view.Table() != nullptr) {
    const absl::StatusOr<const std::vector<OpKey>*> keys = context.Keys(view);
    if (!keys.ok()) return keys.status();
    data.comparisons = CompareTypes(*view.Table(), **keys);
  }
  return data;
}

}  // namespace hanas::coordinator
