// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_BASE_BOUNDS_H_
#define HANAS_CORE_BASE_BOUNDS_H_

#include <cstddef>
#include <cstdint>

/// The bounds of everything that a job may ask for, each said once: the job file, the wire, the coordinator, workers and agents all read
/// this table, so that what one of them accepts no other refuses. Both ends of a range are allowed, unless a name says otherwise.
namespace hanas::bounds {

// ---- the job as text ----
inline constexpr size_t kJobFileBytes = size_t{1} << 20;  // and on the wire, before anything looks into it
inline constexpr int kJobFileDepth = 32;                  // lists and maps within one another: the deepest key of a job is at 6
inline constexpr int64_t kJobFileNodes = 100'000;         // values with aliases followed: more than the largest job writes out
inline constexpr size_t kNameBytes = 63;                  // of a job, a space, a data set, a device: names become parts of resource names
inline constexpr size_t kDirectoryBytes = 1024;
inline constexpr size_t kTrainingPhases = 64;

// ---- the space ----
inline constexpr int kMinResolution = 8;     // pixels
inline constexpr int kMaxResolution = 1024;  // pixels
inline constexpr int kMaxInputChannels = 3;  // grey or colour
inline constexpr int kMinClasses = 2;
inline constexpr int kMaxClasses = 10'000;   // their names fit the header of a bound model
inline constexpr int kMaxIdxClasses = 256;   // labels of IDX files are bytes
inline constexpr int kMaxChannels = 4096;    // of one layer of the stem, a stage or the head
inline constexpr int kMaxKernel = 7;         // pixels, odd
inline constexpr int kMaxStride = 4;         // pixels
inline constexpr double kMaxExpansion = 16;  // times the input channels of a block
inline constexpr size_t kMaxChoices = 64;    // of one gene
inline constexpr size_t kMaxGenes = 2048;    // of a space: its size is at most 64^2048, which a long double holds
inline constexpr size_t kMaxStages = 32;
inline constexpr int kMaxDepth = 16;        // blocks of a stage
inline constexpr int64_t kMaxBlocks = 128;  // of all stages together
// Combinations of choices that later genes are conditioned on, at any place among the genes: what counting the networks has in hand.
inline constexpr size_t kMaxConditionStates = 1 << 14;

// ---- what preparing a search costs the coordinator ----
inline constexpr int64_t kMaxLowerings = 400'000;       // of units, to find the operator keys; about 2 s
inline constexpr int64_t kMaxOperatorKeys = 50'000;     // of a space on one device; measuring them takes hours
inline constexpr int64_t kMaxTableEntries = 2'000'000;  // of the cost tables of a space; about 128 MB and 10 s

// ---- operators that an agent executes, whoever asks ----
inline constexpr int64_t kMaxExtent = int64_t{1} << 20;
inline constexpr int64_t kMaxTensorElements = int64_t{1} << 26;
inline constexpr int64_t kMaxWeightElements = int64_t{1} << 26;
inline constexpr int64_t kMaxMacs = int64_t{1} << 36;  // of one run
inline constexpr int kMaxOperatorKernel = 64;
inline constexpr int kMaxOperatorStride = 64;
inline constexpr int kMaxOperatorDilation = 64;

// ---- training ----
inline constexpr int64_t kMaxSteps = 100'000'000;
inline constexpr int kMinBatch = 2;  // images; batch statistics of one are none
inline constexpr int kMaxBatch = 4096;
inline constexpr int kMaxShards = 64;  // of a batch
inline constexpr double kMinLearningRate = 1e-6;
inline constexpr double kMaxLearningRate = 10;
inline constexpr double kMaxWeightDecay = 0.5;
inline constexpr double kMinTeacherWidth = 0.25;  // times the preset's
inline constexpr double kMaxTeacherWidth = 4;
inline constexpr double kMaxTeacherTemperature = 100;
inline constexpr double kMaxLabelSmoothing = 0.9;
inline constexpr double kMaxWarmup = 0.9;  // of the steps
inline constexpr double kMaxClipNorm = 1e6;
inline constexpr int kMaxShift = 64;                              // pixels that a training image is moved by
inline constexpr int64_t kMaxSupernetWeights = int64_t{1} << 27;  // a checkpoint of them with momentum is 1 GiB
inline constexpr int64_t kMaxTrainingBytes = int64_t{1} << 37;    // 128 GiB: activations and gradients of one batch

// ---- images ----
inline constexpr int kMinValidationImages = 10;
inline constexpr int kMaxValidationImages = 1'000'000;
inline constexpr int kMinCalibrationImages = 32;
inline constexpr int kMaxCalibrationImages = 100'000;

// ---- how much is evaluated and measured ----
inline constexpr int kMinSampledNetworks = 8;
inline constexpr int kFewestForPredictor = 10;  // evaluated networks; of a space that has fewer all are evaluated, and none is predicted
inline constexpr int kMaxSampledNetworks = 10'000;
inline constexpr int kMaxRounds = 10'000;
inline constexpr int kMaxEvaluationsPerRound = 1000;
inline constexpr int kMinPopulation = 4;
inline constexpr int kMaxPopulation = 1000;
inline constexpr int kMinSurrogateEvaluations = 10;
inline constexpr int kMaxSurrogateEvaluations = 1'000'000;  // a few seconds of each round
inline constexpr int kMaxMembers = 100;
inline constexpr int kMinMeasureRounds = 5;
inline constexpr int kMaxMeasureRounds = 100;    // asked for
inline constexpr int kMaxExtendedRounds = 1000;  // while the spread is too large
inline constexpr int kMinCalibrationNetworks = 5;
inline constexpr int kMinHeldOutNetworks = 2;
inline constexpr int kMaxMeasuredNetworks = 1000;  // of either kind

// ---- objectives and limits ----
inline constexpr size_t kMaxTargets = 8;       // of one search: each has rounds and a front of its own
inline constexpr int kMaxDeviceThreads = 256;  // of one network: no device has more cores to give to it
inline constexpr size_t kMaxObjectives = 4;    // more than these no front of a few hundred networks can show
inline constexpr double kMaxLatencyLimitUs = 1e9;
inline constexpr int64_t kMaxBytesLimit = int64_t{1} << 40;
inline constexpr double kMaxCountLimit = 1e15;      // MACs, parameters
inline constexpr double kMaxAccuracyLimit = 0.999;  // of the images
inline constexpr double kMaxRelativeLimit = 10;     // times what the network has that the limit is relative to
inline constexpr double kMinConfidence = 0.5;       // half of the predictions keep a limit: the prediction itself
inline constexpr double kMaxConfidence = 0.999;

// ---- what a search may spend ----
inline constexpr double kMaxBudgetSeconds = 10 * 365 * 86400.0;
inline constexpr int64_t kMaxBudgetEvaluations = 1'000'000'000;

}  // namespace hanas::bounds

#endif  // HANAS_CORE_BASE_BOUNDS_H_
