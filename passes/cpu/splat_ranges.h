// Loops over the splats of scheme routed that keep as many columns of the values (docs/spec.md, "Value dims").
#pragma once

#include "passes/cpu/kernel_emitter.h"

namespace hsa::ir {

// Splats [begin, end), multiples of 64, that a kernel is called for; none: all of them.
struct SplatSpan {
  Value begin = {}, end = {};
};

// What the port splat_range says.
inline SplatSpan spanOf(KernelEmitter& e, Value range) {
  return {e.toIndex(e.get(range, {e.index(0)})), e.toIndex(e.get(range, {e.index(1)}))};
}

// body(splat, columns) of each tile of 64 splats, fine to coarse. done(from, to): no later splat keeps the columns [from, to); the last call is of [0, to).
inline void forEachSplatTile(
    KernelEmitter& e, llvm::function_ref<void(Value splat, int64_t columns)> body,
    llvm::function_ref<void(int64_t from, int64_t to)> done = [](int64_t, int64_t) {}, const SplatSpan& span = {}) {
  const auto& ranges = e.params.ranges;
  int64_t begin = 0;
  for (size_t i = 0; i < ranges.size(); begin = ranges[i++].end) {
    Value first = e.index(begin), end = e.index(ranges[i].end);
    if (span.begin) first = e.maxIndex(first, span.begin), end = e.minIndex(end, span.end);
    e.forEach(first, end, kSplatTile, [&](Value splat) { body(splat, ranges[i].columns); });
    done(i + 1 < ranges.size() ? ranges[i + 1].columns : 0, ranges[i].columns);
  }
}

}  // namespace hsa::ir
