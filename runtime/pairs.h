// Keys and values as bf16 in pairs, which AMX and AVX512-BF16 multiply: the form in which they are read where the plan, the processor and the system let it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "runtime/rows.h"
#include "runtime/run_state.h"

namespace hsa {

class PairPacker {
 public:
  PairPacker(const Program& program, const Geometry& geometry, DType dtype)
      : geometry_(geometry), reader_(program, dtype), pack_(program.Find("pack_pairs")) {}

  // Keys [first, first + count) in their order, rounded to bf16; empty slots behind the last one up to a multiple of kPairSegmentKeys.
  void PackRange(Worker& worker, const TensorView& key, const TensorView& value, int64_t kv_head, int64_t first, int64_t count,
                 KeyPanels& out) const;

  // Keys at these positions, which ascend, in the same form.
  void PackList(Worker& worker, const TensorView& key, const TensorView& value, int64_t kv_head, std::span<const int32_t> positions,
                KeyPanels& out) const;

 private:
  // Room for `count` keys, all of its slots empty; returns how many slots that are.
  int64_t Reserve(int64_t count, KeyPanels& out) const;
  // Rows of k and v at positions [0, rows) of `positions` become slots [begin, begin + rows), and those up to a whole number of panels empty ones.
  void Pack(Worker& worker, WideRows& k, const WideRows& v, std::span<const int32_t> positions, int64_t begin, KeyPanels& out) const;

  Geometry geometry_;
  RowReader reader_;
  Program::Stage pack_;
};

// Bytes of `keys` keys in pairs.
int64_t KeyPairBytes(const Geometry& geometry, int64_t keys);

// Whether keys are read in pairs: the plan was compiled for it, for inputs of any type or (auto) for those that are in bf16, this process has what that
// takes, it is faster here or asked for, and the tolerance of the run, if it has one, leaves room for weights of eight bits. Audits are read in f32 all the
// same: what a tolerance is held against.
bool ReadsPairs(const Job& job);

// What multiplies them: "amx" or "avx512bf16".
std::string_view PairUnitName(const Job& job);

// Why not, of a plan that was compiled for pairs; empty where it reads them, of other plans, and where auto found f32 the better choice, unless the system
// has refused what the processor has.
std::string WhyNoPairs(const Job& job);

}  // namespace hsa
