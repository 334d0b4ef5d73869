// SPDX-License-Identifier: Apache-2.0
#include "coordinator/surrogate/candidate_scorer.h"
