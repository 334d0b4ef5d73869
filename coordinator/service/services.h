// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_SERVICE_SERVICES_H_
#define HANAS_COORDINATOR_SERVICE_SERVICES_H_

#include <memory>

#include <grpcpp/impl/service_type.h>

#include "absl/time/time.h"
#include "coordinator/app/app.h"

namespace hanas::coordinator {

// The coordinator's gRPC services. A handler validates, converts, makes one application call and converts back: no state, no policy, no
// locks. Arguments are borrowed and must outlive the service. Thread-safe.

struct WatchOptions {
  absl::Duration progress_interval = absl::Seconds(1);  // between messages about what goes on, while nothing is recorded
  absl::Duration max_stall = absl::Seconds(20);         // that one message may wait for the client to read; less than the server's
};

struct UploadOptions {
  absl::Duration max_stall = absl::Minutes(1);  // in which an upload brings one chunk (1 MiB) at least, or is ended
};

std::unique_ptr<grpc::Service> CreateSearchService(App* app, WatchOptions options = {});
std::unique_ptr<grpc::Service> CreateTaskService(App* app);
std::unique_ptr<grpc::Service> CreateArtifactService(App* app, UploadOptions options = {});
std::unique_ptr<grpc::Service> CreateFarmService(App* app);

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_SERVICE_SERVICES_H_
