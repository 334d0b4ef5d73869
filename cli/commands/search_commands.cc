// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/search_commands.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/commands/interrupt.h"
#include "cli/commands/remote.h"
#include "cli/commands/results.h"
#include "cli/commands/space_text.h"
#include "cli/commands/watch_command.h"
#include "cli/report/report_text.h"
#include "cli/report/resource_text.h"
#include "config/job_file.h"
#include "core/base/error_reason.h"
#include "core/base/quantity.h"
#include "core/base/stop.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"
#include "core/job/job_cost.h"
#include "core/plan/exec_plan.h"
#include "core/quantity/quantity_table.h"
#include "rpc/convert/job.h"

namespace hanas::cli {
namespace {

constexpr int kPageSize = 1000;

/// A connected client and the checked name that a command is about.
struct Subject {
  std::unique_ptr<rpc::SearchClient> client;
  std::string name;
};

absl::StatusOr<Subject> Find(const RemoteOptions& remote, const std::string& text) {
  absl::StatusOr<std::string> name = ResourceName(text, {"searches"});
  if (!name.ok()) return name.status();
  absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return client.status();
  return Subject{*std::move(client), *std::move(name)};
}

/// Prints a search as it is now.
ExitCode PrintSearch(const v1::Search& search, const RemoteOptions& remote) {
  const absl::Status status =
      PrintResource(search, remote.output, [&] { return RenderSearch(search, absl::Now(), StandardPalette()); }, {search.name()});
  return status.ok() ? ExitCode::kOk : Fail(status);
}

/// The job's mistakes that the coordinator found, at their places in the file.
ExitCode FailJob(const absl::Status& status, const config::JobFile& file, const RemoteOptions& remote) {
  const std::vector<FieldViolation> violations = ViolationsOf(status);
  for (const FieldViolation& violation : violations) Complain(file.Describe(violation));
  return violations.empty() ? Fail(status, remote) : ExitCode::kUsage;
}

ExitCode PrintForecast(const v1::Search& search, const config::JobFile& file, const RemoteOptions& remote) {
  const auto table = [&] {
    return absl::StrCat("\"", file.job().name, "\" is a valid job; this is what it would take\n", RenderForecast(search.forecast()));
  };
  const bool possible = search.phase() != v1::PHASE_FAILED;
  if (!possible) Complain(search.error());
  if (!possible && remote.output == OutputFormat::kTable) return ExitCodeOfSearchError(search.error_code());
  const absl::Status status = PrintResource(search, remote.output, table, {file.job().name});
  if (!status.ok()) return Fail(status);
  return possible ? ExitCode::kOk : ExitCodeOfSearchError(search.error_code());
}

absl::Status DeleteSearch(rpc::SearchClient& client, const std::string& name, bool cancel) {
  if (cancel) {
    const absl::Status status = client.CancelSearch(name).status();
    if (!status.ok() && !HasReason(status, kSearchOver)) return status;
  }
  absl::Status status = client.DeleteSearch(name);
  if (!HasReason(status, kSearchNotOver)) return status;
  return WithReason(absl::FailedPreconditionError(absl::StrCat(status.message(), "; --cancel does both")), kSearchNotOver);
}

std::string DescribeNetwork(const Lowering& lowering, const Architecture& architecture, const BackendCaps& caps) {
  const Graph graph = lowering.Lower(architecture);
  const Cost cost = NetworkCost(graph, MakePlan(graph, caps));
  return absl::StrCat(FormatCount(static_cast<double>(cost.macs)), " MACs, ", FormatCount(static_cast<double>(cost.parameters)),
                      " parameters, ", FormatBytes(static_cast<double>(cost.size_bytes)), ", peak memory ",
                      FormatBytes(static_cast<double>(cost.peak_memory_bytes)), " (", lowering.family().Summary(architecture), ")");
}

/// "10^8.3 networks", "12 networks, all of them evaluated".
std::string DescribeSize(const SearchJob& job, const SearchSpace& space) {
  std::string text = absl::StrCat(FormatNumNetworks(space), space.NumNetworks() == 1 ? " network" : " networks");
  if (IsSearchedWhole(job, space)) absl::StrAppend(&text, ", all of them evaluated");
  return text;
}

/// "phone: local, xnnpack, 2 threads".
std::string DescribeTarget(const TargetSpec& target) {
  const std::string threads = target.threads == 0 ? "" : absl::StrCat(", ", FormatThreads(target.threads));
  return absl::StrCat(target.name, ": ", target.device, ", ", target.backend, threads);
}

/// "latency ≤ 1 ms, size ≤ 60 % of largest-8bit, phone: latency ≤ 2 ms".
std::string DescribeLimits(const SearchJob& job) {
  if (job.limits.empty()) return "none";
  return absl::StrJoin(job.limits, ", ", [](std::string* out, const LimitSpec& limit) {
    const QuantityRow& row = RowOf(*QuantityNamed(limit.of));
    if (!limit.target.empty()) absl::StrAppend(out, limit.target, ": ");
    absl::StrAppend(out, row.label, row.more_is_better ? " ≥ " : " ≤ ",
                    limit.than.empty() ? FormatValue(row.id, limit.bound(), Rounding::kExact)
                                       : absl::StrCat(FormatPercent(limit.bound(), Rounding::kExact), " of ", limit.than));
  });
}

/// "a supernet for 3000 steps, then up to 72 networks scored with its weights; up to 6 trained for 400 steps, 2 of them for 5000 more".
std::string DescribeTraining(const SearchJob& job, const SearchSpace& space) {
  const auto targets = static_cast<int64_t>(TargetsOf(job).size());
  int64_t in_rounds = targets * job.evolution.rounds * job.evolution.evaluations_per_round;
  if (job.budget.max_evaluations > 0) in_rounds = std::min(in_rounds, job.budget.max_evaluations);
  const std::string networks =
      IsSearchedWhole(job, space) ? "all networks" : absl::StrCat("up to ", job.sampling.networks + in_rounds, " networks");
  std::string text = HasSupernet(job)
                         ? absl::StrCat("a supernet for ", job.training.steps, " steps, then ", networks, " scored with its weights")
                         : absl::StrCat(networks, " alone, each for the cost of ", job.sampling.steps, " steps of the middle one");
  const absl::string_view steps = HasSupernet(job) ? " steps" : " such steps";
  absl::StrAppend(&text, "; up to ", targets * job.fine_tune.members, " trained for ", job.fine_tune.steps, steps);
  if (job.final.steps > 0)
    absl::StrAppend(&text, ", ", targets * std::min(job.final.members, job.fine_tune.members), " of them for ", job.final.steps, " more");
  if (job.teacher.steps > 0) absl::StrAppend(&text, "; all learn from a teacher of ", job.teacher.steps, " steps");
  return text;
}

std::string DescribeObjectives(const SearchJob& job) {
  return absl::StrJoin(job.objectives, ", ", [](std::string* out, const ObjectiveSpec& objective) {
    absl::StrAppend(out, RowOf(*QuantityNamed(objective.of)).label);
  });
}

}  // namespace

ExitCode SubmitCommand(const RemoteOptions& remote, const SubmitOptions& options) {
  const absl::StatusOr<config::JobFile> file = config::JobFile::Load(options.job_path);
  if (!file.ok()) {
    Fail(file.status());
    return ExitCode::kUsage;
  }
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  const v1::SearchSpec spec = rpc::ToProto(file->job());
  if (options.validate_only) {
    const absl::StatusOr<v1::Search> search = (*client)->ValidateSearch(spec);
    return search.ok() ? PrintForecast(*search, *file, remote) : FailJob(search.status(), *file, remote);
  }
  const std::string request_id = options.request_id.empty() ? absl::StrCat("submit-", JobDigest(file->job()).ToHex()) : options.request_id;
  const absl::StatusOr<v1::Search> search = (*client)->CreateSearch(spec, request_id);
  if (!search.ok()) return FailJob(search.status(), *file, remote);
  const absl::Status status = PrintResource(*search, remote.output, [&] { return absl::StrCat(search->name(), "\n"); }, {search->name()});
  if (!status.ok()) return Fail(status);
  FlushOutput();
  return options.watch ? Follow(**client, remote, {.name = search->name(), .plain = options.plain}) : ExitCode::kOk;
}

ExitCode ListCommand(const RemoteOptions& remote, const std::string& filter) {
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  v1::ListSearchesResponse all;
  std::vector<std::string> names;
  const absl::Status status = ForEachPage([&](const std::string& token) { return (*client)->ListSearches(kPageSize, token, filter); },
                                          [&](v1::ListSearchesResponse page) {
                                            for (v1::Search& search : *page.mutable_searches()) {
                                              names.push_back(search.name());
                                              *all.add_searches() = std::move(search);
                                            }
                                            return true;
                                          });
  if (!status.ok()) return Fail(status, remote);
  const absl::Status printed =
      PrintResource(all, remote.output, [&] { return RenderSearches(all, absl::Now(), StandardPalette()); }, names);
  return printed.ok() ? ExitCode::kOk : Fail(printed);
}

ExitCode ShowCommand(const RemoteOptions& remote, const std::string& name) {
  const absl::StatusOr<Subject> subject = Find(remote, name);
  if (!subject.ok()) return Fail(subject.status());
  const absl::StatusOr<v1::Search> search = subject->client->GetSearch(subject->name);
  if (!search.ok()) return Fail(search.status(), remote);
  if (search->phase() != v1::PHASE_SUCCEEDED || remote.output != OutputFormat::kTable) return PrintSearch(*search, remote);
  const absl::StatusOr<std::vector<v1::Report>> reports = AllReports(*subject->client, subject->name);
  if (!reports.ok()) return Fail(reports.status(), remote);
  Print(absl::StrCat(search->name(), " \"", search->spec().name(), "\" is done\n"));
  for (const v1::Report& report : *reports) Print(absl::StrCat("\n", RenderReport(report)));
  return ExitCode::kOk;
}

ExitCode TransitionCommand(const RemoteOptions& remote, const std::string& name, Transition transition) {
  const absl::StatusOr<Subject> subject = Find(remote, name);
  if (!subject.ok()) return Fail(subject.status());
  const auto call = [&]() -> absl::StatusOr<v1::Search> {
    switch (transition) {
      case Transition::kPause:
        return subject->client->PauseSearch(subject->name);
      case Transition::kResume:
        return subject->client->ResumeSearch(subject->name);
      case Transition::kFinish:
        return subject->client->FinishSearch(subject->name);
      case Transition::kCancel:
        return subject->client->CancelSearch(subject->name);
    }
    return absl::InternalError("no such transition");
  };
  const absl::StatusOr<v1::Search> search = call();
  if (!search.ok()) return Fail(search.status(), remote);
  const absl::Status status = PrintResource(
      *search, remote.output, [&] { return absl::StrCat(search->name(), " is ", PhaseInWords(*search), "\n"); }, {search->name()});
  return status.ok() ? ExitCode::kOk : Fail(status);
}

ExitCode TrainCommand(const RemoteOptions& remote, const TrainOptions& options) {
  const absl::StatusOr<Subject> subject = Find(remote, options.name);
  if (!subject.ok()) return Fail(subject.status());
  const absl::StatusOr<v1::Search> before = subject->client->GetSearch(subject->name);
  if (!before.ok()) return Fail(before.status(), remote);
  v1::TrainMemberRequest request;
  request.set_name(subject->name);
  request.set_member(options.member);
  request.set_target(options.target);
  request.set_steps(options.steps);
  const absl::StatusOr<v1::Search> search = subject->client->TrainMember(request);
  if (!search.ok()) return Fail(search.status(), remote);
  const auto table = [&] { return absl::StrCat(search->name(), " is ", PhaseInWords(*search), ": ", options.member, " is trained on\n"); };
  if (const absl::Status status = PrintResource(*search, remote.output, table, {search->name()}); !status.ok()) return Fail(status);
  FlushOutput();
  if (!options.watch) return ExitCode::kOk;
  return Follow(*subject->client, remote, {.name = subject->name, .after = before->last_sequence(), .plain = options.plain});
}

ExitCode DeleteCommand(const RemoteOptions& remote, const DeleteOptions& options) {
  std::vector<std::string> names;
  for (const std::string& text : options.names) {
    const absl::StatusOr<std::string> name = ResourceName(text, {"searches"});
    if (!name.ok()) return Fail(name.status());
    names.push_back(*name);
  }
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  ExitCode result = ExitCode::kOk;
  for (const std::string& name : names) {
    const absl::Status status = DeleteSearch(**client, name, options.cancel);
    if (status.ok()) {
      Print(absl::StrCat(name, " is deleted\n"));
      continue;
    }
    const ExitCode code = Fail(status, remote);
    if (result == ExitCode::kOk) result = code;
    if (code == ExitCode::kUnreachable) break;  // so are the others
  }
  return result;
}

ExitCode ReplayCommand(const RemoteOptions& remote, const std::string& name) {
  const absl::StatusOr<Subject> subject = Find(remote, name);
  if (!subject.ok()) return Fail(subject.status());
  const absl::StatusOr<v1::ReplaySearchResponse> replay = subject->client->ReplaySearch(subject->name);
  if (!replay.ok()) return Fail(replay.status(), remote);
  const auto table = [&] {
    const std::string what = absl::StrCat(subject->name, " decided once more: ", replay->steps(), " steps, ", replay->tasks(), " tasks");
    return replay->identical() ? what + ", identical\n" : absl::StrCat(what, "; it differs\n  ", OneLine(replay->difference()), "\n");
  };
  const absl::Status status = PrintResource(*replay, remote.output, table, {subject->name});
  if (!status.ok()) return Fail(status);
  return replay->identical() ? ExitCode::kOk : ExitCode::kDiffers;
}

ExitCode ValidateCommand(const std::string& job_path) {
  const absl::StatusOr<config::JobFile> file = config::JobFile::Load(job_path);
  if (!file.ok()) {
    Fail(file.status());
    return ExitCode::kUsage;
  }
  const SearchJob& job = file->job();
  const absl::StatusOr<ConvnetSpace> family = ConvnetSpace::Define(job.space);
  if (!family.ok()) return Fail(family.status());
  const Lowering lowering(*family);
  const SearchSpace& space = lowering.space();
  const BackendCaps caps = {.name = TargetsOf(job).front().backend, .native = {{.compute = ElementType::kInt8}}};
  if (const absl::Status status = CheckOperatorCount(lowering, NeverStop); !status.ok()) {
    for (const FieldViolation& violation : ViolationsOf(status)) Complain(file->Describe(violation));
    return ExitCode::kUsage;
  }
  Print(absl::StrCat(job_path, ": a valid job, \"", job.name, "\"\n"));
  Print(absl::StrCat("  space      ", DescribeSize(job, space), ", ", space.genes().size(), " genes\n"));
  Print(absl::StrCat("  operators  ", EnumerateOpKeys(lowering, caps).size(), " to measure on ", caps.name,
                     ", with int8 of every operator and without native half\n"));
  for (const TargetSpec& target : job.targets) Print(absl::StrCat("  target     ", DescribeTarget(target), "\n"));
  Print(absl::StrCat("  training   ", DescribeTraining(job, space), "\n"));
  Print(absl::StrCat("  objectives ", DescribeObjectives(job), "\n"));
  Print(absl::StrCat("  limits     ", DescribeLimits(job), "\n"));
  Print(absl::StrCat("  smallest   ", DescribeNetwork(lowering, space.Smallest({8, 8}), caps), "\n"));
  Print(absl::StrCat("  largest    ", DescribeNetwork(lowering, space.Largest({16, 16}), caps), "\n"));
  Print(absl::StrCat("  digest     ", JobDigest(job).ToHex(), "\n"));
  return ExitCode::kOk;
}

}  // namespace hanas::cli
