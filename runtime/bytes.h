// Keys as integers of 8 bits about a center, which AVX512-VNNI multiplies four at a time; values stay in f32. For exact attention that was asked for: scores err by
// about 0.02 on captures (docs/performance.md, "int8"), and nothing audits that.
#pragma once

#include <string>

#include "runtime/rows.h"
#include "runtime/run_state.h"

namespace hsa {

class BytePacker {
 public:
  BytePacker(const Program& program, const Geometry& geometry, DType dtype)
      : geometry_(geometry), panels_(program, geometry, dtype), pack_(program.Find("pack_bytes")) {}

  // Keys [first, first + count) in their order; empty slots behind the last one.
  void PackRange(Worker& worker, const TensorView& key, const TensorView& value, int64_t kv_head, int64_t first, int64_t count,
                 KeyPanels& out) const;

 private:
  Geometry geometry_;
  PanelPacker panels_;
  Program::Stage pack_;
};

// Bytes of `keys` keys in this form.
int64_t KeyByteBytes(const Geometry& geometry, int64_t keys);

// Whether exact attention reads keys in bytes: the plan was compiled for it, this process can, and every key was asked for.
bool ReadsBytes(const Job& job);

// Why not, of a plan that was compiled for it; empty where it reads them, and of other plans.
std::string WhyNoBytes(const Job& job);

}  // namespace hsa
