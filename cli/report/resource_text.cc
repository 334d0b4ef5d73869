// SPDX-License-Identifier: Apache-2.0
#include "cli/report/resource_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/report/progress.h"
#include "cli/report/table.h"
#include "core/base/quantity.h"
#include "rpc/enum_word.h"

namespace hanas::cli {
namespace {

using Align = Table::Align;

/// An enumerator as a word: "WORKING" is "working".
std::string Word(const std::string& name) { return absl::AsciiStrToLower(absl::StrReplaceAll(name, {{"_", " "}})); }

Tint TintOf(v1::Phase phase) {
  switch (phase) {
    case v1::PHASE_SUCCEEDED:
      return Tint::kGood;
    case v1::PHASE_FAILED:
      return Tint::kBad;
    case v1::PHASE_CANCELLED:
    case v1::PHASE_PAUSED:
      return Tint::kWarn;
    default:
      return Tint::kNone;
  }
}

absl::Time TimeOf(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

/// Since it was created, until it ended; empty when the coordinator does not say.
std::string Age(const v1::Search& search, absl::Time now) {
  if (!search.has_create_time()) return "";
  const absl::Time end = search.has_end_time() ? TimeOf(search.end_time()) : now;
  return FormatSeconds(std::max(0.0, absl::ToDoubleSeconds(end - TimeOf(search.create_time()))));
}

std::string Done(const v1::PhaseProgress& progress) {
  if (progress.total() == 0) return "";
  return absl::StrCat(progress.done(), "/", progress.total(), " ", OneLine(progress.unit()));
}

/// The most telling sentence about a search: why it failed, what it waits for, what it is doing.
std::string NoteOf(const v1::Search& search) {
  if (!search.error().empty()) return OneLine(search.error());
  if (search.blockers_size() > 0) return OneLine(search.blockers(0).text());
  return search.progress().empty() ? "" : OneLine(search.progress().rbegin()->note());
}

std::string Field(absl::string_view name, absl::string_view value) {
  return value.empty() ? "" : absl::StrFormat("  %-11s %s\n", name, value);
}

bool IsOver(v1::Phase phase) { return phase == v1::PHASE_SUCCEEDED || phase == v1::PHASE_FAILED || phase == v1::PHASE_CANCELLED; }

std::string Phases(const v1::Search& search) {
  if (search.progress().empty()) return "";
  Table table({{"phase"}, {"done", Align::kRight}, {"time", Align::kRight}, {"note"}});
  for (const v1::PhaseProgress& progress : search.progress()) {
    table.AddRow({Word(rpc::EnumWord(progress.phase())), Done(progress), FormatSeconds(progress.seconds()),
                  CutToWidth(OneLine(progress.note()), 100)});
  }
  return "\n" + table.Render("  ");
}

std::string Spent(const v1::Search& search) {
  std::vector<std::string> parts;
  const v1::BudgetUse& spent = search.spent();
  const v1::BudgetSpec& budget = search.spec().budget();
  const auto add = [&](bool used, const std::string& text, bool bound, const std::string& limit) {
    if (used || bound) parts.push_back(absl::StrCat(text, bound ? " of " + limit : ""));
  };
  add(spent.wall_seconds() > 0, FormatSeconds(spent.wall_seconds()) + " in all", budget.max_wall_seconds() > 0,
      FormatSeconds(budget.max_wall_seconds()));
  add(spent.device_seconds() > 0, FormatSeconds(spent.device_seconds()) + " measuring", budget.max_device_seconds() > 0,
      FormatSeconds(budget.max_device_seconds()));
  add(spent.evaluations() > 0, absl::StrCat(spent.evaluations(), " evaluations"), budget.max_evaluations() > 0,
      absl::StrCat(budget.max_evaluations()));
  return absl::StrJoin(parts, ", ");
}

std::string Blockers(const v1::Search& search, const Palette& palette) {
  std::string out;
  for (const v1::Blocker& blocker : search.blockers()) {
    absl::StrAppend(&out, "  ", palette.Paint(Tint::kWarn, OneLine(blocker.code())), "  ", OneLine(blocker.text()),
                    blocker.resource().empty() ? "" : absl::StrCat(" (", OneLine(blocker.resource()), ")"), "\n");
  }
  return out;
}

/// The commands that make sense in the search's phase.
std::vector<std::string> Commands(const v1::Search& search) {
  const std::string name = OneLine(search.name());
  switch (search.phase()) {
    case v1::PHASE_SUCCEEDED:
      return {absl::StrCat("hanas show ", name), absl::StrCat("hanas export ", name, " --out DIR")};
    case v1::PHASE_FAILED:
      if (!CanBeMended(search)) return {"hanas submit JOB.yaml   (with other limits, space or budget: trying again does not change it)"};
      return {absl::StrCat("hanas explain ", name, "   (what failed, and how often)"),
              absl::StrCat("hanas resume ", name, "    (when its cause is mended: failed tasks are tried anew)")};
    case v1::PHASE_CANCELLED:
      return {"hanas submit JOB.yaml --request-id NEW   (a search that was cancelled does not go on)"};
    case v1::PHASE_PAUSED:
      return {absl::StrCat("hanas resume ", name)};
    default:
      return {absl::StrCat("hanas watch ", name), absl::StrCat("hanas explain ", name)};
  }
}

Tint TintOf(v1::Device::Health health) {
  switch (health) {
    case v1::Device::HEALTH_HEALTHY:
      return Tint::kGood;
    case v1::Device::HEALTH_THROTTLED:
    case v1::Device::HEALTH_MAINTENANCE:
      return Tint::kWarn;
    case v1::Device::HEALTH_QUARANTINED:
      return Tint::kBad;
    default:
      return Tint::kNone;
  }
}

Tint TintOf(v1::TaskSummary::State state) {
  switch (state) {
    case v1::TaskSummary::STATE_DONE:
      return Tint::kGood;
    case v1::TaskSummary::STATE_FAILED:
      return Tint::kBad;
    case v1::TaskSummary::STATE_CANCELLED:
      return Tint::kWarn;
    default:
      return Tint::kNone;
  }
}

std::string Silence(double seconds) { return seconds < 1 ? "now" : FormatSeconds(seconds) + " ago"; }

std::string Drained(bool draining, const Palette& palette) { return draining ? palette.Paint(Tint::kWarn, "draining") : ""; }

/// "steps 120/600, loss 1.2".
std::string TaskProgress(const v1::TaskSummary& task) {
  std::string text;
  if (task.total() > 0) text = absl::StrCat(task.done(), "/", task.total());
  if (!task.note().empty()) absl::StrAppend(&text, text.empty() ? "" : "  ", OneLine(task.note()));
  return text;
}

/// "workers/3 (gpu-1)".
std::string HolderName(const Explanation& explanation, const std::string& holder) {
  for (const v1::Worker& worker : explanation.workers) {
    if (worker.name() == holder && !worker.display_name().empty())
      return absl::StrCat(OneLine(holder), " (", OneLine(worker.display_name()), ")");
  }
  for (const v1::Device& device : explanation.devices) {
    if (device.name() == holder && !device.display_name().empty())
      return absl::StrCat(OneLine(holder), " (", OneLine(device.display_name()), ")");
  }
  return OneLine(holder);
}

std::string Running(const Explanation& explanation) {
  Table table({{"task"}, {"at"}, {"attempt", Align::kRight}, {"progress"}});
  int rows = 0;
  for (const v1::TaskSummary& task : explanation.tasks) {
    if (task.state() != v1::TaskSummary::STATE_LEASED) continue;
    table.AddRow({OneLine(task.key()), HolderName(explanation, task.holder()), absl::StrCat(task.attempt()), TaskProgress(task)});
    ++rows;
  }
  return rows == 0 ? "" : "\nRunning now\n" + table.Render("  ");
}

std::string Failures(const Explanation& explanation, const Palette& palette) {
  std::string out;
  for (const v1::TaskSummary& task : explanation.tasks) {
    if (task.failures() == 0 && task.state() != v1::TaskSummary::STATE_FAILED) continue;
    const bool for_good = task.state() == v1::TaskSummary::STATE_FAILED;
    absl::StrAppend(&out, "  ", OneLine(task.key()), "  ", task.failures(), task.failures() == 1 ? " time" : " times",
                    for_good ? palette.Paint(Tint::kBad, ", for good") : "", task.holder().empty() ? "" : ", last at ",
                    HolderName(explanation, task.holder()), "\n");
    if (!task.error_code().empty() || !task.error().empty())
      absl::StrAppend(&out, "    ", OneLine(task.error_code()), task.error_code().empty() ? "" : ": ", OneLine(task.error()), "\n");
  }
  return out.empty() ? "" : "\nFailed\n" + out;
}

std::string CountTasks(const std::vector<v1::TaskSummary>& tasks) {
  const auto count = [&](v1::TaskSummary::State state) {
    return std::count_if(tasks.begin(), tasks.end(), [&](const v1::TaskSummary& task) { return task.state() == state; });
  };
  return absl::StrCat(count(v1::TaskSummary::STATE_DONE), " done, ", count(v1::TaskSummary::STATE_LEASED), " running, ",
                      count(v1::TaskSummary::STATE_READY), " waiting, ", count(v1::TaskSummary::STATE_FAILED), " failed");
}

std::string Farm(const Explanation& explanation, const Palette& palette) {
  if (!explanation.farm_known) return "";
  return absl::StrCat("\nWorkers\n", RenderWorkers(explanation.workers, palette), "\nDevices\n",
                      RenderDevices(explanation.devices, palette));
}

std::vector<std::string> Advice(const Explanation& explanation) {
  const v1::Search& search = explanation.search;
  std::vector<std::string> advice;
  if (search.phase() == v1::PHASE_FAILED && search.error_code() == "INFEASIBLE_LIMITS")
    advice.push_back("No network of the space keeps the limits: relax the limits or widen the space, and submit the job anew.");
  if (!IsOver(search.phase())) {
    for (const v1::Worker& worker : explanation.workers) {
      if (worker.draining())
        advice.push_back(absl::StrCat(OneLine(worker.name()), " gets no work: hanas drain ", OneLine(worker.name()), " --undo"));
    }
    for (const v1::Device& device : explanation.devices) {
      if (device.draining())
        advice.push_back(absl::StrCat(OneLine(device.name()), " gets no work: hanas drain ", OneLine(device.name()), " --undo"));
    }
  }
  for (const std::string& command : Commands(search)) advice.push_back(command);
  return advice;
}

}  // namespace

bool CanBeMended(const v1::Search& search) {
  return search.phase() == v1::PHASE_FAILED && search.error_code() != "INFEASIBLE_LIMITS" && search.error_code() != "BUDGET_SPENT" &&
         search.error_code() != "JOB_REFUSED";
}

std::string PhaseInWords(const v1::Search& search) {
  std::string text = Word(rpc::EnumWord(search.phase()));
  if (search.phase() == v1::PHASE_PAUSED && search.paused_phase() != v1::PHASE_UNSPECIFIED)
    absl::StrAppend(&text, " in ", Word(rpc::EnumWord(search.paused_phase())));
  if (search.finishing() && !IsOver(search.phase())) absl::StrAppend(&text, ", finishing");
  return text;
}

std::string RenderSearches(const v1::ListSearchesResponse& searches, absl::Time now, const Palette& palette) {
  if (searches.searches().empty()) return "No searches. `hanas submit JOB.yaml` makes one.\n";
  Table table({{"NAME"}, {"JOB"}, {"PHASE"}, {"DONE", Align::kRight}, {"AGE", Align::kRight}, {"NOTE"}});
  for (const v1::Search& search : searches.searches()) {
    const std::string done = search.progress().empty() || IsOver(search.phase()) ? "" : Done(*search.progress().rbegin());
    table.AddRow({OneLine(search.name()), OneLine(search.spec().name()), palette.Paint(TintOf(search.phase()), PhaseInWords(search)), done,
                  Age(search, now), CutToWidth(NoteOf(search), 60)});
  }
  return table.Render("");
}

/// "target  local, xnnpack", or a line for each of several.
std::string TargetLines(const v1::SearchSpec& spec) {
  const auto text = [](const v1::TargetSpec& target) {
    const std::string name = target.name().empty() ? "" : absl::StrCat(OneLine(target.name()), ": ");
    const std::string threads = target.threads() == 0 ? "" : absl::StrCat(", ", FormatThreads(target.threads()));
    return absl::StrCat(name, OneLine(target.device()), ", ", OneLine(target.backend()), threads);
  };
  if (spec.targets().empty()) return Field("target", text(spec.target()));
  std::string lines;
  for (const v1::TargetSpec& target : spec.targets()) lines += Field("target", text(target));
  return lines;
}

std::string RenderSearch(const v1::Search& search, absl::Time now, const Palette& palette) {
  std::string out = absl::StrCat(OneLine(search.name()), " \"", OneLine(search.spec().name()), "\" is ",
                                 palette.Paint(TintOf(search.phase()), PhaseInWords(search)), "\n", TargetLines(search.spec()),
                                 Field("data", OneLine(search.spec().dataset().name())), Field("age", Age(search, now)),
                                 Field("spent", Spent(search)), Field("digest", OneLine(search.job_digest())));
  absl::StrAppend(&out, Phases(search));
  if (search.blockers_size() > 0) absl::StrAppend(&out, "\nWaits for\n", Blockers(search, palette));
  if (search.has_forecast() && !IsOver(search.phase())) absl::StrAppend(&out, "\nForecast\n", RenderForecast(search.forecast()));
  if (!search.error().empty()) {
    absl::StrAppend(&out, "\n", palette.Paint(Tint::kBad, "Failed"), search.error_code().empty() ? "" : ": ", OneLine(search.error_code()),
                    "\n  ", OneLine(search.error()), "\n");
  }
  return absl::StrCat(out, "\nNext\n  ", absl::StrJoin(Commands(search), "\n  "), "\n");
}

std::string RenderForecast(const v1::Forecast& forecast) {
  std::string out;
  if (forecast.operator_keys() > 0) absl::StrAppend(&out, Field("profile", absl::StrCat(forecast.operator_keys(), " operators")));
  if (forecast.measuring_seconds() > 0) absl::StrAppend(&out, Field("measuring", FormatSeconds(forecast.measuring_seconds())));
  if (forecast.training_steps() > 0) {
    absl::StrAppend(
        &out, Field("training",
                    absl::StrCat(forecast.training_steps(), " steps",
                                 forecast.training_seconds() > 0 ? absl::StrCat(", ", FormatSeconds(forecast.training_seconds())) : "")));
  }
  if (forecast.evaluations() > 0) absl::StrAppend(&out, Field("evaluations", absl::StrCat(forecast.evaluations())));
  if (forecast.total_seconds() > 0) absl::StrAppend(&out, Field("in all", FormatSeconds(forecast.total_seconds())));
  if (forecast.disk_bytes() > 0) absl::StrAppend(&out, Field("disk", FormatBytes(static_cast<double>(forecast.disk_bytes()))));
  if (!forecast.basis().empty()) absl::StrAppend(&out, Field("from", OneLine(forecast.basis())));
  return out;
}

std::string RenderTasks(const std::vector<v1::TaskSummary>& tasks, const Palette& palette) {
  if (tasks.empty()) return "No tasks.\n";
  Table table({{"NAME"}, {"KEY"}, {"STATE"}, {"AT"}, {"ATTEMPT", Align::kRight}, {"FAILED", Align::kRight}, {"PROGRESS"}, {"ERROR"}});
  for (const v1::TaskSummary& task : tasks) {
    const bool leased = task.state() == v1::TaskSummary::STATE_LEASED;
    const std::string error = task.error_code().empty() && task.error().empty()
                                  ? ""
                                  : absl::StrCat(OneLine(task.error_code()), task.error_code().empty() || task.error().empty() ? "" : ": ",
                                                 OneLine(task.error()));
    table.AddRow({OneLine(task.name()), OneLine(task.key()), palette.Paint(TintOf(task.state()), Word(rpc::EnumWord(task.state()))),
                  OneLine(task.holder()), absl::StrCat(task.attempt()), absl::StrCat(task.failures()),
                  leased ? CutToWidth(TaskProgress(task), 40) : "", CutToWidth(error, 80)});
  }
  return table.Render("");
}

std::string RenderWorkers(const std::vector<v1::Worker>& workers, const Palette& palette) {
  if (workers.empty()) return "No workers. Start one: hanas-worker --coordinator ADDRESS --data DIR\n";
  Table table({{"NAME"},
               {"CALLED"},
               {"STATE"},
               {"TASK"},
               {"SEARCH"},
               {"DONE", Align::kRight},
               {"FAILED", Align::kRight},
               {"HEARD", Align::kRight},
               {"THREADS", Align::kRight},
               {"DATA"},
               {""}});
  for (const v1::Worker& worker : workers) {
    const Tint tint = worker.state() == v1::Worker::STATE_OFFLINE ? Tint::kBad : Tint::kNone;
    std::vector<std::string> datasets;
    for (const std::string& dataset : worker.info().datasets()) datasets.push_back(OneLine(dataset));
    table.AddRow({OneLine(worker.name()), OneLine(worker.display_name()), palette.Paint(tint, Word(rpc::EnumWord(worker.state()))),
                  OneLine(worker.task()), OneLine(worker.search()), absl::StrCat(worker.completed_tasks()),
                  absl::StrCat(worker.failed_tasks()), Silence(worker.silent_seconds()), absl::StrCat(worker.info().threads()),
                  CutToWidth(absl::StrJoin(datasets, ","), 40), Drained(worker.draining(), palette)});
  }
  return table.Render("");
}

std::string RenderDevices(const std::vector<v1::Device>& devices, const Palette& palette) {
  if (devices.empty()) return "No devices. Start an agent on one: hanas-profiler-agent --coordinator ADDRESS --name NAME\n";
  Table table({{"NAME"},
               {"CALLED"},
               {"STATE"},
               {"HEALTH"},
               {"CPU"},
               {"THREADS", Align::kRight},
               {"BACKEND"},
               {"CLASS"},
               {"ROWS", Align::kRight},
               {"TASK"},
               {"SEARCH"},
               {"DONE", Align::kRight},
               {"FAILED", Align::kRight},
               {"HEARD", Align::kRight},
               {""}});
  for (const v1::Device& device : devices) {
    const Tint tint = device.state() == v1::Device::STATE_OFFLINE ? Tint::kBad : Tint::kNone;
    table.AddRow({OneLine(device.name()), OneLine(device.display_name()), palette.Paint(tint, Word(rpc::EnumWord(device.state()))),
                  palette.Paint(TintOf(device.health()), Word(rpc::EnumWord(device.health()))),
                  CutToWidth(OneLine(device.info().device().cpu()), 28), absl::StrCat(device.info().device().threads()),
                  OneLine(device.info().device().backend()), OneLine(device.device_class()).substr(0, 8), absl::StrCat(device.table_rows()),
                  OneLine(device.task()), OneLine(device.search()), absl::StrCat(device.completed_tasks()),
                  absl::StrCat(device.failed_tasks()), Silence(device.silent_seconds()), Drained(device.draining(), palette)});
  }
  return table.Render("");
}

std::string RenderCandidates(const std::vector<v1::Candidate>& candidates,
                             const std::function<std::string(const v1::Architecture&)>& describe) {
  if (candidates.empty()) return "No candidates yet: none has been evaluated.\n";
  Table table({{"N", Align::kRight},
               {"ACCURACY", Align::kRight},
               {"LATENCY", Align::kRight},
               {""},
               {"SIZE", Align::kRight},
               {"WORKER"},
               {"NETWORK"}});
  for (const v1::Candidate& candidate : candidates) {
    table.AddRow({absl::StrCat(candidate.sequence()), FormatPercent(candidate.accuracy()), FormatMicroseconds(candidate.latency_us()),
                  candidate.latency_measured() ? "measured" : "estimated", FormatBytes(static_cast<double>(candidate.size_bytes())),
                  OneLine(candidate.worker()), describe(candidate.architecture())});
  }
  return table.Render("");
}

std::string RenderExplanation(const Explanation& explanation, absl::Time now, const Palette& palette) {
  const v1::Search& search = explanation.search;
  std::string out = absl::StrCat(OneLine(search.name()), " \"", OneLine(search.spec().name()), "\" is ",
                                 palette.Paint(TintOf(search.phase()), PhaseInWords(search)), "\n", Field("age", Age(search, now)));
  if (!search.progress().empty()) {
    const v1::PhaseProgress& last = *search.progress().rbegin();
    absl::StrAppend(&out, Field("progress", absl::StrCat(Done(last), last.note().empty() ? "" : "  ", OneLine(last.note()))));
  }
  absl::StrAppend(&out, Field("tasks", CountTasks(explanation.tasks)));
  if (!search.error().empty())
    absl::StrAppend(
        &out, Field("error", absl::StrCat(OneLine(search.error_code()), search.error_code().empty() ? "" : ": ", OneLine(search.error()))));
  if (!IsOver(search.phase()))
    absl::StrAppend(&out, "\nBlocked on\n", search.blockers().empty() ? "  nothing\n" : Blockers(search, palette));
  absl::StrAppend(&out, Running(explanation), Failures(explanation, palette), Farm(explanation, palette));
  return absl::StrCat(out, "\nWhat to do\n  ", absl::StrJoin(Advice(explanation), "\n  "), "\n");
}

}  // namespace hanas::cli
