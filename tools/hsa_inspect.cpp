// hsa-inspect: what is in a plan, and which of its code this machine runs; what is in a state file.
#include <algorithm>
#include <cstring>
#include <iostream>

#include "CLI/CLI.hpp"
#include "runtime/format/check_plan.h"
#include "runtime/format/plan_file.h"
#include "runtime/mapped_file.h"
#include "runtime/write_file.h"
#include "tools/describe_machine.h"
#include "tools/describe_plan.h"
#include "tools/describe_state.h"
#include "tools/fail.h"
#include "tools/state_page.h"

namespace {

// Nothing of the plan is run or mapped as code, so plans for other processors can be read as well.
absl::StatusOr<hsa::PlanDescription> ReadPlan(const std::string& path) {
  const absl::StatusOr<std::vector<std::byte>> file = hsa::format::ReadPlanFile(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<hsa::format::PlanHeader> header = hsa::format::CheckPlan(*file, path);
  if (!header.ok()) return header.status();
  return hsa::PlanDescription{.path = path, .file_bytes = static_cast<int64_t>(file->size()), .header = *std::move(header)};
}

// Files are told apart by how they begin.
bool IsState(std::span<const std::byte> file) {
  return file.size() >= hsa::format::kStateMagic.size() &&
         std::memcmp(file.data(), hsa::format::kStateMagic.data(), hsa::format::kStateMagic.size()) == 0;
}

// Files that pictures of a state are written to; empty: none.
struct Pictures {
  std::string html, svg;
};

absl::Status InspectState(const std::string& path, const hsa::MappedFile& file, const Pictures& pictures) {
  absl::StatusOr<hsa::format::StateFile> state = hsa::format::CheckState(file.bytes(), path);
  if (!state.ok()) return state.status();
  const hsa::StateDescription description{path, file.bytes(), *std::move(state)};
  hsa::PrintState(std::cout, description);
  if (!pictures.html.empty())
    if (absl::Status written = hsa::WriteFile(pictures.html, hsa::StatePage(description)); !written.ok()) return written;
  if (pictures.svg.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> drawing = hsa::StateDrawing(description);
  return drawing.ok() ? hsa::WriteFile(pictures.svg, *drawing) : drawing.status();
}

absl::Status Usage(std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  return absl::InvalidArgumentError(message + "; hsa-inspect --help lists the flags");
}

// A full disk or a closed pipe must not look like success.
int Finish() {
  if (std::cout.flush()) return 0;
  return hsa::Fail(1, "hsa-inspect",
                   absl::DataLossError("standard output: cannot write, wanted room for the description; free some space"));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Prints what is in a plan: its graph, stages, buffers and code, and which of its code this machine runs; or what is in a state file.",
      "hsa-inspect");
  app.footer("Exit status: 0, 1 for a file that is refused, 2 for wrong usage.");
  std::string path;
  Pictures pictures;
  bool json = false, machine = false;
  app.add_option("PLAN", path, "plan that hsa-compile wrote (*.hsaplan), or state that hsa-run did (*.hsastate)");
  app.add_flag("--json", json, "print JSON (docs/plan_format.md)");
  app.add_option("--html", pictures.html, "of a state: write a page with pictures here")->type_name("FILE");
  app.add_option("--svg", pictures.svg, "of a state: draw splats, residual and mass of each level over time here")->type_name("FILE");
  app.add_flag("--machine", machine, "print what this machine can do and what was measured of it (docs/machine.md), instead of a plan");
  app.set_version_flag("--version", "hsa-inspect " HSA_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return Finish();
  } catch (const CLI::CallForVersion& version) {
    std::cout << version.what() << '\n';
    return Finish();
  } catch (const CLI::ParseError& error) {
    return hsa::Fail(2, "hsa-inspect", Usage(error.what()));
  }
  if (machine && !path.empty()) return hsa::Fail(2, "hsa-inspect", Usage("PLAN and --machine are both given, wanted one of them"));
  if (!machine && path.empty()) return hsa::Fail(2, "hsa-inspect", Usage("PLAN is missing, wanted a plan or --machine"));
  if (machine) {
    (json ? hsa::PrintMachineJson : hsa::PrintMachine)(std::cout, hsa::MeasureMachine());
    return Finish();
  }
  if (const absl::StatusOr<hsa::MappedFile> file = hsa::MappedFile::Open(path); file.ok() && IsState(file->bytes())) {
    if (json) return hsa::Fail(2, "hsa-inspect", Usage("--json tells of plans, PLAN is a state; leave it out"));
    const absl::Status inspected = InspectState(path, *file, pictures);
    return inspected.ok() ? Finish() : hsa::Fail(1, "hsa-inspect", inspected);
  }
  if (!pictures.html.empty() || !pictures.svg.empty())
    return hsa::Fail(2, "hsa-inspect", Usage("--html and --svg tell of states, PLAN is none; leave them out"));
  const absl::StatusOr<hsa::PlanDescription> plan = ReadPlan(path);
  if (!plan.ok()) return hsa::Fail(1, "hsa-inspect", plan.status());
  (json ? hsa::PrintPlanJson : hsa::PrintPlan)(std::cout, *plan);
  return Finish();
}
