// SPDX-License-Identifier: Apache-2.0
#include "core/family/convnet/convnet_space.h"

#include <algorithm>
#include <map>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hanas {
namespace {

using Conditions = absl::InlinedVector<Condition, 2>;

/// What decides the meaning of choices besides the choices themselves. The version changes when equal choices come to mean other networks.
Digest Meaning(const SpaceSpec& spec) {
  constexpr int64_t kVersion = 1;
  DigestBuilder digest;
  digest.Add("convnet").Add(kVersion).Add(int64_t{spec.input_channels}).Add(int64_t{spec.num_classes});
  digest.Add(int64_t{spec.stem.kernel}).Add(int64_t{spec.stem.stride}).Add(static_cast<int64_t>(spec.stem.activation));
  for (const StageSpec& stage : spec.stages) digest.Add(int64_t{stage.stride});
  digest.Add(static_cast<int64_t>(spec.head.activation)).Add(int64_t{spec.head.hidden});
  return digest.Build();
}

/// Adds that `gene` takes one of those `choices` for which `holds` is true; nothing when it is true for all.
template <typename T, typename Holds>
void AddCondition(int gene, const std::vector<T>& choices, Holds holds, Conditions& conditions) {
  Condition condition = {.gene = gene};
  for (size_t i = 0; i < choices.size(); ++i) condition.choices |= uint64_t{holds(choices[i])} << i;
  if (!std::all_of(choices.begin(), choices.end(), holds)) conditions.push_back(condition);
}

/// Asks the questions of a specification in order: each becomes a gene of the unit that is being defined.
class Definer {
 public:
  explicit Definer(const SpaceSpec& spec) : spec_(spec) {}

  std::pair<std::vector<Gene>, std::vector<ConvnetUnit>> Define() && {
    DefineStem();
    for (size_t s = 0; s < spec_.stages.size(); ++s) DefineStage(static_cast<int>(s), spec_.stages[s]);
    DefineHead();
    return {std::move(genes_), std::move(units_)};
  }

 private:
  /// A gene of the current group, active under the current conditions. `word` says how a choice reads.
  template <typename T, typename ToWord>
  int Ask(absl::string_view name, const std::vector<T>& choices, ToWord word) {
    Gene gene = {.name = std::string(name), .group = group_, .active_if = conditions_};
    if constexpr (std::is_same_v<T, Precision>) gene.trait = Trait::kPrecision;
    for (const T& choice : choices) {
      gene.choices.push_back(AsChoice(choice));
      gene.words.push_back(word(choice));
    }
    genes_.push_back(std::move(gene));
    return static_cast<int>(genes_.size()) - 1;
  }

  static Choice AsChoice(int value) { return int64_t{value}; }
  static Choice AsChoice(double value) { return value; }
  static Choice AsChoice(bool value) { return value; }
  static Choice AsChoice(Activation value) { return std::string(Name(value)); }
  static Choice AsChoice(Precision value) { return value; }

  /// The word of a choice that reads as `before` and the choice itself.
  static auto Word(absl::string_view before) {
    return [before](const auto& choice) { return absl::StrCat(before, ChoiceText(AsChoice(choice))); };
  }

  ConvnetUnit NewUnit(const UnitId& id) const {
    ConvnetUnit unit;
    unit.id = id;
    unit.lowers_like = static_cast<int>(units_.size());
    return unit;
  }

  void DefineStem() {
    group_ = "stem";
    ConvnetUnit unit = NewUnit({.kind = UnitKind::kStem});
    unit.genes.push_back(Ask("resolution", spec_.resolutions, Word("r")));
    unit.genes.push_back(Ask("stem.width", spec_.stem.widths, Word(" stem")));
    unit.genes.push_back(Ask("stem.precision", spec_.stem.precisions, Word("/")));
    units_.push_back(std::move(unit));
  }

  void DefineStage(int s, const StageSpec& stage) {
    const std::string name = absl::StrCat("stages[", s, "]");
    group_ = name;
    const int width = Ask(name + ".width", stage.widths, Word(" | w"));
    const int depth = Ask(name + ".depth", stage.depths, Word(" d"));
    for (int b = 0; b < static_cast<int>(stage.blocks.size()); ++b) {
      group_ = absl::StrCat(name, ".blocks[", b, "]");
      AddCondition(depth, stage.depths, [b](int blocks) { return blocks > b; }, conditions_);
      DefineBlock({UnitKind::kBlock, s, b}, width, stage.blocks[static_cast<size_t>(b)]);
      conditions_.clear();
    }
  }

  void DefineBlock(const UnitId& id, int width, const BlockSpec& block) {
    const std::string name = group_ + ".";
    ConvnetUnit unit = NewUnit(id);
    unit.genes.push_back(width);
    unit.present_if.assign(conditions_.begin(), conditions_.end());
    // The first block of a stage has its stride.
    if (id.block > 1 && block == spec_.stages[static_cast<size_t>(id.stage)].blocks[static_cast<size_t>(id.block) - 1]) {
      unit.lowers_like = units_.back().lowers_like;
    }
    unit.genes.push_back(Ask(name + "kernel", block.kernels, Word(id.block == 0 ? ": k" : "; k")));
    const int expansion = Ask(name + "expansion", block.expansions, Word(" e"));
    unit.genes.push_back(expansion);
    unit.genes.push_back(Ask(name + "squeeze_excite", block.squeeze_excite, [](bool yes) { return yes ? " se" : ""; }));
    unit.genes.push_back(
        Ask(name + "activation", block.activations, [](Activation a) { return a == Activation::kRelu ? " re " : " hs "; }));
    if (block.expansions.back() != 1.0) {
      const Conditions of_block = conditions_;
      AddCondition(expansion, block.expansions, [](double times) { return times != 1.0; }, conditions_);
      unit.genes.push_back(
          Ask(name + "expand_precision", block.expand_precisions, [](Precision bits) { return absl::StrCat(ToString(bits), ","); }));
      conditions_ = of_block;
    }
    unit.genes.push_back(Ask(name + "depthwise_precision", block.depthwise_precisions, Word("")));
    unit.genes.push_back(Ask(name + "project_precision", block.project_precisions, Word(",")));
    units_.push_back(std::move(unit));
  }

  void DefineHead() {
    group_ = "head";
    const HeadSpec& head = spec_.head;
    ConvnetUnit unit = NewUnit({.kind = UnitKind::kHead});
    unit.genes.push_back(Ask("head.width", head.widths, Word(" | head")));
    unit.genes.push_back(Ask("head.precision", head.precisions, Word("/")));
    if (head.hidden > 0) {
      unit.genes.push_back(Ask("head.hidden_precision", head.hidden_precisions, Word(",")));
    } else {
      // There is no such layer, yet descriptions of networks have always named its bits.
      const std::vector<Precision> fixed(head.hidden_precisions.begin(), head.hidden_precisions.begin() + 1);
      unit.genes.push_back(Ask("head.hidden_precision", fixed, [](Precision) { return ""; }));
    }
    unit.genes.push_back(Ask("head.classifier_precision", head.classifier_precisions, Word(",")));
    units_.push_back(std::move(unit));
  }

  const SpaceSpec& spec_;
  std::string group_;
  Conditions conditions_;
  std::vector<Gene> genes_;
  std::vector<ConvnetUnit> units_;
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

int MakeDivisible(double value, int divisor) {
  int rounded = std::max(divisor, static_cast<int>(value + divisor / 2.0) / divisor * divisor);
  if (rounded < 0.9 * value) rounded += divisor;
  return rounded;
}

absl::StatusOr<ConvnetSpace> ConvnetSpace::Define(SpaceSpec spec, absl::string_view path) {
  FieldViolations violations;
  ValidateSpaceSpec(spec, path, violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  auto [genes, units] = Definer(spec).Define();
  absl::StatusOr<SearchSpace> space = SearchSpace::Create(spec.name, std::move(genes), Meaning(spec), absl::StrCat(path, ".genes"));
  if (!space.ok()) return space.status();
  for (ConvnetUnit& unit : units) unit.present_if = space->WithTheirOwn(unit.present_if);
  return ConvnetSpace(std::move(spec), *std::move(space), std::move(units));
}

BlockChoice ConvnetSpace::DecodeBlock(const UnitId& id, absl::Span<const uint8_t> choices) const {
  const StageSpec& stage = spec_.stages[static_cast<size_t>(id.stage)];
  const BlockSpec& block = stage.blocks[static_cast<size_t>(id.block)];
  const bool expands = block.expansions.back() != 1.0;
  const absl::Span<const uint8_t> behind = choices.subspan(expands ? 6 : 5);
  return {.kernel = block.kernels[choices[1]],
          .expansion = block.expansions[choices[2]],
          .squeeze_excite = block.squeeze_excite[choices[3]],
          .activation = block.activations[choices[4]],
          .expand = expands ? block.expand_precisions[choices[5]] : Precision{},
          .depthwise = block.depthwise_precisions[behind[0]],
          .project = block.project_precisions[behind[1]],
          .width = stage.widths[choices[0]],
          .stride = id.block == 0 ? stage.stride : 1};
}

UnitChoice ConvnetSpace::Decode(const ConvnetUnit& unit, absl::Span<const uint8_t> choices) const {
  switch (unit.id.kind) {
    case UnitKind::kStem:
      return StemChoice{spec_.resolutions[choices[0]], spec_.stem.widths[choices[1]], spec_.stem.precisions[choices[2]]};
    case UnitKind::kBlock:
      return DecodeBlock(unit.id, choices);
    case UnitKind::kHead:
      break;
  }
  return HeadChoice{spec_.head.widths[choices[0]], spec_.head.precisions[choices[1]], spec_.head.hidden_precisions[choices[2]],
                    spec_.head.classifier_precisions[choices[3]]};
}

std::vector<std::pair<UnitId, UnitChoice>> ConvnetSpace::UnitsOf(const Architecture& architecture) const {
  std::vector<std::pair<UnitId, UnitChoice>> units;
  absl::InlinedVector<uint8_t, 8> choices;
  for (const ConvnetUnit& unit : units_) {
    if (!SearchSpace::Hold(architecture, unit.present_if)) continue;
    choices.clear();
    for (const int gene : unit.genes) choices.push_back(architecture.genes[static_cast<size_t>(gene)]);
    units.emplace_back(unit.id, Decode(unit, choices));
  }
  return units;
}

int ConvnetSpace::ResolutionOf(const Architecture& architecture) const {
  return spec_.resolutions[architecture.genes[static_cast<size_t>(units_.front().genes.front())]];
}

std::string ConvnetSpace::PrecisionSummary(const Architecture& architecture) const {
  std::map<std::string, int> pointwise;
  std::map<std::string, int> depthwise;
  std::string last;
  for (const auto& [id, choice] : UnitsOf(architecture)) {
    if (const auto* block = std::get_if<BlockChoice>(&choice); block != nullptr) {
      if (block->expansion != 1.0) ++pointwise[ShortBits(block->expand)];
      ++pointwise[ShortBits(block->project)];
      ++depthwise[ShortBits(block->depthwise)];
    } else if (const auto* head = std::get_if<HeadChoice>(&choice); head != nullptr) {
      ++pointwise[ShortBits(head->conv)];
      last = ShortBits(head->classifier);
    }
  }
  return absl::StrCat("pw ", MostCommonBits(pointwise), pointwise.size() > 1 ? "*" : "", " · dw ", MostCommonBits(depthwise),
                      depthwise.size() > 1 ? "*" : "", " · last ", last);
}

}  // namespace hanas
