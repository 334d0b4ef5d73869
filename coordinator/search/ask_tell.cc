// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/ask_tell.h"
