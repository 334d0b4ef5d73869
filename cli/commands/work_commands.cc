// SPDX-License-Identifier: Apache-2.0
// What a search consists of: its tasks, its candidates, and why it does not go on.

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/commands/farm_commands.h"
#include "cli/commands/remote.h"
#include "cli/commands/search_commands.h"
#include "cli/report/resource_text.h"
#include "core/family/convnet/convnet_space.h"
#include "rpc/convert/space.h"
#include "rpc/enum_word.h"
#include "rpc/json.h"

namespace hanas::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kPageSize = 1000;
constexpr int kJsonIndent = 1;  // as protobuf indents the JSON of the other verbs

absl::StatusOr<std::vector<v1::TaskSummary>> AllTasks(rpc::SearchClient& client, const std::string& search,
                                                      const std::string& filter = "") {
  std::vector<v1::TaskSummary> tasks;
  const absl::Status status = ForEachPage([&](const std::string& token) { return client.ListTasks(search, kPageSize, token, filter); },
                                          [&](v1::ListTasksResponse page) {
                                            for (v1::TaskSummary& task : *page.mutable_tasks()) tasks.push_back(std::move(task));
                                            return true;
                                          });
  if (!status.ok()) return status;
  return tasks;
}

struct Candidates {
  std::vector<v1::Candidate> some;
  int64_t total = 0;
};

absl::StatusOr<Candidates> ReadCandidates(rpc::SearchClient& client, const std::string& search, const CandidatesOptions& options) {
  const int limit = options.limit;
  Candidates candidates;
  const auto take = [&](auto& list) {
    for (v1::Candidate& candidate : list) {
      if (limit > 0 && static_cast<int>(candidates.some.size()) >= limit) return false;
      candidates.some.push_back(std::move(candidate));
    }
    return limit == 0 || static_cast<int>(candidates.some.size()) < limit;
  };
  const auto take_page = [&](auto page) {
    candidates.total = page.total();
    return take(*page.mutable_candidates());
  };
  const int page_size = limit > 0 ? std::min(limit, kPageSize) : kPageSize;
  const absl::Status status =
      options.front
          ? ForEachPage([&](const std::string& token) { return client.GetFront(search, page_size, token, options.target); }, take_page)
          : ForEachPage(
                [&](const std::string& token) { return client.ListCandidates(search, page_size, token, options.filter, options.target); },
                take_page);
  if (!status.ok()) return status;
  return candidates;
}

/// The words for an architecture of the search's space; none when the space cannot be read.
std::function<std::string(const v1::Architecture&)> Describer(const v1::SearchSpec& spec) {
  const absl::StatusOr<SpaceSpec> space_spec = rpc::SpaceSpecFromProto(spec.space());
  if (!space_spec.ok()) return [](const v1::Architecture&) { return std::string(); };
  const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(*space_spec);
  if (!space.ok()) return [](const v1::Architecture&) { return std::string(); };
  return [known = space->space()](const v1::Architecture& proto) {
    const absl::StatusOr<Architecture> architecture = rpc::ArchitectureFromProto(proto, known);
    return architecture.ok() ? known.ToReadable(*architecture) : std::string();
  };
}

/// {"search": {…}, "tasks": […], "workers": […], "devices": […]}, each object as protobuf JSON.
absl::StatusOr<std::string> ExplanationToJson(const Explanation& explanation) {
  absl::Status status;
  const auto parsed = [&](const google::protobuf::Message& message) {
    const absl::StatusOr<std::string> text = rpc::ToJson(message, /*pretty=*/false);
    status.Update(text.status());
    return text.ok() ? Json::parse(*text, nullptr, /*allow_exceptions=*/false) : Json();
  };
  Json json = {{"search", parsed(explanation.search)}};
  const auto add = [&](const char* key, const auto& list) {
    Json& elements = json[key] = Json::array();
    for (const auto& element : list) elements.push_back(parsed(element));
  };
  add("tasks", explanation.tasks);
  add("workers", explanation.workers);
  add("devices", explanation.devices);
  if (!status.ok()) return status;
  return json.dump(kJsonIndent);
}

absl::Status PrintExplanation(const Explanation& explanation, OutputFormat format) {
  if (format == OutputFormat::kTable || format == OutputFormat::kName) {
    return PrintResource(explanation.search, format, [&] { return RenderExplanation(explanation, absl::Now(), StandardPalette()); },
                         {explanation.search.name()});
  }
  const absl::StatusOr<std::string> json = ExplanationToJson(explanation);
  return json.ok() ? PrintJson(*json, format) : json.status();
}

}  // namespace

ExitCode TasksCommand(const RemoteOptions& remote, const std::string& name, const std::string& state, const std::string& filter) {
  const absl::StatusOr<std::string> search = ResourceName(name, {"searches"});
  if (!search.ok()) return Fail(search.status());
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<std::vector<v1::TaskSummary>> tasks = AllTasks(**client, *search, filter);
  if (!tasks.ok()) return Fail(tasks.status(), remote);
  const auto* const wanted = rpc::FindEnumWord(*v1::TaskSummary::State_descriptor(), absl::AsciiStrToUpper(state));
  if (!state.empty())
    std::erase_if(*tasks, [&](const v1::TaskSummary& task) { return wanted == nullptr || task.state() != wanted->number(); });
  v1::ListTasksResponse all;
  std::vector<std::string> names;
  for (const v1::TaskSummary& task : *tasks) {
    *all.add_tasks() = task;
    names.push_back(task.name());
  }
  const absl::Status status = PrintResource(all, remote.output, [&] { return RenderTasks(*tasks, StandardPalette()); }, names);
  return status.ok() ? ExitCode::kOk : Fail(status);
}

ExitCode CandidatesCommand(const RemoteOptions& remote, const CandidatesOptions& options) {
  const absl::StatusOr<std::string> search_name = ResourceName(options.name, {"searches"});
  if (!search_name.ok()) return Fail(search_name.status());
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<Candidates> candidates = ReadCandidates(**client, *search_name, options);
  if (!candidates.ok()) return Fail(candidates.status(), remote);
  v1::ListCandidatesResponse all;
  all.set_total(candidates->total);
  std::vector<std::string> names;
  for (const v1::Candidate& candidate : candidates->some) {
    *all.add_candidates() = candidate;
    names.push_back(absl::StrCat(candidate.sequence()));
  }
  std::function<std::string(const v1::Architecture&)> describe;
  if (remote.output == OutputFormat::kTable) {
    const absl::StatusOr<v1::Search> search = (*client)->GetSearch(*search_name);
    if (!search.ok()) return Fail(search.status(), remote);
    describe = Describer(search->spec());
  }
  const absl::Status status = PrintResource(all, remote.output, [&] { return RenderCandidates(candidates->some, describe); }, names);
  if (!status.ok()) return Fail(status);
  if (candidates->total > static_cast<int64_t>(candidates->some.size()))
    Complain(absl::StrCat("these are ", candidates->some.size(), " of ", candidates->total, "; --limit 0 shows all"));
  return ExitCode::kOk;
}

ExitCode ExplainCommand(const RemoteOptions& remote, const std::string& name) {
  const absl::StatusOr<std::string> search_name = ResourceName(name, {"searches"});
  if (!search_name.ok()) return Fail(search_name.status());
  const absl::StatusOr<std::unique_ptr<rpc::SearchClient>> client = Connect(remote);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<v1::Search> search = (*client)->GetSearch(*search_name);
  if (!search.ok()) return Fail(search.status(), remote);
  absl::StatusOr<std::vector<v1::TaskSummary>> tasks = AllTasks(**client, *search_name);
  if (!tasks.ok()) return Fail(tasks.status(), remote);
  absl::StatusOr<std::vector<v1::Worker>> workers = AllWorkers(**client);
  absl::StatusOr<std::vector<v1::Device>> devices = AllDevices(**client);
  // A coordinator without a farm service explains the rest.
  for (const absl::Status& status : {workers.status(), devices.status()}) {
    if (!status.ok() && !absl::IsUnimplemented(status)) return Fail(status, remote);
  }
  Explanation explanation{.search = *std::move(search), .tasks = *std::move(tasks), .farm_known = workers.ok() && devices.ok()};
  if (workers.ok()) explanation.workers = *std::move(workers);
  if (devices.ok()) explanation.devices = *std::move(devices);
  const absl::Status status = PrintExplanation(explanation, remote.output);
  return status.ok() ? ExitCode::kOk : Fail(status);
}

}  // namespace hanas::cli
