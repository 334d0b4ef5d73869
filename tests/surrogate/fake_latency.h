// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_SURROGATE_FAKE_LATENCY_H_
#define HANAS_TESTS_SURROGATE_FAKE_LATENCY_H_

#include "core/latency/latency_model.h"
#include "core/lowering/lowering.h"
#include "core/plan/exec_plan.h"

namespace hanas {

/// A row for every key of the space, its time a function of the key's text.
inline LatencyTable FakeLatencyTable(const Lowering& lowering, const BackendCaps& caps) {
  LatencyTable table;
  for (const OpKey& key : EnumerateOpKeys(lowering, caps)) {
    const double us = 1 + static_cast<double>(DigestBuilder().Add(ToString(key)).Build().low % 100'000) / 1000;
    if (!table.Insert(key, {.flushed_us = us, .hot_us = us, .cv = 0.01, .num_rounds = 5}).ok()) return {};
  }
  return table;
}

}  // namespace hanas

#endif  // HANAS_TESTS_SURROGATE_FAKE_LATENCY_H_
