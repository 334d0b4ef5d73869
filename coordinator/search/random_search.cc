// SPDX-License-Identifier: Apache-2.0
#include "coordinator/search/random_search.h"
