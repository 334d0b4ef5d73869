// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_outline.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/bounds.h"

namespace hanas::config {
namespace {

/// Ends the parser, which has no other way to be told.
struct Excess {
  Problem problem;
};

/// Counts what the parser would build. Sizes are those with every alias followed.
class Outline : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) Fail(mark, "expected one YAML document, found another one");
  }
  void OnDocumentEnd() override {}
  int documents() const { return documents_; }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Add(mark, anchor, 1); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string&) override { Add(mark, anchor, 1); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto size = sizes_.find(anchor);
    if (size == sizes_.end()) Fail(mark, "expected an alias of something that ends before it, found one of what it is in itself");
    Add(mark, 0, size->second);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    Open(mark, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    Open(mark, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override { Close(); }

 private:
  struct Collection {
    YAML::Mark mark;
    YAML::anchor_t anchor = 0;
    int64_t size = 1;
  };

  [[noreturn]] static void Fail(const YAML::Mark& mark, std::string message) {
    throw Excess{{{mark.line + 1, mark.column + 1}, "", std::move(message)}};
  }

  void Add(const YAML::Mark& mark, YAML::anchor_t anchor, int64_t size) {
    if (anchor != 0) sizes_[anchor] = size;
    int64_t& total = open_.empty() ? root_ : open_.back().size;
    total += size;
    if (total <= bounds::kJobFileNodes) return;
    Fail(mark, absl::StrCat("expected at most ", bounds::kJobFileNodes, " values, aliases followed, found more"));
  }
  void Open(const YAML::Mark& mark, YAML::anchor_t anchor) {
    open_.push_back({mark, anchor});
    if (open_.size() <= static_cast<size_t>(bounds::kJobFileDepth)) return;
    Fail(mark, absl::StrCat("expected at most ", bounds::kJobFileDepth, " lists and maps within one another, found more"));
  }
  void Close() {
    const Collection closed = open_.back();
    open_.pop_back();
    Add(closed.mark, closed.anchor, closed.size);
  }

  int documents_ = 0;
  int64_t root_ = 0;
  std::vector<Collection> open_;
  std::map<YAML::anchor_t, int64_t> sizes_;  // of what is complete
};

}  // namespace

std::optional<Problem> FindExcess(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Outline outline;
  try {
    while (parser.HandleNextDocument(outline)) {
    }
  } catch (const Excess& excess) {
    return excess.problem;
  }
  if (outline.documents() == 0) return Problem{{}, "", "expected one YAML document, found none"};
  return std::nullopt;
}

}  // namespace hanas::config
