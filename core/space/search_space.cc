// SPDX-License-Identifier: Apache-2.0
#include "core/space/search_space.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/bounds.h"

namespace hanas {
namespace {

struct AddToDigest {
  DigestBuilder& digest;
  void operator()(int64_t value) const { digest.Add(value); }
  void operator()(double value) const { digest.Add(static_cast<int64_t>(std::llround(value * 1e6))); }
  void operator()(bool value) const { digest.Add(int64_t{value}); }
  void operator()(const std::string& value) const { digest.Add(value); }
  void operator()(Precision value) const { digest.Add(int64_t{value.weight_bits}).Add(int64_t{value.activation_bits}); }
};

Digest SpaceDigest(const std::vector<Gene>& genes, const Digest& meaning) {
  DigestBuilder digest;
  digest.Add(meaning).Add(static_cast<int64_t>(genes.size()));
  for (const Gene& gene : genes) {
    digest.Add(gene.name).Add(gene.group).Add(static_cast<int64_t>(gene.trait)).Add(static_cast<int64_t>(gene.choices.size()));
    for (const Choice& choice : gene.choices) {
      digest.Add(static_cast<int64_t>(choice.index()));
      std::visit(AddToDigest{digest}, choice);
    }
    digest.Add(static_cast<int64_t>(gene.active_if.size()));
    for (const Condition& condition : gene.active_if) digest.Add(int64_t{condition.gene}).Add(static_cast<int64_t>(condition.choices));
  }
  return digest.Build();
}

/// Activation bits weigh more than weight bits: they change the arithmetic, weight bits only the resolution.
double Distance(Precision a, Precision b) {
  return 100.0 * std::abs(std::log2(a.activation_bits) - std::log2(b.activation_bits)) +
         std::abs(std::log2(a.weight_bits) - std::log2(b.weight_bits));
}

uint8_t ClosestPrecision(const std::vector<Choice>& choices, Precision wanted) {
  const auto closest = std::min_element(choices.begin(), choices.end(), [&](const Choice& a, const Choice& b) {
    return Distance(std::get<Precision>(a), wanted) < Distance(std::get<Precision>(b), wanted);
  });
  return static_cast<uint8_t>(closest - choices.begin());
}

/// A name without the numbers in brackets: "stages[].blocks[].kernel".
std::string QuestionOf(const Gene& gene) {
  std::string question;
  bool within = false;
  for (const char c : gene.name) {
    if (c == ']') within = false;
    if (!within || !absl::ascii_isdigit(static_cast<unsigned char>(c))) question.push_back(c);
    if (c == '[') within = true;
  }
  return question;
}

/// Counts distinct networks by going through the genes in order. Of the genes passed, only those matter that a later one is conditioned on,
/// and of their choices only which of those conditions they meet: a state. Numbers of networks that lead to one state are added up, so that
/// the work is the number of genes times that of states.
class NetworkCounter {
 public:
  explicit NetworkCounter(const std::vector<Gene>& genes) : genes_(genes), last_reader_(genes.size(), -1), masks_(genes.size()) {
    for (size_t i = 0; i < genes.size(); ++i) {
      for (const Condition& condition : genes[i].active_if) {
        last_reader_[static_cast<size_t>(condition.gene)] = static_cast<int>(i);
        masks_[static_cast<size_t>(condition.gene)].push_back(condition.choices);
      }
    }
  }

  /// Nothing when there are more than bounds::kMaxConditionStates at once.
  std::optional<long double> Count() {
    States states = {{{}, 1}};
    for (size_t i = 0; i < genes_.size(); ++i) {
      states = last_reader_[i] < 0 ? Multiply(i, std::move(states)) : Split(i, states);
      if (last_reader_[i] >= 0) open_.push_back(static_cast<int>(i));
      if (states.size() > bounds::kMaxConditionStates) return std::nullopt;
      states = Close(static_cast<int>(i), std::move(states));
    }
    return states.begin()->second;
  }

 private:
  /// A choice of each gene in `open_`, which stands for all that meet the same conditions.
  using State = std::string;
  using States = std::map<State, long double>;  // to the number of networks
  static constexpr char kInactive = 127;

  bool IsActive(size_t gene, const State& state) const {
    return std::all_of(genes_[gene].active_if.begin(), genes_[gene].active_if.end(), [&](const Condition& condition) {
      const auto at = static_cast<size_t>(std::find(open_.begin(), open_.end(), condition.gene) - open_.begin());
      return state[at] != kInactive && condition.Allows(state[at]);
    });
  }

  States Multiply(size_t gene, States states) const {
    for (auto& [state, networks] : states) {
      if (IsActive(gene, state)) networks *= genes_[gene].num_choices();
    }
    return states;
  }

  States Split(size_t gene, const States& states) const {
    std::map<std::vector<bool>, std::pair<char, int>> classes;  // of choices that meet the same conditions: the first, and how many
    for (int choice = 0; choice < genes_[gene].num_choices(); ++choice) {
      std::vector<bool> met;
      for (const uint64_t mask : masks_[gene]) met.push_back(((mask >> choice) & 1) != 0);
      ++classes.emplace(met, std::pair(static_cast<char>(choice), 0)).first->second.second;
    }
    States next;
    for (const auto& [state, networks] : states) {
      State longer = state;
      longer.push_back(kInactive);
      if (!IsActive(gene, state)) {
        next[longer] += networks;
        continue;
      }
      for (const auto& [met, members] : classes) {
        longer.back() = members.first;
        next[longer] += networks * members.second;
      }
    }
    return next;
  }

  /// Forgets the genes that no gene after `gene` is conditioned on.
  States Close(int gene, States states) {
    for (size_t at = open_.size(); at-- > 0;) {
      if (last_reader_[static_cast<size_t>(open_[at])] > gene) continue;
      open_.erase(open_.begin() + static_cast<ptrdiff_t>(at));
      States fewer;
      for (const auto& [state, networks] : states) {
        State shorter = state;
        shorter.erase(shorter.begin() + static_cast<ptrdiff_t>(at));
        fewer[shorter] += networks;
      }
      states = std::move(fewer);
    }
    return states;
  }

  const std::vector<Gene>& genes_;
  std::vector<int> last_reader_;              // of each gene: the last gene that is conditioned on it, or -1
  std::vector<std::vector<uint64_t>> masks_;  // of each gene: the choices that those conditions name
  std::vector<int> open_;                     // genes passed that a later one is conditioned on
};

}  // namespace

absl::StatusOr<SearchSpace> SearchSpace::Create(std::string name, std::vector<Gene> genes, const Digest& meaning, absl::string_view path) {
  FieldViolations violations;
  CheckGenes(genes, path, violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  const std::optional<long double> networks = NetworkCounter(genes).Count();
  if (!networks.has_value()) {
    violations.Add(path,
                   absl::StrCat("expected conditions with at most ", bounds::kMaxConditionStates,
                                " combinations that matter at once, found more; let genes stand close to those they are conditioned on"));
    return violations.ToStatus();
  }
  SearchSpace space(std::move(name), std::move(genes), meaning);
  space.num_networks_ = *networks;
  return space;
}

SearchSpace::SearchSpace(std::string name, std::vector<Gene> genes, const Digest& meaning)
    : name_(std::move(name)), genes_(std::move(genes)), dependents_(genes_.size()), digest_(SpaceDigest(genes_, meaning)) {
  std::map<std::pair<Trait, std::string>, size_t> questions;
  for (const Trait trait : {Trait::kTopology, Trait::kPrecision}) {
    for (size_t i = 0; i < genes_.size(); ++i) {
      if (genes_[i].trait != trait) continue;
      const auto [at, is_new] = questions.emplace(std::pair(trait, QuestionOf(genes_[i])), questions_.size());
      if (is_new) questions_.emplace_back();
      questions_[at->second].push_back(static_cast<int>(i));
    }
  }
  for (size_t i = 0; i < genes_.size(); ++i) {
    all_conditions_.push_back(WithTheirOwn(genes_[i].active_if));
    for (const Condition& condition : all_conditions_.back())
      dependents_[static_cast<size_t>(condition.gene)].push_back(static_cast<int>(i));
  }
}

std::vector<Condition> SearchSpace::WithTheirOwn(absl::Span<const Condition> conditions) const {
  std::map<int, uint64_t> needed;
  const auto need = [&](const Condition& condition) {
    const auto [at, is_new] = needed.emplace(condition.gene, condition.choices);
    if (!is_new) at->second &= condition.choices;
  };
  for (const Condition& condition : conditions) {
    need(condition);
    for (const Condition& own : all_conditions_[static_cast<size_t>(condition.gene)]) need(own);
  }
  std::vector<Condition> all;
  for (const auto& [gene, choices] : needed) all.push_back({gene, choices});
  return all;
}

std::optional<int> SearchSpace::FindGene(absl::string_view name) const {
  const auto at = std::find_if(genes_.begin(), genes_.end(), [&](const Gene& gene) { return gene.name == name; });
  if (at == genes_.end()) return std::nullopt;
  return static_cast<int>(at - genes_.begin());
}

double SearchSpace::Log10Size() const { return static_cast<double>(std::log10(num_networks_)); }

std::vector<Architecture> SearchSpace::AllNetworks() const {
  std::vector<Architecture> all;
  Architecture next = {.genes = std::vector<uint8_t>(genes_.size(), 0)};
  const auto advance = [&] {
    // Whether a gene is active follows from the genes before it, so that those behind an increased one begin at 0 again.
    for (size_t i = genes_.size(); i-- > 0; next.genes[i] = 0) {
      if (next.genes[i] + 1 >= genes_[i].num_choices() || !IsActive(next, static_cast<int>(i))) continue;
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
    return absl::InvalidArgumentError(absl::StrCat("architecture.genes: expected ", genes_.size(), " genes for space \"", name_,
                                                   "\", found ", architecture.genes.size()));
  }
  for (size_t i = 0; i < genes_.size(); ++i) {
    if (architecture.genes[i] >= genes_[i].num_choices()) {
      return absl::InvalidArgumentError(absl::StrCat("architecture.genes[", i, "]: expected a choice of ", genes_[i].name, " below ",
                                                     genes_[i].num_choices(), ", found ", architecture.genes[i]));
    }
  }
  return absl::OkStatus();
}

void SearchSpace::Canonicalise(Architecture& architecture) const {
  for (size_t i = 0; i < genes_.size(); ++i) {
    if (!Hold(architecture, all_conditions_[i])) architecture.genes[i] = 0;
  }
}

Architecture SearchSpace::Random(CounterRandom& random) const {
  Architecture architecture;
  architecture.genes.reserve(genes_.size());
  for (const Gene& gene : genes_) {
    architecture.genes.push_back(static_cast<uint8_t>(random.UniformInt(static_cast<uint64_t>(gene.num_choices()))));
  }
  Canonicalise(architecture);
  return architecture;
}

Architecture SearchSpace::Corner(Precision precision, double position) const {
  Architecture architecture;
  bool up = false;
  for (const Gene& gene : genes_) {
    if (gene.trait == Trait::kPrecision) {
      architecture.genes.push_back(ClosestPrecision(gene.choices, precision));
      continue;
    }
    const double choice = position * (gene.num_choices() - 1);
    const bool halfway = choice != std::floor(choice);
    architecture.genes.push_back(static_cast<uint8_t>(halfway && up ? std::ceil(choice) : std::floor(choice)));
    if (halfway) up = !up;
  }
  Canonicalise(architecture);
  return architecture;
}

Architecture SearchSpace::Largest(Precision precision) const { return Corner(precision, 1.0); }
Architecture SearchSpace::Smallest(Precision precision) const { return Corner(precision, 0.0); }
Architecture SearchSpace::Middle(Precision precision) const { return Corner(precision, 0.5); }

Digest SearchSpace::ArchitectureDigest(const Architecture& architecture) const {
  Architecture canonical = architecture;
  Canonicalise(canonical);
  DigestBuilder digest;
  digest.Add(digest_);
  for (const uint8_t gene : canonical.genes) digest.Add(gene);
  return digest.Build();
}

std::string SearchSpace::ToReadable(const Architecture& architecture) const {
  std::string text;
  for (size_t i = 0; i < genes_.size(); ++i) {
    if (!IsActive(architecture, static_cast<int>(i))) continue;
    const Gene& gene = genes_[i];
    const size_t choice = architecture.genes[i];
    if (!gene.words.empty()) {
      text += gene.words[choice];
    } else {
      absl::StrAppend(&text, text.empty() ? "" : " ", gene.name, "=", ChoiceText(gene.choices[choice]));
    }
  }
  return text;
}

std::string SearchSpace::ToJson(const Architecture& architecture) const {
  std::vector<std::string> members;
  for (size_t i = 0; i < genes_.size(); ++i) {
    if (!IsActive(architecture, static_cast<int>(i))) continue;
    const Choice& choice = genes_[i].choices[architecture.genes[i]];
    const bool quoted = std::holds_alternative<std::string>(choice) || std::holds_alternative<Precision>(choice);
    members.push_back(absl::StrCat("\"", genes_[i].name, "\": ", quoted ? "\"" : "", ChoiceText(choice), quoted ? "\"" : ""));
  }
  return absl::StrCat("{", absl::StrJoin(members, ", "), "}");
}

}  // namespace hanas
