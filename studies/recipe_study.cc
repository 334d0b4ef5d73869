// SPDX-License-Identifier: Apache-2.0
// Trains the arms of a study of the training recipe with the bare engine and appends a row for each to a CSV file, so that a later run goes
// on where this one ended. Arms run in processes of one thread each, as many at a time as --jobs says.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "config/job_file.h"
#include "config/presets.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"
#include "core/family/convnet/scaled.h"
#include "core/job/fields.h"
#include "core/lowering/lowering.h"
#include "profiler-agent/device/host_probe.h"
#include "worker/torch/create_engine.h"
#include "yaml-cpp/yaml.h"

extern char** environ;

namespace hanas {
namespace {

constexpr Precision kPrecision = {8, 8};
constexpr char kHead[] =
    "arm,seed,digest,commit,processor,isa,cpu_seconds,images_per_second,train_loss,validation_accuracy,validation_loss";

struct Options {
  std::string study = "studies/recipe.yaml";
  std::string rows = "docs/studies/recipe.csv";
  std::string data;
  std::string commit = "unknown";
  int jobs = 2;
  std::string arm;  // of a child process
  uint64_t seed = 0;
};

/// Of what an arm with a teacher learns from; that of an arm without one is always the same.
Digest TeacherDigest(const TeacherSpec& teacher) {
  SearchJob job;
  if (teacher.steps > 0) job.teacher = teacher;
  DigestBuilder digest;
  AddFields(job, "teacher.", SharedBy::kNobody, digest);
  return digest.Build();
}

/// One training of the study.
struct Run {
  std::string arm;
  uint64_t seed = 0;
  SearchJob job;

  /// What the result depends on, but for the seed: a row of another digest is of another arm.
  std::string digest() const {
    return DigestBuilder()
        .Add("recipe-study/1")
        .Add(TrainingDigest(job.training))
        .Add(ConvnetSpace::Define(job.space)->space().digest())
        .Add(TeacherDigest(job.teacher))
        .Add(job.dataset.name)
        .Add(int64_t{job.dataset.validation_images})
        .Build()
        .ToHex()
        .substr(0, 12);
  }
};

/// The job of one arm: the study's own, with what the arm says in place of the base's, a space of its own among it.
absl::StatusOr<SearchJob> JobOf(const YAML::Node& study, const YAML::Node& arm) {
  YAML::Node job;
  job["name"] = arm["name"];
  job["dataset"] = study["dataset"];
  job["space"] = arm["space"] ? arm["space"] : study["space"];
  YAML::Node training = YAML::Clone(study["training"]);
  for (const auto& entry : arm) {
    const std::string key = entry.first.Scalar();
    if (key == "teacher") {
      job[key] = entry.second;
    } else if (key != "name" && key != "space") {
      training[key] = entry.second;
    }
  }
  training["phases"] = YAML::Load("[{until: 1, sampling: largest}]");
  job["training"] = training;
  const absl::StatusOr<config::JobFile> file = config::JobFile::Parse(YAML::Dump(job), absl::StrCat("arm ", arm["name"].Scalar()));
  if (!file.ok()) return file.status();
  return file->job();
}

absl::StatusOr<std::vector<Run>> ReadStudy(const std::string& path) {
  std::vector<Run> runs;
  try {
    const YAML::Node study = YAML::LoadFile(path);
    for (const YAML::Node& seed : study["seeds"]) {
      for (const YAML::Node& arm : study["arms"]) {
        absl::StatusOr<SearchJob> job = JobOf(study, arm);
        if (!job.ok()) return job.status();
        runs.push_back({arm["name"].as<std::string>(), seed.as<uint64_t>(), *std::move(job)});
      }
    }
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", error.what()));
  }
  if (runs.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": expected arms and seeds, found none"));
  return runs;
}

/// Validation accuracies by the digest of the arm and the seed.
using Rows = std::map<std::pair<std::string, uint64_t>, double>;

Rows ReadRows(const std::string& path) {
  Rows rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, ',');
    uint64_t seed = 0;
    double accuracy = 0;
    if (cells.size() == 11 && absl::SimpleAtoi(cells[1], &seed) && absl::SimpleAtod(cells[9], &accuracy)) rows[{cells[2], seed}] = accuracy;
  }
  return rows;
}

/// Appended in one write, since another arm may end at the same time.
absl::Status Append(const std::string& path, const std::string& row) {
  std::ofstream file(path, std::ios::app);
  file << row + "\n" << std::flush;
  return file ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write to ", path));
}

/// The answers of the arm's teacher, trained for it with the same seed; none for an arm without one. It learns the labels as they are.
absl::StatusOr<std::vector<float>> AnswersOfTeacher(const Run& run, const Dataset& dataset, TrainingEngine& engine) {
  if (run.job.teacher.steps == 0) return std::vector<float>();
  const absl::StatusOr<SpaceSpec> preset = config::FindPresetSpec("dense-250k");
  if (!preset.ok()) return preset.status();
  absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(ScaledInWidth(ForImagesOf(run.job.space, *preset), run.job.teacher.width));
  if (!space.ok()) return space.status();
  const Lowering lowering(*std::move(space));
  const Architecture network = lowering.space().Largest(kPrecision);
  TrainingSpec training = run.job.training;
  training.steps = run.job.teacher.steps;
  training.label_smoothing = 0;
  const absl::StatusOr<TrainResult> trained = engine.Train({.lowering = &lowering,
                                                            .architecture = network,
                                                            .dataset = &dataset,
                                                            .to_step = training.steps,
                                                            .training = training,
                                                            .seed = run.seed},
                                                           nullptr);
  if (!trained.ok()) return trained.status();
  const absl::StatusOr<std::vector<ClassificationScore>> scores =
      engine.Evaluate({.lowering = &lowering, .dataset = &dataset, .checkpoint = trained->checkpoint}, {network}, nullptr);
  if (!scores.ok()) return scores.status();
  std::cout << absl::StrFormat("%s, seed %d: the teacher has %.2f %%\n", run.arm, run.seed, 100 * scores->front().accuracy()) << std::flush;
  return engine.Answers({.lowering = &lowering,
                         .dataset = &dataset,
                         .checkpoint = trained->checkpoint,
                         .architecture = network,
                         .numerics = training.numerics},
                        nullptr);
}

absl::Status TrainArm(const Run& run, const Options& options) {
  absl::StatusOr<ConvnetSpace> space = ConvnetSpace::Define(run.job.space);
  if (!space.ok()) return space.status();
  const Lowering lowering(*std::move(space));
  const Architecture network = lowering.space().Largest(kPrecision);
  const absl::StatusOr<Dataset> dataset =
      Dataset::Load(run.job.dataset, options.data, {.image_side = LargestSide(lowering), .image_channels = run.job.space.input_channels});
  if (!dataset.ok()) return dataset.status();
  const std::unique_ptr<TrainingEngine> engine = CreateTorchEngine({.num_threads = 1});
  const std::clock_t start = std::clock();
  const absl::StatusOr<std::vector<float>> answers = AnswersOfTeacher(run, *dataset, *engine);
  if (!answers.ok()) return answers.status();
  TrainRequest request = {.lowering = &lowering,
                          .architecture = network,
                          .dataset = &*dataset,
                          .to_step = run.job.training.steps,
                          .training = run.job.training,
                          .seed = run.seed};
  if (!answers->empty())
    request.teacher = TeacherAnswers{*answers, TeacherDigest(run.job.teacher).ToHex(), run.job.teacher.weight, run.job.teacher.temperature};
  const absl::StatusOr<TrainResult> trained = engine->Train(request, nullptr);
  if (!trained.ok()) return trained.status();
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  const absl::StatusOr<std::vector<ClassificationScore>> scores =
      engine->Evaluate({.lowering = &lowering, .dataset = &*dataset, .checkpoint = trained->checkpoint}, {network}, nullptr);
  if (!scores.ok()) return scores.status();
  const HostIdentity host = HostProbe().Identify();
  return Append(options.rows, absl::StrFormat("%s,%d,%s,%s,%s,%s,%.0f,%.0f,%.4f,%.4f,%.4f", run.arm, run.seed, run.digest(), options.commit,
                                              host.cpu_model, host.isa, seconds, trained->images_per_second, trained->loss,
                                              scores->front().accuracy(), scores->front().loss));
}

/// Starts this program again for one arm; its process.
pid_t Spawn(const Options& options, const Run& run) {
  const std::string seed = absl::StrCat(run.seed);
  std::vector<std::string> words = {"recipe_study", "--study",      options.study, "--rows", options.rows, "--data", options.data,
                                    "--commit",     options.commit, "--arm",       run.arm,  "--seed",     seed};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = -1;
  if (posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments.data(), environ) != 0) return -1;
  return child;
}

/// The mean difference to the base over the seeds that both have, with its standard error, as percentage points.
std::string Comparison(const std::vector<double>& differences) {
  if (differences.empty()) return "";
  double mean = 0;
  for (const double difference : differences) mean += difference / static_cast<double>(differences.size());
  if (differences.size() < 2) return absl::StrFormat("%+.2f", 100 * mean);
  double squares = 0;
  for (const double difference : differences) squares += (difference - mean) * (difference - mean);
  const double n = static_cast<double>(differences.size());
  return absl::StrFormat("%+.2f ± %.2f", 100 * mean, 100 * std::sqrt(squares / (n - 1) / n));
}

void PrintTable(const std::vector<Run>& runs, const Rows& rows) {
  std::cout << absl::StrFormat("%-28s %8s %9s %6s  %-24s  %s\n", "arm", "weights", "work", "mean", "against the base", "seeds");
  std::set<std::string> seen;
  for (const Run& arm : runs) {
    if (!seen.insert(arm.arm).second) continue;
    std::vector<std::string> each;
    std::vector<double> differences;
    double sum = 0;
    for (const Run& run : runs) {
      const auto row = rows.find({run.digest(), run.seed});
      if (run.arm != arm.arm || row == rows.end()) continue;
      each.push_back(absl::StrFormat("%.2f", 100 * row->second));
      sum += 100 * row->second;
      const auto base = rows.find({runs.front().digest(), run.seed});
      if (base != rows.end()) differences.push_back(row->second - base->second);
    }
    if (each.empty()) continue;
    const Lowering lowering(*ConvnetSpace::Define(arm.job.space));
    const Graph graph = lowering.Lower(lowering.space().Largest(kPrecision));
    std::cout << absl::StrFormat("%-28s %6.1f k %7.2f M %6.2f  %-24s  %s\n", arm.arm,
                                 static_cast<double>(GraphCost(graph).parameters) / 1e3, static_cast<double>(TrainingWork(graph)) / 1e6,
                                 sum / static_cast<double>(each.size()), arm.arm == runs.front().arm ? "" : Comparison(differences),
                                 absl::StrJoin(each, " "));
  }
}

/// Runs what the rows do not have; false when an arm failed.
bool RunMissing(const std::vector<Run>& runs, const Options& options) {
  const Rows rows = ReadRows(options.rows);
  std::vector<const Run*> missing;
  for (const Run& run : runs) {
    if (!rows.contains({run.digest(), run.seed})) missing.push_back(&run);
  }
  std::cout << missing.size() << " of " << runs.size() << " trainings to do.\n" << std::flush;
  std::map<pid_t, const Run*> running;
  size_t next = 0;
  bool good = true;
  while (next < missing.size() || !running.empty()) {
    if (good && next < missing.size() && running.size() < static_cast<size_t>(options.jobs)) {
      const pid_t child = Spawn(options, *missing[next]);
      if (child < 0) return false;
      running[child] = missing[next++];
      continue;
    }
    if (running.empty()) break;
    int status = 0;
    const pid_t ended = wait(&status);
    if (ended < 0) return false;
    const Run& run = *running.at(ended);
    running.erase(ended);
    good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const Rows now = ReadRows(options.rows);
    const auto row = now.find({run.digest(), run.seed});
    std::cout << absl::StrFormat("[%d/%d] %s, seed %d: %s\n", next - running.size(), missing.size(), run.arm, run.seed,
                                 row == now.end() ? "failed" : absl::StrFormat("%.2f %%", 100 * row->second))
              << std::flush;
  }
  return good;
}

int Study(const Options& options) {
  const absl::StatusOr<std::vector<Run>> runs = ReadStudy(options.study);
  if (!runs.ok()) {
    std::cerr << runs.status().message() << "\n";
    return 2;
  }
  if (!options.arm.empty()) {
    for (const Run& run : *runs) {
      if (run.arm != options.arm || run.seed != options.seed) continue;
      const absl::Status status = TrainArm(run, options);
      if (!status.ok()) std::cerr << options.arm << ": " << status.message() << "\n";
      return status.ok() ? 0 : 1;
    }
    std::cerr << "--arm: expected an arm of " << options.study << " with that seed, found " << options.arm << "\n";
    return 2;
  }
  if (!std::ifstream(options.rows)) {
    if (const absl::Status status = Append(options.rows, kHead); !status.ok()) {
      std::cerr << status.message() << "\n";
      return 1;
    }
  }
  const bool good = RunMissing(*runs, options);
  PrintTable(*runs, ReadRows(options.rows));
  return good ? 0 : 1;
}

}  // namespace
}  // namespace hanas

int main(int argc, char** argv) {
  hanas::Options options;
  CLI::App app("Trains the arms of a study of the training recipe. Ctrl-C stops it; the same command goes on with what is missing.");
  app.add_option("--study", options.study, "YAML: data set, space, base, seeds and arms")->capture_default_str();
  app.add_option("--rows", options.rows, "CSV file that rows are appended to")->capture_default_str();
  app.add_option("--data", options.data, "The directory that holds the data set's")->required()->envname("HANAS_DATA_DIR");
  app.add_option("--commit", options.commit, "What is being studied, for the rows");
  app.add_option("--jobs", options.jobs, "Trainings at a time, one thread each")->capture_default_str()->check(CLI::Range(1, 64));
  app.add_option("--arm", options.arm, "Train only this arm, in this process");
  app.add_option("--seed", options.seed, "With --arm");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return hanas::Study(options);
}
