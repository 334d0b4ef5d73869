// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_EXPORT_ONNX_CHECK_H_
#define HANAS_EXPORT_ONNX_CHECK_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hanas {

inline constexpr int64_t kMaxOnnxBytes = int64_t{1} << 30;
inline constexpr int kMaxOnnxNodes = 1 << 16;
/// Of all tensors of a model together, those between its operators included, for one image: 1 GiB as float32.
inline constexpr int64_t kMaxOnnxElements = int64_t{1} << 28;

/// Whether `bytes` are a model of the kind that WriteOnnx writes, so that a runtime may be given them: it then reads no file, executes no
/// operator of another kind, and allocates what is bounded here. Nothing that the file only claims is believed: every field of every
/// message must be one that the writer sets, every operator of export/onnx_operators.h, every tensor as long as its shape says and its
/// shape what follows from what it is computed from; names are defined once and before they are used.
///
/// Says nothing about numbers: weights may be any. Does not allocate by what the file says, but for protobuf's messages: those take up
/// to some hundred times the bytes of a file made of empty ones, so the caller bounds its memory.
///
/// Returns INVALID_ARGUMENT with the first thing that is wrong, where it is, and what was expected. Pure; thread-safe.
absl::Status CheckOnnx(absl::string_view bytes);

}  // namespace hanas

#endif  // HANAS_EXPORT_ONNX_CHECK_H_
