#include "runtime/key_order.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "kernels/tile_shape.h"

namespace hsa {

void KeyOrder::Start(size_t rows, size_t floats) {
  projection_.resize(rows);
  permutation_.resize(rows);
  moved_.resize(floats);
  moved_rows_.resize(rows);
}

void KeyOrder::Bisect(std::span<float> x, int64_t width, std::span<int32_t> rows, std::span<int32_t> slots) {
  Start(rows.size(), x.size());
  Split(x.data(), width, rows.data(), static_cast<int64_t>(rows.size()), slots.data(), static_cast<int64_t>(slots.size()));
}

void KeyOrder::Group(std::span<float> x, int64_t width, std::span<int32_t> rows, int64_t size) {
  Start(rows.size(), x.size());
  SplitGroup(x.data(), width, rows.data(), static_cast<int64_t>(rows.size()), size);
}

void KeyOrder::Cut(float* x, int64_t width, int32_t* rows, int64_t count, int64_t left) {
  worker_.Bind("metric_x", x, {count, width});
  worker_.Bind("projection", projection_.data(), {count});
  worker_.Call(axis_);
  std::iota(permutation_.begin(), permutation_.begin() + count, 0);
  const auto before = [&](int32_t a, int32_t b) {
    return projection_[a] != projection_[b] ? projection_[a] < projection_[b] : rows[a] < rows[b];
  };
  std::nth_element(permutation_.begin(), permutation_.begin() + left, permutation_.begin() + count, before);
  // nth_element leaves each side in an order of its own making: by row, the result depends on the rows alone.
  std::sort(permutation_.begin(), permutation_.begin() + left, [&](int32_t a, int32_t b) { return rows[a] < rows[b]; });
  std::sort(permutation_.begin() + left, permutation_.begin() + count, [&](int32_t a, int32_t b) { return rows[a] < rows[b]; });
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(&moved_[i * width], x + permutation_[i] * width, width * sizeof(float));
    moved_rows_[i] = rows[permutation_[i]];
  }
  std::memcpy(x, moved_.data(), count * width * sizeof(float));
  std::copy(moved_rows_.begin(), moved_rows_.begin() + count, rows);
}

void KeyOrder::Split(float* x, int64_t width, int32_t* rows, int64_t count, int32_t* slots, int64_t capacity) {
  if (capacity <= kPanelKeys) {
    std::copy(rows, rows + count, slots);
    std::fill(slots + count, slots + capacity, -1);
    return;
  }
  const int64_t left = (count + 1) / 2;
  if (count > 2) Cut(x, width, rows, count, left);
  Split(x, width, rows, left, slots, capacity / 2);
  Split(x + left * width, width, rows + left, count - left, slots + capacity / 2, capacity / 2);
}

void KeyOrder::SplitGroup(float* x, int64_t width, int32_t* rows, int64_t count, int64_t size) {
  if (count <= size) return;
  const int64_t groups = (count + size - 1) / size, left = (groups + 1) / 2 * size;
  Cut(x, width, rows, count, left);
  SplitGroup(x, width, rows, left, size);
  SplitGroup(x + left * width, width, rows + left, count - left, size);
}

}  // namespace hsa
