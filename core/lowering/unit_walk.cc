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

namespace hanas {
namespace {

/// What is known in front of a unit: the context, and the choice of each carried gene.
struct State {
  int32_t context = kStartContext;
  std::string carried;  // one character for the index of each choice
  friend auto operator<=>(const State&, const State&) = default;
};

/// Steps through the combinations of the choices of some genes within `network`, the last gene fastest.
class Combinations {
 public:
  Combinations(const SearchSpace& space, std::vector<int> genes) : space_(space), genes_(std::move(genes)) {}

  void Begin(Architecture& network) const {
    for (const int gene : genes_) network.genes[static_cast<size_t>(gene)] = 0;
  }
  /// False behind the last one, which leaves all at 0.
  bool Advance(Architecture& network) const {
    for (size_t i = genes_.size(); i-- > 0;) {
      uint8_t& choice = network.genes[static_cast<size_t>(genes_[i])];
      if (++choice < space_.gene(genes_[i]).num_choices()) return true;
      choice = 0;
    }
    return false;
  }
  bool AreCanonical(const Architecture& network) const {
    return std::all_of(genes_.begin(), genes_.end(),
                       [&](int gene) { return network.genes[static_cast<size_t>(gene)] == 0 || space_.IsActive(network, gene); });
  }

 private:
  const SearchSpace& space_;
  std::vector<int> genes_;
};

class Walker {
 public:
  Walker(const Lowering& lowering, UnitVisitor& visitor)
      : lowering_(lowering), family_(lowering.family()), space_(lowering.space()), visitor_(visitor), contexts_(1), states_({State{}}) {
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
  std::set<int> GenesOf(const ConvnetUnit& unit) const {
    std::set<int> genes(unit.genes.begin(), unit.genes.end());
    for (const Condition& condition : unit.present_if) genes.insert(condition.gene);
    for (const int gene : unit.genes) {
      for (const Condition& condition : space_.WithTheirOwn(space_.gene(gene).active_if)) genes.insert(condition.gene);
    }
    return genes;
  }

  bool IsCarried(int gene) const { return std::binary_search(carried_.begin(), carried_.end(), gene); }

  void Load(const State& state) {
    for (size_t i = 0; i < carried_.size(); ++i) network_.genes[static_cast<size_t>(carried_[i])] = static_cast<uint8_t>(state.carried[i]);
  }

  /// Whether a network in this state may yet have the unit.
  bool MayHave(const ConvnetUnit& unit) const {
    return std::all_of(unit.present_if.begin(), unit.present_if.end(), [&](const Condition& condition) {
      return !IsCarried(condition.gene) || condition.Allows(network_.genes[static_cast<size_t>(condition.gene)]);
    });
  }

  /// How the unit is met: contexts, each with those choices of its genes that are made already.
  std::set<State> Meetings(const ConvnetUnit& unit) {
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

  bool Walk(size_t u) {
    const ConvnetUnit& unit = family_.units()[u];
    std::set<State> meetings = Meetings(unit);
    if (u > 0 && unit.lowers_like == family_.units()[u - 1].lowers_like && meetings == meetings_) {
      if (!visitor_.Repeat(u)) return false;
    } else if (!Begin(u, std::move(meetings))) {
      return false;
    }

    std::vector<int> kept;  // of the genes that this unit is the first to read: a later one reads them too
    std::vector<int> own;   // no later one does
    std::vector<int> carried;
    for (const int gene : GenesOf(unit)) {
      if (!IsCarried(gene)) (last_reader_[static_cast<size_t>(gene)] > u ? kept : own).push_back(gene);
    }
    std::set_union(carried_.begin(), carried_.end(), kept.begin(), kept.end(), std::back_inserter(carried));
    carried.erase(std::remove_if(carried.begin(), carried.end(), [&](int gene) { return last_reader_[static_cast<size_t>(gene)] <= u; }),
                  carried.end());
    const Combinations outer(space_, kept);
    const Combinations inner(space_, own);
    std::set<State> next;
    for (const State& state : states_) {
      Load(state);
      outer.Begin(network_);
      do {
        if (!outer.AreCanonical(network_)) continue;
        absl::InlinedVector<int32_t, 4> leaving;
        inner.Begin(network_);
        do {
          if (!inner.AreCanonical(network_)) continue;
          const int32_t behind = SearchSpace::Hold(network_, unit.present_if) ? Behind(u, state.context) : state.context;
          if (behind < 0) return false;
          if (std::find(leaving.begin(), leaving.end(), behind) == leaving.end()) leaving.push_back(behind);
        } while (inner.Advance(network_));
        for (const int32_t context : leaving) {
          State reached = {.context = context, .carried = {}};
          for (const int gene : carried) reached.carried.push_back(static_cast<char>(network_.genes[static_cast<size_t>(gene)]));
          next.insert(std::move(reached));
        }
      } while (outer.Advance(network_));
    }
    carried_ = std::move(carried);
    states_ = std::move(next);
    return true;
  }

  bool Begin(size_t u, std::set<State> meetings) {
    const ConvnetUnit& unit = family_.units()[u];
    meetings_ = std::move(meetings);
    std::vector<int32_t> met;
    for (const State& meeting : meetings_) {
      if (met.empty() || met.back() != meeting.context) met.push_back(meeting.context);
    }
    if (!visitor_.Enter(u, met)) return false;
    local_context_.assign(contexts_.size(), -1);
    for (size_t i = 0; i < met.size(); ++i) local_context_[static_cast<size_t>(met[i])] = static_cast<int64_t>(i);
    num_choices_ = 1;
    for (const int gene : unit.genes) num_choices_ *= space_.gene(gene).num_choices();
    behind_.assign(met.size() * static_cast<size_t>(num_choices_), kNotYetLowered);
    return true;
  }

  /// The context behind unit `u` with the choices of the network; -1 when the visitor has had enough.
  int32_t Behind(size_t u, int32_t context) {
    const ConvnetUnit& unit = family_.units()[u];
    int64_t index = local_context_[static_cast<size_t>(context)];
    for (const int gene : unit.genes) index = index * space_.gene(gene).num_choices() + network_.genes[static_cast<size_t>(gene)];
    int32_t& behind = behind_[static_cast<size_t>(index)];
    if (behind != kNotYetLowered) return behind;
    absl::InlinedVector<uint8_t, 16> choices;
    for (const int gene : unit.genes) choices.push_back(network_.genes[static_cast<size_t>(gene)]);
    const UnitChoice choice = family_.Decode(unit, choices);
    // Of what stands in front of the first unit, only its own choices tell.
    const auto* stem = std::get_if<StemChoice>(&choice);
    const LoweringContext before = stem != nullptr ? lowering_.InputContext(stem->resolution) : contexts_[static_cast<size_t>(context)];
    const Fragment fragment = lowering_.LowerUnit(unit.id, before, choice);
    behind = NumberOf(fragment.next);
    const LoweredUnit lowered = {.unit = u, .context = context, .choices = choices, .fragment = fragment, .next = behind};
    return visitor_.Visit(lowered) ? behind : -1;
  }

  int32_t NumberOf(const LoweringContext& context) {
    const auto [at, is_new] = numbers_.emplace(context, static_cast<int32_t>(contexts_.size()));
    if (is_new) contexts_.push_back(context);
    return at->second;
  }

  static constexpr char kNotYet = 127;
  static constexpr int32_t kNotYetLowered = -1;

  const Lowering& lowering_;
  const ConvnetSpace& family_;
  const SearchSpace& space_;
  UnitVisitor& visitor_;
  std::vector<size_t> last_reader_;  // of each gene, the last unit
  std::vector<LoweringContext> contexts_;
  absl::flat_hash_map<LoweringContext, int32_t> numbers_;
  Architecture network_;  // in the making: the genes of the state and of the unit at hand are set
  std::vector<int> carried_;
  std::set<State> states_;

  // Of the unit at hand, or of the one before that it repeats.
  std::set<State> meetings_;
  std::vector<int64_t> local_context_;  // position of a context among those that meet the unit, or -1
  int64_t num_choices_ = 1;
  std::vector<int32_t> behind_;  // by position of the context and combination of choices
};

}  // namespace

bool WalkUnits(const Lowering& lowering, UnitVisitor& visitor) { return Walker(lowering, visitor).Run(); }

}  // namespace hanas
