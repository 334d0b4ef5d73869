// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_PROFILER_AGENT_RUNTIME_LOADED_LIBRARY_H_
#define HANAS_PROFILER_AGENT_RUNTIME_LOADED_LIBRARY_H_

#include <string>

#include "absl/strings/string_view.h"

namespace hanas {

/// The identity of a shared library of this process whose file name begins with `prefix`: "libXNNPACK.so.0.20241108 build 1a2b…", with the
/// first 16 digits of the build id, or of a digest of the file when it has none ("file …"). Empty when no such library is loaded.
std::string LoadedLibrary(absl::string_view prefix);

}  // namespace hanas

#endif  // HANAS_PROFILER_AGENT_RUNTIME_LOADED_LIBRARY_H_
