// SPDX-License-Identifier: Apache-2.0
#include "export/tensor_packing.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace hanas {
namespace {

constexpr uint32_t kHalfInfinity = 0x7c00;
constexpr uint32_t kHalfQuietNan = 0x7e00;
constexpr int kHalfMantissaBits = 10;
constexpr int kHalfMinExponent = -14;
constexpr int kHalfMaxExponent = 15;

}  // namespace

size_t PackedBytes(size_t count, ElementType type) { return (count * static_cast<size_t>(BitWidth(type)) + 7) / 8; }

void AppendIntegers(absl::Span<const int8_t> values, ElementType type, std::string& out) {
  const auto bits = static_cast<size_t>(BitWidth(type));
  const auto mask = static_cast<uint8_t>((1u << bits) - 1);
  const size_t start = out.size();
  out.resize(start + PackedBytes(values.size(), type), '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t bit = i * bits;
    auto byte = static_cast<uint8_t>(out[start + bit / 8]);
    byte = static_cast<uint8_t>(byte | ((static_cast<uint8_t>(values[i]) & mask) << (bit % 8)));
    out[start + bit / 8] = static_cast<char>(byte);
  }
}

std::vector<int8_t> UnpackIntegers(absl::string_view bytes, size_t count, ElementType type) {
  const auto bits = static_cast<size_t>(BitWidth(type));
  std::vector<int8_t> values(count);
  for (size_t i = 0; i < count; ++i) {
    const size_t bit = i * bits;
    // The element's bits to the top, then an arithmetic shift back extends the sign.
    const auto top = static_cast<int8_t>(static_cast<uint8_t>(bytes[bit / 8]) << (8 - bits - bit % 8));
    values[i] = static_cast<int8_t>(top >> (8 - bits));
  }
  return values;
}

void AppendFloats(absl::Span<const float> values, ElementType type, std::string& out) {
  for (const float value : values) {
    if (type == ElementType::kFloat16) {
      const uint16_t half = FloatToHalf(value);
      out.push_back(static_cast<char>(half & 0xff));
      out.push_back(static_cast<char>(half >> 8));
    } else {
      AppendUint32(std::bit_cast<uint32_t>(value), out);
    }
  }
}

std::vector<float> UnpackFloats(absl::string_view bytes, size_t count, ElementType type) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    if (type == ElementType::kFloat16) {
      const auto low = static_cast<uint8_t>(bytes[2 * i]);
      const auto high = static_cast<uint8_t>(bytes[2 * i + 1]);
      values[i] = HalfToFloat(static_cast<uint16_t>(low | (high << 8)));
    } else {
      values[i] = std::bit_cast<float>(ReadUint32(bytes.substr(4 * i)));
    }
  }
  return values;
}

uint16_t FloatToHalf(float value) {
  const uint32_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return static_cast<uint16_t>(sign | kHalfQuietNan);
  const double magnitude = std::fabs(static_cast<double>(value));
  if (magnitude == 0) return static_cast<uint16_t>(sign);
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude = f * 2^exponent, f in [0.5, 1)
  exponent = std::max(exponent - 1, kHalfMinExponent);
  if (std::isinf(value) || exponent > kHalfMaxExponent) return static_cast<uint16_t>(sign | kHalfInfinity);
  // In units of the last place, exactly representable as double; rounding may carry into the exponent, which the sum below does by itself.
  const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, kHalfMantissaBits - exponent)));
  const uint32_t biased = static_cast<uint32_t>(exponent - kHalfMinExponent) << kHalfMantissaBits;
  return static_cast<uint16_t>(sign | (biased + units));
}

float HalfToFloat(uint16_t half) {
  const float sign = (half & 0x8000) != 0 ? -1.0F : 1.0F;
  const int exponent = (half >> kHalfMantissaBits) & 0x1f;
  const int mantissa = half & 0x3ff;
  if (exponent == 0x1f) return mantissa != 0 ? std::numeric_limits<float>::quiet_NaN() : sign * std::numeric_limits<float>::infinity();
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), kHalfMinExponent - kHalfMantissaBits);
  return sign * std::ldexp(static_cast<float>(mantissa + 0x400), exponent - 1 + kHalfMinExponent - kHalfMantissaBits);
}

void AppendUint32(uint32_t value, std::string& out) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>((value >> shift) & 0xff));
}

uint32_t ReadUint32(absl::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  return value;
}

}  // namespace hanas
