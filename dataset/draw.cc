// SPDX-License-Identifier: Apache-2.0
#include "dataset/draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "dataset/idx.h"
#include "dataset/survey.h"

namespace hanas {
namespace {

enum class Outline { kCircle, kTriangle, kSquare, kStar, kCross };

/// Whether a point lies inside the outline of about unit radius.
bool Inside(Outline outline, double u, double v) {
  switch (outline) {
    case Outline::kCircle:
      return u * u + v * v < 0.68;
    case Outline::kTriangle:
      for (const double angle : {90.0, 210.0, 330.0}) {
        const double radians = angle * std::numbers::pi / 180;
        if (u * std::cos(radians) + v * std::sin(radians) > 0.5) return false;
      }
      return true;
    case Outline::kSquare:
      return std::max(std::abs(u), std::abs(v)) < 0.72;
    case Outline::kStar:
      return std::hypot(u, v) < 0.62 + 0.36 * std::cos(5 * std::atan2(v, u));
    case Outline::kCross:
      return std::min(std::abs(u), std::abs(v)) < 0.3 && std::max(std::abs(u), std::abs(v)) < 0.98;
  }
  return false;
}

/// A line of clutter: position along its normal and extent along its direction.
struct Segment {
  double x = 0;
  double y = 0;
  double dx = 0;
  double dy = 0;
  double length = 0;
  double brightness = 0;
  bool Covers(double px, double py) const {
    const double along = (px - x) * dx + (py - y) * dy;
    const double across = (py - y) * dx - (px - x) * dy;
    return std::abs(across) < 0.6 && along > 0 && along < length;
  }
};

double Uniform(CounterRandom& random, double low, double high) { return low + (high - low) * random.UniformDouble(); }

}  // namespace

void DrawImage(uint64_t seed, uint64_t index, int label, absl::Span<uint8_t> pixels) {
  CounterRandom random(seed, "dataset/draw", index);
  const auto outline = static_cast<Outline>(label / 2);
  const bool spots = label % 2 == 1;
  const double centre = (kDrawnSize - 1) / 2.0;
  const double cx = centre + Uniform(random, -3, 3);
  const double cy = centre + Uniform(random, -3, 3);
  const double radius = Uniform(random, 8.5, 12.5);
  const double angle = Uniform(random, 0, 2 * std::numbers::pi);
  const double texture_angle = Uniform(random, 0, std::numbers::pi);
  const double period = Uniform(random, 3.6, 5.2);
  const double phase_u = Uniform(random, 0, 2 * std::numbers::pi);
  const double phase_v = Uniform(random, 0, 2 * std::numbers::pi);
  const double background = Uniform(random, 90, 165);
  const double contrast = Uniform(random, 55, 90) * (random.Bernoulli(0.5) ? 1 : -1);
  const double noise = Uniform(random, 2, 10);
  std::array<Segment, 3> clutter;
  for (Segment& segment : clutter) {
    const double direction = Uniform(random, 0, 2 * std::numbers::pi);
    segment = {Uniform(random, 0, kDrawnSize), Uniform(random, 0, kDrawnSize), std::cos(direction), std::sin(direction),
               Uniform(random, 4, 14),         Uniform(random, 40, 215)};
  }
  const double frequency = 2 * std::numbers::pi / period;
  for (int y = 0; y < kDrawnSize; ++y) {
    for (int x = 0; x < kDrawnSize; ++x) {
      const double dx = x - cx;
      const double dy = y - cy;
      double value = background;
      for (const Segment& segment : clutter) {
        if (segment.Covers(x, y)) value = segment.brightness;
      }
      if (Inside(outline, (dx * std::cos(angle) + dy * std::sin(angle)) / radius, (dy * std::cos(angle) - dx * std::sin(angle)) / radius)) {
        const double s = frequency * (dx * std::cos(texture_angle) + dy * std::sin(texture_angle)) + phase_u;
        const double t = frequency * (dy * std::cos(texture_angle) - dx * std::sin(texture_angle)) + phase_v;
        // Both textures have the same mean and a similar spread, so brightness does not tell them apart.
        const double texture = spots ? std::sin(s) * std::sin(t) * 1.4 : std::sin(s);
        value = background + contrast * (0.55 + 0.6 * texture);
      }
      value += noise * random.Normal();
      pixels[static_cast<size_t>(y * kDrawnSize + x)] = static_cast<uint8_t>(std::lrint(std::clamp(value, 0.0, 255.0)));
    }
  }
}

absl::Status DrawDataset(const std::string& directory, const DrawOptions& options) {
  constexpr int64_t kSmallest = 100;
  constexpr int64_t kLargest = 1'000'000;
  for (const int64_t count : {options.num_train, options.num_test}) {
    if (count < kSmallest || count > kLargest) {
      return absl::InvalidArgumentError(absl::StrCat("expected ", kSmallest, " to ", kLargest, " images, found ", count));
    }
  }
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot create the directory (", error.message(), "): ", directory));
  constexpr int64_t kPixels = int64_t{kDrawnSize} * kDrawnSize;
  uint64_t index = 0;
  for (const auto& [prefix, count] : {std::pair<std::string, int64_t>{"train", options.num_train}, {"t10k", options.num_test}}) {
    IdxImages images = {
        .count = count, .height = kDrawnSize, .width = kDrawnSize, .pixels = std::vector<uint8_t>(static_cast<size_t>(count * kPixels))};
    std::vector<uint8_t> labels(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i, ++index) {
      CounterRandom random(options.seed, "dataset/draw-label", index);
      labels[static_cast<size_t>(i)] = static_cast<uint8_t>(random.UniformInt(kDrawnClasses));
      DrawImage(options.seed, index, labels[static_cast<size_t>(i)],
                absl::MakeSpan(images.pixels).subspan(static_cast<size_t>(i * kPixels), kPixels));
    }
    const std::string stem = (std::filesystem::path(directory) / prefix).string();
    if (absl::Status status = WriteIdxImages(stem + "-images-idx3-ubyte", images); !status.ok()) return status;
    if (absl::Status status = WriteIdxLabels(stem + "-labels-idx1-ubyte", labels); !status.ok()) return status;
  }
  const std::string marker = (std::filesystem::path(directory) / kDrawnMarker).string();
  std::ofstream file(marker);
  file << "Images of figures that hanas drew (seed " << options.seed << "): a stand-in for a real data set.\n";
  if (!file.flush()) return absl::UnavailableError(absl::StrCat("cannot write ", marker));
  return absl::OkStatus();
}

}  // namespace hanas
