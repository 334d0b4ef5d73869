// SPDX-License-Identifier: Apache-2.0
#include "cli/init/choose_job.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/bounds.h"
#include "core/base/counter_random.h"
#include "core/base/field_violation.h"
#include "core/base/plain_name.h"
#include "core/base/quantity.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"
#include "core/job/job_cost.h"
#include "core/lowering/lowering.h"
#include "dataset/image_folder.h"
#include "dataset/survey.h"

namespace hanas::cli {
namespace {

constexpr double kProfilingSeconds = 120;  // about what the examples' spaces take
constexpr double kOverTraining = 1.1;      // verifying runs the exported files over the test pictures, samples are scored: about a tenth
constexpr int64_t kFewestSteps = 500;      // with fewer, shared weights tell networks apart badly
constexpr int64_t kGoodSteps = 600;        // a resolution is taken when so many fit in the time
constexpr int64_t kMostSteps = 20'000;
constexpr int64_t kMostEpochs = 300;    // over the training pictures: beyond, small sets are learnt by heart
constexpr int64_t kFewestTrained = 32;  // pictures that remain for training: as many as calibration takes at least
constexpr int64_t kPerClass = 20;       // validation pictures of a class that tell networks apart
constexpr int kMembers = 6;             // of the front that are fine-tuned
constexpr double kFineTuneParts = 0.2;  // times the supernet's steps, each
constexpr int kFinalists = 2;           // of them that are trained on
constexpr double kFinalParts = 2.5;     // times the supernet's steps, each: most of the time goes where it is worth most
constexpr int kMostShards = 4;          // of a batch: smaller parts of 128 images are trained less efficiently
constexpr double kShardEfficiency = 0.9;
constexpr double kBackward = 3;         // a training step computes three times what a forward pass does
constexpr int kStepsPerRandomPath = 1;  // networks of one step under random_path

// Of searches that train each network alone, in times of the steps by which networks are told apart. Most of the time goes into the
// finalists.
constexpr int kAloneSamples = 24;
constexpr int kAloneRounds = 2;
constexpr int kAlonePerRound = 6;
constexpr int kAloneMembers = 4;
constexpr double kAloneMemberParts = 4;
constexpr double kAloneFinalParts = 75;
constexpr double kFewestAloneFinalParts = 15;
constexpr int64_t kFewestAloneSteps = 50;  // with fewer, even networks that differ much look alike
constexpr int64_t kMostAloneSteps = 1000;  // with more, the time is better spent on the finalists, or on more networks

/// TrainingWork a second of one core, from the speeds of plain networks in docs/studies (AVX-512 and AVX2), less for what is slower.
double WorkPerSecond(const std::string& isa) {
  if (absl::StrContains(isa, "avx512")) return 4e10;
  return absl::StrContains(isa, "avx2") ? 2.5e10 : 1e10;
}

/// Multiply-accumulates a second of one core in training with small channels, as recorded runs had them; good to a factor of two.
double MacsPerSecond(const std::string& isa) {
  if (absl::StrContains(isa, "avx512")) return 5e9;
  return absl::StrContains(isa, "avx2") ? 3e9 : 1.5e9;
}

int RoundDown(double value, int multiple) { return static_cast<int>(value) / multiple * multiple; }

/// "1 200 pictures of 10 classes": figures with a space between thousands.
std::string Count(int64_t count) {
  std::string text = absl::StrCat(count);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(static_cast<size_t>(at), " ");
  return text;
}

/// A number of steps that people can read: two figures.
int64_t TwoFigures(double value) {
  const double unit = std::pow(10.0, std::max(0.0, std::floor(std::log10(std::max(1.0, value))) - 1));
  return static_cast<int64_t>(std::floor(value / unit) * unit);
}

std::string Size(const PictureSize& size) { return absl::StrCat(size.width, "x", size.height); }

/// Everything about the largest resolution follows from it.
std::vector<int> ResolutionsUpTo(int side) {
  const int largest = std::max(bounds::kMinResolution, RoundDown(side, 4));
  const int smaller = std::max(bounds::kMinResolution, RoundDown(0.75 * largest, 4));
  return smaller < largest ? std::vector<int>{smaller, largest} : std::vector<int>{largest};
}

/// How often the picture may be halved so that the smallest one keeps at least 2.5 pixels a side: below, a 3x3 kernel sees padding only.
int NumHalvings(int smallest_resolution) { return std::min(5, static_cast<int>(std::floor(std::log2(smallest_resolution / 2.5)))); }

/// Of every layer that is not given its own.
std::vector<Precision> Choices() { return {{4, 8}, {8, 8}, {16, 16}}; }

/// Up to this side dense convolutions cost little enough to be worth trying beside depthwise ones.
constexpr int kLargestDenseSide = 64;

/// A stage of small pictures: what its blocks are made of, and how it halves the picture, is left to the search.
StageSpec DenseStage(std::vector<int> widths, int stride) {
  const BlockSpec block = {.kernels = {3},
                           .expansions = {3},
                           .squeeze_excite = {false},
                           .activations = {Activation::kRelu},
                           .expand_precisions = {{4, 8}, {8, 8}},
                           .depthwise_precisions = {{8, 8}},
                           .project_precisions = {{4, 8}, {8, 8}}};
  return {.widths = std::move(widths),
          .depths = {1, 2},
          .stride = stride,
          .kinds = {BlockKind::kMbconv, BlockKind::kConv},  // residual blocks lost by two points at equal compute (docs/studies)
          .downsamples = {Downsample::kStride, Downsample::kMaxPool},
          .blocks = {block, block}};
}

StageSpec Stage(std::vector<int> widths, int stride, std::vector<double> expansions, bool last) {
  BlockSpec block = {.kernels = {3, 5},
                     .expansions = std::move(expansions),
                     .squeeze_excite = last ? std::vector<bool>{false, true} : std::vector<bool>{false},
                     .activations = {last ? Activation::kHardSwish : Activation::kRelu},
                     .expand_precisions = Choices(),
                     .depthwise_precisions = {{8, 8}, {16, 16}},
                     .project_precisions = Choices()};
  return {.widths = std::move(widths), .depths = {1, 2}, .stride = stride, .blocks = {block, block}};
}

/// The examples' spaces, with as many stages as the pictures can be halved. Small pictures have dense convolutions to choose from.
SpaceSpec SpaceFor(const std::string& name, std::vector<int> resolutions, int channels, int num_classes) {
  const bool dense = resolutions.back() <= kLargestDenseSide;
  if (dense) resolutions = {resolutions.back()};
  const int halvings = NumHalvings(resolutions.front());
  SpaceSpec space = {.name = name, .resolutions = std::move(resolutions), .input_channels = channels, .num_classes = num_classes};
  const bool stem_halves = halvings >= 4;
  const int in_stages = halvings - (stem_halves ? 1 : 0);
  const int num_stages = std::max(3, in_stages);
  const bool grey = channels == 1;
  space.stem = {.widths = grey ? std::vector<int>{8, 16} : std::vector<int>{16},
                .kernel = 3,
                .stride = stem_halves ? 2 : 1,
                .activation = dense ? Activation::kRelu : Activation::kHardSwish,
                .precisions = dense ? std::vector<Precision>{{8, 8}} : std::vector<Precision>{{8, 8}, {16, 16}}};
  const std::array<std::vector<int>, 4> widths = grey ? std::array<std::vector<int>, 4>{{{8, 16}, {16, 32}, {24, 48}, {48, 80}}}
                                                      : std::array<std::vector<int>, 4>{{{16, 24}, {32, 48}, {64, 96}, {96, 160}}};
  for (int i = 0; i < num_stages; ++i) {
    const int stride = i >= num_stages - in_stages ? 2 : 1;
    if (dense) {
      space.stages.push_back(DenseStage(widths.at(static_cast<size_t>(i)), stride));
      continue;
    }
    const std::vector<double> expansions = i == 0 ? std::vector<double>{2, 4} : std::vector<double>{3, 6};
    space.stages.push_back(Stage(widths.at(static_cast<size_t>(i)), stride, expansions, i > 0));
  }
  if (dense && num_classes <= 64) {
    space.head = {.widths = {}, .pools = {GlobalPool::kAverage, GlobalPool::kMax}, .classifier_precisions = {{8, 8}}};
    return space;
  }
  // A classifier can tell no more classes apart than its features allow.
  const int head = std::clamp(static_cast<int>(std::bit_ceil(static_cast<unsigned>(num_classes))), grey ? 64 : 128, 512);
  space.head = {.widths = {head, 2 * head},
                .activation = Activation::kHardSwish,
                .precisions = {{8, 8}, {16, 16}},
                .hidden = 0,
                .hidden_precisions = Choices(),
                .classifier_precisions = {{8, 8}}};
  return space;
}

/// The mean of some random networks' multiply-accumulates: what a step of random_path computes for one picture, forwards.
double MeanMacs(const Lowering& lowering) {
  constexpr int kNetworks = 16;
  double sum = 0;
  for (int i = 0; i < kNetworks; ++i) {
    CounterRandom random(1, "init/mean_macs", static_cast<uint64_t>(i));
    sum += static_cast<double>(GraphCost(lowering.Lower(lowering.space().Random(random))).macs);
  }
  return sum / kNetworks;
}

int ShardsFor(int workers) { return std::min(workers, kMostShards); }

/// Seconds of training for each step of the supernet, everything that follows from it included, with `workers` processes.
double SecondsPerStep(double seconds_per_network_step, int workers) {
  const int shards = ShardsFor(workers);
  const double speedup = shards > 1 ? kShardEfficiency * shards : 1.0;
  const auto rounds_of = [](int networks, int side_by_side) { return std::ceil(static_cast<double>(networks) / side_by_side); };
  const double fine_tuning = kFineTuneParts * rounds_of(kMembers, workers);  // each on one core
  const double in_shards = kStepsPerRandomPath + kFinalParts * rounds_of(kFinalists, std::max(1, workers / shards));
  return seconds_per_network_step * (in_shards / speedup + fine_tuning);
}

/// Chooses in the order in which values depend on one another; each method fills a part of the draft.
class Chooser {
 public:
  Chooser(const FoundData& data, const FoundMachine& machine, int minutes)
      : data_(data), machine_(machine), minutes_(minutes), training_seconds_(TrainingSeconds(minutes)) {
    channels_ = data.place.format == DatasetFormat::kImageFolder && data.pictures.shows_colour ? 3 : 1;
    batch_ = BatchFor(data.pictures.train);
    is_split_ = data.place.format == DatasetFormat::kIdx || PartsOf(data.place.Path()).test.has_value();
  }

  absl::StatusOr<DraftJob> Choose() {
    if (absl::Status status = CheckData(); !status.ok()) return status;
    draft_.job.name = JobNameOf(data_.place.Path());
    Because("name", "The directory of the data set has this name. The search and its files are called by it.");
    Because("seed", "Any number will do: the same seed repeats a search, another one draws anew with the same chances.");
    ChooseDataset();
    ChooseWorkers();
    if (absl::Status status = ChooseSpaceAndSteps(); !status.ok()) return status;
    ExplainSpace();
    ChooseTraining();
    ChooseEvaluation();
    FieldViolations violations;
    ValidateSearchJob(draft_.job, violations);
    if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
    return std::move(draft_);
  }

 private:
  void Because(const std::string& key, std::string reason) { draft_.reasons[key] = std::move(reason); }

  /// What is left for training, of all networks; a short search gives half to it at least.
  static double TrainingSeconds(int minutes) {
    const double seconds = 60.0 * minutes;
    return std::max(seconds / 2, (seconds - kProfilingSeconds) / kOverTraining);
  }

  int64_t NumPictures() const { return data_.pictures.train + data_.pictures.test; }
  /// What the pictures become, when they are decoded for networks of up to this side.
  Dataset::Dimensions StoredFor(int side) const {
    const PictureSize& size = data_.pictures.median;
    if (data_.place.format == DatasetFormat::kIdx) return {size.height, size.width, channels_};
    const int64_t largest = ResolutionsUpTo(side).back();
    return {largest, largest, channels_};
  }
  /// Pictures of one part, which are read together: all of a set that nobody has split.
  int64_t ReadTogether() const { return is_split_ ? std::max(data_.pictures.train, data_.pictures.test) : NumPictures(); }
  /// At most.
  int64_t DataBytes() const {
    const Dataset::Dimensions stored = StoredFor(Sides().front());
    return NumPictures() * stored.height * stored.width * stored.channels;
  }

  /// A quarter of a small set, so that an epoch has a few steps.
  static int BatchFor(int64_t train) {
    return std::clamp(static_cast<int>(std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(1, train / 4)))), 16, 128);
  }

  absl::Status CheckData() const {
    std::vector<std::string> mistakes;
    if (const int64_t needed = bounds::kMinValidationImages + kFewestTrained; data_.pictures.train < needed) {
      mistakes.push_back(absl::StrCat("expected at least ", needed, " training pictures (", bounds::kMinValidationImages,
                                      " of them are set aside to compare networks), found ", data_.pictures.train, ": add some"));
    }
    if (const absl::Status status = CheckFolderBytes(ReadTogether(), StoredFor(Sides().back()), data_.place.Path()); !status.ok())
      mistakes.emplace_back(status.message());
    return mistakes.empty() ? absl::OkStatus() : UnusableDataset(data_.place.Path(), mistakes);
  }

  void ChooseDataset() {
    DatasetSpec& dataset = draft_.job.dataset;
    dataset = {.name = draft_.job.name, .format = data_.place.format, .directory = data_.place.directory};
    const int64_t train = data_.pictures.train;
    const int64_t wanted = std::max(train / 10, kPerClass * static_cast<int64_t>(data_.classes.size()));
    const int64_t most = std::min<int64_t>({train / 2, 10'000, train - kFewestTrained});
    dataset.validation_images = static_cast<int>(std::max<int64_t>(bounds::kMinValidationImages, std::min(wanted, most)));
    Because("dataset.name", "The directory has this name. It names the set in the report.");
    Because("dataset.format",
            data_.place.format == DatasetFormat::kIdx ? "The data lies in IDX files." : "The data lies in folders, one for each class.");
    Because("dataset.directory", "The set is here, below the directory that --data gives. Change it when you move the set.");
    Because("dataset.fit",
            "Pictures that are not square are squeezed to one (stretch). crop keeps shapes as they are and loses what is at the edges; pad "
            "keeps both, and computes grey beside them.");
    Because("dataset.validation_images",
            absl::StrFormat(
                "These are taken from the %s training pictures to compare networks; the test pictures stay unseen until the report. More "
                "tell networks apart better (now to ±%.1f points, when four of five are recognised) and leave fewer to learn from.",
                Count(train), 100 * std::sqrt(0.16 / dataset.validation_images)));
  }

  void ChooseWorkers() {
    const int by_cores = std::max(1, machine_.cores);
    draft_.workers = by_cores;
    if (machine_.memory_bytes == 0) return;
    // Each worker holds the whole set; half of the memory is left to training and to everything else.
    const int64_t by_memory = machine_.memory_bytes / 2 / std::max<int64_t>(1, DataBytes());
    draft_.workers = static_cast<int>(std::clamp<int64_t>(by_memory, 1, by_cores));
    const std::string takes = absl::StrCat("Decoded, the pictures take up to ", FormatBytes(static_cast<double>(DataBytes())),
                                           " in each worker, of ", FormatBytes(static_cast<double>(machine_.memory_bytes)), " of memory");
    if (DataBytes() > machine_.memory_bytes / 2) {
      draft_.remarks.push_back(absl::StrCat(takes, ": they do not fit well. A lower space.resolutions, or fewer pictures, would."));
    } else if (draft_.workers < by_cores) {
      draft_.remarks.push_back(absl::StrCat(takes, ": so ", draft_.workers, " of ", by_cores, " possible workers."));
    }
  }

  /// Sides of the largest picture to try, the best first.
  std::vector<int> Sides() const {
    const int side = std::min(data_.pictures.median.width, data_.pictures.median.height);
    if (side <= 64) return {side};
    std::vector<int> sides;
    for (const int each : {224, 192, 160, 128, 96, 64}) {
      const bool fits = CheckFolderBytes(ReadTogether(), StoredFor(each), "").ok();
      if (each <= side && (fits || each == 64)) sides.push_back(each);
    }
    return sides;
  }

  bool IsAlone() const { return !HasSupernet(draft_.job); }

  /// Of small pictures, whose networks are trained fast enough to tell them apart by training each of them.
  absl::Status ChooseStepsAlone(int side) {
    SearchJob& job = draft_.job;
    job.screening = Screening::kAlone;
    job.space = SpaceFor(job.name, ResolutionsUpTo(side), channels_, static_cast<int>(data_.classes.size()));
    const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(job.space);
    if (!space.ok()) return space.status();
    const Lowering lowering(*space);
    FitBatch(lowering);
    job.training.shards = std::clamp(draft_.workers / kFinalists, 1, kMostShards);
    const Graph middle = lowering.Lower(lowering.space().Middle({8, 8}));
    step_seconds_ = batch_ * static_cast<double>(TrainingWork(middle)) / WorkPerSecond(machine_.isa);
    const double cores = std::min(draft_.workers, kFinalists * job.training.shards) * (job.training.shards > 1 ? kShardEfficiency : 1.0);
    const double seconds_of_finals = step_seconds_ * kFinalists / cores;  // for each step of theirs
    const double side_by_side = kAloneSamples + kAloneRounds * kAlonePerRound + kAloneMembers * kAloneMemberParts;
    const double seconds_of_others = step_seconds_ * side_by_side / draft_.workers;  // for each step that tells networks apart
    const double epochs_allow = static_cast<double>(kMostEpochs * (data_.pictures.train - job.dataset.validation_images)) / batch_;
    const double steps = training_seconds_ / (seconds_of_others + kAloneFinalParts * seconds_of_finals);
    job.sampling.steps =
        TwoFigures(std::clamp<double>(std::min(steps, epochs_allow / kAloneFinalParts), kFewestAloneSteps, kMostAloneSteps));
    const auto parts = [&](double of) { return of * static_cast<double>(job.sampling.steps); };
    job.fine_tune.steps = TwoFigures(parts(kAloneMemberParts));
    const double left = (training_seconds_ - seconds_of_others * parts(1)) / seconds_of_finals;
    job.final.steps = std::max<int64_t>(1, TwoFigures(std::min(std::max(left, parts(kFewestAloneFinalParts)), epochs_allow)));
    RememberSeconds(seconds_of_others * parts(1) + seconds_of_finals * static_cast<double>(job.final.steps));
    return absl::OkStatus();
  }

  void RememberSeconds(double training_seconds) {
    constexpr double kTooLong = 1.5;
    draft_.run_seconds = kProfilingSeconds + kOverTraining * training_seconds;
    if (draft_.run_seconds <= kTooLong * 60 * minutes_) return;
    draft_.remarks.push_back(
        absl::StrCat("It will take longer than ", minutes_, " minutes: fewer steps than these tell networks apart badly."));
  }

  absl::Status ChooseSpaceAndSteps() {
    const std::vector<int> sides = Sides();
    double steps = 0;
    for (const int side : sides) {
      if (side <= kLargestDenseSide) return ChooseStepsAlone(side);
      draft_.job.space = SpaceFor(draft_.job.name, ResolutionsUpTo(side), channels_, static_cast<int>(data_.classes.size()));
      const absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(draft_.job.space);
      if (!space.ok()) return space.status();
      const Lowering lowering(*space);
      FitBatch(lowering);
      step_seconds_ = kBackward * batch_ * MeanMacs(lowering) / MacsPerSecond(machine_.isa);
      steps = training_seconds_ / SecondsPerStep(step_seconds_, draft_.workers);
      if (steps >= kGoodSteps) break;
    }
    const double epochs_allow = static_cast<double>(kMostEpochs * (data_.pictures.train - draft_.job.dataset.validation_images)) / batch_;
    const double most = std::max<double>(kFewestSteps, std::min<double>(kMostSteps, epochs_allow));
    draft_.job.training.steps = TwoFigures(std::clamp<double>(steps, kFewestSteps, most));
    draft_.job.training.shards = ShardsFor(draft_.workers);
    const auto parts = [&](double of) { return of * static_cast<double>(draft_.job.training.steps); };
    draft_.job.fine_tune.steps = std::max<int64_t>(1, TwoFigures(parts(kFineTuneParts)));
    draft_.job.final.steps = std::max<int64_t>(1, TwoFigures(std::min(parts(kFinalParts), epochs_allow)));
    RememberSeconds(SecondsPerStep(step_seconds_, draft_.workers) * static_cast<double>(draft_.job.training.steps));
    return absl::OkStatus();
  }

  /// Halves the batch until the largest network's training fits beside the data.
  void FitBatch(const Lowering& lowering) {
    draft_.job.training.batch_size = batch_ = BatchFor(data_.pictures.train);
    if (machine_.memory_bytes == 0) return;
    const int64_t most = machine_.memory_bytes / 4 / draft_.workers;
    while (batch_ > 16 && CostOf(draft_.job, lowering).training_bytes > most) draft_.job.training.batch_size = batch_ /= 2;
  }

  void ExplainSpace() {
    const SpaceSpec& space = draft_.job.space;
    const Pictures& pictures = data_.pictures;
    const int largest = space.resolutions.back();
    const std::string sizes =
        pictures.smallest == pictures.largest
            ? absl::StrCat("The pictures are ", Size(pictures.median))
            : absl::StrCat("The pictures are ", Size(pictures.smallest), " to ", Size(pictures.largest), ", half of them up to ",
                           Size(pictures.median), "; all become squares of the largest number here");
    const int side = Sides().front();
    Because("space.resolutions",
            absl::StrCat(
                sizes, ". ",
                largest < RoundDown(side, 4) ? absl::StrCat("More than ", largest, " would leave this machine too few steps in that time. ")
                : largest > side             ? absl::StrCat("Networks take ", largest, " at least. ")
                                             : "",
                space.resolutions.size() > 1
                    ? "The search chooses between these: a smaller one is faster to run and to train, a larger one shows more detail."
                    : "A second, smaller one would let the search choose: it is faster to run, and shows less detail."));
    const bool grey = channels_ == 1;
    Because("space.input_channels",
            data_.place.format == DatasetFormat::kIdx ? "IDX files hold grey pictures."
            : grey && pictures.stored_with_colour     ? "The pictures are stored with colour and show none. 3 would cost more for nothing."
            : grey                                    ? "The pictures are grey."
                   : "The pictures show colour. 1 would decode them to grey, which is cheaper where colour says nothing.");
    Because("space.num_classes", "The data set has so many classes; a job with another number is refused.");
    Because("space.precisions",
            "These are bits of weights (w) and activations (a); the search chooses among them for every layer that is not given its own. "
            "Fewer bits make a smaller file; whether they are faster depends on the device, and is measured.");
    Because("space.stem", absl::StrCat("This is the first convolution. It ",
                                       space.stem.stride == 2 ? "halves the picture, which is large enough for that"
                                                              : "keeps the size of the picture, which is small",
                                       "; more width finds more in it and costs time at every pixel."));
    Because("space.stages", absl::StrCat(space.stages.size(),
                                         " stages of one or two blocks halve the smallest picture down to about 2.5 pixels a side; each "
                                         "list is a choice that the search makes, and one element fixes it."));
    Because("space.head", space.head.widths.empty() ? std::string("The classifier reads the channels of the last stage, pooled over the "
                                                                  "whole picture: their average, or their largest value.")
                                                    : absl::StrCat("The classifier sees so many features, for ", data_.classes.size(),
                                                                   " classes; more tell more classes apart and make the file larger."));
    const Lowering lowering(*ConvnetSpace::Define(space));
    const auto size = [&](const Architecture& architecture) {
      return FormatBytes(static_cast<double>(GraphCost(lowering.Lower(architecture)).size_bytes));
    };
    Because(
        "target.limits",
        absl::StrCat("There are no limits yet. Files of this space take from ", size(lowering.space().Smallest({8, 8})), " (8 bits) to ",
                     size(lowering.space().Largest({16, 16})),
                     " (16 bits). Which latencies are within reach is known once the operators are measured: `hanas run` says it in its "
                     "first minutes. Limits that no network keeps are refused with the nearest ones that some do. To set some, take in:"));
  }

  void ChooseTraining() {
    TrainingSpec& training = draft_.job.training;
    training.learning_rate = 0.3 * batch_ / 128;
    training.label_smoothing = 0.05;
    if (!IsAlone()) training.phases = {{1.0, SamplingKind::kRandomPath}};
    const int64_t left = data_.pictures.train - draft_.job.dataset.validation_images;
    Because("training.steps",
            absl::StrFormat("They go %.0f times over the %s pictures that are left for training and take about %s each on one core of this "
                            "machine. Twice as many take twice as long and gain most in small spaces.",
                            static_cast<double>(training.steps * batch_) / static_cast<double>(left), Count(left),
                            FormatMicroseconds(step_seconds_ * 1e6)));
    Because("training.batch_size",
            batch_ == 128
                ? "128 is the usual size; larger ones gain little on one core. Change the learning rates with it, in proportion."
                : "The usual 128 is too large for so few pictures or so little memory. Change the learning rates with it, in proportion.");
    Because("training.shards",
            training.shards == 1 ? "With more cores a batch can be cut into parts that are trained at the same time."
            : IsAlone() ? "Each batch of the networks that are returned is cut into so many parts, which are trained at the same time on a "
                          "core each."
                        : "Each batch of the supernet, and of the networks that are returned, is cut into so many parts, which are "
                          "trained at the same time on a core each.");
    Because("training.learning_rate",
            "It is 0.3 for a batch of 128, in proportion to the batch. A short training wants it high; lower it when the accuracy does not "
            "rise.");
    Because("training.label_smoothing",
            "A little is enough, as short trainings are rarely too sure. More helps when labels are unreliable.");
    Because("training.phases",
            "Each step trains one random network: in a short time this leaves every network, small ones above all, a better start than "
            "learning from the largest one.");
    draft_.job.fine_tune.members = IsAlone() ? kAloneMembers : kMembers;
    if (!IsAlone()) draft_.job.fine_tune.learning_rate = 0.2 * batch_ / 128;
    draft_.job.final.members = kFinalists;
    draft_.job.references = ReferencesKind::kNone;
    Because("fine_tune.members",
            "So many networks of the front are trained for a short time, to see which deserve more. Each more takes the steps below.");
    Because("fine_tune.steps", IsAlone() ? "Four times as long a training as all networks get tells the best of them apart."
                                         : "A fifth of the supernet's steps tells networks apart that shared weights do not.");
    Because(
        "screening",
        "Networks of small pictures are trained fast: each is trained by itself for a short while to tell it apart from others, instead "
        "of giving all of them shared weights. Steps are meant for the middle network of the space; others take as many as cost the same.");
    Because("fine_tune.learning_rate", "It is in proportion to the batch, and a little lower than that of the supernet.");
    Because(
        "final.members",
        IsAlone()
            ? "So many of them are trained on, exported and verified: the one that promises the most, the knee of the front, then those "
              "farthest from them."
            : "So many of them are trained on, exported and verified: the largest of those that are as accurate as the best within "
              "chance, the knee of the front, then those farthest from them.");
    Because(
        "final.steps",
        "Most of the time goes here, as twice the training is worth more than most choices of a space. Raise it for networks that are to "
        "be shipped.");
    Because(
        "references",
        "`family` trains plain networks, scaled in width, for as long as the search took, and tells what it won against them; that takes "
        "about three times as long again. `space` does it with three networks of the space.");
  }

  void ChooseEvaluation() {
    SearchJob& job = draft_.job;
    const int64_t left = data_.pictures.train - job.dataset.validation_images;
    job.sampling.networks = IsAlone() ? kAloneSamples : 100;
    job.sampling.validation_images = std::clamp(job.dataset.validation_images / 2, bounds::kMinValidationImages, 2500);
    job.sampling.calibration_images = static_cast<int>(std::clamp<int64_t>(left, bounds::kMinCalibrationImages, 512));
    if (IsAlone()) job.evolution = {.rounds = kAloneRounds, .evaluations_per_round = kAlonePerRound};
    Because("sampling.networks",
            absl::StrCat("Accuracy is learnt to be predicted from so many random networks. More predict better; each takes ",
                         IsAlone() ? absl::StrFormat("about %.0f s", std::ceil(step_seconds_ * static_cast<double>(job.sampling.steps)))
                                   : "a second or so",
                         "."));
    Because("sampling.steps",
            "Each network is trained for so many steps to tell it apart. Twice as many tell more and leave less time to the two that are "
            "returned.");
    Because("sampling.validation_images", "So many pictures score each of them. Fewer are faster and noisier.");
    Because("sampling.calibration_images",
            "Ranges and statistics of each network are taken from so many training pictures. Some hundred are enough.");
    Because("evolution.rounds",
            "Each round proposes networks, evaluates them truly, and learns from it. More rounds find better networks while they still "
            "improve.");
    Because("evolution.evaluations_per_round", "Each round evaluates so many networks truly.");
    Because("measure.rounds", "Every operator is measured in so many visits. More visits steady the figures of a busy machine.");
    Because("measure.calibration_networks",
            "The latency model is fitted to so many whole networks. More make it truer and take a second or so each.");
    Because("measure.held_out_networks", "So many other whole networks tell how wrong the latency model is.");
    Because("target.device", absl::StrCat("Networks are measured on this machine: ", machine_.cpu_model, " (", machine_.isa, "), ",
                                          machine_.cores, machine_.cores == 1 ? " core" : " cores",
                                          ". A board that is registered with a coordinator is named here instead."));
    Because("target.backend", "This runtime executes the networks.");
    Because("target.statistic",
            "Half of the runs are faster than the latency that is promised. p90 or p99 bound the slow runs too, and vary more.");
  }

  const FoundData& data_;
  const FoundMachine& machine_;
  const int minutes_;
  const double training_seconds_;
  DraftJob draft_;
  int channels_ = 1;
  bool is_split_ = true;  // into training and test pictures, by whoever made the set
  int batch_ = 128;
  double step_seconds_ = 0;
};

}  // namespace

absl::StatusOr<DraftJob> ChooseJob(const FoundData& data, const FoundMachine& machine, int minutes) {
  return Chooser(data, machine, minutes).Choose();
}

std::string JobNameOf(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  for (char& c : name) {
    if (!IsPlainName(std::string(1, c)) && c != '.') c = '-';
  }
  name = name.substr(0, kMaxPlainNameBytes);
  return IsPlainName(name) ? name : "data";
}

}  // namespace hanas::cli
