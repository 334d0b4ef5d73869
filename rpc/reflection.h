// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_RPC_REFLECTION_H_
#define HANAS_RPC_REFLECTION_H_

#include <memory>
#include <string>
#include <vector>

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_builder.h>

namespace hanas::rpc {

/// Server reflection, grpc.reflection.v1 and v1alpha: names all that a server serves, gRPC's own services among it, and gives the
/// descriptors of the program's pool, so that generic clients (grpcurl, grpcui, Postman) need no proto files. A stream of questions holds
/// no thread.
///
/// Thread-safe once the server is built.
class Reflection {
 public:
  Reflection();
  ~Reflection();

  /// To be called once, before the server is built. This object must outlive the server.
  void AddTo(grpc::ServerBuilder& builder);

  /// What it names, once the server is built.
  const std::vector<std::string>& services() const { return names_; }

 private:
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<grpc::Service>> services_;  // one for each version
};

}  // namespace hanas::rpc

#endif  // HANAS_RPC_REFLECTION_H_
