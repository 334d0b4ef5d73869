// SPDX-License-Identifier: Apache-2.0
#include "core/graph/element_type.h"

#include <array>
#include <cstddef>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hanas {
namespace {

struct TypeRow {
  ElementType type;
  absl::string_view name;
  int bits;
};

constexpr std::array<TypeRow, 6> kTypes = {{{ElementType::kFloat32, "f32", 32},
                                            {ElementType::kFloat16, "f16", 16},
                                            {ElementType::kInt8, "i8", 8},
                                            {ElementType::kInt4, "i4", 4},
                                            {ElementType::kInt2, "i2", 2},
                                            {ElementType::kInt32, "i32", 32}}};

const TypeRow& RowOf(ElementType type) { return kTypes.at(static_cast<size_t>(type)); }

}  // namespace

int BitWidth(ElementType type) { return RowOf(type).bits; }

absl::string_view Name(ElementType type) { return RowOf(type).name; }

absl::StatusOr<ElementType> ElementTypeFromName(absl::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return absl::InvalidArgumentError(absl::StrCat("expected an element type (f32, f16, i8, i4, i2, i32), found \"", name, "\""));
}

ElementType TypeOfBits(int bits) {
  switch (bits) {
    case 16:
      return ElementType::kFloat16;
    case 8:
      return ElementType::kInt8;
    case 4:
      return ElementType::kInt4;
    case 2:
      return ElementType::kInt2;
    default:
      CHECK(false) << "no element type has the precision " << bits;
  }
}

int NarrowRangeLimit(ElementType type) {
  CHECK(type == ElementType::kInt8 || type == ElementType::kInt4 || type == ElementType::kInt2) << Name(type);
  return (1 << (BitWidth(type) - 1)) - 1;
}

}  // namespace hanas
