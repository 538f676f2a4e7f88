#include "tools/hsa_bench_quality.h"

#include <filesystem>
#include <iostream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "runtime/write_file.h"
#include "tools/cancel_on_signal.h"
#include "tools/fail.h"

namespace hsa::bench {
namespace {

// Minutes of work must not fail at their end because a folder is missing.
absl::Status CheckFolder(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    return absl::FailedPreconditionError(absl::StrCat(path, ": is a folder, wanted the name of a file"));
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (std::filesystem::is_directory(folder, error)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path, ": its folder ", folder.string(), " does not exist; make it first"));
}

absl::Status RunQuality(const QualityCommand& command) {
  for (const std::string* path : {&command.json, &command.html})
    if (absl::Status checked = CheckFolder(*path); !checked.ok()) return checked;
  const CancelOnSignal cancel;
  std::string separator;
  const absl::StatusOr<QualityReport> report = MeasureQuality(
      command, [&] { return cancel.requested(); },
      [&](const FileQuality& file) {
        std::cout << separator << QualityText(command, file) << std::flush;
        separator = "\n";
      });
  if (!report.ok()) return report.status();
  if (!std::cout) return absl::UnavailableError("standard output: cannot write the tables");
  if (!command.json.empty())
    if (absl::Status written = WriteFile(command.json, QualityJson(command, *report)); !written.ok()) return written;
  if (!command.html.empty())
    if (absl::Status written = WriteFile(command.html, QualityHtml(command, *report)); !written.ok()) return written;
  return absl::OkStatus();
}

}  // namespace

int QualityMain(int argc, const char* const* argv) {
  const absl::StatusOr<QualityCommand> command = ParseQualityOptions(argc, argv);
  if (!command.ok()) return Fail(2, "hsa-bench quality", command.status());
  if (!command->help.empty()) return std::cout << command->help << std::flush ? 0 : 1;
  const absl::Status done = RunQuality(*command);
  return done.ok() ? 0 : Fail(1, "hsa-bench quality", done);
}

}  // namespace hsa::bench
