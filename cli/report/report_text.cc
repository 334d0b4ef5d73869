// SPDX-License-Identifier: Apache-2.0
#include "cli/report/report_text.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/report/member_value.h"
#include "cli/report/table.h"
#include "core/quantity/quantity_table.h"
#include "rpc/enum_word.h"

namespace hanas::cli {
namespace {

std::string Signed(double fraction) {
  const std::string magnitude = absl::StrFormat("%.1f %%", std::abs(fraction) * 100);
  return absl::StrCat(fraction < 0 ? "−" : "+", magnitude);
}

std::string Accuracy(const v1::Member& member) {
  return absl::StrFormat("%.1f ± %.1f %%", member.test_accuracy() * 100, member.test_accuracy_stddev() * 100);
}

std::string Latency(const v1::Member& member) {
  return absl::StrCat(FormatMicroseconds(member.latency_p50_us()), " [", FormatMicroseconds(member.latency_p90_us()), "]",
                      member.latency_noisy() ? " ~" : "");
}

Table::Column Left(std::string heading) { return {std::move(heading), Table::Align::kLeft}; }
Table::Column Right(std::string heading) { return {std::move(heading), Table::Align::kRight}; }

/// The columns that only some reports have: of quantities that the job optimises or limits.
std::vector<Quantity> FurtherColumns(const v1::Report& report) {
  std::vector<Quantity> further;
  constexpr Quantity kAlways[] = {Quantity::kAccuracy, Quantity::kLatency, Quantity::kSize, Quantity::kMacs};
  for (const QuantityRow& row : Quantities()) {
    const auto names = [&](const auto& spec) { return spec.of() == row.name; };
    const bool asked = std::any_of(report.objectives().begin(), report.objectives().end(), names) ||
                       std::any_of(report.limits().begin(), report.limits().end(), names);
    if (asked && std::find(std::begin(kAlways), std::end(kAlways), row.id) == std::end(kAlways)) further.push_back(row.id);
  }
  return further;
}

std::string RenderMembers(const v1::Report& report, const google::protobuf::RepeatedPtrField<v1::Member>& members, bool with_note) {
  std::vector<Table::Column> columns = {Left("network"), Right("accuracy"), Right("p50 [p90]"), Right("predicted"),
                                        Right("error"),  Right("size"),     Right("MACs")};
  const std::vector<Quantity> further = FurtherColumns(report);
  for (const Quantity quantity : further) columns.push_back(Right(std::string(RowOf(quantity).label)));
  columns.push_back(Left("precision"));
  if (with_note) columns.push_back(Left("trained"));
  Table table(std::move(columns));
  for (const v1::Member& member : members) {
    const bool predicted = member.predicted_latency_us() > 0;
    std::vector<std::string> cells = {member.id() + (member.within_limits() || with_note ? "" : " !"),
                                      Accuracy(member),
                                      Latency(member),
                                      predicted ? FormatMicroseconds(member.predicted_latency_us()) : "-",
                                      predicted ? Signed(member.predicted_error()) : "-",
                                      FormatBytes(static_cast<double>(member.size_bytes())),
                                      FormatCount(static_cast<double>(member.macs()))};
    for (const Quantity quantity : further) cells.push_back(FormatValue(quantity, ValueOf(member, quantity)));
    cells.push_back(member.precision());
    if (with_note) cells.push_back(member.note());
    table.AddRow(std::move(cells));
  }
  return table.Render("  ");
}

/// What the marks in the table mean, when there are any.
std::string RenderMarks(const v1::Report& report) {
  const auto any = [&](const auto& holds) {
    return std::any_of(report.front().begin(), report.front().end(), holds) ||
           std::any_of(report.references().begin(), report.references().end(), holds);
  };
  std::string out;
  if (any([](const v1::Member& m) { return m.latency_noisy(); })) out += "  ~ spread above 2 % over the rounds of measuring\n";
  const auto outside = [](const v1::Member& m) { return !m.within_limits(); };
  if (std::any_of(report.front().begin(), report.front().end(), outside)) out += "  ! outside the limits when measured\n";
  return out;
}

std::string RenderHead(const v1::Report& report) {
  const v1::DeviceContext& device = report.device();
  std::vector<std::string> where;
  for (const std::string& part :
       {device.device(), device.cpu(), device.isa(), absl::StrCat(device.backend(), " ", device.backend_version()),
        device.threads() > 0 ? FormatThreads(device.threads()) : "",
        device.governor().empty() ? "" : absl::StrCat("governor ", device.governor())}) {
    const absl::string_view text = absl::StripAsciiWhitespace(part);
    if (!text.empty()) where.emplace_back(text);
  }
  std::string out = absl::StrFormat("Searched %s on %s: 10^%.1f networks\n", report.space(), report.dataset(), report.log10_networks());
  if (!report.target().empty()) absl::StrAppend(&out, "For the target ", report.target(), "\n");
  if (!report.preparation().empty()) absl::StrAppend(&out, "Pictures: ", absl::StrJoin(report.preparation(), "; "), "\n");
  absl::StrAppend(&out, "Measured on ", absl::StrJoin(where, ", "), "\n");
  std::vector<std::string> objectives;
  for (const v1::Objective& objective : report.objectives()) {
    const std::optional<Quantity> of = QuantityNamed(objective.of());
    objectives.emplace_back(of ? RowOf(*of).label : objective.of());
  }
  const std::vector<std::string> usual = {"accuracy", "latency"};
  if (!objectives.empty() && objectives != usual) absl::StrAppend(&out, "Optimised: ", absl::StrJoin(objectives, ", "), "\n");
  std::vector<std::string> limits;
  for (const v1::Limit& limit : report.limits()) {
    const std::optional<Quantity> of = QuantityNamed(limit.of());
    if (!of) continue;  // of a newer coordinator
    const QuantityRow& row = RowOf(*of);
    const std::string statistic = row.id == Quantity::kLatency ? absl::AsciiStrToLower(rpc::EnumWord(report.statistic())) + " " : "";
    limits.push_back(absl::StrCat(statistic, row.label, row.more_is_better ? " ≥ " : " ≤ ",
                                  FormatValue(*of, row.more_is_better ? limit.at_least() : limit.at_most(), Rounding::kExact)));
  }
  if (limits.empty()) return absl::StrCat(out, "No limits\n");
  absl::StrAppend(&out, "Limits: ", absl::StrJoin(limits, ", "));
  if (report.share_samples() > 0) {
    absl::StrAppendFormat(&out, "; %s of %d random networks keep them", FormatPercent(report.share_within_limits()),
                          report.share_samples());
  }
  return out + "\n";
}

/// ", trained on for 5000", and who for another number of steps; empty when none was.
std::string FinalSteps(const v1::Report& report) {
  const int64_t steps = report.front(0).final_steps();
  std::vector<std::string> others;
  for (const v1::Member& member : report.front()) {
    if (member.final_steps() != steps) others.push_back(absl::StrCat(member.id(), " for ", member.final_steps()));
  }
  if (steps == 0 && others.empty()) return "";
  return absl::StrCat(", trained on for ", steps, others.empty() ? "" : absl::StrCat(" (", absl::StrJoin(others, ", "), ")"));
}

std::string RenderFront(const v1::Report& report) {
  if (report.front().empty()) return "\nThe front is empty.\n";
  const int64_t steps = report.front(0).training_steps() - report.front(0).final_steps();
  std::string out = "\nThe front: each network ";
  if (report.screening() == v1::SCREENING_ALONE) {
    absl::StrAppend(&out, "trained alone (",
                    absl::StrJoin(report.front(), ", ",
                                  [](std::string* text, const v1::Member& member) {
                                    absl::StrAppend(text, member.id(), " for ", member.training_steps(), " steps");
                                  }),
                    ")");
  } else {
    absl::StrAppend(&out, "fine-tuned for ", steps, steps == 1 ? " step" : " steps", FinalSteps(report));
  }
  out += ", then measured whole";
  if (report.test_images() > 0)
    absl::StrAppend(&out, "; accuracy on ", report.test_images(), " test images, ± one binomial standard deviation");
  absl::StrAppend(&out, "\n", RenderMembers(report, report.front(), false));
  if (!report.references().empty()) {
    absl::StrAppend(&out, "\nReferences, measured the same way\n", RenderMembers(report, report.references(), true));
  }
  return out + RenderMarks(report);
}

/// Of each network the classes that it recognises least, and what only sets of uneven or of many classes need.
std::vector<std::string> ClassLines(const v1::Report& report) {
  constexpr size_t kShown = 3;
  constexpr int kMany = 10;
  const auto& classes = report.classes();
  const bool uneven = std::any_of(classes.begin(), classes.end(), [&](const auto& each) { return each.test() != classes[0].test(); });
  std::vector<std::string> lines;
  for (const v1::Member& member : report.front()) {
    if (member.class_correct().empty() || member.class_correct_size() != classes.size()) continue;
    std::vector<std::pair<double, std::string>> shares;
    for (int i = 0; i < classes.size(); ++i) {
      if (classes[i].test() == 0) continue;
      shares.emplace_back(static_cast<double>(member.class_correct(i)) / static_cast<double>(classes[i].test()), classes[i].name());
    }
    std::sort(shares.begin(), shares.end());
    shares.resize(std::min(kShown, shares.size()));
    std::string line = absl::StrCat(member.id(), "  ", absl::StrJoin(shares, ", ", [](std::string* text, const auto& share) {
                                      absl::StrAppend(text, share.second, " ", FormatPercent(share.first));
                                    }));
    if (uneven) absl::StrAppend(&line, "; mean of all classes ", FormatPercent(member.balanced_accuracy()));
    if (classes.size() > kMany && member.test_images() > 0) {
      absl::StrAppend(&line, "; among the first five ",
                      FormatPercent(static_cast<double>(member.test_among_five()) / static_cast<double>(member.test_images())));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

/// The members against plain networks, one line for each family.
std::vector<std::string> FamilyLines(const v1::Report& report) {
  std::vector<std::string> families;
  for (const v1::FamilyComparison& comparison : report.comparisons()) {
    if (std::find(families.begin(), families.end(), comparison.family()) == families.end()) families.push_back(comparison.family());
  }
  std::vector<std::string> lines;
  for (const std::string& family : families) {
    std::vector<std::string> parts;
    for (const v1::FamilyComparison& comparison : report.comparisons()) {
      if (comparison.family() != family) continue;
      if (comparison.basis() == v1::FamilyComparison::BASIS_NONE_AS_FAST) {
        parts.push_back(absl::StrCat(comparison.member(), " none is as fast"));
        continue;
      }
      parts.push_back(absl::StrFormat("%s %s%.1f ± %.1f%s", comparison.member(), comparison.difference() < 0 ? "−" : "+",
                                      100 * std::abs(comparison.difference()), 100 * comparison.stddev(),
                                      comparison.basis() == v1::FamilyComparison::BASIS_SLOWEST ? " (all are faster)" : ""));
    }
    lines.push_back(absl::StrCat(family, "  ", absl::StrJoin(parts, ", ")));
  }
  for (const v1::FrontVolumes::Volume& volume : report.volumes().volumes())
    lines.push_back(absl::StrFormat("hypervolume of %s: %.3f", volume.of(), volume.hypervolume()));
  return lines;
}

std::string RenderLines(absl::string_view heading, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string out = absl::StrCat("\n", heading, "\n");
  for (const std::string& line : lines) absl::StrAppend(&out, "  ", line, "\n");
  return out;
}

std::vector<std::string> LatencyTrustLines(const v1::LatencyTrust& trust) {
  if (trust.fitted_networks() == 0) return {};
  if (trust.held_out_networks() == 0) {
    return {absl::StrFormat("latency model: %.3f · sum of operators, fitted to %d whole networks; the space has none left to test it on",
                            trust.scale(), trust.fitted_networks())};
  }
  return {absl::StrFormat("latency: %s mean error (worst %s) on %d networks not used to calibrate; the plain sum of operators is %s off; "
                          "rank correlation %.2f",
                          FormatPercent(trust.held_out_mape()), FormatPercent(trust.held_out_max_error()), trust.held_out_networks(),
                          FormatPercent(trust.uncalibrated_mape()), trust.held_out_spearman()),
          absl::StrFormat("latency model: %.3f · sum of operators %s %s, fitted to %d whole networks", trust.scale(),
                          trust.offset_us() < 0 ? "−" : "+", FormatMicroseconds(std::abs(trust.offset_us())), trust.fitted_networks())};
}

/// Whether the files that were written score what is reported, and what other readers of the same networks say. A member's accuracy is
/// that of its file; these lines are about everybody else who reads it.
std::vector<std::string> ExportLines(const v1::Report& report) {
  int files = 0;
  int equal = 0;
  double worst_agreement = 1;
  int64_t device_differing = 0;
  int64_t worker_distance = 0;
  const v1::Member* worst = nullptr;
  for (const v1::Member& member : report.front()) {
    if (member.exported_runtime().empty() || member.test_images() == 0) continue;
    ++files;
    equal += member.reopened_differing() == 0 ? 1 : 0;
    if (worst == nullptr || member.reopened_differing() > worst->reopened_differing()) worst = &member;
    device_differing = std::max(device_differing, member.device_differing());
    worker_distance = std::max(worker_distance, std::abs(member.worker_correct() - member.test_correct()));
    if (member.runtime_agreement_images() > 0) worst_agreement = std::min(worst_agreement, member.runtime_agreement());
  }
  if (worst == nullptr) return {};
  const std::string& runtime = worst->exported_runtime();
  const int64_t images = worst->test_images();
  std::string line = absl::StrFormat(
      "exported = reported: each accuracy is its file's own on %s; opened again with default options, %d of %d files give every test image "
      "the same class",
      runtime, equal, files);
  if (equal < files) {
    absl::StrAppendFormat(&line, " (%s: %d of %d images differ, %d correct for %d)", worst->id(), worst->reopened_differing(), images,
                          worst->reopened_correct(), worst->test_correct());
  }
  return {line,
          absl::StrFormat("of %d test images the device's runtime gives at most %d another class than the file; the worker's own score is "
                          "at most %d away",
                          images, device_differing, worker_distance),
          absl::StrFormat("the device's runtime and %s with its optimiser off agree on the class of at least %s of the compared images",
                          runtime, FormatPercent(worst_agreement))};
}

/// What files take beside what is promised of networks, a line for all; none of a coordinator that does not say.
std::vector<std::string> FileLines(const v1::Report& report) {
  std::vector<std::string> files;
  for (const v1::Member& member : report.front()) {
    if (member.model_bytes() == 0 || member.onnx_bytes() == 0) continue;
    files.push_back(absl::StrCat(member.id(), " ", FormatBytes(static_cast<double>(member.model_bytes())), " and ",
                                 FormatBytes(static_cast<double>(member.onnx_bytes()))));
  }
  if (files.empty()) return {};
  return {absl::StrCat("whole files, .hanas and .onnx, with what describes the network: ", absl::StrJoin(files, ", "))};
}

std::vector<std::string> TrustLines(const v1::Report& report) {
  std::vector<std::string> lines = LatencyTrustLines(report.latency_trust());
  const v1::PredictorTrust& predictor = report.predictor_trust();
  if (predictor.trained_on() > 0) {
    lines.push_back(absl::StrFormat("accuracy predictor (%s, %d networks): Kendall τ %.2f on networks it had not seen, error %.1f points",
                                    predictor.kind(), predictor.trained_on(), predictor.held_out_tau(), predictor.held_out_rmse() * 100));
  }
  if (report.operator_keys() > 0) {
    lines.push_back(absl::StrFormat("%d operators measured, median spread over the rounds %s", report.operator_keys(),
                                    FormatPercent(report.operator_cv_median())));
  }
  for (std::string& line : ExportLines(report)) lines.push_back(std::move(line));
  for (std::string& line : FileLines(report)) lines.push_back(std::move(line));
  return lines;
}

/// The sentences, less those that repeat a finding, which has a section of its own.
std::vector<std::string> Conclusions(const v1::Report& report) {
  std::vector<std::string> lines;
  for (const std::string& sentence : report.sentences()) {
    const bool repeats = std::any_of(report.findings().begin(), report.findings().end(), [&](const v1::OperatorFinding& finding) {
      return !finding.sentence().empty() && absl::StrContains(sentence, finding.sentence());
    });
    if (!repeats) lines.push_back(sentence);
  }
  return lines;
}

std::vector<std::string> LeftOut(const v1::Report& report) {
  std::vector<std::string> lines;
  for (const v1::LeftOut& network : report.left_out())
    lines.push_back(absl::StrCat(network.id(), " (", network.architecture_text(), "): ", network.error()));
  return lines;
}

/// "member-2: 86.4 % on validation images after 400 steps, 81 µs by the latency model".
std::vector<std::string> SetAside(const v1::Report& report) {
  std::vector<std::string> lines;
  for (const v1::SetAside& network : report.set_aside()) {
    lines.push_back(absl::StrFormat("%s: %s on validation images after %d steps, %s by the latency model (%s)", network.id(),
                                    FormatPercent(network.validation_accuracy()), network.training_steps(),
                                    FormatMicroseconds(network.predicted_latency_us()), network.architecture_text()));
  }
  return lines;
}

/// "member-1  stages[0].kind conv (residual +12 µs, mbconv −3.1 µs)": one line for each member, in the order of the front.
std::vector<std::string> WordChoiceLines(const v1::Report& report) {
  std::vector<std::string> lines;
  for (const v1::Member& member : report.front()) {
    std::vector<std::string> parts;
    for (const v1::WordChoice& choice : member.word_choices()) {
      std::vector<std::string> others;
      for (const v1::WordChoice::Other& other : choice.others()) {
        const double change = other.predicted_latency_us() - choice.predicted_latency_us();
        others.push_back(absl::StrCat(other.choice(), change < 0 ? " −" : " +", FormatMicroseconds(std::abs(change))));
      }
      parts.push_back(absl::StrCat(choice.gene(), " ", choice.choice(), " (", absl::StrJoin(others, ", "), ")"));
    }
    if (!parts.empty()) lines.push_back(absl::StrCat(member.id(), "  ", absl::StrJoin(parts, "; ")));
  }
  return lines;
}

std::string RenderTime(const v1::Report& report) {
  if (report.phases().empty()) return "";
  double total = 0;
  double references = 0;
  Table table({Left("phase"), Right("time"), Left("")});
  for (const v1::PhaseProgress& phase : report.phases()) {
    total += phase.seconds();
    if (phase.total() == 0 && phase.seconds() < 0.5) continue;
    const std::string done = phase.total() > 0 ? absl::StrCat(phase.done(), " ", phase.unit()) : "";
    table.AddRow({absl::AsciiStrToLower(rpc::EnumWord(phase.phase())), FormatSeconds(phase.seconds()), done});
  }
  for (const v1::Member& reference : report.references()) references += report.has_compute() ? 0 : reference.training_seconds();
  table.AddRow({"in all", FormatSeconds(total), ""});
  if (references > 0) table.AddRow({"of which references", FormatSeconds(references), "(--references none leaves them out)"});
  if (report.has_compute()) {
    table.AddRow({"compute of the search", FormatSeconds(report.compute().search_seconds()), "of workers and devices"});
    table.AddRow({"of plain networks", FormatSeconds(report.compute().opponents_seconds()), "not part of the search's"});
  }
  std::string out = absl::StrCat("\nTime\n", table.Render("  "));
  if (report.candidates_scored() > 0) {
    absl::StrAppendFormat(&out, "  %s candidates scored, %s a second\n", FormatCount(static_cast<double>(report.candidates_scored())),
                          FormatCount(report.candidates_per_second()));
  }
  return out;
}

}  // namespace

std::string RenderReport(const v1::Report& report) {
  std::vector<std::string> findings;
  for (const v1::OperatorFinding& finding : report.findings()) findings.push_back(finding.sentence());
  std::string out = RenderHead(report);
  out += RenderFront(report);
  out += RenderLines("Recognised least", ClassLines(report));
  out += RenderLines("Left out", LeftOut(report));
  out += RenderLines("Not trained on, as others of the front deserved it more; `hanas train` and `hanas run --train-on` do it later",
                     SetAside(report));
  out += RenderLines("Points of accuracy over plain networks at each member's latency", FamilyLines(report));
  out += RenderLines("What the search won", Conclusions(report));
  out += RenderLines("What the networks are made of, and what this device would take with the other choices instead (latency model)",
                     WordChoiceLines(report));
  out += RenderLines("What decided", findings);
  out += RenderLines("How far to trust this", TrustLines(report));
  out += RenderTime(report);
  out += RenderLines("What to try next", {report.next_steps().begin(), report.next_steps().end()});
  return out;
}

}  // namespace hanas::cli
