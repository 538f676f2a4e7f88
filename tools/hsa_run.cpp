// hsa-run: a compiled attention plan over the tensors of a safetensors file.
#include <iostream>

#include "tools/fail.h"
#include "tools/run_options.h"
#include "tools/run_plan.h"

int main(int argc, char** argv) {
  absl::StatusOr<hsa::RunCommand> command = hsa::ParseRunOptions(argc, argv);
  if (!command.ok()) return hsa::Fail(2, "hsa-run", command.status());
  if (!command->help.empty()) return std::cout << command->help << std::flush ? 0 : 1;
  absl::StatusOr<hsa::RunReport> report = hsa::RunPlan(*command);
  if (!report.ok()) return hsa::Fail(1, "hsa-run", report.status());
  if (!(std::cout << *report << std::flush))
    return hsa::Fail(1, "hsa-run", absl::UnavailableError("standard output: cannot write the summary"));
}
