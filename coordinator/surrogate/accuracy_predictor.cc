// SPDX-License-Identifier: Apache-2.0
#include "coordinator/surrogate/accuracy_predictor.h"
