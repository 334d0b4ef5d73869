// SPDX-License-Identifier: Apache-2.0
#include "core/space/search_space.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace hanas {
namespace {

constexpr int kGenesPerBlock = 7;
constexpr int kExpansionOffset = 1;
constexpr int kExpandPrecisionOffset = 4;

template <typename T>
void AddAll(const std::vector<T>& items, DigestBuilder& digest) {
  digest.Add(static_cast<int64_t>(items.size()));
  for (const auto& item : items) {
    if constexpr (std::is_same_v<T, Precision>) {
      digest.Add(item.weight_bits).Add(item.activation_bits);
    } else if constexpr (std::is_same_v<T, double>) {
      digest.Add(static_cast<int64_t>(std::llround(item * 1e6)));
    } else {
      digest.Add(static_cast<int64_t>(item));
    }
  }
}

Digest SpecDigest(const SpaceSpec& spec) {
  DigestBuilder digest;
  digest.Add("mobilenetv3").Add(spec.input_channels).Add(spec.num_classes);
  AddAll(spec.resolutions, digest);
  AddAll(spec.stem.widths, digest);
  digest.Add(spec.stem.kernel).Add(spec.stem.stride).Add(static_cast<int64_t>(spec.stem.activation));
  AddAll(spec.stem.precisions, digest);
  for (const StageSpec& stage : spec.stages) {
    AddAll(stage.widths, digest);
    AddAll(stage.depths, digest);
    digest.Add(stage.stride);
    for (const BlockSpec& block : stage.blocks) {
      AddAll(block.kernels, digest);
      AddAll(block.expansions, digest);
      AddAll(block.squeeze_excite, digest);
      AddAll(block.activations, digest);
      AddAll(block.expand_precisions, digest);
      AddAll(block.depthwise_precisions, digest);
      AddAll(block.project_precisions, digest);
    }
  }
  AddAll(spec.head.widths, digest);
  digest.Add(static_cast<int64_t>(spec.head.activation)).Add(spec.head.hidden);
  AddAll(spec.head.precisions, digest);
  AddAll(spec.head.hidden_precisions, digest);
  AddAll(spec.head.classifier_precisions, digest);
  return digest.Build();
}

const std::vector<Precision>* PrecisionsOf(const SpaceSpec& spec, const Gene& gene) {
  const BlockSpec* block = gene.block < 0 ? nullptr : &spec.stages[static_cast<size_t>(gene.stage)].blocks[static_cast<size_t>(gene.block)];
  switch (gene.kind) {
    case GeneKind::kStemPrecision:
      return &spec.stem.precisions;
    case GeneKind::kExpandPrecision:
      return &block->expand_precisions;
    case GeneKind::kDepthwisePrecision:
      return &block->depthwise_precisions;
    case GeneKind::kProjectPrecision:
      return &block->project_precisions;
    case GeneKind::kHeadPrecision:
      return &spec.head.precisions;
    case GeneKind::kHiddenPrecision:
      return &spec.head.hidden_precisions;
    case GeneKind::kClassifierPrecision:
      return &spec.head.classifier_precisions;
    default:
      return nullptr;
  }
}

/// Activation bits weigh more than weight bits: they change the arithmetic, weight bits only the resolution.
uint8_t ClosestPrecision(const std::vector<Precision>& choices, Precision wanted) {
  const auto distance = [&](Precision p) {
    return 100.0 * std::abs(std::log2(p.activation_bits) - std::log2(wanted.activation_bits)) +
           std::abs(std::log2(p.weight_bits) - std::log2(wanted.weight_bits));
  };
  const auto closest =
      std::min_element(choices.begin(), choices.end(), [&](Precision a, Precision b) { return distance(a) < distance(b); });
  return static_cast<uint8_t>(closest - choices.begin());
}

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

absl::StatusOr<SearchSpace> SearchSpace::Create(SpaceSpec spec, absl::string_view path) {
  FieldViolations violations;
  ValidateSpaceSpec(spec, path, violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return SearchSpace(std::move(spec));
}

void SearchSpace::AddGene(std::string name, GeneKind kind, size_t num_choices, int stage, int block) {
  genes_.push_back({std::move(name), kind, static_cast<int>(num_choices), stage, block});
}

SearchSpace::SearchSpace(SpaceSpec spec) : spec_(std::move(spec)), digest_(SpecDigest(spec_)) {
  AddGene("resolution", GeneKind::kResolution, spec_.resolutions.size());
  AddGene("stem.width", GeneKind::kStemWidth, spec_.stem.widths.size());
  AddGene("stem.precision", GeneKind::kStemPrecision, spec_.stem.precisions.size());
  for (int s = 0; s < num_stages(); ++s) {
    const StageSpec& stage = spec_.stages[static_cast<size_t>(s)];
    const std::string stage_name = absl::StrCat("stages[", s, "]");
    stage_genes_.push_back(static_cast<int>(genes_.size()));
    AddGene(stage_name + ".width", GeneKind::kStageWidth, stage.widths.size(), s);
    AddGene(stage_name + ".depth", GeneKind::kDepth, stage.depths.size(), s);
    for (int b = 0; b < max_depth(s); ++b) {
      const BlockSpec& block = stage.blocks[static_cast<size_t>(b)];
      const std::string name = absl::StrCat(stage_name, ".blocks[", b, "].");
      AddGene(name + "kernel", GeneKind::kKernel, block.kernels.size(), s, b);
      AddGene(name + "expansion", GeneKind::kExpansion, block.expansions.size(), s, b);
      AddGene(name + "squeeze_excite", GeneKind::kSqueezeExcite, block.squeeze_excite.size(), s, b);
      AddGene(name + "activation", GeneKind::kActivation, block.activations.size(), s, b);
      AddGene(name + "expand_precision", GeneKind::kExpandPrecision, block.expand_precisions.size(), s, b);
      AddGene(name + "depthwise_precision", GeneKind::kDepthwisePrecision, block.depthwise_precisions.size(), s, b);
      AddGene(name + "project_precision", GeneKind::kProjectPrecision, block.project_precisions.size(), s, b);
    }
  }
  head_gene_ = static_cast<int>(genes_.size());
  AddGene("head.width", GeneKind::kHeadWidth, spec_.head.widths.size());
  AddGene("head.precision", GeneKind::kHeadPrecision, spec_.head.precisions.size());
  AddGene("head.hidden_precision", GeneKind::kHiddenPrecision, spec_.head.hidden > 0 ? spec_.head.hidden_precisions.size() : 1);
  AddGene("head.classifier_precision", GeneKind::kClassifierPrecision, spec_.head.classifier_precisions.size());
}

long double SearchSpace::NumNetworks() const {
  const auto choices = [&](int gene) { return static_cast<long double>(genes_[static_cast<size_t>(gene)].num_choices); };
  long double networks = 1;
  for (const int gene :
       {resolution_gene(), stem_width_gene(), stem_precision_gene(), head_gene_, head_gene_ + 1, head_gene_ + 2, head_gene_ + 3}) {
    networks *= choices(gene);
  }
  for (int s = 0; s < num_stages(); ++s) {
    const StageSpec& stage = spec_.stages[static_cast<size_t>(s)];
    long double of_stage = 0;  // sum over depths of the product over blocks
    long double product = 1;
    for (int b = 0; b < max_depth(s); ++b) {
      const int first = block_gene(s, b);
      long double block = 0;
      for (const double expansion : stage.blocks[static_cast<size_t>(b)].expansions) {
        block += expansion == 1.0 ? 1 : choices(first + kExpandPrecisionOffset);
      }
      for (const int offset : {0, 2, 3, 5, 6}) block *= choices(first + offset);
      product *= block;
      if (std::find(stage.depths.begin(), stage.depths.end(), b + 1) != stage.depths.end()) of_stage += product;
    }
    networks *= choices(stage_width_gene(s)) * of_stage;
  }
  return networks;
}

double SearchSpace::Log10Size() const { return static_cast<double>(std::log10(NumNetworks())); }

std::vector<Architecture> SearchSpace::AllNetworks() const {
  std::vector<Architecture> all;
  Architecture next = {.genes = std::vector<uint8_t>(genes_.size(), 0)};
  const auto advance = [&] {
    // Whether a gene is active follows from the genes before it, so that those behind an increased one begin at 0 again.
    for (size_t i = genes_.size(); i-- > 0; next.genes[i] = 0) {
      if (next.genes[i] + 1 >= genes_[i].num_choices || !IsActive(next, static_cast<int>(i))) continue;
      ++next.genes[i];
      return true;
    }
    return false;
  };
  do {
    all.push_back(next);
  } while (advance());
  return all;
}

absl::Status SearchSpace::CheckArchitecture(const Architecture& architecture) const {
  if (architecture.genes.size() != genes_.size()) {
    return absl::InvalidArgumentError(absl::StrCat("architecture.genes: expected ", genes_.size(), " genes for space \"", spec_.name,
                                                   "\", found ", architecture.genes.size()));
  }
  for (size_t i = 0; i < genes_.size(); ++i) {
    if (architecture.genes[i] >= genes_[i].num_choices) {
      return absl::InvalidArgumentError(absl::StrCat("architecture.genes[", i, "]: expected a choice of ", genes_[i].name, " below ",
                                                     genes_[i].num_choices, ", found ", architecture.genes[i]));
    }
  }
  return absl::OkStatus();
}

bool SearchSpace::IsActive(const Architecture& architecture, int gene) const {
  const Gene& g = genes_[static_cast<size_t>(gene)];
  if (g.block < 0) return true;
  if (g.block >= Depth(architecture, g.stage)) return false;
  if (g.kind != GeneKind::kExpandPrecision) return true;
  const BlockSpec& block = spec_.stages[static_cast<size_t>(g.stage)].blocks[static_cast<size_t>(g.block)];
  const uint8_t choice = architecture.genes[static_cast<size_t>(block_gene(g.stage, g.block) + kExpansionOffset)];
  return block.expansions[choice] != 1.0;
}

void SearchSpace::Canonicalise(Architecture& architecture) const {
  for (int i = 0; i < static_cast<int>(genes_.size()); ++i) {
    if (!IsActive(architecture, i)) architecture.genes[static_cast<size_t>(i)] = 0;
  }
}

Architecture SearchSpace::Random(CounterRandom& random) const {
  Architecture architecture;
  architecture.genes.reserve(genes_.size());
  for (const Gene& gene : genes_) {
    architecture.genes.push_back(static_cast<uint8_t>(random.UniformInt(static_cast<uint64_t>(gene.num_choices))));
  }
  Canonicalise(architecture);
  return architecture;
}

Architecture SearchSpace::Corner(Precision precision, double position) const {
  Architecture architecture;
  bool up = false;
  for (const Gene& gene : genes_) {
    const std::vector<Precision>* precisions = PrecisionsOf(spec_, gene);
    const bool fixed = gene.num_choices == 1;
    if (precisions != nullptr) {
      architecture.genes.push_back(fixed ? 0 : ClosestPrecision(*precisions, precision));
    } else {
      const double choice = position * (gene.num_choices - 1);
      const bool halfway = choice != std::floor(choice);
      architecture.genes.push_back(static_cast<uint8_t>(halfway && up ? std::ceil(choice) : std::floor(choice)));
      if (halfway) up = !up;
    }
  }
  Canonicalise(architecture);
  return architecture;
}

Architecture SearchSpace::Largest(Precision precision) const { return Corner(precision, 1.0); }
Architecture SearchSpace::Smallest(Precision precision) const { return Corner(precision, 0.0); }
Architecture SearchSpace::Middle(Precision precision) const { return Corner(precision, 0.5); }

int SearchSpace::Depth(const Architecture& architecture, int stage) const {
  return spec_.stages[static_cast<size_t>(stage)].depths[architecture.genes[static_cast<size_t>(depth_gene(stage))]];
}

StemChoice SearchSpace::Stem(const Architecture& a) const {
  return {spec_.resolutions[a.genes[0]], spec_.stem.widths[a.genes[1]], spec_.stem.precisions[a.genes[2]]};
}

BlockChoice SearchSpace::DecodeBlock(int stage, int block, int width_choice, absl::Span<const uint8_t> genes) const {
  const StageSpec& stage_spec = spec_.stages[static_cast<size_t>(stage)];
  const BlockSpec& spec = stage_spec.blocks[static_cast<size_t>(block)];
  return {.kernel = spec.kernels[genes[0]],
          .expansion = spec.expansions[genes[1]],
          .squeeze_excite = spec.squeeze_excite[genes[2]],
          .activation = spec.activations[genes[3]],
          .expand = spec.expand_precisions[genes[4]],
          .depthwise = spec.depthwise_precisions[genes[5]],
          .project = spec.project_precisions[genes[6]],
          .width = stage_spec.widths[static_cast<size_t>(width_choice)],
          .stride = block == 0 ? stage_spec.stride : 1};
}

BlockChoice SearchSpace::Block(const Architecture& a, int stage, int block) const {
  return DecodeBlock(stage, block, a.genes[static_cast<size_t>(stage_width_gene(stage))],
                     absl::MakeConstSpan(a.genes).subspan(static_cast<size_t>(block_gene(stage, block)), kGenesPerBlock));
}

HeadChoice SearchSpace::Head(const Architecture& a) const {
  const uint8_t* genes = a.genes.data() + head_gene_;
  return {spec_.head.widths[genes[0]], spec_.head.precisions[genes[1]], spec_.head.hidden_precisions[genes[2]],
          spec_.head.classifier_precisions[genes[3]]};
}

Digest SearchSpace::ArchitectureDigest(const Architecture& architecture) const {
  Architecture canonical = architecture;
  Canonicalise(canonical);
  DigestBuilder digest;
  digest.Add(digest_);
  for (const uint8_t gene : canonical.genes) digest.Add(gene);
  return digest.Build();
}

std::string SearchSpace::ChoiceName(int gene_index, int choice) const {
  const Gene& gene = genes_[static_cast<size_t>(gene_index)];
  const auto at = static_cast<size_t>(choice);
  if (const std::vector<Precision>* precisions = PrecisionsOf(spec_, gene); precisions != nullptr) return ToString((*precisions)[at]);
  const StageSpec* stage = gene.stage < 0 ? nullptr : &spec_.stages[static_cast<size_t>(gene.stage)];
  const BlockSpec* block = gene.block < 0 ? nullptr : &stage->blocks[static_cast<size_t>(gene.block)];
  switch (gene.kind) {
    case GeneKind::kResolution:
      return absl::StrCat(spec_.resolutions[at]);
    case GeneKind::kStemWidth:
      return absl::StrCat(spec_.stem.widths[at]);
    case GeneKind::kStageWidth:
      return absl::StrCat(stage->widths[at]);
    case GeneKind::kDepth:
      return absl::StrCat(stage->depths[at]);
    case GeneKind::kKernel:
      return absl::StrCat(block->kernels[at]);
    case GeneKind::kExpansion:
      return absl::StrFormat("%g", block->expansions[at]);
    case GeneKind::kSqueezeExcite:
      return block->squeeze_excite[at] ? "true" : "false";
    case GeneKind::kActivation:
      return std::string(Name(block->activations[at]));
    case GeneKind::kHeadWidth:
      return absl::StrCat(spec_.head.widths[at]);
    default:
      return "";
  }
}

std::string SearchSpace::ToReadable(const Architecture& a) const {
  const StemChoice stem = Stem(a);
  std::string text = absl::StrCat("r", stem.resolution, " stem", stem.width, "/", ToString(stem.precision), " |");
  for (int s = 0; s < num_stages(); ++s) {
    absl::StrAppend(&text, " w", Block(a, s, 0).width, " d", Depth(a, s), ":");
    for (int b = 0; b < Depth(a, s); ++b) {
      const BlockChoice block = Block(a, s, b);
      absl::StrAppend(&text, b > 0 ? ";" : "", " k", block.kernel, absl::StrFormat(" e%g", block.expansion),
                      block.squeeze_excite ? " se" : "", block.activation == Activation::kHardSwish ? " hs " : " re ");
      if (block.expansion != 1.0) absl::StrAppend(&text, ToString(block.expand), ",");
      absl::StrAppend(&text, ToString(block.depthwise), ",", ToString(block.project));
    }
    absl::StrAppend(&text, " |");
  }
  const HeadChoice head = Head(a);
  absl::StrAppend(&text, " head", head.width, "/", ToString(head.conv));
  if (spec_.head.hidden > 0) absl::StrAppend(&text, ",", ToString(head.hidden));
  absl::StrAppend(&text, ",", ToString(head.classifier));
  return text;
}

std::string SearchSpace::ToJson(const Architecture& a) const {
  std::vector<std::string> members;
  for (int i = 0; i < static_cast<int>(genes_.size()); ++i) {
    if (!IsActive(a, i)) continue;
    const Gene& gene = genes_[static_cast<size_t>(i)];
    const bool text = gene.kind == GeneKind::kActivation || gene.kind >= GeneKind::kStemPrecision;
    const std::string choice = ChoiceName(i, a.genes[static_cast<size_t>(i)]);
    members.push_back(text ? absl::StrCat("\"", gene.name, "\": \"", choice, "\"") : absl::StrCat("\"", gene.name, "\": ", choice));
  }
  return absl::StrCat("{", absl::StrJoin(members, ", "), "}");
}

std::string SearchSpace::PrecisionSummary(const Architecture& a) const {
  std::map<std::string, int> pointwise;
  std::map<std::string, int> depthwise;
  for (int s = 0; s < num_stages(); ++s) {
    for (int b = 0; b < Depth(a, s); ++b) {
      const BlockChoice block = Block(a, s, b);
      if (block.expansion != 1.0) ++pointwise[ShortBits(block.expand)];
      ++pointwise[ShortBits(block.project)];
      ++depthwise[ShortBits(block.depthwise)];
    }
  }
  const HeadChoice head = Head(a);
  ++pointwise[ShortBits(head.conv)];
  return absl::StrCat("pw ", MostCommonBits(pointwise), pointwise.size() > 1 ? "*" : "", " · dw ", MostCommonBits(depthwise),
                      depthwise.size() > 1 ? "*" : "", " · last ", ShortBits(head.classifier));
}

}  // namespace hanas
