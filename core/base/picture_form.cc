// SPDX-License-Identifier: Apache-2.0
#include "core/base/picture_form.h"

#include <array>
#include <cstddef>

namespace hanas {
namespace {

constexpr std::array<absl::string_view, 3> kFits = {"stretch", "crop", "pad"};

}  // namespace

absl::Span<const absl::string_view> NamesOf(PictureFit) { return kFits; }
absl::string_view Name(PictureFit fit) { return kFits.at(static_cast<size_t>(fit)); }

}  // namespace hanas
