// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/search_commands.h"

#include <cstdio>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/commands/event_stream.h"
#include "cli/commands/interrupt.h"
#include "cli/commands/results.h"
#include "cli/commands/screen.h"
#include "cli/report/report_text.h"
#include "config/job_file.h"
#include "core/cost/cost.h"
#include "core/plan/exec_plan.h"
#include "core/space/search_space.h"
#include "rpc/convert/job.h"
#include "rpc/search_client.h"

namespace hanas::cli {
namespace {

ExitCode Fail(const absl::Status& status) {
  std::fprintf(stderr, "hanas: %s\n", std::string(status.message()).c_str());
  return ExitCodeOf(status);
}

void Print(absl::string_view text) { std::printf("%s\n", std::string(text).c_str()); }

std::string Describe(const v1::Search& search) {
  std::string text =
      absl::StrFormat("%-24s %-10s %s", search.name(), absl::AsciiStrToLower(v1::Phase_Name(search.phase())), search.spec().name());
  if (!search.progress().empty()) {
    const v1::PhaseProgress& last = *search.progress().rbegin();
    if (last.total() > 0) absl::StrAppendFormat(&text, "  %d/%d %s", last.done(), last.total(), last.unit());
    if (!last.note().empty()) absl::StrAppend(&text, "  ", last.note());
  }
  if (!search.error().empty()) absl::StrAppend(&text, "\n  ", search.error());
  return text;
}

ExitCode ListAll(rpc::SearchClient& client) {
  std::string token;
  do {
    const absl::StatusOr<v1::ListSearchesResponse> page = client.ListSearches(100, token);
    if (!page.ok()) return Fail(page.status());
    for (const v1::Search& search : page->searches()) Print(Describe(search));
    token = page->next_page_token();
  } while (!token.empty());
  return ExitCode::kOk;
}

std::string DescribeNetwork(const Lowering& lowering, const Architecture& architecture, const BackendCaps& caps) {
  const Graph graph = lowering.Lower(architecture);
  const Cost cost = NetworkCost(graph, MakePlan(graph, caps));
  return absl::StrCat(FormatCount(static_cast<double>(cost.macs)), " MACs, ", FormatCount(static_cast<double>(cost.parameters)),
                      " parameters, ", FormatBytes(static_cast<double>(cost.size_bytes)), ", peak memory ",
                      FormatBytes(static_cast<double>(cost.peak_memory_bytes)));
}

}  // namespace

ExitCode SubmitCommand(const std::string& coordinator, const std::string& job_path) {
  const absl::StatusOr<config::JobFile> file = config::JobFile::Load(job_path);
  if (!file.ok()) {
    Fail(file.status());
    return ExitCode::kUsage;
  }
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = rpc::SearchClient::Create(coordinator);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<v1::Search> search =
      (*client)->CreateSearch(rpc::ToProto(file->job()), absl::StrCat("submit-", JobDigest(file->job()).ToHex()));
  if (!search.ok()) {
    const std::vector<FieldViolation> violations = ViolationsOf(search.status());
    for (const FieldViolation& violation : violations) std::fprintf(stderr, "hanas: %s\n", file->Describe(violation).c_str());
    return violations.empty() ? Fail(search.status()) : ExitCode::kUsage;
  }
  Print(search->name());
  return ExitCode::kOk;
}

ExitCode ShowCommand(const std::string& coordinator, const std::string& name, const std::string& out) {
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = rpc::SearchClient::Create(coordinator);
  if (!client.ok()) return Fail(client.status());
  if (name.empty()) return ListAll(**client);
  const absl::StatusOr<v1::Search> search = (*client)->GetSearch(name);
  if (!search.ok()) return Fail(search.status());
  Print(Describe(*search));
  if (search->phase() != v1::SUCCEEDED) return ExitCode::kOk;
  absl::StatusOr<v1::Report> report = (*client)->GetReport(name);
  if (!report.ok()) return Fail(report.status());
  if (!out.empty()) {
    if (const absl::Status status = WriteResults(**client, out, *report); !status.ok()) return Fail(status);
  }
  std::printf("\n%s", RenderReport(*report).c_str());
  return ExitCode::kOk;
}

ExitCode WatchCommand(const std::string& coordinator, const std::string& name, bool plain) {
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = rpc::SearchClient::Create(coordinator);
  if (!client.ok()) return Fail(client.status());
  if (const absl::StatusOr<v1::Search> search = (*client)->GetSearch(name); !search.ok()) return Fail(search.status());
  Screen screen(Screen::ChooseMode(plain, /*quiet=*/false));
  EventStream events(client->get(), name);
  while (NumInterrupts() == 0) {
    if (const auto event = events.Next(absl::Milliseconds(200))) {
      screen.Show(*event);
    } else if (const auto end = events.ended()) {
      return end->ok() ? ExitCode::kOk : Fail(*end);
    }
  }
  return ExitCode::kInterrupted;
}

ExitCode CancelCommand(const std::string& coordinator, const std::string& name) {
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = rpc::SearchClient::Create(coordinator);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<v1::Search> search = (*client)->CancelSearch(name);
  if (!search.ok()) return Fail(search.status());
  Print(Describe(*search));
  return ExitCode::kOk;
}

ExitCode ValidateCommand(const std::string& job_path) {
  const absl::StatusOr<config::JobFile> file = config::JobFile::Load(job_path);
  if (!file.ok()) {
    Fail(file.status());
    return ExitCode::kUsage;
  }
  const SearchJob& job = file->job();
  const absl::StatusOr<SearchSpace> space = SearchSpace::Create(job.space);
  if (!space.ok()) return Fail(space.status());
  const Lowering lowering(*space);
  const BackendCaps caps = {.name = job.target.backend, .int8_hard_swish = true};
  Print(absl::StrCat(job_path, ": a valid job, \"", job.name, "\""));
  Print(absl::StrFormat("  space      10^%.1f networks, %d genes", space->Log10Size(), space->genes().size()));
  Print(absl::StrCat("  operators  ", EnumerateOpKeys(lowering, caps).size(), " to measure on ", caps.name,
                     ", with its int8 hard-swish and without native half"));
  Print(absl::StrCat("  smallest   ", DescribeNetwork(lowering, space->Smallest({8, 8}), caps), " (8 bits)"));
  Print(absl::StrCat("  largest    ", DescribeNetwork(lowering, space->Largest({16, 16}), caps), " (16 bits)"));
  Print(absl::StrCat("  digest     ", JobDigest(job).ToHex()));
  return ExitCode::kOk;
}

}  // namespace hanas::cli
