// SPDX-License-Identifier: Apache-2.0
#include "core/base/processor.h"

namespace hanas {

bool ProcessorMultipliesBf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;  // of others it is not known that training gains from it
#endif
}

}  // namespace hanas
