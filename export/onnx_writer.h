// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_EXPORT_ONNX_WRITER_H_
#define HANAS_EXPORT_ONNX_WRITER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/bound/bound_model.h"
#include "core/job/findings.h"

namespace hanas {

/// What kind of file WriteOnnx makes. The defaults are for the file that is shipped.
struct OnnxOptions {
  /// The first axis of input and output is the symbol "N"; false: 1.
  bool dynamic_batch = true;
  /// 2-bit weights as INT2 (type code 26; the file then has opset 25 and IR 13), for runtimes that know it; false: as INT4, twice the
  /// bytes, the same integers, read by every runtime with opset 21.
  bool native_int2 = false;
  /// Weights of 16 bits as FLOAT16 initialisers behind a Cast, which a runtime folds when it loads; false: as FLOAT.
  bool half_weights = true;
  /// Every value of the graph becomes an output, named by OnnxValueName: UINT8 where the value is int8, else FLOAT. For parity tests.
  bool expose_values = false;
  /// Why not to take the network at face value: metadata "hanas.warnings", a list of {"code", "text"}.
  std::vector<Warning> warnings = {};
};

inline constexpr char kOnnxInputName[] = "image";    // float32 [N, C, H, W], after preprocessing
inline constexpr char kOnnxOutputName[] = "logits";  // float32 [N, classes]

/// A standard ONNX model (IR 10, opset 21) that computes what BoundModel means:
///  * Channel-last values become NCHW; [N, C] ones stay.
///  * A value that is int8 is QuantizeLinear then DequantizeLinear with the value's quantiser; an int8 operator that reads a wider value
///    gets the same pair in front of it (made once for a value). The operators in between are float32, so that a runtime which optimises
///    fuses them to integer kernels and one which does not computes what the integers mean.
///  * What is int8 in the graph is UINT8 in the file, integers and zero points 128 higher: the same real numbers. Integer kernels of x86
///    processors without VNNI add pairs of unsigned times signed products in 16 bits and saturate; unsigned times unsigned is exact.
///  * Integer weights are UINT8 or INT4 initialisers behind a DequantizeLinear per output channel. The bias of an int8 layer is an INT32
///    initialiser at scale input_scale * weight_scale, that of another layer is FLOAT.
///  * A 16-bit layer is float32.
///  * A max-pool of int8 values has one quantiser on both sides, so that a runtime can pool integers.
///  * ReLU6 is a Clip. A hard swish is the product of its input and a HardSigmoid; the operators are those of export/onnx_operators.h.
///  * Preprocessing is not part of the graph: it is described in the metadata, with labels, space, architecture and digests (keys
///    "hanas.preprocessing", "hanas.labels", "hanas.space", "hanas.architecture", "hanas.architecture_digest", "hanas.graph_digest",
///    "hanas.checkpoint_sha256", "hanas.warnings").
///
/// Pure: equal models and options give equal bytes. Thread-safe.
///
/// Returns INVALID_ARGUMENT as CheckBoundModel does, if the graph's output is not called kOnnxOutputName, if two tensors would have one
/// name, if a text of the metadata is not UTF-8 or its JSON none, or if a 16-bit weight is beyond the range of a half while `half_weights`
/// is set.
absl::StatusOr<std::string> WriteOnnx(const BoundModel& model, const OnnxOptions& options = {});

/// The tensor that holds the value in its native type in a written model: kOnnxInputName for the input, else the value's name,
/// followed by ".q" where the value is int8. The graph's output in float32 is kOnnxOutputName.
std::string OnnxValueName(const Graph& graph, ValueId value);

}  // namespace hanas

#endif  // HANAS_EXPORT_ONNX_WRITER_H_
