// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/parties.h"

#include "hanas/v1/farm.pb.h"

namespace hanas::cli {

absl::StatusOr<std::map<std::string, double>> SilentSecondsOf(rpc::SearchClient& client) {
  std::map<std::string, double> silent_seconds;
  std::string page_token;
  do {
    const absl::StatusOr<v1::ListWorkersResponse> workers = client.ListWorkers(/*page_size=*/0, page_token);
    if (!workers.ok()) return workers.status();
    for (const v1::Worker& worker : workers->workers()) silent_seconds[worker.display_name()] = worker.silent_seconds();
    page_token = workers->next_page_token();
  } while (!page_token.empty());
  const absl::StatusOr<v1::ListDevicesResponse> devices = client.ListDevices(/*page_size=*/0, "");
  if (!devices.ok()) return devices.status();
  for (const v1::Device& device : devices->devices()) silent_seconds[device.display_name()] = device.silent_seconds();
  return silent_seconds;
}

}  // namespace hanas::cli
