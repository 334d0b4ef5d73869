// SPDX-License-Identifier: Apache-2.0
#include "cli/report/report_svg.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/report/label_layout.h"
#include "cli/report/member_value.h"
#include "cli/report/table.h"
#include "core/quantity/quantity_table.h"

namespace hanas::cli {
namespace {

constexpr double kWidth = 880;
constexpr double kHeight = 560;
constexpr double kLeft = 84;
constexpr double kRight = 32;
constexpr double kTop = 60;
constexpr double kBottom = 72;
constexpr char kMemberColour[] = "#1f5fa8";
constexpr char kReferenceColour[] = "#b4541a";
constexpr char kInk[] = "#222222";
constexpr double kLabelSize = 12;    // of the font
constexpr double kLabelAdvance = 7;  // of one character of it, at most for what ids are made of
constexpr double kMarkerRadius = 5.5;

/// A range of values with round ticks that cover it.
struct Axis {
  double low = 0;
  double high = 1;
  double step = 0.2;

  double Fraction(double value) const { return (value - low) / (high - low); }
};

/// About `wanted` ticks at 1, 2 or 5 times a power of ten (Heckbert 1990).
Axis NiceAxis(double low, double high, int wanted) {
  const double span = std::max(high - low, std::max(std::abs(high), 1e-9) * 1e-3);
  const double raw = span / wanted;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double ratio = raw / power;
  const double step = power * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
  return {std::floor(low / step) * step, std::ceil((low + span) / step) * step, step};
}

class Drawing {
 public:
  explicit Drawing(const v1::Report& report) : report_(report), across_(AcrossOf(report)) { ChooseAxes(); }

  std::string Render() {
    Open();
    Grid();
    Limit();
    Front();
    for (const v1::Member& member : report_.references()) Point(member, kReferenceColour, true);
    for (const v1::Member& member : report_.front()) Point(member, kMemberColour, false);
    Labels();
    Legend();
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  /// What is drawn from left to right: the first objective that accuracy is traded against.
  static const QuantityRow& AcrossOf(const v1::Report& report) {
    for (const v1::Objective& objective : report.objectives()) {
      const std::optional<Quantity> quantity = QuantityNamed(objective.of());
      if (quantity && *quantity != Quantity::kAccuracy) return RowOf(*quantity);
    }
    return RowOf(Quantity::kLatency);
  }
  bool across_latency() const { return across_.id == Quantity::kLatency; }
  double Across(const v1::Member& m) const { return ValueOf(m, across_.id); }
  /// Where the whisker ends.
  double AcrossHigh(const v1::Member& m) const { return across_latency() ? m.latency_p90_us() : Across(m); }

  bool IsDrawable(const v1::Member& m) const { return Across(m) > 0 && std::isfinite(Across(m)) && std::isfinite(m.test_accuracy()); }

  void ChooseAxes() {
    double low_x = 1e300, high_x = 0, low_y = 1e300, high_y = -1e300;
    const auto include = [&](const v1::Member& m) {
      if (!IsDrawable(m)) return;
      low_x = std::min(low_x, Across(m));
      high_x = std::max({high_x, Across(m), AcrossHigh(m)});
      low_y = std::min(low_y, 100 * (m.test_accuracy() - m.test_accuracy_stddev()));
      high_y = std::max(high_y, 100 * (m.test_accuracy() + m.test_accuracy_stddev()));
    };
    for (const v1::Member& member : report_.front()) include(member);
    for (const v1::Member& member : report_.references()) include(member);
    if (high_x == 0) return;
    const double margin = 0.05 * (high_x - low_x) + 0.01 * high_x;
    x_ = NiceAxis(std::max(0.0, low_x - margin), high_x + margin, 7);
    y_ = NiceAxis(low_y - 0.2, high_y + 0.2, 6);
  }

  double X(double value) const { return kLeft + x_.Fraction(value) * (kWidth - kLeft - kRight); }
  double Y(double percent) const { return kHeight - kBottom - y_.Fraction(percent) * (kHeight - kTop - kBottom); }

  void Line(double x1, double y1, double x2, double y2, absl::string_view style) {
    absl::StrAppendFormat(&out_, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1, y1, x2, y2, style);
  }
  void Text(double x, double y, absl::string_view text, absl::string_view attributes) {
    absl::StrAppendFormat(&out_, "<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, y, attributes, EscapeXml(text));
  }

  void Open() {
    absl::StrAppendFormat(&out_,
                          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
                          "font-family=\"sans-serif\" font-size=\"13\" fill=\"%s\">\n",
                          kWidth, kHeight, kWidth, kHeight, kInk);
    out_ += "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
    Text(kLeft, 26, absl::StrCat(report_.space(), " on ", report_.dataset()), "font-size=\"17\" font-weight=\"bold\"");
    Text(kLeft, 45, absl::StrCat(report_.device().cpu(), ", ", report_.device().backend(), ", ", report_.device().threads(), " thread(s)"),
         "fill=\"#666666\"");
  }

  void Grid() {
    const double bottom = kHeight - kBottom;
    for (double x = x_.low; x <= x_.high + x_.step / 2; x += x_.step) {
      Line(X(x), kTop, X(x), bottom, "stroke=\"#e4e4e4\"");
      Text(X(x), bottom + 20, across_latency() ? absl::StrFormat("%g", x) : FormatValue(across_.id, std::max(0.0, x)),
           "text-anchor=\"middle\"");
    }
    for (double y = y_.low; y <= y_.high + y_.step / 2; y += y_.step) {
      Line(kLeft, Y(y), kWidth - kRight, Y(y), "stroke=\"#e4e4e4\"");
      Text(kLeft - 8, Y(y) + 4, absl::StrFormat("%g", y), "text-anchor=\"end\"");
    }
    Line(kLeft, bottom, kWidth - kRight, bottom, "stroke=\"#222222\"");
    Line(kLeft, kTop, kLeft, bottom, "stroke=\"#222222\"");
    Text((kLeft + kWidth - kRight) / 2, kHeight - 30,
         across_latency() ? "measured latency, p50, µs (whisker: p90)" : std::string(across_.label), "text-anchor=\"middle\"");
    Text(0, 0, "test accuracy, % (bar: ± 1 standard deviation)",
         absl::StrFormat("text-anchor=\"middle\" transform=\"translate(24 %.1f) rotate(-90)\"", (kTop + bottom) / 2));
  }

  void Limit() {
    for (const v1::Limit& limit : report_.limits()) {
      const double x = limit.at_most();
      if (limit.of() != across_.name || !(x > x_.low && x < x_.high)) continue;
      Line(X(x), kTop, X(x), kHeight - kBottom, "stroke=\"#a00000\" stroke-dasharray=\"6 4\"");
      Text(X(x) - 6, kTop + 14, absl::StrCat("limit ", FormatValue(across_.id, x, Rounding::kExact)),
           "text-anchor=\"end\" fill=\"#a00000\"");
    }
  }

  void Front() {
    std::vector<const v1::Member*> members;
    for (const v1::Member& member : report_.front()) {
      if (IsDrawable(member)) members.push_back(&member);
    }
    std::sort(members.begin(), members.end(), [&](const auto* a, const auto* b) { return Across(*a) < Across(*b); });
    std::string points;
    for (const v1::Member* m : members) absl::StrAppendFormat(&points, "%.1f,%.1f ", X(Across(*m)), Y(100 * m->test_accuracy()));
    absl::StrAppendFormat(&out_, "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" stroke-opacity=\"0.5\"/>\n",
                          points, kMemberColour);
  }

  void Point(const v1::Member& m, absl::string_view colour, bool square) {
    if (!IsDrawable(m)) return;
    const double x = X(Across(m));
    const double y = Y(100 * m.test_accuracy());
    const std::string style = absl::StrCat("stroke=\"", colour, "\" stroke-width=\"1.5\"");
    Line(x, Y(100 * (m.test_accuracy() - m.test_accuracy_stddev())), x, Y(100 * (m.test_accuracy() + m.test_accuracy_stddev())), style);
    if (AcrossHigh(m) > Across(m)) Line(x, y, X(AcrossHigh(m)), y, style);
    if (square) {
      absl::StrAppendFormat(&out_, "<rect x=\"%.1f\" y=\"%.1f\" width=\"10\" height=\"10\" fill=\"%s\">", x - 5, y - 5, colour);
    } else {
      absl::StrAppendFormat(&out_, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5.5\" fill=\"%s\">", x, y, colour);
    }
    absl::StrAppendFormat(&out_, "<title>%s: %.2f %%, %s, %s, %s</title></%s>\n", EscapeXml(m.id()), 100 * m.test_accuracy(),
                          FormatMicroseconds(m.latency_p50_us()), FormatBytes(static_cast<double>(m.size_bytes())),
                          EscapeXml(m.precision()), square ? "rect" : "circle");
  }

  /// The ids beside their points, joined to them by a thin line where they had to be moved away.
  void Labels() {
    std::vector<const v1::Member*> members;
    for (const v1::Member& member : report_.front()) members.push_back(&member);
    for (const v1::Member& member : report_.references()) members.push_back(&member);
    members.erase(std::remove_if(members.begin(), members.end(), [&](const v1::Member* m) { return !IsDrawable(*m); }), members.end());
    std::vector<LabelledPoint> points;
    std::vector<Box> markers;
    for (const v1::Member* m : members) {
      const double x = X(Across(*m));
      const double y = Y(100 * m->test_accuracy());
      points.push_back({x, y, kLabelAdvance * static_cast<double>(DisplayWidth(m->id())), kLabelSize + 2});
      markers.push_back({x - kMarkerRadius, y - kMarkerRadius, x + kMarkerRadius, y + kMarkerRadius});
    }
    const std::vector<Box> labels = PlaceLabels(points, markers, {kLeft, kTop, kWidth - kRight, kHeight - kBottom});
    for (size_t i = 0; i < labels.size(); ++i) {
      const Box& label = labels[i];
      const bool is_member = static_cast<int>(i) < DrawableFront();
      const absl::string_view colour = is_member ? kMemberColour : kReferenceColour;
      // The nearest place of the label to its point.
      const double x = std::clamp(points[i].x, label.left, label.right);
      const double y = std::clamp(points[i].y, label.top, label.bottom);
      if (std::hypot(x - points[i].x, y - points[i].y) > 2 * kLabelSize)
        Line(points[i].x, points[i].y, x, y, absl::StrCat("stroke=\"", colour, "\" stroke-width=\"0.7\" stroke-opacity=\"0.6\""));
      Text(label.left, label.bottom - 3, members[i]->id(),
           absl::StrCat("class=\"label\" fill=\"", colour, "\" font-size=\"", kLabelSize, "\""));
    }
  }
  int DrawableFront() const {
    return static_cast<int>(
        std::count_if(report_.front().begin(), report_.front().end(), [&](const v1::Member& m) { return IsDrawable(m); }));
  }

  void Legend() {
    const double y = kHeight - 12;
    absl::StrAppendFormat(&out_, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5.5\" fill=\"%s\"/>\n", kLeft + 6, y - 4, kMemberColour);
    Text(kLeft + 18, y, "found by the search", "");
    if (report_.references().empty()) return;
    absl::StrAppendFormat(&out_, "<rect x=\"%.1f\" y=\"%.1f\" width=\"10\" height=\"10\" fill=\"%s\"/>\n", kLeft + 240, y - 9,
                          kReferenceColour);
    Text(kLeft + 256, y, "reference, trained alone", "");
  }

  const v1::Report& report_;
  const QuantityRow& across_;
  Axis x_;
  Axis y_;
  std::string out_;
};

}  // namespace

std::string EscapeXml(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) out += c;
    }
  }
  return out;
}

std::string RenderFrontSvg(const v1::Report& report) { return Drawing(report).Render(); }

}  // namespace hanas::cli
