// SPDX-License-Identifier: Apache-2.0
#include "coordinator/calibration/calibration.h"
