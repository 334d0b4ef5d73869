// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/presets_command.h"

#include "absl/strings/str_cat.h"
#include "cli/commands/output.h"
#include "cli/commands/space_text.h"
#include "cli/report/table.h"
#include "config/presets.h"
#include "core/base/quantity.h"
#include "core/cost/cost.h"
#include "core/family/convnet/convnet_space.h"
#include "core/lowering/lowering.h"

namespace hanas::cli {
ExitCode PresetsCommand(const std::string& name) {
  if (!name.empty()) {
    const absl::StatusOr<config::Preset> preset = config::FindPreset(name);
    if (!preset.ok()) {
      Complain(preset.status().message());
      return ExitCode::kUsage;
    }
    Print(preset->text);
    return ExitCode::kOk;
  }
  Table table({{"preset"},
               {"networks", Table::Align::kRight},
               {"largest: MACs", Table::Align::kRight},
               {"parameters", Table::Align::kRight},
               {""}});
  for (const config::Preset& preset : config::Presets()) {
    const Lowering lowering(ConvnetSpace::Define(config::SpecOf(preset)).value());
    const SearchSpace& space = lowering.space();
    const Cost cost = GraphCost(lowering.Lower(space.Largest({16, 16})));
    const std::string description = config::DescriptionOf(preset);
    table.AddRow({std::string(preset.name), FormatNumNetworks(space), FormatCount(static_cast<double>(cost.macs)),
                  FormatCount(static_cast<double>(cost.parameters)), description.substr(0, description.find(": "))});
  }
  Print(table.Render(""));
  Print(
      "\nIn a job:  space: {preset: resnet8, num_classes: 20}   Other keys of `space` replace the preset's; hanas presets NAME prints "
      "them.\n");
  return ExitCode::kOk;
}

}  // namespace hanas::cli
