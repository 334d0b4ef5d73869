// SPDX-License-Identifier: Apache-2.0
#include "tests/fault/poison.h"

#include "core/space/search_space.h"
#include "rpc/convert/space.h"
#include "tests/core/small_space.h"
#include "tests/fault/load.h"

namespace hanas::fault {

SearchJob PoisonedJob() {
  SearchJob job = SmallJob();
  job.name = "poisoned";
  job.seed = 1007;
  job.space.name = kPoisonedSpace;
  return job;
}

std::optional<std::string> FindPoison(const v1::Task& task) {
  if (!task.has_evaluate() || task.evaluate().space().name() != kPoisonedSpace) return std::nullopt;
  const SearchSpace space = SmallSpace();
  // A corner of the space is in every sample.
  Architecture poison = space.Largest({8, 8});
  space.Canonicalise(poison);
  for (const v1::Architecture& proto : task.evaluate().architectures()) {
    if (proto.genes() == rpc::ToProto(poison).genes()) return space.ToReadable(poison);
  }
  return std::nullopt;
}

}  // namespace hanas::fault
