// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/surrogate_search.h"
