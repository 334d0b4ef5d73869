#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Usage: generate.sh DIR   Writes the Python stubs of proto/hanas/v1 below DIR; put DIR on PYTHONPATH.
# Takes protoc and grpc_python_plugin (Debian: protobuf-compiler, protobuf-compiler-grpc), else the Python package grpcio-tools.
set -euo pipefail
out=${1:?usage: generate.sh DIR}
mkdir -p "$out"
out=$(cd "$out" && pwd -P)
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
roots=(-I proto -I third_party -I .)
protos=(proto/hanas/v1/*.proto third_party/google/api/field_behavior.proto rpc/error_details.proto)
if command -v protoc >/dev/null && plugin=$(command -v grpc_python_plugin); then
  protoc "${roots[@]}" --python_out="$out" --grpc_out="$out" --plugin=protoc-gen-grpc="$plugin" "${protos[@]}"
elif python3 -c 'import grpc_tools.protoc' 2>/dev/null; then
  python3 -m grpc_tools.protoc "${roots[@]}" --python_out="$out" --grpc_python_out="$out" "${protos[@]}"
else
  echo "generate.sh: expected protoc with grpc_python_plugin, or Python's grpcio-tools; found neither" >&2
  exit 1
fi
