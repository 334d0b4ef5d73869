// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_WORKER_ENGINE_KERNELS_H_
#define HANAS_WORKER_ENGINE_KERNELS_H_

#include <cstdint>
#include <vector>

namespace hanas::kernels {

// The loops in which a supernet of depthwise convolutions, normalisations and fake quantisation spends its time, on plain float arrays:
// channels last, [rows, channels] or [N, H, W, C], contiguous. Each does in one or two passes over memory what stock operators do in six to
// ten. Compiled for several instruction sets and chosen at load. Sums are accumulated in a fixed order: equal inputs give equal bits on one
// instruction set. Single-threaded; thread-safe (no state).

/// A depthwise convolution. Weights are tap-major: [kernel * kernel, channels].
struct DepthwiseShape {
  int64_t batch = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t padding = 1;
  int64_t out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  int64_t out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
};
void DepthwiseForward(const DepthwiseShape& shape, const float* input, const float* weights, float* output);
/// Overwrites `input_gradient`.
void DepthwiseBackwardInput(const DepthwiseShape& shape, const float* output_gradient, const float* weights, float* input_gradient);
/// Overwrites `weight_gradient`.
void DepthwiseBackwardWeights(const DepthwiseShape& shape, const float* input, const float* output_gradient, float* weight_gradient);

/// [N, H, W, C] -> [N * out_height * out_width, kernel * kernel * C], tap-major, zero padded.
void Im2Col(const DepthwiseShape& shape, const float* input, float* columns);

/// For each channel.
struct Moments {
  std::vector<float> mean;
  std::vector<float> variance;  // biased
  std::vector<float> minimum;
  std::vector<float> maximum;
};
/// Requires rows > 0.
Moments ComputeMoments(const float* data, int64_t rows, int64_t channels);

/// Fake quantisation to int8: real -> nearest representable real. `enabled` false leaves values alone.
struct FakeQuantizer {
  bool enabled = false;
  float scale = 1;
  int32_t zero_point = 0;
};

/// What follows the affine map of a normalisation.
enum class Nonlinearity { kNone, kRelu, kHardSwish, kRelu6 };

/// y = quantise_2(f(quantise_1(scale[c] * x + shift[c]))) for kHardSwish; the others have no second step: quantise_1(f(...)).
struct AffineActivation {
  const float* scale = nullptr;  // for each channel
  const float* shift = nullptr;
  Nonlinearity nonlinearity = Nonlinearity::kNone;
  FakeQuantizer first;
  FakeQuantizer second;  // kHardSwish only
};
void AffineForward(const AffineActivation& what, const float* input, int64_t rows, int64_t channels, float* output);
/// Straight through the quantisers. Writes the gradient of the input and returns that of the shift.
std::vector<float> AffineBackward(const AffineActivation& what, const float* input, const float* output_gradient, int64_t rows,
                                  int64_t channels, float* input_gradient);

/// What the backward of a batch normalisation needs to know of all rows of the batch: for each channel the sums of g and of g * x, where x
/// is what was normalised and g the gradient behind the nonlinearity, straight through the quantisers. Sums of parts of a batch add up.
struct NormSums {
  std::vector<double> gradient;
  std::vector<double> product;
};
NormSums SumNormGradients(const AffineActivation& what, const float* input, const float* output_gradient, int64_t rows, int64_t channels);

/// Backward of a batch normalisation followed by a nonlinearity, of rows that are the whole batch or a part of it: `own` are their sums,
/// `batch` those of all `batch_rows`, with `mean` and `inverse_stddev` of the batch. Writes the gradient of the input and returns what
/// these rows contribute to those of gamma and beta.
struct NormGradients {
  std::vector<float> gamma;
  std::vector<float> beta;
};
NormGradients NormBackward(const AffineActivation& what, const float* mean, const float* inverse_stddev, const NormSums& own,
                           const NormSums& batch, int64_t batch_rows, const float* input, const float* output_gradient, int64_t rows,
                           int64_t channels, float* input_gradient);

struct Range {
  float low = 0;
  float high = 0;
};
/// Smallest and largest value; {0, 0} for none.
Range FindRange(const float* data, int64_t count);
/// May be in place.
void QuantizeForward(const FakeQuantizer& quantizer, const float* input, int64_t count, float* output);

/// output[n, p, c] = left[n, p, c] * right[n, c].
void ScaleForward(const float* left, const float* right, int64_t batch, int64_t pixels, int64_t channels, float* output);
void ScaleBackward(const float* left, const float* right, const float* output_gradient, int64_t batch, int64_t pixels, int64_t channels,
                   float* left_gradient, float* right_gradient);

/// output[n, c] = mean over p of input[n, p, c], and its backward.
void PoolForward(const float* input, int64_t batch, int64_t pixels, int64_t channels, float* output);
void PoolBackward(const float* output_gradient, int64_t batch, int64_t pixels, int64_t channels, float* input_gradient);

}  // namespace hanas::kernels

#endif  // HANAS_WORKER_ENGINE_KERNELS_H_
