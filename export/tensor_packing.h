// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_EXPORT_TENSOR_PACKING_H_
#define HANAS_EXPORT_TENSOR_PACKING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/graph/element_type.h"

namespace hanas {

/// How tensors lie in files: little-endian, sub-byte integers with the first in the low bits (the order ONNX uses too).
/// Free functions without state. Thread-safe.

/// Bytes that `count` elements take, the last byte filled up.
size_t PackedBytes(size_t count, ElementType type);

/// Appends the two's complement of `values` in `type` (kInt8, kInt4 or kInt2). Requires values in the type's range.
void AppendIntegers(absl::Span<const int8_t> values, ElementType type, std::string& out);
/// Inverse. Requires bytes.size() == PackedBytes(count, type).
std::vector<int8_t> UnpackIntegers(absl::string_view bytes, size_t count, ElementType type);

/// Appends `values` as kFloat16 (rounded to even) or kFloat32.
void AppendFloats(absl::Span<const float> values, ElementType type, std::string& out);
/// Inverse. Requires bytes.size() == PackedBytes(count, type).
std::vector<float> UnpackFloats(absl::string_view bytes, size_t count, ElementType type);

/// IEEE 754 binary16, round half to even; overflow becomes infinity, NaN stays NaN.
uint16_t FloatToHalf(float value);
float HalfToFloat(uint16_t half);

void AppendUint32(uint32_t value, std::string& out);
/// Requires at least 4 bytes.
uint32_t ReadUint32(absl::string_view bytes);

}  // namespace hanas

#endif  // HANAS_EXPORT_TENSOR_PACKING_H_
