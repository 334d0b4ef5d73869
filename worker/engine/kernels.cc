// SPDX-License-Identifier: Apache-2.0
#include "worker/engine/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "worker/engine/cpu_clones.h"

#define HANAS_INLINE inline __attribute__((always_inline))

namespace hanas::kernels {
namespace {

constexpr int64_t kLanes = 16;
/// Rows that are summed in single precision, with the sums in registers, before they go to a double.
constexpr int64_t kRowsPerFold = 64;

/// A run of channels held in registers: a vector type of the compiler, because arrays in a loop nest end up in memory.
template <int64_t kWidth>
struct Lanes {
  using Vector __attribute__((vector_size(static_cast<size_t>(kWidth) * sizeof(float)))) = float;
  Vector v;
  HANAS_INLINE void Clear() { v = Vector{}; }
  HANAS_INLINE void Load(const float* p) { __builtin_memcpy(&v, p, sizeof(v)); }
  HANAS_INLINE void Store(float* p) const { __builtin_memcpy(p, &v, sizeof(v)); }
  HANAS_INLINE void MultiplyAdd(const float* a, const float* b) {
    Lanes x;
    Lanes y;
    x.Load(a);
    y.Load(b);
    v += x.v * y.v;
  }
  HANAS_INLINE void MultiplyAdd(const Lanes& x, const float* b) {
    Lanes y;
    y.Load(b);
    v += x.v * y.v;
  }
};

/// Calls body.template operator()<width>(first_channel) so that all channels are covered by runs of 16, 8 and 1.
template <typename Body>
HANAS_INLINE void ForChannels(int64_t channels, const Body& body) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) body.template operator()<kLanes>(c);
  for (; c + 8 <= channels; c += 8) body.template operator()<8>(c);
  for (; c < channels; ++c) body.template operator()<1>(c);
}

/// The taps of one axis that fall inside [0, size) when the first is at `start`.
struct TapRange {
  int64_t begin;
  int64_t end;
};
HANAS_INLINE TapRange Clip(int64_t start, int64_t kernel, int64_t size) {
  return {std::max<int64_t>(0, -start), std::min(kernel, size - start)};
}

template <int64_t kWidth>
HANAS_INLINE void AccumulateTaps(const DepthwiseShape& s, const float* image, const float* weights, int64_t y0, int64_t x0, TapRange ys,
                                 TapRange xs, int64_t c, Lanes<kWidth>& sum) {
  for (int64_t ky = ys.begin; ky < ys.end; ++ky) {
    const float* row = image + ((y0 + ky) * s.width + x0) * s.channels + c;
    const float* taps = weights + ky * s.kernel * s.channels + c;
    for (int64_t kx = xs.begin; kx < xs.end; ++kx) sum.MultiplyAdd(row + kx * s.channels, taps + kx * s.channels);
  }
}

/// Adds the gradient of one output pixel to the inputs that it read.
template <int64_t kWidth>
HANAS_INLINE void ScatterGradient(const DepthwiseShape& s, const float* gradient, const float* weights, int64_t y0, int64_t x0, TapRange ys,
                                  TapRange xs, int64_t c, float* image) {
  Lanes<kWidth> go;
  go.Load(gradient + c);
  for (int64_t ky = ys.begin; ky < ys.end; ++ky) {
    float* const row = image + ((y0 + ky) * s.width + x0) * s.channels + c;
    const float* const taps = weights + ky * s.kernel * s.channels + c;
    for (int64_t kx = xs.begin; kx < xs.end; ++kx) {
      Lanes<kWidth> sum;
      sum.Load(row + kx * s.channels);
      sum.MultiplyAdd(go, taps + kx * s.channels);
      sum.Store(row + kx * s.channels);
    }
  }
}

/// Adds one output gradient times the pixels under a row of taps that begins at column `x0`, which may lie outside of the image.
template <int64_t kKernel, int64_t kWidth>
HANAS_INLINE void AddTaps(const DepthwiseShape& s, const Lanes<kWidth>& go, const float* row, int64_t x0, Lanes<kWidth>* sums) {
  const bool inside = x0 >= 0 && x0 + kKernel <= s.width;
  if (inside) {
#pragma GCC unroll 7
    for (int64_t kx = 0; kx < kKernel; ++kx) sums[kx].MultiplyAdd(go, row + (x0 + kx) * s.channels);
  } else {
#pragma GCC unroll 7
    for (int64_t kx = 0; kx < kKernel; ++kx) {
      if (x0 + kx >= 0 && x0 + kx < s.width) sums[kx].MultiplyAdd(go, row + (x0 + kx) * s.channels);
    }
  }
}

/// Adds the gradients of one row of taps, for one image and a run of channels: all taps of the row stay in registers, so that an output
/// gradient is loaded once for all of them and their sums do not wait for each other.
template <int64_t kKernel, int64_t kWidth>
HANAS_INLINE void AccumulateTapRow(const DepthwiseShape& s, const float* image, const float* gradient, int64_t ky, int64_t c,
                                   float* weight_gradient) {
  const int64_t out_height = s.out_height();
  const int64_t out_width = s.out_width();
  Lanes<kWidth> sums[kKernel];
#pragma GCC unroll 7
  for (int64_t kx = 0; kx < kKernel; ++kx) sums[kx].Load(weight_gradient + (ky * kKernel + kx) * s.channels + c);
  for (int64_t oy = 0; oy < out_height; ++oy) {
    const int64_t y = oy * s.stride - s.padding + ky;
    if (y < 0 || y >= s.height) continue;
    const float* const row = image + y * s.width * s.channels + c;
    const float* const g = gradient + oy * out_width * s.channels + c;
    for (int64_t ox = 0; ox < out_width; ++ox) {
      Lanes<kWidth> go;
      go.Load(g + ox * s.channels);
      AddTaps<kKernel>(s, go, row, ox * s.stride - s.padding, sums);
    }
  }
#pragma GCC unroll 7
  for (int64_t kx = 0; kx < kKernel; ++kx) sums[kx].Store(weight_gradient + (ky * kKernel + kx) * s.channels + c);
}

template <int64_t kKernel>
HANAS_INLINE void AccumulateTapRows(const DepthwiseShape& s, const float* image, const float* gradient, float* weight_gradient) {
  for (int64_t ky = 0; ky < kKernel; ++ky) {
    int64_t c = 0;
    for (; c + kLanes <= s.channels; c += kLanes) AccumulateTapRow<kKernel, kLanes>(s, image, gradient, ky, c, weight_gradient);
    for (; c + 8 <= s.channels; c += 8) AccumulateTapRow<kKernel, 8>(s, image, gradient, ky, c, weight_gradient);
    for (; c < s.channels; ++c) AccumulateTapRow<kKernel, 1>(s, image, gradient, ky, c, weight_gradient);
  }
}

/// Any kernel size, one tap at a time.
HANAS_INLINE void AccumulateTapsOneByOne(const DepthwiseShape& s, const float* image, const float* gradient, float* weight_gradient) {
  for (int64_t ky = 0; ky < s.kernel; ++ky) {
    for (int64_t kx = 0; kx < s.kernel; ++kx) {
      float* const out = weight_gradient + (ky * s.kernel + kx) * s.channels;
      for (int64_t oy = 0; oy < s.out_height(); ++oy) {
        const int64_t y = oy * s.stride - s.padding + ky;
        for (int64_t ox = 0; ox < s.out_width(); ++ox) {
          const int64_t x = ox * s.stride - s.padding + kx;
          if (y < 0 || y >= s.height || x < 0 || x >= s.width) continue;
          const float* const pixel = image + (y * s.width + x) * s.channels;
          const float* const g = gradient + (oy * s.out_width() + ox) * s.channels;
          for (int64_t c = 0; c < s.channels; ++c) out[c] += pixel[c] * g[c];
        }
      }
    }
  }
}

/// Per-channel vectors repeated until their length is a multiple of the vector width, so that rows of any width become one flat loop.
class Tile {
 public:
  explicit Tile(int64_t channels) : channels_(channels), rows_(1) {
    while (channels_ * rows_ % kLanes != 0 || channels_ * rows_ < 4 * kLanes) ++rows_;
  }
  int64_t rows() const { return rows_; }
  int64_t size() const { return rows_ * channels_; }
  std::vector<float> Repeat(const float* values) const {
    std::vector<float> out;
    out.reserve(static_cast<size_t>(size()));
    for (int64_t r = 0; r < rows_; ++r) out.insert(out.end(), values, values + channels_);
    return out;
  }

 private:
  int64_t channels_;
  int64_t rows_;
};

struct QuantizerTerms {
  float inverse = 1;
  float scale = 1;
  float low = 0;
  float high = 0;
  explicit QuantizerTerms(const FakeQuantizer& q)
      : inverse(1.0F / q.scale),
        scale(q.scale),
        low(static_cast<float>(-128 - q.zero_point)),
        high(static_cast<float>(127 - q.zero_point)) {}
  HANAS_INLINE float operator()(float x) const { return std::min(std::max(__builtin_rintf(x * inverse), low), high) * scale; }
};

HANAS_INLINE float HardSwish(float x) { return x * std::min(std::max(x + 3.0F, 0.0F), 6.0F) * (1.0F / 6.0F); }

/// Derivative of the nonlinearity at `x`.
template <Nonlinearity kKind>
HANAS_INLINE float Slope(float x) {
  if constexpr (kKind == Nonlinearity::kNone) return 1.0F;
  if constexpr (kKind == Nonlinearity::kRelu) return x > 0.0F ? 1.0F : 0.0F;
  if constexpr (kKind == Nonlinearity::kRelu6) return x > 0.0F && x < 6.0F ? 1.0F : 0.0F;
  const float middle = (2.0F * x + 3.0F) * (1.0F / 6.0F);
  return x <= -3.0F ? 0.0F : (x >= 3.0F ? 1.0F : middle);
}

template <Nonlinearity kKind, bool kFirst, bool kSecond>
HANAS_INLINE void AffineLoop(const float* a, const float* b, const QuantizerTerms& first, const QuantizerTerms& second, const float* x,
                             int64_t count, float* y) {
  for (int64_t i = 0; i < count; ++i) {
    float t = a[i] * x[i] + b[i];
    if constexpr (kKind == Nonlinearity::kRelu) t = std::max(t, 0.0F);
    if constexpr (kKind == Nonlinearity::kRelu6) t = std::min(std::max(t, 0.0F), 6.0F);
    if constexpr (kFirst) t = first(t);
    if constexpr (kKind == Nonlinearity::kHardSwish) t = HardSwish(t);
    if constexpr (kSecond) t = second(t);
    y[i] = t;
  }
}

template <Nonlinearity kKind>
HANAS_INLINE void AffineTiles(const AffineActivation& what, const Tile& tile, const std::vector<float>& a, const std::vector<float>& b,
                              const float* x, int64_t total, float* y) {
  const QuantizerTerms first(what.first);
  const QuantizerTerms second(what.second);
  for (int64_t at = 0; at < total; at += tile.size()) {
    const int64_t count = std::min(tile.size(), total - at);
    if (what.first.enabled) {
      if (what.second.enabled && kKind == Nonlinearity::kHardSwish) {
        AffineLoop<kKind, true, true>(a.data(), b.data(), first, second, x + at, count, y + at);
      } else {
        AffineLoop<kKind, true, false>(a.data(), b.data(), first, second, x + at, count, y + at);
      }
    } else {
      AffineLoop<kKind, false, false>(a.data(), b.data(), first, second, x + at, count, y + at);
    }
  }
}

template <Nonlinearity kKind>
HANAS_INLINE void GradientApply(const float* a, const float* b, const float* p, const float* q, const float* r, const float* x,
                                const float* g, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    const float t = g[i] * Slope<kKind>(a[i] * x[i] + b[i]);
    out[i] = p[i] * t + q[i] * x[i] + r[i];
  }
}

template <Nonlinearity kKind, int64_t kWidth>
HANAS_INLINE void GradientBlock(const AffineActivation& what, const float* x, const float* g, int64_t rows, int64_t channels, int64_t c,
                                NormSums& out) {
  Lanes<kWidth> sum;
  Lanes<kWidth> product;
  Lanes<kWidth> scale;
  Lanes<kWidth> shift;
  sum.Clear();
  product.Clear();
  scale.Load(what.scale + c);
  shift.Load(what.shift + c);
  for (int64_t r = 0; r < rows; ++r) {
    Lanes<kWidth> xs;
    Lanes<kWidth> gs;
    xs.Load(x + r * channels + c);
    gs.Load(g + r * channels + c);
    const auto before = scale.v * xs.v + shift.v;
    if constexpr (kKind == Nonlinearity::kRelu) gs.v = before > 0.0F ? gs.v : 0.0F * gs.v;
    if constexpr (kKind == Nonlinearity::kRelu6) gs.v = ((before > 0.0F) & (before < 6.0F)) ? gs.v : 0.0F * gs.v;
    if constexpr (kKind == Nonlinearity::kHardSwish) {
      const auto middle = (2.0F * before + 3.0F) * (1.0F / 6.0F) * gs.v;
      gs.v = before <= -3.0F ? 0.0F * gs.v : (before >= 3.0F ? gs.v : middle);
    }
    sum.v += gs.v;
    product.v += gs.v * xs.v;
  }
  for (int64_t i = 0; i < kWidth; ++i) {
    out.gradient[static_cast<size_t>(c + i)] += static_cast<double>(sum.v[i]);
    out.product[static_cast<size_t>(c + i)] += static_cast<double>(product.v[i]);
  }
}

template <Nonlinearity kKind>
HANAS_INLINE void SumGradients(const AffineActivation& what, const float* x, const float* g, int64_t rows, int64_t channels,
                               NormSums& out) {
  for (int64_t r = 0; r < rows; r += kRowsPerFold) {
    const int64_t count = std::min(kRowsPerFold, rows - r);
    ForChannels(channels, [&]<int64_t kWidth>(int64_t c) __attribute__((always_inline)) {
      GradientBlock<kKind, kWidth>(what, x + r * channels, g + r * channels, count, channels, c, out);
    });
  }
}

HANAS_CLONES void AffineDispatch(const AffineActivation& what, const Tile& tile, const std::vector<float>& a, const std::vector<float>& b,
                                 const float* x, int64_t total, float* y) {
  switch (what.nonlinearity) {
    case Nonlinearity::kNone:
      return AffineTiles<Nonlinearity::kNone>(what, tile, a, b, x, total, y);
    case Nonlinearity::kRelu:
      return AffineTiles<Nonlinearity::kRelu>(what, tile, a, b, x, total, y);
    case Nonlinearity::kHardSwish:
      return AffineTiles<Nonlinearity::kHardSwish>(what, tile, a, b, x, total, y);
    case Nonlinearity::kRelu6:
      return AffineTiles<Nonlinearity::kRelu6>(what, tile, a, b, x, total, y);
  }
}

HANAS_CLONES void SumDispatch(const AffineActivation& what, const float* x, const float* g, int64_t rows, int64_t channels, NormSums& out) {
  switch (what.nonlinearity) {
    case Nonlinearity::kNone:
      return SumGradients<Nonlinearity::kNone>(what, x, g, rows, channels, out);
    case Nonlinearity::kRelu:
      return SumGradients<Nonlinearity::kRelu>(what, x, g, rows, channels, out);
    case Nonlinearity::kHardSwish:
      return SumGradients<Nonlinearity::kHardSwish>(what, x, g, rows, channels, out);
    case Nonlinearity::kRelu6:
      return SumGradients<Nonlinearity::kRelu6>(what, x, g, rows, channels, out);
  }
}

struct GradientTerms {
  std::vector<float> a, b, p, q, r;
};

HANAS_CLONES void ApplyDispatch(Nonlinearity kind, int64_t tile, const GradientTerms& terms, const float* x, const float* g, int64_t total,
                                float* out) {
  for (int64_t at = 0; at < total; at += tile) {
    const int64_t count = std::min(tile, total - at);
    const float* const a = terms.a.data();
    const float* const b = terms.b.data();
    const float* const p = terms.p.data();
    const float* const q = terms.q.data();
    const float* const r = terms.r.data();
    switch (kind) {
      case Nonlinearity::kNone:
        GradientApply<Nonlinearity::kNone>(a, b, p, q, r, x + at, g + at, count, out + at);
        break;
      case Nonlinearity::kRelu:
        GradientApply<Nonlinearity::kRelu>(a, b, p, q, r, x + at, g + at, count, out + at);
        break;
      case Nonlinearity::kHardSwish:
        GradientApply<Nonlinearity::kHardSwish>(a, b, p, q, r, x + at, g + at, count, out + at);
        break;
      case Nonlinearity::kRelu6:
        GradientApply<Nonlinearity::kRelu6>(a, b, p, q, r, x + at, g + at, count, out + at);
        break;
    }
  }
}

struct MomentSums {
  explicit MomentSums(int64_t channels)
      : sum(static_cast<size_t>(channels), 0),
        squares(static_cast<size_t>(channels), 0),
        low(static_cast<size_t>(channels), std::numeric_limits<float>::max()),
        high(static_cast<size_t>(channels), std::numeric_limits<float>::lowest()) {}
  std::vector<double> sum;
  std::vector<double> squares;
  std::vector<float> low;
  std::vector<float> high;
};

template <int64_t kWidth>
HANAS_INLINE void MomentBlock(const float* x, int64_t rows, int64_t channels, const float* shift, int64_t c, MomentSums& out) {
  Lanes<kWidth> sum;
  Lanes<kWidth> squares;
  Lanes<kWidth> low;
  Lanes<kWidth> high;
  Lanes<kWidth> base;
  sum.Clear();
  squares.Clear();
  base.Load(shift + c);
  low.Load(out.low.data() + c);
  high.Load(out.high.data() + c);
  for (int64_t r = 0; r < rows; ++r) {
    Lanes<kWidth> row;
    row.Load(x + r * channels + c);
    const auto t = row.v - base.v;
    sum.v += t;
    squares.v += t * t;
    low.v = row.v < low.v ? row.v : low.v;
    high.v = row.v > high.v ? row.v : high.v;
  }
  low.Store(out.low.data() + c);
  high.Store(out.high.data() + c);
  for (int64_t i = 0; i < kWidth; ++i) {
    const auto k = static_cast<size_t>(c + i);
    out.sum[k] += static_cast<double>(sum.v[i]);
    out.squares[k] += static_cast<double>(squares.v[i]);
  }
}

HANAS_CLONES void SumMoments(const float* x, int64_t rows, int64_t channels, const float* shift, MomentSums& out) {
  for (int64_t r = 0; r < rows; r += kRowsPerFold) {
    const int64_t count = std::min(kRowsPerFold, rows - r);
    ForChannels(channels, [&]<int64_t kWidth>(int64_t c)
                              __attribute__((always_inline)) { MomentBlock<kWidth>(x + r * channels, count, channels, shift, c, out); });
  }
}

}  // namespace

HANAS_CLONES void DepthwiseForward(const DepthwiseShape& s, const float* input, const float* weights, float* output) {
  const int64_t out_height = s.out_height();
  const int64_t out_width = s.out_width();
  for (int64_t n = 0; n < s.batch; ++n) {
    const float* const image = input + n * s.height * s.width * s.channels;
    for (int64_t oy = 0; oy < out_height; ++oy) {
      const int64_t y0 = oy * s.stride - s.padding;
      const TapRange ys = Clip(y0, s.kernel, s.height);
      for (int64_t ox = 0; ox < out_width; ++ox) {
        const int64_t x0 = ox * s.stride - s.padding;
        const TapRange xs = Clip(x0, s.kernel, s.width);
        float* const out = output + ((n * out_height + oy) * out_width + ox) * s.channels;
        ForChannels(s.channels, [&]<int64_t kWidth>(int64_t c) __attribute__((always_inline)) {
          Lanes<kWidth> sum;
          sum.Clear();
          AccumulateTaps<kWidth>(s, image, weights, y0, x0, ys, xs, c, sum);
          sum.Store(out + c);
        });
      }
    }
  }
}

namespace {

HANAS_CLONES void ScatterAll(const DepthwiseShape& s, const float* output_gradient, const float* weights, float* input_gradient) {
  const int64_t out_height = s.out_height();
  const int64_t out_width = s.out_width();
  std::memset(input_gradient, 0, sizeof(float) * static_cast<size_t>(s.batch * s.height * s.width * s.channels));
  for (int64_t n = 0; n < s.batch; ++n) {
    float* const image = input_gradient + n * s.height * s.width * s.channels;
    for (int64_t oy = 0; oy < out_height; ++oy) {
      const int64_t y0 = oy * s.stride - s.padding;
      const TapRange ys = Clip(y0, s.kernel, s.height);
      for (int64_t ox = 0; ox < out_width; ++ox) {
        const int64_t x0 = ox * s.stride - s.padding;
        const TapRange xs = Clip(x0, s.kernel, s.width);
        const float* const gradient = output_gradient + ((n * out_height + oy) * out_width + ox) * s.channels;
        ForChannels(s.channels, [&]<int64_t kWidth>(int64_t c) __attribute__((always_inline)) {
          ScatterGradient<kWidth>(s, gradient, weights, y0, x0, ys, xs, c, image);
        });
      }
    }
  }
}

/// Writes what the window that begins at (y0, x0) sees of an image; what lies outside of it is 0.
void CopyWindow(const DepthwiseShape& s, const float* image, int64_t y0, int64_t x0, float* out) {
  for (int64_t ky = 0; ky < s.kernel; ++ky) {
    const int64_t y = y0 + ky;
    for (int64_t kx = 0; kx < s.kernel; ++kx, out += s.channels) {
      const int64_t x = x0 + kx;
      const bool inside = y >= 0 && y < s.height && x >= 0 && x < s.width;
      const float* const pixel = image + (y * s.width + x) * s.channels;
      for (int64_t c = 0; c < s.channels; ++c) out[c] = inside ? pixel[c] : 0.0F;
    }
  }
}

}  // namespace

void DepthwiseBackwardInput(const DepthwiseShape& s, const float* output_gradient, const float* weights, float* input_gradient) {
  if (s.stride != 1) return ScatterAll(s, output_gradient, weights, input_gradient);
  // With stride 1 it is a forward convolution with the taps turned round.
  const int64_t taps = s.kernel * s.kernel;
  std::vector<float> turned(static_cast<size_t>(taps * s.channels));
  for (int64_t t = 0; t < taps; ++t) std::copy_n(weights + (taps - 1 - t) * s.channels, s.channels, turned.data() + t * s.channels);
  const DepthwiseShape back = {s.batch, s.out_height(), s.out_width(), s.channels, s.kernel, 1, s.kernel - 1 - s.padding};
  DepthwiseForward(back, output_gradient, turned.data(), input_gradient);
}

HANAS_CLONES void DepthwiseBackwardWeights(const DepthwiseShape& s, const float* input, const float* output_gradient,
                                           float* weight_gradient) {
  std::memset(weight_gradient, 0, sizeof(float) * static_cast<size_t>(s.kernel * s.kernel * s.channels));
  for (int64_t n = 0; n < s.batch; ++n) {
    const float* const image = input + n * s.height * s.width * s.channels;
    const float* const gradient = output_gradient + n * s.out_height() * s.out_width() * s.channels;
    switch (s.kernel) {
      case 3:
        AccumulateTapRows<3>(s, image, gradient, weight_gradient);
        break;
      case 5:
        AccumulateTapRows<5>(s, image, gradient, weight_gradient);
        break;
      case 7:
        AccumulateTapRows<7>(s, image, gradient, weight_gradient);
        break;
      default:
        AccumulateTapsOneByOne(s, image, gradient, weight_gradient);
    }
  }
}

void Im2Col(const DepthwiseShape& s, const float* input, float* columns) {
  const int64_t window = s.kernel * s.kernel * s.channels;
  for (int64_t n = 0; n < s.batch; ++n) {
    const float* const image = input + n * s.height * s.width * s.channels;
    for (int64_t oy = 0; oy < s.out_height(); ++oy) {
      for (int64_t ox = 0; ox < s.out_width(); ++ox, columns += window) {
        CopyWindow(s, image, oy * s.stride - s.padding, ox * s.stride - s.padding, columns);
      }
    }
  }
}

Moments ComputeMoments(const float* data, int64_t rows, int64_t channels) {
  MomentSums sums(channels);
  // Shifted by the first row, so that squares do not cancel when the mean is large.
  SumMoments(data, rows, channels, data, sums);
  Moments moments;
  for (int64_t c = 0; c < channels; ++c) {
    const auto k = static_cast<size_t>(c);
    const double mean = sums.sum[k] / static_cast<double>(rows);
    moments.mean.push_back(static_cast<float>(mean + static_cast<double>(data[c])));
    moments.variance.push_back(static_cast<float>(std::max(0.0, sums.squares[k] / static_cast<double>(rows) - mean * mean)));
  }
  moments.minimum = std::move(sums.low);
  moments.maximum = std::move(sums.high);
  return moments;
}

void AffineForward(const AffineActivation& what, const float* input, int64_t rows, int64_t channels, float* output) {
  const Tile tile(channels);
  AffineDispatch(what, tile, tile.Repeat(what.scale), tile.Repeat(what.shift), input, rows * channels, output);
}

std::vector<float> AffineBackward(const AffineActivation& what, const float* input, const float* output_gradient, int64_t rows,
                                  int64_t channels, float* input_gradient) {
  const Tile tile(channels);
  const std::vector<float> nothing(static_cast<size_t>(channels), 0.0F);
  const GradientTerms terms = {.a = tile.Repeat(what.scale),
                               .b = tile.Repeat(what.shift),
                               .p = tile.Repeat(what.scale),
                               .q = tile.Repeat(nothing.data()),
                               .r = tile.Repeat(nothing.data())};
  const NormSums sums = SumNormGradients(what, input, output_gradient, rows, channels);
  ApplyDispatch(what.nonlinearity, tile.size(), terms, input, output_gradient, rows * channels, input_gradient);
  return {sums.gradient.begin(), sums.gradient.end()};
}

NormSums SumNormGradients(const AffineActivation& what, const float* input, const float* output_gradient, int64_t rows, int64_t channels) {
  const std::vector<double> nothing(static_cast<size_t>(channels), 0);
  NormSums sums = {nothing, nothing};
  SumDispatch(what, input, output_gradient, rows, channels, sums);
  return sums;
}

NormGradients NormBackward(const AffineActivation& what, const float* mean, const float* inverse_stddev, const NormSums& own,
                           const NormSums& batch, int64_t batch_rows, const float* input, const float* output_gradient, int64_t rows,
                           int64_t channels, float* input_gradient) {
  const Tile tile(channels);
  const auto count = static_cast<size_t>(channels);
  // dx = a (g - mean(g) - xhat mean(g xhat)), with a = gamma / sigma: affine in g and x for each channel.
  NormGradients gradients;
  std::vector<float> p(count);
  std::vector<float> q(count);
  std::vector<float> r(count);
  const double inverse_rows = 1.0 / static_cast<double>(batch_rows);
  for (size_t c = 0; c < count; ++c) {
    const auto sigma = static_cast<double>(inverse_stddev[c]);
    const auto m = static_cast<double>(mean[c]);
    const auto sum_of_g_xhat = [&](const NormSums& sums) { return (sums.product[c] - m * sums.gradient[c]) * sigma; };
    gradients.gamma.push_back(static_cast<float>(sum_of_g_xhat(own)));
    gradients.beta.push_back(static_cast<float>(own.gradient[c]));
    const double dot = sum_of_g_xhat(batch);
    const auto a = static_cast<double>(what.scale[c]);
    p[c] = what.scale[c];
    q[c] = static_cast<float>(-a * sigma * dot * inverse_rows);
    r[c] = static_cast<float>(-a * inverse_rows * (batch.gradient[c] - sigma * m * dot));
  }
  const GradientTerms terms = {.a = tile.Repeat(what.scale),
                               .b = tile.Repeat(what.shift),
                               .p = tile.Repeat(p.data()),
                               .q = tile.Repeat(q.data()),
                               .r = tile.Repeat(r.data())};
  ApplyDispatch(what.nonlinearity, tile.size(), terms, input, output_gradient, rows * channels, input_gradient);
  return gradients;
}

HANAS_CLONES Range FindRange(const float* data, int64_t count) {
  if (count == 0) return {};
  float low[kLanes];
  float high[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) low[i] = high[i] = data[0];
  int64_t at = 0;
  for (; at + kLanes <= count; at += kLanes) {
    for (int64_t i = 0; i < kLanes; ++i) {
      low[i] = std::min(low[i], data[at + i]);
      high[i] = std::max(high[i], data[at + i]);
    }
  }
  Range range = {low[0], high[0]};
  for (int64_t i = 1; i < kLanes; ++i) range = {std::min(range.low, low[i]), std::max(range.high, high[i])};
  for (; at < count; ++at) range = {std::min(range.low, data[at]), std::max(range.high, data[at])};
  return range;
}

HANAS_CLONES void QuantizeForward(const FakeQuantizer& quantizer, const float* input, int64_t count, float* output) {
  const QuantizerTerms terms(quantizer);
  for (int64_t i = 0; i < count; ++i) output[i] = terms(input[i]);
}

}  // namespace hanas::kernels
