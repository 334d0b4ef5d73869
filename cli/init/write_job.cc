// SPDX-License-Identifier: Apache-2.0
#include "cli/init/write_job.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "core/base/plain_name.h"
#include "core/base/quantity.h"
#include "core/base/text.h"

namespace hanas::cli {
namespace {

constexpr size_t kColumns = 110;

/// Text in double quotes, as YAML reads it, control characters escaped.
std::string Quoted(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&quoted, "\\", std::string(1, c));
    } else if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppendFormat(&quoted, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + "\"";
}

/// "[1, 2]" of whatever StrCat and the names of core/ can write.
template <typename T, typename Text>
std::string List(const std::vector<T>& values, Text text) {
  return absl::StrCat("[", absl::StrJoin(values, ", ", [&](std::string* out, const T& value) { absl::StrAppend(out, text(value)); }), "]");
}
std::string List(const std::vector<int>& values) { return absl::StrCat("[", absl::StrJoin(values, ", "), "]"); }
std::string List(const std::vector<double>& values) { return absl::StrCat("[", absl::StrJoin(values, ", "), "]"); }
std::string List(const std::vector<bool>& values) {
  return List(values, [](bool value) { return value ? "true" : "false"; });
}
std::string List(const std::vector<Precision>& values) {
  return List(values, [](Precision value) { return ToString(value); });
}
template <SpaceWord T>
std::string List(const std::vector<T>& values) {
  return List(values, [](T value) { return Name(value); });
}

/// Writes keys in order, each below its reason.
class Writer {
 public:
  explicit Writer(const DraftJob& draft) : draft_(draft) {}

  void Comment(absl::string_view text, int indent = 0) {
    const std::string one_line = absl::StrReplaceAll(text, {{"\n", " "}});
    std::string line;
    const std::string prefix = absl::StrCat(std::string(static_cast<size_t>(indent), ' '), "#");
    for (const absl::string_view word : absl::StrSplit(one_line, ' ')) {
      if (!line.empty() && prefix.size() + line.size() + 1 + word.size() > kColumns) {
        absl::StrAppend(&out_, prefix, line, "\n");
        line.clear();
      }
      absl::StrAppend(&line, " ", word);
    }
    absl::StrAppend(&out_, prefix, line, "\n");
  }
  void Line(absl::string_view text) { absl::StrAppend(&out_, text, "\n"); }
  void Section(absl::string_view name) {
    absl::StrAppend(&out_, "\n", name, ":\n");
    section_ = absl::StrCat(name, ".");
  }
  /// Why a key of the section, if there is one, is as it is.
  void Reason(absl::string_view name) {
    const auto reason = draft_.reasons.find(absl::StrCat(section_, name));
    if (reason != draft_.reasons.end()) Comment(Printable(reason->second), section_.empty() ? 0 : 2);
  }
  /// The reason, then the value; a key of the section, if there is one.
  template <typename T>
  void Key(absl::string_view name, const T& value) {
    const int indent = section_.empty() ? 0 : 2;
    Reason(name);
    absl::StrAppend(&out_, std::string(static_cast<size_t>(indent), ' '), name, ":",
                    absl::string_view(absl::StrCat(value)).empty() ? "" : " ", value, "\n");
  }
  std::string Take() { return std::move(out_); }

 private:
  const DraftJob& draft_;
  std::string out_;
  std::string section_;
};

void WriteSpace(const SpaceSpec& space, Writer& writer) {
  writer.Section("space");
  writer.Key("resolutions", List(space.resolutions));
  writer.Key("input_channels", space.input_channels);
  writer.Key("num_classes", space.num_classes);
  const std::vector<Precision>& precisions = space.stages.front().blocks.front().expand_precisions;
  writer.Key("precisions", List(precisions));
  writer.Key("stem", absl::StrCat("{widths: ", List(space.stem.widths), ", kernel: ", space.stem.kernel, ", stride: ", space.stem.stride,
                                  ", activation: ", Name(space.stem.activation), ", precisions: ", List(space.stem.precisions), "}"));
  writer.Key("stages", "");
  for (const char* const meaning :
       {"kinds: what a block is made of, a choice of the whole stage: conv is one dense convolution, mbconv a depthwise one between two of "
        "1x1.",
        "downsamples: whether a max-pool halves the picture or the stride of a convolution.",
        "widths: channels between the blocks of a stage; more are more accurate, larger and slower.", "depths: blocks of the stage.",
        "stride: 2 halves the picture, 1 keeps its size.",
        "kernels: sides of the convolution that sees neighbours; 5 sees further and costs up to three times as much.",
        "expansions: channels within an mbconv block, as a multiple of those between blocks.",
        "squeeze_excite: whether a block may weigh its channels by what the whole picture shows.",
        "activations: relu is the cheapest; hard_swish is often more accurate.",
        "depthwise_precisions: as precisions, of layers that hold few weights, where fewer bits than 8 save nothing."}) {
    writer.Comment(meaning, 4);
  }
  for (const StageSpec& stage : space.stages) {
    const BlockSpec& block = stage.blocks.front();
    writer.Line(absl::StrCat("    - kinds: ", List(stage.kinds)));
    writer.Line(absl::StrCat("      downsamples: ", List(stage.downsamples)));
    writer.Line(absl::StrCat("      widths: ", List(stage.widths)));
    writer.Line(absl::StrCat("      depths: ", List(stage.depths)));
    writer.Line(absl::StrCat("      stride: ", stage.stride));
    writer.Line(absl::StrCat("      kernels: ", List(block.kernels)));
    writer.Line(absl::StrCat("      expansions: ", List(block.expansions)));
    writer.Line(absl::StrCat("      squeeze_excite: ", List(block.squeeze_excite)));
    writer.Line(absl::StrCat("      activations: ", List(block.activations)));
    writer.Line(absl::StrCat("      depthwise_precisions: ", List(block.depthwise_precisions)));
  }
  if (space.head.widths.empty()) {
    writer.Key("head",
               absl::StrCat("{pools: ", List(space.head.pools), ", classifier_precisions: ", List(space.head.classifier_precisions), "}"));
    return;
  }
  writer.Key("head", absl::StrCat("{widths: ", List(space.head.widths), ", activation: ", Name(space.head.activation), ", precisions: ",
                                  List(space.head.precisions), ", classifier_precisions: ", List(space.head.classifier_precisions), "}"));
}

void WriteTarget(const TargetSpec& target, Writer& writer) {
  writer.Section("target");
  writer.Key("device", target.device);
  writer.Key("backend", target.backend);
  writer.Key("statistic", Name(target.statistic));
  writer.Reason("limits");
  writer.Line("  # limits: {latency: 1 ms, size: 200 kB, peak_memory: 2 MB}");
}

}  // namespace

std::string WriteJob(const DraftJob& draft, const std::string& command) {
  const SearchJob& job = draft.job;
  Writer writer(draft);
  writer.Comment(
      absl::StrCat("Written by `hanas init` for the data and the machine that it found. Edit it as you like; docs/job-file.md describes "
                   "every key, those that are left out here too. `hanas validate` checks it. To run it, in about ",
                   FormatSeconds(draft.run_seconds), " (a guess, good to a factor of two):"));
  // A path may hold a line break, after which nothing would be a comment.
  writer.Line(absl::StrCat("#   ", IsOneLine(command) ? command : "hanas run JOB.yaml --data DIR --out DIR", "\n"));
  writer.Key("name", Quoted(job.name));
  writer.Key("seed", job.seed);
  writer.Key("references", Name(job.references));
  const bool alone = !HasSupernet(job);
  if (alone) writer.Key("screening", Name(job.screening));
  writer.Section("dataset");
  writer.Key("name", Quoted(job.dataset.name));
  writer.Key("format", Name(job.dataset.format));
  writer.Key("directory", Quoted(job.dataset.directory));
  writer.Key("validation_images", job.dataset.validation_images);
  if (job.dataset.format == DatasetFormat::kImageFolder) writer.Key("fit", Name(job.dataset.fit));
  WriteSpace(job.space, writer);
  writer.Section("training");
  if (!alone) writer.Key("steps", job.training.steps);
  writer.Key("batch_size", job.training.batch_size);
  writer.Key("shards", job.training.shards);
  writer.Key("learning_rate", job.training.learning_rate);
  writer.Key("label_smoothing", job.training.label_smoothing);
  if (!alone) {
    writer.Key("phases", List(job.training.phases, [](const TrainingPhase& phase) {
                 return absl::StrCat("{until: ", phase.until, ", sampling: ", Name(phase.sampling), "}");
               }));
  }
  writer.Section("sampling");
  writer.Key("networks", job.sampling.networks);
  if (alone) writer.Key("steps", job.sampling.steps);
  writer.Key("validation_images", job.sampling.validation_images);
  writer.Key("calibration_images", job.sampling.calibration_images);
  writer.Section("evolution");
  writer.Key("rounds", job.evolution.rounds);
  writer.Key("evaluations_per_round", job.evolution.evaluations_per_round);
  writer.Section("fine_tune");
  writer.Key("members", job.fine_tune.members);
  writer.Key("steps", job.fine_tune.steps);
  if (!alone) writer.Key("learning_rate", job.fine_tune.learning_rate);
  writer.Section("final");
  writer.Key("members", job.final.members);
  writer.Key("steps", job.final.steps);
  writer.Section("measure");
  writer.Key("rounds", job.measure.rounds);
  writer.Key("calibration_networks", job.measure.calibration_networks);
  writer.Key("held_out_networks", job.measure.held_out_networks);
  WriteTarget(job.target, writer);
  return writer.Take();
}

}  // namespace hanas::cli
