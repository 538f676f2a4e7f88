// Rows of a user's tensors on their way in and out: widened to padded f32, packed in panels, stored in the output's type.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/geometry.h"
#include "runtime/huge_pages.h"
#include "runtime/tensor.h"
#include "runtime/worker.h"

namespace hsa {

// f32 rows of `width` floats each (zeros behind the tensor's own columns), and which of them are not finite.
struct WideRows {
  std::vector<float, HugePages<float>> rows;
  std::vector<int32_t> bad;

  // Makes room without giving memory back.
  void Resize(int64_t count, int64_t width) {
    rows.resize(count * width);
    bad.resize(count);
  }
};

// A row that is not finite becomes NaN as a whole: its scores are NaN then, and never the -inf of a key that weighs nothing.
void SpreadNaN(WideRows& rows, int64_t row, int64_t width);

// Rows that are widened at a time: they stay in the second-level cache until they are packed.
inline constexpr int64_t kRowsAtOnce = 512;

class RowReader {
 public:
  RowReader(const Program& program, DType dtype) : widen_(program.Find("widen_rows", dtype)) {}

  // Rows [first, first + count) of one head into `out` (count × width floats) and `bad`.
  void Read(Worker& worker, const TensorView& tensor, int64_t head, int64_t first, int64_t count, int64_t width, float* out,
            int32_t* bad) const;

 private:
  Program::Stage widen_;
};

// Keys of one kv_head in panels of 16, in batches of four panels; empty slots behind the last key.
struct KeyPanels {
  std::vector<float, UnfilledPages<float>> k, v;                  // f32: PanelPacker
  std::vector<uint16_t, UnfilledPages<uint16_t>> pair_k, pair_v;  // or bf16 in pairs: PairPacker
  std::vector<int32_t, UnfilledPages<int32_t>> byte_k, byte_sum;  // or integers of 8 bits: BytePacker, with v
  std::vector<float, UnfilledPages<float>> byte_scale, center;
  std::vector<int32_t> pos, bad;
  int64_t panels = 0;

  bool paired() const { return !pair_k.empty(); }
  void Bind(Worker& worker, const Geometry& geometry) const;
  int64_t bytes() const {
    return static_cast<int64_t>((k.capacity() + v.capacity() + byte_k.capacity() + byte_sum.capacity() + byte_scale.capacity() +
                                 center.capacity() + pos.capacity() + bad.capacity()) *
                                    4 +
                                (pair_k.capacity() + pair_v.capacity()) * 2);
  }
};

// Bytes of the panels of `keys` keys.
int64_t KeyPanelBytes(const Geometry& geometry, int64_t keys);

class PanelPacker {
 public:
  PanelPacker(const Program& program, const Geometry& geometry, DType dtype)
      : geometry_(geometry), reader_(program, dtype), pack_(program.Find("pack_panels")) {}

  // Keys [first, first + count) in their order. Appends the positions of non-finite ones to `bad_keys` when it is given.
  void PackRange(Worker& worker, const TensorView& key, const TensorView& value, int64_t kv_head, int64_t first, int64_t count,
                 KeyPanels& out, std::vector<int32_t>* bad_keys = nullptr) const;
  // The keys at these positions, ascending.
  void PackList(Worker& worker, const TensorView& key, const TensorView& value, int64_t kv_head, std::span<const int32_t> positions,
                KeyPanels& out) const;

 private:
  // Makes room for the keys at these positions; Pack then fills the panels from slot `begin` on with what was read of some of them.
  void Reserve(std::span<const int32_t> positions, KeyPanels& out) const;
  void Pack(Worker& worker, WideRows& k, WideRows& v, int64_t count, int64_t begin, KeyPanels& out) const;

  Geometry geometry_;
  RowReader reader_;
  Program::Stage pack_;
};

// Asks the system to read these rows of a mapped tensor soon; harmless for memory that is not mapped from a file.
void WillNeed(const TensorView& tensor, int64_t head, int64_t first, int64_t count);

}  // namespace hsa
