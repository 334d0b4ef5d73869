// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_GRAPH_ELEMENT_TYPE_H_
#define HANAS_CORE_GRAPH_ELEMENT_TYPE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hanas {

/// What a tensor element is stored as. kFloat16 in a Graph means "16-bit precision": a backend without native half executes it as kFloat32
/// (MakePlan decides). kInt4 and kInt2 occur only for weights; 2 bits are ternary. Model files hold these numbers.
enum class ElementType : uint8_t { kFloat32 = 0, kFloat16 = 1, kInt8 = 2, kInt4 = 3, kInt2 = 4, kInt32 = 5 };

int BitWidth(ElementType type);
/// "f32", "f16", "i8", "i4", "i2", "i32".
absl::string_view Name(ElementType type);
/// Inverse of Name. Returns INVALID_ARGUMENT for other text.
absl::StatusOr<ElementType> ElementTypeFromName(absl::string_view name);
/// The type of a weight or activation of `bits` in {16, 8, 4, 2}. Requires one of these.
ElementType TypeOfBits(int bits);
/// Largest magnitude of a narrow-range symmetric integer of this type: 127, 7, 1. Requires an integer type of at most 8 bits.
int NarrowRangeLimit(ElementType type);

}  // namespace hanas

#endif  // HANAS_CORE_GRAPH_ELEMENT_TYPE_H_
