// What every command line of the tools refuses before it looks at a value.
#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hsa {

// INVALID_ARGUMENT when a flag has an empty value: that is a shell variable that was not set, and no wish for the default. Names the flag.
inline absl::Status CheckGiven(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options())
    for (const std::string& value : option->results())
      if (value.empty())
        return absl::InvalidArgumentError(
            absl::StrCat(option->get_name(), " is empty, wanted a value; ", app.get_name(), " --help lists the flags"));
  return absl::OkStatus();
}

}  // namespace hsa
