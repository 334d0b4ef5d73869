// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BOUND_BOUND_MODEL_H_
#define HANAS_CORE_BOUND_BOUND_MODEL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/base/picture_form.h"
#include "core/graph/graph.h"

namespace hanas {

/// Affine int8 quantiser of one value: real = scale * (quantised - zero_point), quantised in [-128, 127], round half to even.
struct Quantizer {
  float scale = 0;  // 0: the value is never int8
  int32_t zero_point = 0;
  friend bool operator==(const Quantizer&, const Quantizer&) = default;
};

/// Of every output of OpKind::kSigmoid: what integer kernels of a sigmoid write.
inline constexpr Quantizer kSigmoidQuantizer = {.scale = 1.0F / 256.0F, .zero_point = -128};

/// The tensors of one operator with batch normalisation folded. Exactly one of `integers` and `floats` is filled.
struct BoundWeights {
  /// Symmetric narrow-range integers, |w| <= NarrowRangeLimit(weight_type), in the operator's weight layout (OIHW or [out, in]), when
  /// weight_type is kInt8, kInt4 or kInt2. Real weight = scales[out] * integer.
  std::vector<int8_t> integers;
  /// One positive, finite scale for each output channel; empty with `floats`.
  std::vector<float> scales;
  /// Same layout, values representable in IEEE half, when weight_type is kFloat16.
  std::vector<float> floats;
  /// One for each output channel, folded, float32; zeros where the layer has neither bias nor normalisation. An int8 layer executes it as
  /// int32 at scale input_scale * scales[out], rounded to even.
  std::vector<float> bias;
};

/// How a stored image (unsigned bytes, [H, W, C]) becomes the network's input: resize to input_height x input_width (bilinear, half-pixel
/// centres, no antialiasing), then (byte / 255 - mean[c]) / stddev[c].
struct Preprocessing {
  int64_t input_height = 0;
  int64_t input_width = 0;
  std::vector<float> mean;
  std::vector<float> stddev;
  /// What pictures in files become when they are stored (see fit_picture.h); none where files hold images of one size, as IDX files do.
  std::optional<PictureForm> picture = std::nullopt;
};

/// A network ready to run: graph, folded tensors, integer weights, quantisers, preprocessing and labels. Made by a worker; the exporter,
/// the agent's runtimes and the verifier read only this.
///
/// Invariants (CheckBoundModel): one entry of `weights` for each operator (empty for operators without), one quantiser for each value, with
/// a positive finite scale wherever the value is produced or read as int8; all tensors have the size their operator implies and are finite;
/// what a max-pool reads and leaves as int8 has one quantiser, and a sigmoid's int8 output has kSigmoidQuantizer.
///
/// Semantics: an operator with compute kInt8 quantises each input with that value's quantiser, multiplies integers exactly, adds the int32
/// bias, rescales, applies the fused activation and quantises the result with the output value's quantiser. A convolution or fully
/// connected operator rescales as integer kernels do: the sum times the float32 factor input_scale * scales[out] / output_scale, rounded
/// half to even, ReLU a clamp at the zero point, ReLU6 one at the integer nearest to 6 too. An operator with another compute type
/// dequantises int8 inputs and works in float32. Weights of 8 bits or fewer in a 16-bit layer are used as scales * integers.
///
/// Thread-compatible.
struct BoundModel {
  Graph graph;
  std::vector<BoundWeights> weights;
  std::vector<Quantizer> quantizers;
  Preprocessing preprocessing;
  std::vector<std::string> labels;
  std::string space_name;
  std::string architecture_json;    // SearchSpace::ToJson
  std::string architecture_digest;  // hexadecimal
  std::string checkpoint_sha256;    // of the checkpoint it was bound from
};

/// Returns INVALID_ARGUMENT naming the operator or value and what is wrong.
absl::Status CheckBoundModel(const BoundModel& model);

}  // namespace hanas

#endif  // HANAS_CORE_BOUND_BOUND_MODEL_H_
