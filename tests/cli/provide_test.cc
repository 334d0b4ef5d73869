// SPDX-License-Identifier: Apache-2.0
#include "cli/data/provide.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hanas::cli {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ProvideDataTest : public testing::Test {
 protected:
  ProvideDataTest() {
    job_.dataset = {.name = "fashion-mnist", .format = DatasetFormat::kIdx, .directory = "fashion_mnist"};
    job_.space.input_channels = 1;
    job_.space.num_classes = 10;
    sources_.own_directory = path_ + "/own";
    sources_.fetch = [this](const std::string& to) {
      ++fetches_;
      if (fetch_status_.ok()) PutFiles(to, ".gz");
      return fetch_status_;
    };
    sources_.draw = [this](const std::string& to) {
      ++draws_;
      PutFiles(to, "");
      return absl::OkStatus();
    };
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  static void PutFiles(const std::string& folder, const std::string& suffix) {
    std::filesystem::create_directories(folder);
    for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
      std::ofstream(folder + "/" + name + suffix) << "x";
    }
  }

  const std::string path_ = testing::TempDir() + "/hanas_provide_test." + std::to_string(getpid());
  SearchJob job_;
  DataSources sources_;
  absl::Status fetch_status_;
  int fetches_ = 0;
  int draws_ = 0;
};

TEST_F(ProvideDataTest, AGivenRootIsUsed) {
  PutFiles(path_ + "/given/fashion_mnist", ".gz");
  sources_.root = path_ + "/given";
  const absl::StatusOr<ProvidedData> data = ProvideData(job_, sources_);
  ASSERT_THAT(data, IsOk());
  EXPECT_EQ(data->root, path_ + "/given");
  EXPECT_EQ(data->sentence, "Data: fashion-mnist in " + path_ + "/given/fashion_mnist");
  EXPECT_EQ(fetches_ + draws_, 0);
}

TEST_F(ProvideDataTest, AGivenRootWithoutTheSetIsAnErrorThatSaysWhatToDo) {
  sources_.root = path_ + "/empty";
  const absl::StatusOr<ProvidedData> data = ProvideData(job_, sources_);
  EXPECT_THAT(data,
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("hanas data fetch fashion-mnist --to " + path_ + "/empty/fashion_mnist")));
  EXPECT_EQ(fetches_ + draws_, 0);
}

TEST_F(ProvideDataTest, FashionMnistIsFetchedOnce) {
  ASSERT_THAT(ProvideData(job_, sources_), IsOk());
  const absl::StatusOr<ProvidedData> again = ProvideData(job_, sources_);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->dataset.name, "fashion-mnist");
  EXPECT_EQ(fetches_, 1);
  EXPECT_EQ(draws_, 0);
}

TEST_F(ProvideDataTest, OfflineNothingIsDrawnUnlessAskedFor) {
  fetch_status_ = absl::UnavailableError("no network");
  EXPECT_THAT(
      ProvideData(job_, sources_),
      StatusIs(absl::StatusCode::kNotFound,
               AllOf(HasSubstr("expected --data DIR or HANAS_DATA_DIR with DIR/fashion_mnist, found neither, and it could not be fetched"),
                     HasSubstr("hanas data fetch fashion-mnist --to DIR/fashion_mnist"), HasSubstr("--drawn-data"))));
  EXPECT_EQ(fetches_, 1);
  EXPECT_EQ(draws_, 0);
}

TEST_F(ProvideDataTest, AForgottenPathIsAnErrorForEverySet) {
  job_.dataset.name = job_.dataset.directory = "mine";
  EXPECT_THAT(ProvideData(job_, sources_), StatusIs(absl::StatusCode::kNotFound, HasSubstr("DIR/mine, found neither")));
  EXPECT_EQ(fetches_ + draws_, 0);
}

TEST_F(ProvideDataTest, ADrawnSetIsDrawnOnceWhenAskedFor) {
  sources_.drawn = true;
  sources_.root = path_ + "/given";  // of the environment, say
  for (int run = 0; run < 2; ++run) {
    const absl::StatusOr<ProvidedData> data = ProvideData(job_, sources_);
    ASSERT_THAT(data, IsOk());
    EXPECT_EQ(data->dataset.name, "drawn");
    EXPECT_EQ(data->dataset.directory, "drawn");
    EXPECT_THAT(data->sentence, HasSubstr("drawn by hanas"));
  }
  EXPECT_EQ(fetches_, 0);
  EXPECT_EQ(draws_, 1);
}

TEST_F(ProvideDataTest, AnotherShapeIsNotDrawn) {
  job_.dataset = {.name = "cifar10", .format = DatasetFormat::kImageFolder, .directory = "cifar10"};
  job_.space.input_channels = 3;
  EXPECT_THAT(ProvideData(job_, sources_), StatusIs(absl::StatusCode::kNotFound, Not(HasSubstr("--drawn-data"))));
  sources_.drawn = true;
  EXPECT_THAT(ProvideData(job_, sources_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("10 classes of grey images in IDX files")));
  EXPECT_EQ(draws_, 0);
}

TEST_F(ProvideDataTest, AnInterruptedFetchDoesNotEndInADrawnSet) {
  fetch_status_ = absl::CancelledError("interrupted");
  EXPECT_THAT(ProvideData(job_, sources_), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(draws_, 0);
}

}  // namespace
}  // namespace hanas::cli
