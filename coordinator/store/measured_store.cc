// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/measured_store.h"

namespace hanas::coordinator {

absl::Status MeasuredStore::Write(const std::vector<StoreChange>& batch) {
  using telemetry::Metric;
  const absl::Duration begin = clock_->Monotonic();
  absl::Status status = store_->Write(batch);
  metrics_->Observe(Metric::kStoreWriteSeconds, {status.ok() ? "ok" : "error"}, absl::ToDoubleSeconds(clock_->Monotonic() - begin));
  metrics_->Observe(Metric::kStoreWriteRecords, {}, static_cast<double>(batch.size()));
  size_t bytes = 0;
  for (const StoreChange& change : batch) bytes += change.key.size() + (change.value.has_value() ? change.value->size() : 0);
  metrics_->Add(Metric::kStoreWrittenBytes, {}, static_cast<double>(bytes));
  return status;
}

}  // namespace hanas::coordinator
