// SPDX-License-Identifier: Apache-2.0
#ifndef HANAS_TESTS_FAULT_FAULT_FORM_H_
#define HANAS_TESTS_FAULT_FAULT_FORM_H_

#include <cstdlib>

namespace hanas::fault {

/// Whether the fault tests run in their long form, as under `make fault`.
inline bool IsLongForm() { return std::getenv("HANAS_FAULT_LONG") != nullptr; }

}  // namespace hanas::fault

#endif  // HANAS_TESTS_FAULT_FAULT_FORM_H_
