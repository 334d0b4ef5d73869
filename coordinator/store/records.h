// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_COORDINATOR_STORE_RECORDS_H_
#define HANAS_COORDINATOR_STORE_RECORDS_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/cord.h"
#include "coordinator/store/artifact_store.h"
#include "core/base/digest.h"
#include "core/family/convnet/space_spec.h"
#include "core/job/findings.h"
#include "core/latency/latency_model.h"
#include "core/plan/exec_plan.h"
#include "core/space/search_space.h"
#include "core/task/work_kinds.h"

namespace hanas::coordinator {

// What the coordinator remembers, as plain data. record_codec.h writes and reads the bytes. Everything else that the coordinator knows is a
// function of these records.

// ---- work: what a task asks for, one alternative for each row of kWorkKinds, in that order. The job of its search has the rest. ----

/// Which schedule a training task belongs to.
enum class TrainingKind : uint8_t {
  kSupernet = 0,  // the whole space, with the job's schedule
  kFineTune = 1,  // one network from the supernet's weights
  kAlone = 2,     // one network from fresh weights
  kTeacher = 3,   // the same with the supernet's shards: nothing else is trained beside it
  kFinal = 4,  // one network from where its short training ended, with the supernet's shards: it is long, and often the last to be computed
};

/// Whether a batch is trained in the job's shards, on a core each; else on one.
constexpr bool TrainsInShards(TrainingKind kind) { return kind != TrainingKind::kFineTune && kind != TrainingKind::kAlone; }

/// A trained network from whose answers others learn.
struct TeacherRef {
  ArtifactRef checkpoint;
  SpaceSpec space;
  Architecture architecture;
  friend bool operator==(const TeacherRef&, const TeacherRef&) = default;
};

/// Steps [from_step, to_step) of a chain of `total_steps`.
struct TrainWork {
  TrainingKind kind = TrainingKind::kSupernet;
  Architecture slice;   // empty genes: the whole space
  ArtifactRef initial;  // empty: fresh weights
  int64_t from_step = 0;
  int64_t to_step = 0;
  int64_t total_steps = 0;
  std::optional<SpaceSpec> space;  // of a network that is of another space than the job's; so of the others
  std::optional<TeacherRef> teacher;
  friend bool operator==(const TrainWork&, const TrainWork&) = default;
};

struct EvaluateWork {
  ArtifactRef checkpoint;  // whose weights they have; empty where each is trained first
  std::vector<Architecture> architectures;
  std::vector<std::string> graph_digests;
  bool all_validation_images = false;  // else as many as the job gives sampling
  std::vector<int64_t> steps;          // that each is trained for by itself, from fresh weights; none: they have the checkpoint's
  std::optional<TeacherRef> teacher;   // of that training
  friend bool operator==(const EvaluateWork&, const EvaluateWork&) = default;
};

/// On the first `num_evaluations` networks of the search, in the order in which they were asked.
struct FitWork {
  int64_t num_evaluations = 0;
  friend bool operator==(const FitWork&, const FitWork&) = default;
};

struct BindWork {
  ArtifactRef checkpoint;
  Architecture architecture;
  std::string graph_digest;
  std::optional<SpaceSpec> space;
  friend bool operator==(const BindWork&, const BindWork&) = default;
};

struct PackWork {
  friend bool operator==(const PackWork&, const PackWork&) = default;
};

struct MeasureOperatorsWork {
  std::vector<std::string> keys;
  friend bool operator==(const MeasureOperatorsWork&, const MeasureOperatorsWork&) = default;
};

struct MeasureNetworksWork {
  std::vector<Architecture> architectures;
  std::vector<std::string> plan_digests;
  std::vector<SpaceSpec> spaces;  // of each network; none at all: they are of the job's
  friend bool operator==(const MeasureNetworksWork&, const MeasureNetworksWork&) = default;
};

struct VerifyWork {
  ArtifactRef bound_model;
  ArtifactRef onnx;
  ArtifactRef images;
  friend bool operator==(const VerifyWork&, const VerifyWork&) = default;
};

using Work = std::variant<TrainWork, EvaluateWork, FitWork, BindWork, PackWork, MeasureOperatorsWork, MeasureNetworksWork, VerifyWork>;

static_assert(std::variant_size_v<Work> == kWorkKinds.size());

inline const WorkKind& KindOf(const Work& work) { return kWorkKinds.at(work.index()); }
inline bool IsMeasuring(const Work& work) { return IsMeasuring(KindOf(work)); }

// ---- outcomes: what a completed task brought, one alternative for each kind of work, in the same order. ----

struct Score {
  int64_t correct = 0;
  int64_t images = 0;
  double loss = 0;
  double fraction() const { return images > 0 ? static_cast<double>(correct) / static_cast<double>(images) : 0; }
  friend bool operator==(const Score&, const Score&) = default;
};

struct TrainOutcome {
  ArtifactRef checkpoint;
  int64_t step = 0;
  double loss = 0;
  double images_per_second = 0;
  double seconds = 0;
  std::string dataset_digest;  // of files and split
  bool reached_end = true;     // false: handed back early, resumable from `checkpoint`
  std::string dataset_files;   // digest of the files alone
  friend bool operator==(const TrainOutcome&, const TrainOutcome&) = default;
};

struct EvaluateOutcome {
  std::vector<Score> scores;
  double seconds = 0;
  std::string dataset_digest;  // as of TrainOutcome; empty in older records
  std::string dataset_files;
  friend bool operator==(const EvaluateOutcome&, const EvaluateOutcome&) = default;
};

struct FitOutcome {
  std::string predictor;  // core/predictor serialisation
  double held_out_tau = 0;
  double held_out_rmse = 0;
  std::string kind;
  double seconds = 0;  // 0, of older workers: not told
  friend bool operator==(const FitOutcome&, const FitOutcome&) = default;
};

struct BindOutcome {
  ArtifactRef bound_model;
  ArtifactRef onnx;
  Score test;
  double seconds = 0;
  friend bool operator==(const BindOutcome&, const BindOutcome&) = default;
};

struct PackOutcome {
  ArtifactRef images;
  int64_t num_images = 0;
  Survey survey;       // of the data set; empty from workers that do not tell
  double seconds = 0;  // 0, of older workers: not told
  friend bool operator==(const PackOutcome&, const PackOutcome&) = default;
};

/// Fields are absent when the host cannot tell.
struct HostObservation {
  std::optional<double> load_average;
  std::optional<double> steal_percent;
  std::optional<double> temperature_celsius;
  std::optional<double> frequency_mhz;
  double canary_ratio = 0;
  int rejected_rounds = 0;
  friend bool operator==(const HostObservation&, const HostObservation&) = default;
};

struct OperatorMeasurement {
  std::string key;
  double flushed_us = 0;
  double hot_us = 0;
  double cv = 0;
  int rounds = 0;
  bool noisy = false;
  friend bool operator==(const OperatorMeasurement&, const OperatorMeasurement&) = default;
};

struct MeasureOperatorsOutcome {
  std::vector<OperatorMeasurement> rows;
  HostObservation host;
  double seconds = 0;
  friend bool operator==(const MeasureOperatorsOutcome&, const MeasureOperatorsOutcome&) = default;
};

struct NetworkMeasurement {
  double p50_us = 0;
  double p90_us = 0;
  double p99_us = 0;
  double cv = 0;
  int rounds = 0;
  bool noisy = false;
  int64_t samples = 0;
  friend bool operator==(const NetworkMeasurement&, const NetworkMeasurement&) = default;
};

struct MeasureNetworksOutcome {
  std::vector<NetworkMeasurement> rows;
  HostObservation host;
  double seconds = 0;
  friend bool operator==(const MeasureNetworksOutcome&, const MeasureNetworksOutcome&) = default;
};

/// All test images once more, by another reader of the same network.
struct SecondReading {
  Score score;
  int64_t differing = 0;  // images to which it gives another class than the reading that is reported
  friend bool operator==(const SecondReading&, const SecondReading&) = default;
};

struct VerifyOutcome {
  NetworkMeasurement device;
  Score exported;  // what is reported
  NetworkMeasurement exported_latency;
  std::string exported_runtime;
  int64_t agreeing = 0;
  int64_t compared = 0;
  double max_logit_difference = 0;
  HostObservation host;
  double seconds = 0;
  SecondReading reopened;                   // the file opened by its path with default options
  SecondReading device_accuracy;            // the device's runtime
  std::vector<int64_t> class_correct = {};  // of exported.correct those of each class; empty in older records
  int64_t among_five = 0;                   // images whose class is among the five of the highest logits; 0 in older records
  friend bool operator==(const VerifyOutcome&, const VerifyOutcome&) = default;
};

using Outcome = std::variant<TrainOutcome, EvaluateOutcome, FitOutcome, BindOutcome, PackOutcome, MeasureOperatorsOutcome,
                             MeasureNetworksOutcome, VerifyOutcome>;
static_assert(std::variant_size_v<Outcome> == kWorkKinds.size());

/// Of the work that it came of.
inline const WorkKind& KindOf(const Outcome& outcome) { return kWorkKinds.at(outcome.index()); }

/// One row of a round that a measuring task streamed.
struct RoundMeasurement {
  int index = 0;
  double flushed_us = 0;
  double hot_us = 0;
  double p99_us = 0;
  int64_t samples = 0;
  bool disturbed = false;
  friend bool operator==(const RoundMeasurement&, const RoundMeasurement&) = default;
};
struct RecordedRound {
  int round = 0;
  std::vector<RoundMeasurement> rows;
  friend bool operator==(const RecordedRound&, const RecordedRound&) = default;
};

// ---- records ----

enum class TaskState : uint8_t { kReady = 0, kLeased = 1, kDone = 2, kFailed = 3, kCancelled = 4 };

/// A task of a search under a key that is unique in it ("round/1/evaluate/0").
struct TaskRecord {
  uint64_t id = 0;
  uint64_t search = 0;  // that made it
  std::string key;
  std::string shared_under;  // SearchRecord::teacher, supernet or sample_set of all searches that it belongs to; empty: to its own
  Work work;
  TaskState state = TaskState::kReady;
  // Of the current lease, or of the last one.
  int attempt = 0;             // leases granted so far
  uint64_t fencing_token = 0;  // 0: never leased
  uint64_t party = 0;
  std::string instance;
  // What counts against the task.
  int failures = 0;   // reported by holders, and leases that expired without progress
  std::string error;  // of the last failure
  std::string error_code;
  std::vector<RecordedRound> rounds;
  std::optional<Outcome> outcome;  // iff kDone
  double partial_seconds = 0;      // spent by leases that handed back
  friend bool operator==(const TaskRecord&, const TaskRecord&) = default;
};

enum class SearchPhase : uint8_t {
  kPending = 1,
  kProfiling = 2,
  kTraining = 3,
  kSampling = 4,
  kSearching = 5,
  kVerifying = 6,
  kSucceeded = 7,
  kFailed = 8,
  kCancelled = 9,
};

struct PhaseRecord {
  SearchPhase phase = SearchPhase::kPending;
  double seconds = 0;  // accumulated while a coordinator was up; of the current phase, up to the last record
  int64_t done = 0;
  int64_t total = 0;
  std::string unit;
  friend bool operator==(const PhaseRecord&, const PhaseRecord&) = default;
};

struct DeviceDescription {
  std::string device;
  std::string host;
  std::string cpu;
  std::string isa;
  std::string backend;
  std::string backend_version;
  int threads = 0;
  std::string governor;
  friend bool operator==(const DeviceDescription&, const DeviceDescription&) = default;
};

struct RangeRecord {
  std::string metric;
  double low = 0;
  double high = 0;
  friend bool operator==(const RangeRecord&, const RangeRecord&) = default;
};

/// What profiling found out.
struct ProfileRecord {
  int64_t operator_keys = 0;
  double operator_cv_median = 0;
  std::vector<RangeRecord> ranges;
  double share_within_limits = 0;
  int64_t share_samples = 0;
  friend bool operator==(const ProfileRecord&, const ProfileRecord&) = default;
};

struct RoundRecord {
  int round = 0;
  int64_t evaluations = 0;
  double held_out_tau = 0;
  double hypervolume = 0;
  std::optional<double> latency_mape;  // none: the target had nothing measured in it
  int64_t front_size = 0;
  friend bool operator==(const RoundRecord&, const RoundRecord&) = default;
};

/// The id and the family of the plain network that gets all of the compute.
inline constexpr char kAllIn[] = "all-in";

/// What a plain network is that members are compared with: the largest network of a space of its own at 8 bits.
struct OpponentRecord {
  std::string family;  // "dense", or kAllIn
  std::string preset;  // that is scaled: "dense-80k"
  double factor = 1;   // times the preset's widths
  SpaceSpec space;
  friend bool operator==(const OpponentRecord&, const OpponentRecord&) = default;
};

/// A network of a target's report: chosen at the beginning of verification; opponents when all members are verified.
struct MemberRecord {
  uint32_t target = 0;  // as in SearchRecord::targets
  std::string id;       // "member-1": its own among those of its target
  bool reference = false;
  TrainingKind training = TrainingKind::kFineTune;
  int64_t steps = 0;  // 0: of an opponent whose rate of training is not known yet
  Architecture architecture;
  Score shared;             // validation, as evaluated before it was chosen; of members
  double predicted_us = 0;  // with the calibration of that moment; 0 of opponents, whose operators no table has
  /// The index in SearchRecord::members of the same network for an earlier target, which is trained and bound once for both; none: -1.
  int32_t trained_as = -1;
  std::optional<OpponentRecord> opponent;  // of plain networks; `architecture` is of its space
  // Of members when only some of them are trained on: all of them are decided at once.
  Score fine_tuned;         // all validation images, after `steps`; no images: it is not decided yet
  int64_t final_steps = 0;  // that it is trained on for, for this target or another
  bool set_aside = false;   // others deserve the long training more: it is reported as it is
  int32_t asked = 0;        // 1, 2, …: trained on after the search had succeeded, as a user asked, in this order
  friend bool operator==(const MemberRecord&, const MemberRecord&) = default;
};

/// A network of the report that could not be trained, bound or verified.
struct LeftOutRecord {
  uint32_t target = 0;
  std::string id;  // the member's
  std::string error_code;
  std::string error;
  friend bool operator==(const LeftOutRecord&, const LeftOutRecord&) = default;
};

/// What a search takes in all. 0: not known (yet).
struct ForecastRecord {
  int64_t operator_keys = 0;
  int64_t training_steps = 0;  // supernet or screening, members and references; plain networks as the search's own steps (forecast.h)
  int64_t evaluations = 0;
  double measuring_seconds = 0;
  double training_seconds = 0;
  int64_t disk_bytes = 0;
  std::string basis;  // "measured on this device; training at 812 images/s"
  friend bool operator==(const ForecastRecord&, const ForecastRecord&) = default;
};

/// What a search knows of one of its targets.
struct TargetRecord {
  // Set when profiling begins.
  std::string agent;
  DeviceDescription device;
  BackendCaps caps;
  // Set as the search goes on.
  std::optional<ProfileRecord> profile;
  std::vector<RoundRecord> rounds;  // as many for each target: rounds are concluded for all of them together
  friend bool operator==(const TargetRecord&, const TargetRecord&) = default;
};

struct SearchRecord {
  uint64_t id = 0;
  std::string request_id;
  absl::Cord spec;  // the wire's bytes of the job; copies share them
  Digest job_digest;
  SearchPhase phase = SearchPhase::kPending;
  std::vector<PhaseRecord> phases;
  std::string error;
  std::string error_code;
  int64_t num_events = 0;
  // Of the data set that it began with, once something was trained: of files and split, and of the files alone.
  std::string dataset_digest;
  std::string dataset_files;
  // What its teacher, its training and its sampling are shared under: JobDigests of core/job. Empty in stores from before sharing,
  // and what a search shares with nobody.
  std::string teacher;
  std::string supernet;
  std::string sample_set;
  std::vector<TargetRecord> targets;  // one for each of TargetsOf(job), in that order; none before profiling begins
  // Set as the search goes on.
  std::vector<MemberRecord> members;    // of the first target, then of the next
  int64_t candidates_scored = 0;        // on surrogates
  double scoring_seconds = 0;           // what that took
  std::vector<LeftOutRecord> left_out;  // in the order of `members`
  /// What its tasks took that trained, evaluated, fitted, bound, packed and measured, once opponents were chosen (compute.h).
  std::optional<double> compute_seconds;
  std::optional<ForecastRecord> forecast;
  // Set by users and budgets.
  bool paused = false;        // `phase` is where it goes on
  bool finishing = false;     // no new rounds: verification comes next
  std::string finish_reason;  // of `finishing`: "asked by a user", "budget.max_evaluations of 500 was reached"
  // Wall clock, Unix microseconds: data, never logic. 0: it goes on, or an older version did not record it.
  int64_t create_time_us = 0;
  int64_t update_time_us = 0;  // of the last change
  int64_t end_time_us = 0;
  friend bool operator==(const SearchRecord&, const SearchRecord&) = default;
};

struct EventRecord {
  uint64_t search = 0;
  int64_t sequence = 0;
  SearchPhase phase = SearchPhase::kPending;
  std::string kind;
  std::string text;
  friend bool operator==(const EventRecord&, const EventRecord&) = default;
};

/// What policy makes of a device's measurements.
enum class DeviceHealth : uint8_t {
  kUnknown = 1,      // has measured nothing yet
  kHealthy = 2,      // its canary kernel ran as fast as ever
  kThrottled = 3,    // it did not, the last time
  kQuarantined = 4,  // nor several times before, in a row
};

struct PartyRecord {
  uint64_t id = 0;
  bool agent = false;
  std::string name;
  std::string instance;  // a secret of the party
  std::string host;
  std::string version;
  std::string key;                           // SHA-256 of the key that the name belongs to; empty, of older records: the first that comes
  int threads = 0;                           // of a worker
  bool multiplies_bf16 = false;              // of a worker: its processor or GPU
  std::vector<std::string> datasets;         // of a worker: names below its data root
  std::vector<std::string> dataset_digests;  // of the files of each, in that order; empty: not known. None at all: none is known
  DeviceDescription device;                  // of an agent
  BackendCaps caps;                          // of an agent
  // What it did and what was decided about it: kept when a new instance registers.
  bool draining = false;  // gets no new work
  int64_t completed_tasks = 0;
  int64_t failed_tasks = 0;
  DeviceHealth health = DeviceHealth::kUnknown;  // of an agent
  int slow_canaries = 0;                         // measuring tasks in a row whose canary was slow
  std::optional<HostObservation> last_host;      // of an agent's last measurement
  // Wall clock, Unix microseconds: data, never logic. 0: an older version did not record it.
  int64_t create_time_us = 0;  // when the name was registered first
  int64_t update_time_us = 0;  // of the last change

  int cores() const { return std::max(1, threads); }  // that a worker computes on
  friend bool operator==(const PartyRecord&, const PartyRecord&) = default;
};

}  // namespace hanas::coordinator

#endif  // HANAS_COORDINATOR_STORE_RECORDS_H_
