// SPDX-License-Identifier: Apache-2.0
#include "telemetry/prometheus/prometheus_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"

namespace hanas::telemetry {
namespace {

/// One row of the table with its time series so far.
struct Family {
  prometheus::Family<prometheus::Counter>* counters = nullptr;
  prometheus::Family<prometheus::Gauge>* gauges = nullptr;
  prometheus::Family<prometheus::Histogram>* histograms = nullptr;

  struct Series {
    prometheus::Counter* counter = nullptr;
    prometheus::Gauge* gauge = nullptr;
    prometheus::Histogram* histogram = nullptr;
  };
  mutable absl::Mutex mutex;
  absl::flat_hash_map<std::string, Series> series ABSL_GUARDED_BY(mutex);       // by label values, joined
  std::vector<std::set<std::string, std::less<>>> seen ABSL_GUARDED_BY(mutex);  // values of open labels, by label
};

class Registry final : public PrometheusMetrics {
 public:
  explicit Registry(Process process) {
    for (const MetricSpec& spec : MetricTable()) {
      std::unique_ptr<Family>& family = families_.emplace_back();
      if ((spec.processes & process) == 0) continue;
      family = std::make_unique<Family>();
      const std::string name(spec.name);
      const std::string help(spec.help);
      switch (spec.type) {
        case MetricType::kCounter:
          family->counters = &prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
          break;
        case MetricType::kGauge:
          family->gauges = &prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
          break;
        case MetricType::kHistogram:
          family->histograms = &prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
          break;
      }
      BeginSeries(spec, {});
    }
  }

  void Add(Metric metric, Labels labels, double amount) override {
    const std::optional<Family::Series> series = SeriesOf(metric, labels);
    if (!series) return;
    if (series->counter != nullptr) series->counter->Increment(amount);
    if (series->gauge != nullptr) series->gauge->Increment(amount);
  }

  void Set(Metric metric, Labels labels, double value) override {
    const std::optional<Family::Series> series = SeriesOf(metric, labels);
    if (!series) return;
    if (series->gauge != nullptr) series->gauge->Set(value);
    if (series->counter != nullptr) series->counter->Increment(std::max(0.0, value - series->counter->Value()));
  }

  void Observe(Metric metric, Labels labels, double value) override {
    const std::optional<Family::Series> series = SeriesOf(metric, labels);
    if (series && series->histogram != nullptr) series->histogram->Observe(value);
  }

  void AddCollector(std::function<void(Metrics&)> collect) override {
    absl::MutexLock lock(&scrape_);
    collectors_.push_back(std::move(collect));
  }

  std::string Scrape() override {
    absl::MutexLock lock(&scrape_);
    for (const std::function<void(Metrics&)>& collect : collectors_) collect(*this);
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

 private:
  /// Makes every series that can be named now, so that it begins at 0: of one that comes with its first event nobody sees that event,
  /// neither a rate nor an alert. `values` are those of the first labels.
  void BeginSeries(const MetricSpec& spec, const std::vector<absl::string_view>& values) {
    if (values.size() == spec.labels.size()) {
      SeriesOf(spec.id, values);
      return;
    }
    for (const absl::string_view value : spec.labels[values.size()].values) {
      std::vector<absl::string_view> longer = values;
      longer.push_back(value);
      BeginSeries(spec, longer);
    }
  }

  std::optional<Family::Series> SeriesOf(Metric metric, absl::Span<const absl::string_view> labels) {
    Family* const family = families_[static_cast<size_t>(metric)].get();
    if (family == nullptr) return std::nullopt;
    const MetricSpec& spec = SpecOf(metric);
    CHECK_EQ(labels.size(), spec.labels.size()) << spec.name;
    std::string key;
    for (const absl::string_view value : labels) absl::StrAppend(&key, value, "\n");
    absl::MutexLock lock(&family->mutex);
    if (const auto found = family->series.find(key); found != family->series.end()) return found->second;
    std::map<std::string, std::string> names;
    bool folded = false;
    family->seen.resize(spec.labels.size());
    for (size_t i = 0; i < spec.labels.size(); ++i) {
      const absl::string_view value = Admitted(spec.labels[i], labels[i], family->seen[i]);
      folded = folded || value != labels[i];
      names.emplace(spec.labels[i].name, value);
    }
    Family::Series series;
    if (family->counters != nullptr) series.counter = &family->counters->Add(names);
    if (family->gauges != nullptr) series.gauge = &family->gauges->Add(names);
    if (family->histograms != nullptr) series.histogram = &family->histograms->Add(names, spec.buckets);
    // What was folded is looked up again each time: the map, too, must not grow with what others choose.
    if (!folded) family->series.emplace(std::move(key), series);
    return series;
  }

  static absl::string_view Admitted(const LabelSpec& label, absl::string_view value, std::set<std::string, std::less<>>& seen) {
    if (!label.values.empty())
      return std::find(label.values.begin(), label.values.end(), value) != label.values.end() ? value : kOtherLabel;
    if (seen.contains(value)) return value;
    if (seen.size() >= label.max_values) return kOtherLabel;
    seen.emplace(value);
    return value;
  }

  prometheus::Registry registry_;
  std::vector<std::unique_ptr<Family>> families_;  // in the table's order; null: of another kind of process
  absl::Mutex scrape_;
  std::vector<std::function<void(Metrics&)>> collectors_ ABSL_GUARDED_BY(scrape_);
};

}  // namespace

std::unique_ptr<PrometheusMetrics> PrometheusMetrics::Create(Process process) { return std::make_unique<Registry>(process); }

}  // namespace hanas::telemetry
