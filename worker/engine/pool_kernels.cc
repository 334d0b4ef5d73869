// SPDX-License-Identifier: Apache-2.0
// The kernels of pooling and of squeeze-and-excite's scaling.
#include <cstring>

#include "worker/engine/cpu_clones.h"
#include "worker/engine/kernels.h"

namespace hanas::kernels {

HANAS_CLONES void ScaleForward(const float* left, const float* right, int64_t batch, int64_t pixels, int64_t channels, float* output) {
  for (int64_t n = 0; n < batch; ++n) {
    const float* const factor = right + n * channels;
    for (int64_t p = 0; p < pixels; ++p) {
      const int64_t at = (n * pixels + p) * channels;
      for (int64_t c = 0; c < channels; ++c) output[at + c] = left[at + c] * factor[c];
    }
  }
}

HANAS_CLONES void ScaleBackward(const float* left, const float* right, const float* output_gradient, int64_t batch, int64_t pixels,
                                int64_t channels, float* left_gradient, float* right_gradient) {
  std::memset(right_gradient, 0, sizeof(float) * static_cast<size_t>(batch * channels));
  for (int64_t n = 0; n < batch; ++n) {
    const float* const factor = right + n * channels;
    float* const sum = right_gradient + n * channels;
    for (int64_t p = 0; p < pixels; ++p) {
      const int64_t at = (n * pixels + p) * channels;
      for (int64_t c = 0; c < channels; ++c) {
        left_gradient[at + c] = output_gradient[at + c] * factor[c];
        sum[c] += output_gradient[at + c] * left[at + c];
      }
    }
  }
}

HANAS_CLONES void PoolForward(const float* input, int64_t batch, int64_t pixels, int64_t channels, float* output) {
  std::memset(output, 0, sizeof(float) * static_cast<size_t>(batch * channels));
  const float inverse = 1.0F / static_cast<float>(pixels);
  for (int64_t n = 0; n < batch; ++n) {
    float* const sum = output + n * channels;
    for (int64_t p = 0; p < pixels; ++p) {
      const float* const row = input + (n * pixels + p) * channels;
      for (int64_t c = 0; c < channels; ++c) sum[c] += row[c];
    }
    for (int64_t c = 0; c < channels; ++c) sum[c] *= inverse;
  }
}

HANAS_CLONES void PoolBackward(const float* output_gradient, int64_t batch, int64_t pixels, int64_t channels, float* input_gradient) {
  const float inverse = 1.0F / static_cast<float>(pixels);
  for (int64_t n = 0; n < batch; ++n) {
    const float* const gradient = output_gradient + n * channels;
    for (int64_t p = 0; p < pixels; ++p) {
      float* const row = input_gradient + (n * pixels + p) * channels;
      for (int64_t c = 0; c < channels; ++c) row[c] = gradient[c] * inverse;
    }
  }
}

}  // namespace hanas::kernels
