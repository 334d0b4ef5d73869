// SPDX-License-Identifier: Apache-2.0
// hanas: the command line. Its verbs are defined in cli/command_line; what they do is in cli/commands.

#include "cli/command_line/command_line.h"
#include "cli/commands/interrupt.h"

int main(int argc, char** argv) {
  hanas::cli::CatchInterrupts();
  return static_cast<int>(hanas::cli::CommandLine().Run(argc, argv));
}
