// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_CONVERT_FINDINGS_H_
#define HANAS_RPC_CONVERT_FINDINGS_H_

#include "core/job/findings.h"
#include "hanas/v1/data.pb.h"

namespace hanas::rpc {

// Wire <-> core for what is found out about data and results. Nothing is checked here: whoever takes a result judges it as a whole.
// Thread-safe: free functions without state.

v1::Warning ToProto(const Warning& warning);
Warning FromProto(const v1::Warning& proto);
v1::ClassPictures ToProto(const ClassPictures& pictures);
ClassPictures FromProto(const v1::ClassPictures& proto);

}  // namespace hanas::rpc

#endif  // HANAS_RPC_CONVERT_FINDINGS_H_
