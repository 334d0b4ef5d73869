// SPDX-License-Identifier: Apache-2.0
#include "core/lowering/unit_walk.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/container/node_hash_map.h"
#include "absl/functional/function_ref.h"

namespace hanas {
namespace {

/// What is known in front of a unit: the context, and the choice of each carried gene.
struct State {
  int32_t context = kStartContext;
  std::string carried;  // one character for the index of each choice
  friend auto operator<=>(const State&, const State&) = default;
};

/// What a walk is to show, slots included.
enum class Purpose : uint8_t { kNetworks, kOperators, kContexts, kWeights };

/// The choices of a gene that a walk tries, ascending; the first one is always among them.
absl::InlinedVector<uint8_t, 8> TriedChoices(const Gene& gene, bool one_for_each_type) {
  absl::InlinedVector<uint8_t, 8> tried;
  for (int i = 0; i < gene.num_choices(); ++i) {
    const auto same_type = [&](uint8_t other) {
      return std::get<Precision>(gene.choices[other]).activation_bits ==
             std::get<Precision>(gene.choices[static_cast<size_t>(i)]).activation_bits;
    };
    if (one_for_each_type && gene.trait == Trait::kPrecision && std::any_of(tried.begin(), tried.end(), same_type)) continue;
    tried.push_back(static_cast<uint8_t>(i));
  }
  return tried;
}

/// Steps through the combinations of the tried choices of some genes within `network`, the last gene fastest.
class Combinations {
 public:
  Combinations(const SearchSpace& space, const std::vector<int>& genes, const std::vector<int>& exact, bool one_for_each_type)
      : space_(space) {
    for (const int gene : genes) {
      const bool all = std::find(exact.begin(), exact.end(), gene) != exact.end();
      genes_.push_back({gene, TriedChoices(space.gene(gene), one_for_each_type && !all), 0});
    }
  }

  void Begin(Architecture& network) {
    for (Tried& tried : genes_) {
      tried.position = 0;
      network.genes[static_cast<size_t>(tried.gene)] = 0;
    }
  }
  /// False behind the last one, which leaves all at 0.
  bool Advance(Architecture& network) {
    for (size_t i = genes_.size(); i-- > 0;) {
      Tried& tried = genes_[i];
      uint8_t& choice = network.genes[static_cast<size_t>(tried.gene)];
      if (++tried.position < tried.choices.size()) {
        choice = tried.choices[tried.position];
        return true;
      }
      tried.position = 0;
      choice = 0;
    }
    return false;
  }
  bool AreCanonical(const Architecture& network) const {
    return std::all_of(genes_.begin(), genes_.end(), [&](const Tried& tried) {
      return network.genes[static_cast<size_t>(tried.gene)] == 0 || space_.IsActive(network, tried.gene);
    });
  }

 private:
  struct Tried {
    int gene;
    absl::InlinedVector<uint8_t, 8> choices;
    size_t position;
  };
  const SearchSpace& space_;
  std::vector<Tried> genes_;
};

class Walker {
 public:
  using LowerUnit = absl::FunctionRef<Fragment(size_t, const LoweringContext&, absl::Span<const uint8_t>)>;

  Walker(const FamilySpace& family, Purpose purpose, LowerUnit lower, UnitVisitor& visitor)
      : family_(family), space_(family.space()), purpose_(purpose), lower_(lower), visitor_(visitor), contexts_(1), states_({State{}}) {
    network_.genes.assign(space_.genes().size(), 0);
    last_reader_.assign(space_.genes().size(), 0);
    for (size_t u = 0; u < family_.units().size(); ++u) {
      for (const int gene : GenesOf(family_.units()[u])) last_reader_[static_cast<size_t>(gene)] = u;
    }
  }

  bool Run() {
    for (size_t u = 0; u < family_.units().size(); ++u) {
      if (!Walk(u)) return false;
    }
    return true;
  }

 private:
  /// All that a unit depends on: its genes, what they depend on, and what decides whether it is there.
  std::set<int> GenesOf(const Unit& unit) const {
    std::set<int> genes(unit.genes.begin(), unit.genes.end());
    for (const Condition& condition : unit.present_if) genes.insert(condition.gene);
    for (const int gene : unit.genes) {
      for (const Condition& condition : space_.WithTheirOwn(space_.gene(gene).active_if)) genes.insert(condition.gene);
    }
    return genes;
  }

  /// The lists of genes whose choices are to be combined.
  std::vector<std::vector<int>> ListsOf(const Unit& unit) const {
    switch (purpose_) {
      case Purpose::kNetworks:
        break;
      case Purpose::kOperators:
        return unit.operator_genes;
      case Purpose::kContexts:
        return {unit.context_genes};
      case Purpose::kWeights:
        return {unit.weight_genes};
    }
    return {unit.genes};
  }

  Combinations Combine(const Unit& unit, const std::vector<int>& genes) const {
    return {space_, genes, unit.weight_bit_genes, purpose_ == Purpose::kOperators || purpose_ == Purpose::kContexts};
  }

  bool IsCarried(int gene) const { return std::binary_search(carried_.begin(), carried_.end(), gene); }

  void Load(const State& state) {
    for (size_t i = 0; i < carried_.size(); ++i) network_.genes[static_cast<size_t>(carried_[i])] = static_cast<uint8_t>(state.carried[i]);
  }

  /// Whether a network in this state may yet have the unit.
  bool MayHave(const Unit& unit) const {
    return std::all_of(unit.present_if.begin(), unit.present_if.end(), [&](const Condition& condition) {
      return !IsCarried(condition.gene) || condition.Allows(network_.genes[static_cast<size_t>(condition.gene)]);
    });
  }

  /// How the unit is met: contexts, each with those choices of its genes that are made already.
  std::set<State> Meetings(const Unit& unit) {
    std::set<State> meetings;
    for (const State& state : states_) {
      Load(state);
      if (!MayHave(unit)) continue;
      State meeting = {.context = state.context, .carried = {}};
      for (const int gene : unit.genes) {
        meeting.carried.push_back(IsCarried(gene) ? static_cast<char>(network_.genes[static_cast<size_t>(gene)]) : kNotYet);
      }
      meetings.insert(std::move(meeting));
    }
    return meetings;
  }

  /// The genes that a unit depends on and no unit before it read, by who reads them afterwards.
  struct NewGenes {
    std::vector<int> kept;  // a later unit reads them too
    std::vector<int> own;   // no later one does
  };
  NewGenes NewGenesOf(size_t u) const {
    NewGenes genes;
    for (const int gene : GenesOf(family_.units()[u])) {
      if (!IsCarried(gene)) (last_reader_[static_cast<size_t>(gene)] > u ? genes.kept : genes.own).push_back(gene);
    }
    return genes;
  }

  /// The genes that are part of a state behind unit `u`.
  std::vector<int> CarriedBehind(size_t u, const std::vector<int>& kept) const {
    std::vector<int> carried;
    std::set_union(carried_.begin(), carried_.end(), kept.begin(), kept.end(), std::back_inserter(carried));
    carried.erase(std::remove_if(carried.begin(), carried.end(), [&](int gene) { return last_reader_[static_cast<size_t>(gene)] <= u; }),
                  carried.end());
    return carried;
  }

  /// One of the lists of genes whose choices a unit combines.
  struct Inner {
    Combinations combinations;  // of its genes that no later unit reads
    std::vector<int> fixed;     // that a later unit reads and it leaves at their first choice
  };
  std::vector<Inner> InnersOf(const Unit& unit, const NewGenes& genes) const {
    std::vector<Inner> inners;
    for (const std::vector<int>& list : ListsOf(unit)) {
      std::vector<int> varied;
      // A gene that the unit does not read decides whether it is there, or whether a question of its arises.
      std::copy_if(genes.own.begin(), genes.own.end(), std::back_inserter(varied),
                   [&](int gene) { return Contains(list, gene) || !Contains(unit.genes, gene); });
      std::vector<int> fixed;
      std::copy_if(genes.kept.begin(), genes.kept.end(), std::back_inserter(fixed),
                   [&](int gene) { return Contains(unit.genes, gene) && !Contains(list, gene); });
      inners.push_back({Combine(unit, varied), std::move(fixed)});
    }
    return inners;
  }

  bool Walk(size_t u) {
    const Unit& unit = family_.units()[u];
    std::set<State> meetings = Meetings(unit);
    const bool alike = purpose_ != Purpose::kWeights && u > 0 && unit.lowers_like == family_.units()[u - 1].lowers_like;
    if (alike && meetings == meetings_) {
      if (!visitor_.Repeat(u)) return false;
    } else if (!Begin(u, std::move(meetings))) {
      return false;
    }

    const NewGenes genes = NewGenesOf(u);
    std::vector<int> carried = CarriedBehind(u, genes.kept);
    std::vector<Inner> inners = InnersOf(unit, genes);
    Combinations outer = Combine(unit, genes.kept);
    std::set<State> next;
    for (const State& state : states_) {
      Load(state);
      outer.Begin(network_);
      do {
        if (outer.AreCanonical(network_) && !LeaveInto(u, state.context, inners, carried, next)) return false;
      } while (outer.Advance(network_));
    }
    carried_ = std::move(carried);
    states_ = std::move(next);
    return true;
  }

  /// Adds the states behind unit `u` with the choices of the network and each combination of `inners` to `next`; false when the visitor has
  /// had enough.
  bool LeaveInto(size_t u, int32_t context, std::vector<Inner>& inners, const std::vector<int>& carried, std::set<State>& next) {
    absl::InlinedVector<int32_t, 4> leaving;
    for (Inner& inner : inners) {
      // These genes stay at their first choice in this list: with any other choice it would only say again what it said with the first.
      const bool repeats =
          std::any_of(inner.fixed.begin(), inner.fixed.end(), [&](int gene) { return network_.genes[static_cast<size_t>(gene)] != 0; });
      if (!repeats && !Leave(u, context, inner.combinations, leaving)) return false;
    }
    for (const int32_t behind : leaving) {
      State reached = {.context = behind, .carried = {}};
      for (const int gene : carried) reached.carried.push_back(static_cast<char>(network_.genes[static_cast<size_t>(gene)]));
      next.insert(std::move(reached));
    }
    return true;
  }

  static bool Contains(const std::vector<int>& list, int gene) { return std::find(list.begin(), list.end(), gene) != list.end(); }

  /// Adds the contexts behind unit `u` with these combinations of choices to `leaving`; false when the visitor has had enough.
  bool Leave(size_t u, int32_t context, Combinations& combinations, absl::InlinedVector<int32_t, 4>& leaving) {
    const Unit& unit = family_.units()[u];
    combinations.Begin(network_);
    do {
      if (!combinations.AreCanonical(network_)) continue;
      const int32_t behind = SearchSpace::Hold(network_, unit.present_if) ? Behind(u, context) : context;
      if (behind < 0) return false;
      if (std::find(leaving.begin(), leaving.end(), behind) == leaving.end()) leaving.push_back(behind);
    } while (combinations.Advance(network_));
    return true;
  }

  bool Begin(size_t u, std::set<State> meetings) {
    const Unit& unit = family_.units()[u];
    meetings_ = std::move(meetings);
    std::vector<int32_t> met;
    for (const State& meeting : meetings_) {
      if (met.empty() || met.back() != meeting.context) met.push_back(meeting.context);
    }
    std::vector<int> open;
    std::copy_if(unit.genes.begin(), unit.genes.end(), std::back_inserter(open), [&](int gene) { return !IsCarried(gene); });
    if (!visitor_.Enter({.unit = u, .contexts = met, .meetings = static_cast<int64_t>(meetings_.size()), .open_genes = open})) return false;
    behind_.clear();
    dense_ = purpose_ == Purpose::kNetworks;
    if (!dense_) return true;
    local_context_.assign(contexts_.size(), -1);
    for (size_t i = 0; i < met.size(); ++i) local_context_[static_cast<size_t>(met[i])] = static_cast<int64_t>(i);
    int64_t num_choices = 1;
    for (const int gene : unit.genes) num_choices *= space_.gene(gene).num_choices();
    dense_behind_.assign(met.size() * static_cast<size_t>(num_choices), kNotYetLowered);
    return true;
  }

  /// Where the context behind the unit is remembered for the choices of the network.
  int32_t& Remembered(int32_t context, absl::Span<const uint8_t> choices, const Unit& unit) {
    if (!dense_) {
      std::string key(reinterpret_cast<const char*>(&context), sizeof(context));
      key.append(reinterpret_cast<const char*>(choices.data()), choices.size());
      return behind_.emplace(std::move(key), kNotYetLowered).first->second;
    }
    int64_t index = local_context_[static_cast<size_t>(context)];
    for (size_t i = 0; i < choices.size(); ++i) index = index * space_.gene(unit.genes[i]).num_choices() + choices[i];
    return dense_behind_[static_cast<size_t>(index)];
  }

  /// The context behind unit `u` with the choices of the network; -1 when the visitor has had enough.
  int32_t Behind(size_t u, int32_t context) {
    const Unit& unit = family_.units()[u];
    const absl::InlinedVector<uint8_t, 16> choices = ChoicesOf(unit, network_);
    int32_t& behind = Remembered(context, choices, unit);
    if (behind != kNotYetLowered) return behind;
    // Of what stands in front of the first unit, only its own choices tell.
    const LoweringContext before = u == 0 ? family_.Input(choices) : contexts_[static_cast<size_t>(context)];
    const Fragment fragment = lower_(u, before, choices);
    behind = NumberOf(fragment.next);
    const LoweredUnit lowered = {.unit = u, .context = context, .choices = choices, .fragment = fragment, .next = behind, .before = before};
    return visitor_.Visit(lowered) ? behind : -1;
  }

  int32_t NumberOf(const LoweringContext& context) {
    const auto [at, is_new] = numbers_.emplace(context, static_cast<int32_t>(contexts_.size()));
    if (is_new) contexts_.push_back(context);
    return at->second;
  }

  static constexpr char kNotYet = 127;
  static constexpr int32_t kNotYetLowered = -1;

  const FamilySpace& family_;
  const SearchSpace& space_;
  const Purpose purpose_;
  LowerUnit lower_;
  UnitVisitor& visitor_;
  std::vector<size_t> last_reader_;  // of each gene, the last unit
  std::vector<LoweringContext> contexts_;
  absl::flat_hash_map<LoweringContext, int32_t> numbers_;
  Architecture network_;  // in the making: the genes of the state and of the unit at hand are set
  std::vector<int> carried_;
  std::set<State> states_;

  // Of the unit at hand, or of the one before that it repeats.
  std::set<State> meetings_;
  bool dense_ = false;                                // a walk of networks meets nearly all combinations, the others few
  std::vector<int64_t> local_context_;                // position of a context among those that meet the unit, or -1
  std::vector<int32_t> dense_behind_;                 // by position of the context and combination of choices
  absl::node_hash_map<std::string, int32_t> behind_;  // by the bytes of the context and the choices
};

Purpose PurposeOf(WalkOf what) {
  switch (what) {
    case WalkOf::kNetworks:
      return Purpose::kNetworks;
    case WalkOf::kOperators:
      return Purpose::kOperators;
    case WalkOf::kContexts:
      break;
  }
  return Purpose::kContexts;
}

/// Looks at nothing.
class Blind : public UnitVisitor {
 public:
  bool Enter(const UnitMeetings&) override { return true; }
  bool Visit(const LoweredUnit&) override { return true; }
  bool Repeat(size_t) override { return true; }
};

}  // namespace

bool WalkUnits(const Lowering& lowering, WalkOf what, UnitVisitor& visitor) {
  const auto lower = [&](size_t unit, const LoweringContext& context, absl::Span<const uint8_t> choices) {
    return lowering.LowerUnit(unit, context, choices);
  };
  return Walker(lowering.family(), PurposeOf(what), lower, visitor).Run();
}

bool WalkUnits(const FamilySpace& family, WalkOf what, UnitVisitor& visitor) {
  SlotTable slots;
  const auto lower = [&](size_t unit, const LoweringContext& context, absl::Span<const uint8_t> choices) {
    return family.Lower(unit, choices, NetBuilder(context, &slots));
  };
  return Walker(family, PurposeOf(what), lower, visitor).Run();
}

void GrowSlots(const FamilySpace& family, SlotTable& slots) {
  const auto lower = [&](size_t unit, const LoweringContext& context, absl::Span<const uint8_t> choices) {
    return family.Lower(unit, choices, NetBuilder(context, &slots));
  };
  Blind blind;
  Walker(family, Purpose::kWeights, lower, blind).Run();
}

int NumDistinctTypes(const Gene& gene) { return static_cast<int>(TriedChoices(gene, /*one_for_each_type=*/true).size()); }

}  // namespace hanas
