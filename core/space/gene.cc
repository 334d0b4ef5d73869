// SPDX-License-Identifier: Apache-2.0
#include "core/space/gene.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/bounds.h"

namespace hanas {
namespace {

/// Names and words appear in JSON and in lines of text as they are.
bool IsPlain(absl::string_view text) {
  constexpr absl::string_view kOthers = "._-[]";
  return !text.empty() && text.size() <= bounds::kNameBytes && std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kOthers.find(c) != kOthers.npos;
  });
}

std::string ExpectedPlain(absl::string_view found) {
  return absl::StrCat("expected 1 to ", bounds::kNameBytes, " letters, digits, '.', '_', '-', '[' or ']', found \"", found, "\"");
}

class GeneChecker {
 public:
  GeneChecker(const std::vector<Gene>& genes, absl::string_view path, FieldViolations& violations)
      : genes_(genes), path_(path), violations_(violations) {}

  void Check() {
    for (size_t i = 0; i < genes_.size(); ++i) {
      CheckName(i);
      CheckChoices(i);
      CheckConditions(i);
    }
  }

 private:
  template <typename... Message>
  void Fail(size_t gene, absl::string_view field, const Message&... message) {
    violations_.Add(absl::StrCat(path_, "[", gene, "].", field), absl::StrCat(message...));
  }

  void CheckName(size_t i) {
    const Gene& gene = genes_[i];
    if (!IsPlain(gene.name)) return Fail(i, "name", ExpectedPlain(gene.name));
    const auto [first, is_new] = first_with_name_.emplace(gene.name, i);
    if (!is_new) Fail(i, "name", "expected names without repeats, found \"", gene.name, "\", the name of gene ", first->second, " too");
    if (!IsPlain(gene.group)) Fail(i, "group", ExpectedPlain(gene.group));
  }

  void CheckChoices(size_t i) {
    const Gene& gene = genes_[i];
    const size_t count = gene.choices.size();
    if (count == 0) return Fail(i, "choices", "expected at least one choice, found an empty list");
    if (count > bounds::kMaxChoices) {
      const size_t step = (count + bounds::kMaxChoices - 1) / bounds::kMaxChoices;
      return Fail(i, "choices", "expected at most ", bounds::kMaxChoices, " choices, found ", count, "; a step ", step,
                  " times as wide leaves ", (count + step - 1) / step);
    }
    if (!gene.words.empty() && gene.words.size() != count) {
      Fail(i, "words", "expected none, or one for each of the ", count, " choices, found ", gene.words.size());
    }
    for (size_t c = 0; c < count; ++c) CheckChoice(i, c);
  }

  void CheckChoice(size_t i, size_t c) {
    const Gene& gene = genes_[i];
    const Choice& choice = gene.choices[c];
    const auto fail = [&](const auto&... message) { Fail(i, absl::StrCat("choices[", c, "]"), message...); };
    const bool bits = std::holds_alternative<Precision>(choice);
    if (bits != (gene.trait == Trait::kPrecision)) {
      return fail("expected ", bits ? "the trait precision for choices of bits" : "choices of bits for the trait precision", ", found ",
                  ChoiceText(choice));
    }
    if (choice.index() != gene.choices[0].index()) {
      return fail("expected choices of one type, found ", ChoiceText(choice), " beside ", ChoiceText(gene.choices[0]));
    }
    if (bits && !IsLegal(std::get<Precision>(choice))) return fail("expected ", LegalPrecisions(), ", found ", ChoiceText(choice));
    const double* const number = std::get_if<double>(&choice);
    if (number != nullptr && !std::isfinite(*number)) return fail("expected a finite number, found ", *number);
    const std::string* const text = std::get_if<std::string>(&choice);
    if (text != nullptr && !IsPlain(*text)) return fail(ExpectedPlain(*text));
    const auto before = gene.choices.begin() + static_cast<ptrdiff_t>(c);
    if (std::find(gene.choices.begin(), before, choice) != before) fail("expected distinct choices, found ", ChoiceText(choice), " again");
  }

  void CheckConditions(size_t i) {
    const Gene& gene = genes_[i];
    needed_.emplace_back();
    if (gene.active_if.size() > bounds::kMaxChoices) {
      return Fail(i, "active_if", "expected at most ", bounds::kMaxChoices, " conditions, found ", gene.active_if.size());
    }
    bool sound = true;
    for (size_t c = 0; c < gene.active_if.size(); ++c) sound = CheckCondition(i, c) && sound;
    if (!sound) return;
    for (const Condition& condition : gene.active_if) {
      Need(condition);
      for (const auto& [other, choices] : needed_[static_cast<size_t>(condition.gene)]) Need({other, choices});
    }
    for (const auto& [other, choices] : needed_.back()) {
      if (choices != 0) continue;
      Fail(i, "active_if", "expected conditions that some network meets, found ones that no choice of gene ", other, " (",
           genes_[static_cast<size_t>(other)].name, ") meets together");
      needed_.back().clear();  // what is conditioned on this gene is not to blame
      return;
    }
  }

  /// Adds to what the last gene needs.
  void Need(const Condition& condition) {
    const auto [at, is_new] = needed_.back().emplace(condition.gene, condition.choices);
    if (!is_new) at->second &= condition.choices;
  }

  bool CheckCondition(size_t i, size_t c) {
    const Condition& condition = genes_[i].active_if[c];
    const std::string field = absl::StrCat("active_if[", c, "]");
    if (condition.gene < 0 || static_cast<size_t>(condition.gene) >= genes_.size()) {
      Fail(i, field + ".gene", "expected a gene from 0 to ", genes_.size() - 1, ", found ", condition.gene);
      return false;
    }
    const Gene& other = genes_[static_cast<size_t>(condition.gene)];
    if (static_cast<size_t>(condition.gene) >= i) {
      Fail(i, field + ".gene", "expected a gene that stands before this one, so that conditions do not run in a circle, found gene ",
           condition.gene, " (", other.name, ")");
      return false;
    }
    if (other.choices.empty() || other.choices.size() > bounds::kMaxChoices) return false;  // told there
    const uint64_t all = ~uint64_t{0} >> (bounds::kMaxChoices - other.choices.size());
    if (condition.choices != 0 && (condition.choices & ~all) == 0) return true;
    Fail(i, field + ".choices", "expected some of the ", other.choices.size(), " choices of gene ", condition.gene, " (", other.name,
         ") as bits, found ", absl::StrFormat("0x%x", condition.choices));
    return false;
  }

  const std::vector<Gene>& genes_;
  std::string path_;
  FieldViolations& violations_;
  std::map<absl::string_view, size_t> first_with_name_;
  std::vector<std::map<int, uint64_t>> needed_;  // for each gene: choices of other genes, its own conditions and theirs
};

}  // namespace

std::string ChoiceText(const Choice& choice) {
  struct Text {
    std::string operator()(int64_t value) const { return absl::StrCat(value); }
    std::string operator()(double value) const { return absl::StrFormat("%g", value); }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(const std::string& value) const { return value; }
    std::string operator()(Precision value) const { return ToString(value); }
  };
  return std::visit(Text(), choice);
}

void CheckGenes(const std::vector<Gene>& genes, absl::string_view path, FieldViolations& violations) {
  if (genes.empty()) return violations.Add(path, "expected at least one gene, found an empty list");
  if (genes.size() > bounds::kMaxGenes) {
    return violations.Add(path, absl::StrCat("expected at most ", bounds::kMaxGenes, " genes, found ", genes.size()));
  }
  GeneChecker(genes, path, violations).Check();
}

}  // namespace hanas
