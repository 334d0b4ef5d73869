// SPDX-License-Identifier: Apache-2.0
// The table of kinds of work, as the wire and the store have it.
#include "core/task/work_kinds.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <set>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "coordinator/store/codec/work_codec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "hanas/v1/task.pb.h"
#include "tests/store/sample_records.h"

namespace hanas::coordinator {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAreArray;

std::vector<std::string> NamesOfTheTable() {
  std::vector<std::string> names;
  for (const WorkKind& kind : kWorkKinds) names.emplace_back(kind.name);
  return names;
}

template <typename Message>
std::vector<std::string> FieldsOf(const std::string& oneof_name) {
  const google::protobuf::OneofDescriptor& oneof = *Message::descriptor()->FindOneofByName(oneof_name);
  std::vector<std::string> names;
  for (int i = 0; i < oneof.field_count(); ++i) names.emplace_back(oneof.field(i)->name());
  return names;
}

/// The field of its only oneof that is set.
std::string FieldIn(const google::protobuf::Message& message) {
  const google::protobuf::FieldDescriptor* const field =
      message.GetReflection()->GetOneofFieldDescriptor(message, message.GetDescriptor()->oneof_decl(0));
  return field == nullptr ? "" : std::string(field->name());
}

TEST(WorkKindsTest, TheWireHasTheFieldsOfTheTable) {
  EXPECT_THAT(FieldsOf<v1::Task>("work"), ElementsAreArray(NamesOfTheTable()));
  EXPECT_THAT(FieldsOf<v1::CompleteTaskRequest>("result"), ElementsAreArray(NamesOfTheTable()));
}

TEST(WorkKindsTest, TheStoreHasTheFieldsOfTheTable) {
  EXPECT_THAT(FieldsOf<store::v1::Work>("work"), ElementsAreArray(NamesOfTheTable()));
  EXPECT_THAT(FieldsOf<store::v1::Outcome>("outcome"), ElementsAreArray(NamesOfTheTable()));
}

TEST(WorkKindsTest, EachKindIsStoredInTheFieldOfItsName) {
  std::set<std::string> stored_kinds;
  for (const TaskRecord& task : SampleTasks()) {
    SCOPED_TRACE(KindOf(task.work).name);
    store::v1::Work work;
    WorkToStored(task.work, work);
    EXPECT_EQ(FieldIn(work), KindOf(task.work).name);
    EXPECT_THAT(WorkFromStored(work), IsOkAndHolds(task.work));
    store::v1::Outcome outcome;
    OutcomeToStored(*task.outcome, outcome);
    EXPECT_EQ(FieldIn(outcome), KindOf(*task.outcome).name);
    EXPECT_THAT(OutcomeFromOneof(outcome), IsOkAndHolds(*task.outcome));
    EXPECT_EQ(task.outcome->index(), task.work.index());
    stored_kinds.insert(FieldIn(work));
  }
  EXPECT_EQ(stored_kinds.size(), kWorkKinds.size()) << "expected a sample of every kind";
}

TEST(WorkKindsTest, AStoredTaskWithoutAKindIsRefused) {
  EXPECT_THAT(WorkFromStored({}), StatusIs(absl::StatusCode::kDataLoss, "expected a stored task to say its work, found none"));
  EXPECT_THAT(OutcomeFromOneof(store::v1::Outcome()),
              StatusIs(absl::StatusCode::kDataLoss, "expected an outcome to say what it is of, found nothing"));
  // A kind of a newer version is a field that this one does not know.
  store::v1::Work newer;
  ASSERT_TRUE(newer.ParseFromString(std::string("\xfa\x07\x00", 3)));  // field 127, an empty message
  EXPECT_THAT(WorkFromStored(newer), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(WorkKindsTest, EveryKindHasALimitAndAnActivity) {
  for (const WorkKind& kind : kWorkKinds) {
    SCOPED_TRACE(kind.name);
    EXPECT_GT(kind.stuck_after_minutes, 0);
    EXPECT_FALSE(kind.activity.empty());
  }
}

}  // namespace
}  // namespace hanas::coordinator
