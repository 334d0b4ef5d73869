// SPDX-License-Identifier: Apache-2.0
#include "core/family/convnet/convnet_space.h"

#include <algorithm>
#include <map>

#include "absl/container/inlined_vector.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace hanas {
namespace {

using Conditions = absl::InlinedVector<Condition, 2>;

/// What decides the meaning of choices besides the choices themselves. The version changes when equal choices come to mean other networks.
Digest Meaning(const SpaceSpec& spec) {
  constexpr int64_t kVersion = 2;
  DigestBuilder digest;
  digest.Add("convnet").Add(kVersion).Add(int64_t{spec.input_channels}).Add(int64_t{spec.num_classes});
  const StemSpec& stem = spec.stem;
  digest.Add(int64_t{stem.kernel}).Add(int64_t{stem.stride}).Add(Name(stem.activation)).Add(stem.whitening).Add(stem.max_pool);
  for (const StageSpec& stage : spec.stages) {
    digest.Add(int64_t{stage.stride}).Add(stage.bottleneck).Add(int64_t{stage.groups}).Add(Name(stage.squeeze_style));
    // With one answer these are no genes.
    digest.Add(Name(stage.kinds.front())).Add(Name(stage.downsamples.front()));
  }
  const HeadSpec& head = spec.head;
  digest.Add(Name(head.activation)).Add(int64_t{head.hidden}).Add(head.hidden_bias).Add(Name(head.pools.front()));
  return digest.Add(static_cast<int64_t>(head.widths.size())).Build();
}

/// Adds that `gene` takes one of those `choices` for which `holds` is true; nothing when it is true for all.
template <typename T, typename Holds>
void AddCondition(int gene, const std::vector<T>& choices, Holds holds, Conditions& conditions) {
  Condition condition = {.gene = gene};
  for (size_t i = 0; i < choices.size(); ++i) condition.choices |= uint64_t{holds(choices[i])} << i;
  if (!std::all_of(choices.begin(), choices.end(), holds)) conditions.push_back(condition);
}

bool HasAny(const StageSpec& stage, std::initializer_list<BlockKind> kinds) {
  return std::any_of(stage.kinds.begin(), stage.kinds.end(),
                     [&](BlockKind kind) { return std::find(kinds.begin(), kinds.end(), kind) != kinds.end(); });
}

/// Asks the questions of a specification in order: each becomes a gene of the unit that is being defined.
class Definer {
 public:
  explicit Definer(const SpaceSpec& spec) : spec_(spec) {}

  void Define() {
    DefineStem();
    for (size_t s = 0; s < spec_.stages.size(); ++s) DefineStage(static_cast<int>(s), spec_.stages[s]);
    DefineHead();
  }

  std::vector<Gene> genes;
  std::vector<Unit> units;
  std::vector<UnitQuestions> questions;

 private:
  /// Who must see every choice of a gene, besides the cost tables, which see all.
  enum Sees : uint8_t { kNobody = 0, kWeights = 1, kContexts = 2, kEntering = 4, kLeaving = 8, kWeightBits = 16 };

  /// A gene of the current group, active under the current conditions. `word` says how a choice reads.
  template <typename T, typename ToWord>
  int Ask(absl::string_view name, const std::vector<T>& choices, ToWord word) {
    Gene gene = {.name = std::string(name), .group = group_, .active_if = conditions_};
    if constexpr (std::is_same_v<T, Precision>) gene.trait = Trait::kPrecision;
    for (const T& choice : choices) {
      gene.choices.push_back(AsChoice(choice));
      gene.words.push_back(word(choice));
    }
    genes.push_back(std::move(gene));
    return static_cast<int>(genes.size()) - 1;
  }

  /// The last unit reads `gene`. Returns the question's place.
  int Read(int gene, int seen_by) {
    Unit& unit = units.back();
    unit.genes.push_back(gene);
    if ((seen_by & kWeights) != 0) unit.weight_genes.push_back(gene);
    if ((seen_by & kContexts) != 0) unit.context_genes.push_back(gene);
    if ((seen_by & kEntering) != 0) entering_.push_back(gene);
    if ((seen_by & kLeaving) != 0) leaving_.push_back(gene);
    if ((seen_by & kWeightBits) != 0) unit.weight_bit_genes.push_back(gene);
    return static_cast<int>(unit.genes.size()) - 1;
  }

  static Choice AsChoice(int value) { return int64_t{value}; }
  static Choice AsChoice(double value) { return value; }
  static Choice AsChoice(bool value) { return value; }
  static Choice AsChoice(Precision value) { return value; }
  template <SpaceWord T>
  static Choice AsChoice(T value) {
    return std::string(Name(value));
  }

  /// The word of a choice that reads as `before` and the choice itself.
  static auto Word(absl::string_view before) {
    return [before](const auto& choice) { return absl::StrCat(before, ChoiceText(AsChoice(choice))); };
  }

  UnitQuestions& NewUnit(UnitQuestions::Part part, std::string name) {
    Unit unit;
    unit.name = std::move(name);
    unit.lowers_like = static_cast<int>(units.size());
    unit.present_if.assign(conditions_.begin(), conditions_.end());
    units.push_back(std::move(unit));
    entering_.clear();
    leaving_.clear();
    return questions.emplace_back(UnitQuestions{.part = part});
  }

  /// The operators of a unit show themselves in two halves, unless they are not known to.
  void FinishUnit(bool in_halves) {
    Unit& unit = units.back();
    unit.operator_genes = in_halves ? std::vector<std::vector<int>>{entering_, leaving_} : std::vector<std::vector<int>>{unit.genes};
  }

  void DefineStem() {
    group_ = "stem";
    UnitQuestions& at = NewUnit(UnitQuestions::Part::kStem, "stem");
    at.resolution = Read(Ask("resolution", spec_.resolutions, Word("r")), kContexts);
    at.width = Read(Ask("stem.width", spec_.stem.widths, Word(" stem")), kWeights | kContexts);
    at.precision = Read(Ask("stem.precision", spec_.stem.precisions, Word("/")), kContexts);
    FinishUnit(/*in_halves=*/false);
  }

  /// What all blocks of a stage have in common; -1: no question.
  struct StageGenes {
    int width = -1;
    int kind = -1;
    int downsample = -1;
  };

  void DefineStage(int s, const StageSpec& stage) {
    const std::string name = absl::StrCat("stages[", s, "]");
    group_ = name;
    StageGenes common;
    common.width = Ask(name + ".width", stage.widths, Word(" | w"));
    const int depth = Ask(name + ".depth", stage.depths, Word(" d"));
    if (stage.kinds.size() > 1) common.kind = Ask(name + ".kind", stage.kinds, Word(" "));
    if (stage.downsamples.size() > 1 && stage.stride > 1) {
      common.downsample = Ask(name + ".downsample", stage.downsamples, Word(" by "));
    }
    for (int b = 0; b < static_cast<int>(stage.blocks.size()); ++b) {
      group_ = absl::StrCat(name, ".blocks[", b, "]");
      AddCondition(depth, stage.depths, [b](int blocks) { return blocks > b; }, conditions_);
      DefineBlock(s, b, common);
      conditions_.clear();
    }
  }

  /// As Ask, while the stage's kind is one of `kinds`; -1 when it never is.
  template <typename T, typename ToWord>
  int AskKinds(const StageSpec& stage, int kind, std::initializer_list<BlockKind> kinds, absl::string_view name,
               const std::vector<T>& choices, ToWord word) {
    if (!HasAny(stage, kinds)) return -1;
    const Conditions before = conditions_;
    if (kind >= 0) {
      AddCondition(kind, stage.kinds, [&](BlockKind k) { return std::find(kinds.begin(), kinds.end(), k) != kinds.end(); }, conditions_);
    }
    const int gene = Ask(name, choices, word);
    conditions_ = before;
    return gene;
  }

  void DefineBlock(int s, int b, const StageGenes& common) {
    using enum BlockKind;
    const StageSpec& stage = spec_.stages[static_cast<size_t>(s)];
    const BlockSpec& block = stage.blocks[static_cast<size_t>(b)];
    const std::string name = group_ + ".";
    UnitQuestions& at = NewUnit(UnitQuestions::Part::kBlock, absl::StrCat("stages.", s, ".blocks.", b));
    at.stage = s;
    at.block = b;
    // The first block of a stage has its stride.
    if (b > 1 && block == stage.blocks[static_cast<size_t>(b) - 1]) units.back().lowers_like = units[units.size() - 2].lowers_like;
    const auto read = [&](int gene, int seen_by) { return gene < 0 ? -1 : Read(gene, seen_by); };
    constexpr int kAll = kWeights | kContexts | kEntering | kLeaving;

    at.width = Read(common.width, kWeights | kContexts | kLeaving);
    at.kind = read(common.kind, kAll);
    if (b == 0) at.downsample = read(common.downsample, kAll);
    at.kernel = Read(Ask(name + "kernel", block.kernels, Word(b == 0 ? ": k" : "; k")), kEntering);
    const int expansion = AskKinds(stage, common.kind, {kMbconv, kFusedMbconv}, name + "expansion", block.expansions, Word(" e"));
    at.expansion = read(expansion, kWeights | kEntering | kLeaving);
    at.squeeze_excite = read(AskKinds(stage, common.kind, {kMbconv, kFusedMbconv}, name + "squeeze_excite", block.squeeze_excite,
                                      [](bool yes) { return yes ? " se" : ""; }),
                             kWeights | kLeaving);
    at.activation = Read(Ask(name + "activation", block.activations, [](Activation a) { return ActivationWord(a); }), kEntering);
    at.expand_precision = read(AskFirstPrecision(stage, block, common.kind, expansion, name), kEntering);
    at.depthwise_precision = read(AskKinds(stage, common.kind, {kMbconv, kBottleneck}, name + "depthwise_precision",
                                           block.depthwise_precisions, [](Precision bits) { return ToString(bits) + ","; }),
                                  kEntering | kLeaving);
    at.project_precision = Read(Ask(name + "project_precision", block.project_precisions, Word("")), kContexts | kLeaving);
    FinishUnit(/*in_halves=*/!HasAny(stage, {kFusedMbconv, kResidual, kBottleneck, kConv}) &&
               stage.squeeze_style == SqueezeStyle::kMobileNetV3);
  }

  static std::string ActivationWord(Activation activation) {
    if (activation == Activation::kRelu) return " re ";
    if (activation == Activation::kHardSwish) return " hs ";
    return absl::StrCat(" ", Name(activation), " ");
  }

  /// Of the first of several convolutions, which an mbconv with expansion 1 does not have.
  int AskFirstPrecision(const StageSpec& stage, const BlockSpec& block, int kind, int expansion, const std::string& name) {
    using enum BlockKind;
    const auto word = [](Precision bits) { return ToString(bits) + ","; };
    const bool residual = HasAny(stage, {kResidual, kBottleneck});
    const bool expands = HasAny(stage, {kMbconv, kFusedMbconv}) && block.expansions.back() != 1.0;
    if (!expands) return AskKinds(stage, kind, {kResidual, kBottleneck}, name + "expand_precision", block.expand_precisions, word);
    const Conditions before = conditions_;
    if (!residual) AddCondition(expansion, block.expansions, [](double times) { return times != 1.0; }, conditions_);
    const int gene =
        AskKinds(stage, kind, {kMbconv, kFusedMbconv, kResidual, kBottleneck}, name + "expand_precision", block.expand_precisions, word);
    conditions_ = before;
    return gene;
  }

  void DefineHead() {
    group_ = "head";
    const HeadSpec& head = spec_.head;
    UnitQuestions& at = NewUnit(UnitQuestions::Part::kHead, "head");
    if (!head.widths.empty()) {
      at.width = Read(Ask("head.width", head.widths, Word(" | head")), kWeights | kContexts);
      at.precision = Read(Ask("head.precision", head.precisions, Word("/")), kContexts);
    }
    if (head.pools.size() > 1) at.pool = Read(Ask("head.pool", head.pools, Word(" ")), kContexts);
    if (head.hidden > 0) {
      at.hidden_precision = Read(Ask("head.hidden_precision", head.hidden_precisions, Word(",")), kWeightBits);
    } else if (!head.widths.empty()) {
      // There is no such layer, yet descriptions of networks have always named its bits.
      const std::vector<Precision> fixed(head.hidden_precisions.begin(), head.hidden_precisions.begin() + 1);
      at.hidden_precision = Read(Ask("head.hidden_precision", fixed, [](Precision) { return ""; }), kNobody);
    }
    at.classifier_precision =
        Read(Ask("head.classifier_precision", head.classifier_precisions, Word(head.widths.empty() ? " | last " : ",")), kWeightBits);
    FinishUnit(/*in_halves=*/false);
  }

  const SpaceSpec& spec_;
  std::string group_;
  Conditions conditions_;
  std::vector<int> entering_;
  std::vector<int> leaving_;
};

std::string MostCommonBits(const std::map<std::string, int>& counts) {
  const auto best = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return best == counts.end() ? std::string("-") : best->first;
}

/// "8" when weights and activations agree, else "4/16" (weights/activations).
std::string ShortBits(Precision p) {
  return p.weight_bits == p.activation_bits ? absl::StrCat(p.weight_bits) : absl::StrCat(p.weight_bits, "/", p.activation_bits);
}

}  // namespace

absl::StatusOr<ConvnetSpace> ConvnetSpace::Define(SpaceSpec spec, absl::string_view path) {
  FieldViolations violations;
  ValidateSpaceSpec(spec, path, violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  Definer definer(spec);
  definer.Define();
  absl::StatusOr<SearchSpace> space = SearchSpace::Create(spec.name, std::move(definer.genes), Meaning(spec), absl::StrCat(path, ".genes"));
  if (!space.ok()) return space.status();
  for (Unit& unit : definer.units) unit.present_if = space->WithTheirOwn(unit.present_if);
  return ConvnetSpace(std::move(spec), *std::move(space), std::move(definer.units), std::move(definer.questions));
}

std::vector<BlockKind> ConvnetSpace::KindsOf(const Architecture& architecture) const {
  std::vector<BlockKind> kinds;
  for (size_t u = 0; u < units_.size(); ++u) {
    const UnitQuestions& at = questions_[u];
    if (at.part != UnitQuestions::Part::kBlock || at.block != 0) continue;
    const std::vector<BlockKind>& choices = spec_.stages[static_cast<size_t>(at.stage)].kinds;
    kinds.push_back(at.kind < 0 ? choices.front()
                                : choices[architecture.genes[static_cast<size_t>(units_[u].genes[static_cast<size_t>(at.kind)])]]);
  }
  return kinds;
}

std::string ConvnetSpace::FieldOf(absl::string_view layer) const {
  if (absl::StartsWith(layer, "stages.")) {
    const std::vector<absl::string_view> parts = absl::StrSplit(layer, '.');
    return absl::StrCat("space.stages[", parts[1], "].widths");
  }
  if (layer == "classifier") return "space.num_classes";
  if (absl::StartsWith(layer, "head.hidden")) return "space.head.hidden";
  if (absl::StartsWith(layer, "head")) return "space.head.widths";
  return absl::StartsWith(layer, "stem") ? "space.stem.widths" : "space.resolutions";
}

namespace {

/// How many layers have which bits, one count for each kind of convolution, since they differ in what they cost.
struct BitCounts {
  std::map<std::string, int> dense;
  std::map<std::string, int> pointwise;
  std::map<std::string, int> depthwise;

  static void Add(std::map<std::string, int>& counts, std::string bits) {
    if (!bits.empty()) ++counts[std::move(bits)];  // else the network does not have the layer
  }
  /// A block whose layers have these bits; `widens` says that its expansion is more than 1.
  void AddBlock(BlockKind kind, bool widens, std::string expand, std::string middle, std::string project) {
    const bool thin = kind == BlockKind::kMbconv || kind == BlockKind::kBottleneck;
    Add(thin ? pointwise : dense, std::move(expand));
    Add(kind == BlockKind::kMbconv ? depthwise : dense, std::move(middle));
    Add(thin || (kind == BlockKind::kFusedMbconv && widens) ? pointwise : dense, std::move(project));
  }
};

}  // namespace

std::string ConvnetSpace::BitsAt(const Unit& unit, int place, const Architecture& architecture) const {
  if (place < 0 || !space_.IsActive(architecture, unit.genes[static_cast<size_t>(place)])) return "";
  const int gene = unit.genes[static_cast<size_t>(place)];
  return ShortBits(std::get<Precision>(space_.gene(gene).choices[architecture.genes[static_cast<size_t>(gene)]]));
}

bool ConvnetSpace::Widens(const UnitQuestions& at, const Unit& unit, const Architecture& architecture) const {
  const size_t choice = at.expansion < 0 ? 0 : architecture.genes[static_cast<size_t>(unit.genes[static_cast<size_t>(at.expansion)])];
  return spec_.stages[static_cast<size_t>(at.stage)].blocks[static_cast<size_t>(at.block)].expansions[choice] != 1.0;
}

std::string ConvnetSpace::Summary(const Architecture& architecture) const {
  BitCounts counts;
  std::string last;
  for (size_t u = 0; u < units_.size(); ++u) {
    const Unit& unit = units_[u];
    if (!SearchSpace::Hold(architecture, unit.present_if)) continue;
    const auto bits = [&](int place) { return BitsAt(unit, place, architecture); };
    const UnitQuestions& at = questions_[u];
    switch (at.part) {
      case UnitQuestions::Part::kStem:
        break;
      case UnitQuestions::Part::kBlock:
        counts.AddBlock(KindsOf(architecture)[static_cast<size_t>(at.stage)], Widens(at, unit, architecture), bits(at.expand_precision),
                        bits(at.depthwise_precision), bits(at.project_precision));
        break;
      case UnitQuestions::Part::kHead:
        BitCounts::Add(counts.pointwise, bits(at.precision));
        last = bits(at.classifier_precision);
        break;
    }
  }
  std::vector<std::string> parts;
  const std::vector<BlockKind> kinds = KindsOf(architecture);
  if (std::any_of(kinds.begin(), kinds.end(), [](BlockKind kind) { return kind != BlockKind::kMbconv; })) {
    parts.push_back(absl::StrJoin(kinds, ",", [](std::string* out, BlockKind kind) { absl::StrAppend(out, Name(kind)); }));
  }
  const auto add = [&](absl::string_view name, const std::map<std::string, int>& of_kind) {
    if (!of_kind.empty()) parts.push_back(absl::StrCat(name, " ", MostCommonBits(of_kind), of_kind.size() > 1 ? "*" : ""));
  };
  add("kxk", counts.dense);
  add("pw", counts.pointwise);
  add("dw", counts.depthwise);
  parts.push_back("last " + last);
  return absl::StrJoin(parts, " · ");
}

}  // namespace hanas
