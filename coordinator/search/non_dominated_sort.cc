// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/non_dominated_sort.h"
