// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_PROCESSOR_H_
#define HANAS_CORE_BASE_PROCESSOR_H_

namespace hanas {

/// Whether this processor has an instruction that multiplies bf16 numbers and sums in float32. Thread-safe.
bool ProcessorMultipliesBf16();

}  // namespace hanas

#endif  // HANAS_CORE_BASE_PROCESSOR_H_
