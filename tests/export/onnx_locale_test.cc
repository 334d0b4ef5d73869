// SPDX-License-Identifier: Apache-2.0
// Exported files in a process whose numbers have a comma: ONNX Runtime reads the bodies of functions by the rules of the locale. A process
// of its own, because the runtime reads them once.

#include <stdlib.h>

#include <algorithm>
#include <clocale>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/counter_random.h"
#include "export/onnx_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/small_space.h"
#include "tests/export/onnx_session.h"
#include "tests/export/onnx_values.h"
#include "tests/export/random_bound_model.h"
#include "tests/support/reference_interpreter.h"

namespace hanas {
namespace {

class OnnxLocaleTest : public testing::Test {
 protected:
  OnnxLocaleTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanas-locale-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    for (uint64_t i = 0; i < 20; ++i) {
      CounterRandom random(31, "onnx-locale", i);
      models_.push_back(RandomBoundModel(lowering_, lowering_.space().Random(random), i));
      files_.push_back(WriteOnnx(models_.back()).value());
    }
    EXPECT_EQ(std::system(absl::StrCat("localedef -i de_DE -f UTF-8 ", directory_, "/de_DE.UTF-8").c_str()), 0) << "of the package locales";
    setenv("LOCPATH", directory_.c_str(), 1);
    EXPECT_NE(std::setlocale(LC_ALL, "de_DE.UTF-8"), nullptr);
  }
  ~OnnxLocaleTest() override {
    std::setlocale(LC_ALL, "C");
    std::filesystem::remove_all(directory_);
  }

  const Lowering lowering_{SmallConvnet()};
  std::string directory_;
  std::vector<BoundModel> models_;
  std::vector<std::string> files_;
};

TEST_F(OnnxLocaleTest, FilesAnswerTheSameWhereNumbersHaveAComma) {
  ASSERT_STREQ(std::localeconv()->decimal_point, ",");
  int swishes = 0;
  for (size_t i = 0; i < models_.size(); ++i) {
    const BoundModel& model = models_[i];
    EXPECT_EQ(WriteOnnx(model).value(), files_[i]) << "a file is the same wherever it is written";
    for (const Operator& op : model.graph.operators) swishes += op.kind == OpKind::kHardSwish ? 1 : 0;
    OnnxSession session(files_[i], /*optimise=*/false);
    const std::vector<float> image = RandomImage(model, i);
    const ReferenceInterpreter reference(&model);
    const std::vector<float> expected = reference.Logits(reference.Run(image));
    const std::vector<float> found = OnnxLogits(model, session, image);
    const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
    for (size_t c = 0; c < found.size(); ++c)
      EXPECT_LT(std::fabs(found[c] - expected[c]), 0.1F * (*high - *low)) << c << " of " << model.architecture_json;
  }
  EXPECT_GT(swishes, 20);
}

}  // namespace
}  // namespace hanas
