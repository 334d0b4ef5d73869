// SPDX-License-Identifier: Apache-2.0
// The annotations of a job are what validation does: it refuses a job without a REQUIRED field, and takes one without any other.
#include <memory>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "google/api/field_behavior.pb.h"
#include "google/protobuf/message.h"
#include "gtest/gtest.h"
#include "rpc/convert/job.h"
#include "tests/core/small_space.h"

namespace hanas::rpc {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

/// A job with every part that a job can have.
v1::SearchSpec WholeJob() {
  SearchJob job = {.name = "small"};
  job.dataset = {"fashion-mnist", DatasetFormat::kImageFolder, "fashion_mnist", 5000};
  job.space = SmallSpaceSpec();
  job.training.phases = {{0.5, SamplingKind::kLargest}, {1, SamplingKind::kSandwich}};
  job.objectives = {{"accuracy"}, {"size"}};
  return ToProto(job);
}

bool IsRequired(const FieldDescriptor& field) {
  const auto& options = field.options();
  for (int i = 0; i < options.ExtensionSize(google::api::field_behavior); ++i) {
    if (options.GetExtension(google::api::field_behavior, i) == google::api::REQUIRED) return true;
  }
  return false;
}

/// Whether a preset can say what is in a field of a space, which is then not REQUIRED though a space without a preset needs it.
bool NeededWithoutPreset(const FieldDescriptor& field) {
  const std::vector<std::string> names = {"resolutions", "input_channels", "num_classes", "stages"};
  return field.containing_type() == v1::SpaceSpec::descriptor() && absl::c_linear_search(names, field.name());
}

/// Takes away each field of `part`, which is in `spec`, and of what is below it, one at a time.
void ExpectTrue(v1::SearchSpec& spec, Message& part, const std::string& path, int& num_required) {
  const google::protobuf::Reflection& reflection = *part.GetReflection();
  for (int i = 0; i < part.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* const field = part.GetDescriptor()->field(i);
    const bool there = field->is_repeated() ? reflection.FieldSize(part, field) > 0 : reflection.HasField(part, field);
    if (!there) continue;
    const std::string name = path + "." + field->name();
    const std::unique_ptr<Message> whole(part.New());
    whole->CopyFrom(part);
    reflection.ClearField(&part, field);
    EXPECT_EQ(!SearchJobFromProto(spec).ok(), IsRequired(*field) || NeededWithoutPreset(*field))
        << name << ": " << SearchJobFromProto(spec).status();
    num_required += IsRequired(*field) ? 1 : 0;
    part.CopyFrom(*whole);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    Message& below = field->is_repeated() ? *reflection.MutableRepeatedMessage(&part, field, 0) : *reflection.MutableMessage(&part, field);
    ExpectTrue(spec, below, name, num_required);
  }
}

TEST(FieldBehavior, RequiredIsWhatAJobIsRefusedWithout) {
  v1::SearchSpec spec = WholeJob();
  ASSERT_TRUE(SearchJobFromProto(spec).ok()) << SearchJobFromProto(spec).status();
  int num_required = 0;
  ExpectTrue(spec, spec, "spec", num_required);
  EXPECT_GT(num_required, 10);
}

}  // namespace
}  // namespace hanas::rpc
