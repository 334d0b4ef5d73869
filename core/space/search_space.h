// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_CORE_SPACE_SEARCH_SPACE_H_
#define HANAS_CORE_SPACE_SEARCH_SPACE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/counter_random.h"
#include "core/base/digest.h"
#include "core/space/space_spec.h"

namespace hanas {

/// What a gene decides. Precision kinds are last: `kind >= kStemPrecision` says "bits, not topology".
enum class GeneKind : uint8_t {
  kResolution,
  kStemWidth,
  kStageWidth,
  kDepth,
  kKernel,
  kExpansion,
  kSqueezeExcite,
  kActivation,
  kHeadWidth,
  kStemPrecision,
  kExpandPrecision,
  kDepthwisePrecision,
  kProjectPrecision,
  kHeadPrecision,
  kHiddenPrecision,
  kClassifierPrecision,
};

/// One position of the genome: a choice among `num_choices`. The mutation alphabet of a space is its list of genes.
struct Gene {
  std::string name;  // "stages[1].blocks[0].kernel"
  GeneKind kind = GeneKind::kResolution;
  int num_choices = 1;
  int stage = -1;  // -1: not of a stage
  int block = -1;  // -1: not of a block
};

/// A point of a search space: for each gene the index of its choice. Canonical when every inactive gene (of a block beyond the stage's
/// depth, or of the expansion of a block without one) is 0; equal networks have equal canonical genes.
struct Architecture {
  std::vector<uint8_t> genes;
  friend auto operator<=>(const Architecture&, const Architecture&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Architecture& a) {
    return H::combine(std::move(state), a.genes);
  }
};

/// The decoded choices of one block.
struct BlockChoice {
  int kernel = 3;
  double expansion = 6;
  bool squeeze_excite = false;
  Activation activation = Activation::kRelu;
  Precision expand;
  Precision depthwise;
  Precision project;
  int width = 0;  // output channels: the stage's width gene
  int stride = 1;
  friend bool operator==(const BlockChoice&, const BlockChoice&) = default;
};

struct StemChoice {
  int resolution = 0;
  int width = 0;
  Precision precision;
};

struct HeadChoice {
  int width = 0;
  Precision conv;
  Precision hidden;
  Precision classifier;
};

/// A validated space: its genes in order, and the decoding of an Architecture. Gene order: resolution, stem, stages (width, depth, then
/// the genes of each block of the deepest choice), head.
///
/// Immutable, hence thread-safe. Copyable.
class SearchSpace {
 public:
  /// Returns INVALID_ARGUMENT with field violations below `path`.
  static absl::StatusOr<SearchSpace> Create(SpaceSpec spec, absl::string_view path = "space");

  const SpaceSpec& spec() const { return spec_; }
  const std::vector<Gene>& genes() const { return genes_; }
  /// Of the whole specification: equal spaces have equal digests.
  const Digest& digest() const { return digest_; }
  /// The number of distinct networks: exact up to 2^53, rounded above.
  long double NumNetworks() const;
  double Log10Size() const;
  /// All of them in canonical form, in lexicographic order of their genes. Requires that they fit in memory.
  std::vector<Architecture> AllNetworks() const;

  /// Returns INVALID_ARGUMENT unless `architecture` has one in-range choice for each gene.
  absl::Status CheckArchitecture(const Architecture& architecture) const;
  /// Sets inactive genes to 0. Requires CheckArchitecture.
  void Canonicalise(Architecture& architecture) const;
  bool IsActive(const Architecture& architecture, int gene) const;

  /// Uniform over the choices of every gene, then canonical.
  Architecture Random(CounterRandom& random) const;
  /// Last (largest), first (smallest) or middle choice of every topology gene; every precision gene takes its choice closest to
  /// `precision`. A gene with an even number of choices has two middles: such genes take the lower and the upper one in turn.
  Architecture Largest(Precision precision) const;
  Architecture Smallest(Precision precision) const;
  Architecture Middle(Precision precision) const;

  int Depth(const Architecture& architecture, int stage) const;
  StemChoice Stem(const Architecture& architecture) const;
  /// Requires 0 <= block < Depth(architecture, stage).
  BlockChoice Block(const Architecture& architecture, int stage, int block) const;
  HeadChoice Head(const Architecture& architecture) const;

  /// Of the space and the canonical genes.
  Digest ArchitectureDigest(const Architecture& architecture) const;
  /// One line: "r28 stem16/w8a8 | w24 d2: k3 e3 se hs w8a8,w16a16,w8a8; ... | head128/w8a8,w8a8".
  std::string ToReadable(const Architecture& architecture) const;
  /// A JSON object from active gene name to decoded choice, keys in gene order.
  std::string ToJson(const Architecture& architecture) const;
  /// Precisions in words, most common of each layer class: "pw 8 · dw 16 · last 4".
  std::string PrecisionSummary(const Architecture& architecture) const;
  /// The decoded choice as text: "28", "0.5", "true", "relu", "w4a8".
  std::string ChoiceName(int gene, int choice) const;

  // Index of genes, for readers that walk choices (key enumeration, encoding). The seven block genes are consecutive in the order kernel,
  // expansion, squeeze_excite, activation, expand, depthwise, project precision.
  int resolution_gene() const { return 0; }
  int stem_width_gene() const { return 1; }
  int stem_precision_gene() const { return 2; }
  int stage_width_gene(int stage) const { return stage_genes_[static_cast<size_t>(stage)]; }
  int depth_gene(int stage) const { return stage_width_gene(stage) + 1; }
  int block_gene(int stage, int block) const { return stage_width_gene(stage) + 2 + 7 * block; }
  int head_width_gene() const { return head_gene_; }
  int head_precision_gene() const { return head_gene_ + 1; }
  int hidden_precision_gene() const { return head_gene_ + 2; }
  int classifier_precision_gene() const { return head_gene_ + 3; }
  int num_stages() const { return static_cast<int>(spec_.stages.size()); }
  int max_depth(int stage) const { return static_cast<int>(spec_.stages[static_cast<size_t>(stage)].blocks.size()); }
  /// The choice that block genes (7 indices) and the stage's width choice decode to.
  BlockChoice DecodeBlock(int stage, int block, int width_choice, absl::Span<const uint8_t> genes) const;

 private:
  explicit SearchSpace(SpaceSpec spec);
  void AddGene(std::string name, GeneKind kind, size_t num_choices, int stage = -1, int block = -1);
  Architecture Corner(Precision precision, double position) const;

  SpaceSpec spec_;
  std::vector<Gene> genes_;
  std::vector<int> stage_genes_;
  int head_gene_ = 0;
  Digest digest_;
};

/// `value` rounded to the nearest multiple of `divisor`, never more than 10 % below (the rounding of MobileNet's reference code).
int MakeDivisible(double value, int divisor);

}  // namespace hanas

#endif  // HANAS_CORE_SPACE_SEARCH_SPACE_H_
