// Reads the include lines of a source tree and names each one that crosses a layer the wrong way:
//   dialect ← passes ← frontend ← tools,  kernels ← runtime ← frontend, tools;  passes → kernels;  passes → runtime/format;
//   kernels and runtime never see MLIR or LLVM.
// Usage: check_includes ROOT. Exit status 1 when there is an offender, 2 when ROOT is not such a tree.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Layer {
  std::string_view folder;
  std::vector<std::string_view> may_include;  // prefixes of paths
  bool may_include_mlir;
};

const std::vector<Layer>& Layers() {
  static const std::vector<Layer> layers = {
      {"dialect", {"dialect/"}, true},
      {"passes", {"passes/", "dialect/", "kernels/", "runtime/format/"}, true},
      {"kernels", {"kernels/"}, false},
      {"runtime", {"runtime/", "kernels/"}, false},
      {"frontend", {"frontend/", "passes/", "dialect/", "runtime/", "kernels/"}, true},
      {"tools", {"tools/", "frontend/", "passes/", "dialect/", "runtime/", "kernels/"}, true},
  };
  return layers;
}

// Paths that no layer but the tests may include.
constexpr std::string_view kTests = "tests/";
constexpr std::string_view kCompilerPrefixes[] = {"mlir/", "mlir-c/", "llvm/", "llvm-c/"};

bool IsProjectPath(std::string_view path) {
  return path.starts_with(kTests) || std::any_of(Layers().begin(), Layers().end(),
                                                 [&](const Layer& layer) { return path.starts_with(std::string(layer.folder) + "/"); });
}

// Why `layer` must not include `path`, or nothing when it may.
std::optional<std::string> Refusal(const Layer& layer, std::string_view path) {
  const std::string folder(layer.folder);
  for (std::string_view prefix : kCompilerPrefixes)
    if (path.starts_with(prefix) && !layer.may_include_mlir) return folder + " must not see MLIR or LLVM";
  if (!IsProjectPath(path)) return std::nullopt;
  for (std::string_view prefix : layer.may_include)
    if (path.starts_with(prefix)) return std::nullopt;
  std::string allowed;
  for (std::string_view prefix : layer.may_include) allowed += (allowed.empty() ? "" : ", ") + std::string(prefix);
  return folder + " may include only " + allowed;
}

bool IsSource(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".h" || extension == ".cpp" || extension == ".td" || extension == ".inc";
}

// Prints the offenders of one file; returns how many.
int CheckFile(const Layer& layer, const fs::path& file, const fs::path& root) {
  static const std::regex include_line(R"re(^\s*#?\s*include\s*[<"]([^>"]+)[>"])re");
  std::ifstream in(file);
  std::string line;
  int offenders = 0;
  for (int number = 1; std::getline(in, line); ++number) {
    std::smatch match;
    if (!std::regex_search(line, match, include_line)) continue;
    if (const auto refusal = Refusal(layer, match[1].str())) {
      std::cerr << fs::relative(file, root).string() << ':' << number << ": includes " << match[1] << ": " << *refusal << '\n';
      ++offenders;
    }
  }
  return offenders;
}

std::vector<fs::path> SourcesBelow(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && IsSource(entry.path())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "check_includes: " << argc - 1 << " arguments, wanted one: the root of the source tree\n";
    return 2;
  }
  const fs::path root = argv[1];
  int offenders = 0;
  size_t files = 0;
  for (const Layer& layer : Layers()) {
    if (!fs::is_directory(root / layer.folder)) {
      std::cerr << "check_includes: " << (root / layer.folder).string() << " is not there, wanted the root of the source tree\n";
      return 2;
    }
    for (const fs::path& file : SourcesBelow(root / layer.folder)) {
      offenders += CheckFile(layer, file, root);
      ++files;
    }
  }
  std::cout << files << " files, " << offenders << " offending includes\n";
  return offenders == 0 ? 0 : 1;
}
