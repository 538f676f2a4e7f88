// What levels of scheme routed are called, for people.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/format/plan.pb.h"

namespace hsa::format {

using SplatLevels = google::protobuf::RepeatedPtrField<SplatLevel>;

// Of a level that was given no name, counted fine to coarse from 0: token, phrase, section, document, chapter, book, level 6 … level 15.
std::string DefaultLevelName(int64_t level);

// Its name, or that one: files that are older than names have none.
std::string LevelName(const SplatLevels& levels, int64_t level);

// "level 1 'phrase'"
std::string LevelText(const SplatLevels& levels, int64_t level);

}  // namespace hsa::format
