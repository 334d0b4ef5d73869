// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert/findings.h"

namespace hanas::rpc {

v1::Warning ToProto(const Warning& warning) {
  v1::Warning proto;
  proto.set_code(warning.code);
  proto.set_text(warning.text);
  for (const std::string& member : warning.members) proto.add_members(member);
  return proto;
}

Warning FromProto(const v1::Warning& proto) {
  return {.code = proto.code(), .text = proto.text(), .members = {proto.members().begin(), proto.members().end()}};
}

v1::ClassPictures ToProto(const ClassPictures& pictures) {
  v1::ClassPictures proto;
  proto.set_name(pictures.name);
  proto.set_train(pictures.train);
  proto.set_test(pictures.test);
  return proto;
}

ClassPictures FromProto(const v1::ClassPictures& proto) { return {.name = proto.name(), .train = proto.train(), .test = proto.test()}; }

}  // namespace hanas::rpc
