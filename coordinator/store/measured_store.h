// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_MEASURED_STORE_H_
#define HANAS_COORDINATOR_STORE_MEASURED_STORE_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/clock/clock.h"
#include "coordinator/store/store.h"
#include "telemetry/metrics.h"

namespace hanas::coordinator {

/// A store that records the time, the size and the result of each write of another. Borrows its arguments. Thread-safe when the other is.
class MeasuredStore final : public Store {
 public:
  MeasuredStore(Store* store, Clock* clock, telemetry::Metrics* metrics) : store_(store), clock_(clock), metrics_(metrics) {}

  absl::StatusOr<std::vector<StoreRecord>> Load() override { return store_->Load(); }
  absl::Status Write(const std::vector<StoreChange>& batch) override;
  absl::Status Close() override { return store_->Close(); }

 private:
  Store* const store_;
  Clock* const clock_;
  telemetry::Metrics* const metrics_;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_MEASURED_STORE_H_
