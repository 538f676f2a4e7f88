#include "runtime/key_order.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/tile_shape.h"
#include "runtime/huge_pages.h"

namespace hsa {

namespace {

// A row and its place on the axis.
struct Placed {
  float projection;
  int32_t row;
  bool operator<(const Placed& other) const { return projection != other.projection ? projection < other.projection : row < other.row; }
};

// Kept from call to call: megabytes that are asked for anew are zeroed anew.
struct Room {
  std::vector<float, HugePages<float>> x;
  std::vector<int32_t> rows;
  std::vector<float> projection;
  std::vector<Placed> placed;

  void Resize(size_t count, size_t floats) {
    if (x.size() < floats) x.resize(floats);
    if (rows.size() >= count) return;
    rows.resize(count), projection.resize(count), placed.resize(count);
  }
};
thread_local Room room;

}  // namespace

void KeyOrder::Bisect(std::span<float> x, int64_t width, std::span<int32_t> rows, std::span<int32_t> slots) {
  room.Resize(rows.size(), x.size());
  Split({x.data(), room.x.data(), rows.data(), room.rows.data(), static_cast<int64_t>(rows.size())}, width, slots.data(),
        static_cast<int64_t>(slots.size()));
}

void KeyOrder::Group(std::span<float> x, int64_t width, std::span<int32_t> rows, int64_t size) {
  room.Resize(rows.size(), x.size());
  SplitGroup({x.data(), room.x.data(), rows.data(), room.rows.data(), static_cast<int64_t>(rows.size())}, width, rows.data(), size);
}

std::pair<KeyOrder::Side, KeyOrder::Side> KeyOrder::Cut(const Side& all, int64_t width, int64_t left, Move move) {
  worker_.Bind("metric_x", all.x, {all.count, width});
  worker_.Bind("projection", room.projection.data(), {all.count});
  worker_.Call(axis_);
  // An overflow that is not a number has a place, too: exactly `left` rows come before the first of the right side.
  const auto placed = [&](int64_t i) { return Placed{std::isnan(room.projection[i]) ? 0 : room.projection[i], all.rows[i]}; };
  for (int64_t i = 0; i < all.count; ++i) room.placed[i] = placed(i);
  std::nth_element(room.placed.begin(), room.placed.begin() + left, room.placed.begin() + all.count);
  const Placed first_right = room.placed[left];
  int64_t ends[] = {left, 0};  // of the right side, of the left one
  for (int64_t i = 0; i < all.count; ++i) {
    const int64_t to = ends[placed(i) < first_right]++;
    if (move == Move::kAll) std::memcpy(all.other_x + to * width, all.x + i * width, width * sizeof(float));
    all.other_rows[to] = all.rows[i];
  }
  return {{all.other_x, all.x, all.other_rows, all.rows, left},
          {all.other_x + left * width, all.x + left * width, all.other_rows + left, all.rows + left, all.count - left}};
}

void KeyOrder::Split(const Side& all, int64_t width, int32_t* slots, int64_t capacity) {
  if (capacity <= kPanelKeys || all.count <= 2) {
    // One or two rows of a larger capacity stand where bisection would put them: one on each side.
    std::fill(slots, slots + capacity, -1);
    if (capacity > kPanelKeys && all.count == 2)
      slots[0] = all.rows[0], slots[capacity / 2] = all.rows[1];
    else
      std::copy(all.rows, all.rows + all.count, slots);
    return;
  }
  const auto [left, right] = Cut(all, width, (all.count + 1) / 2, capacity / 2 > kPanelKeys ? Move::kAll : Move::kNumbers);
  Split(left, width, slots, capacity / 2);
  Split(right, width, slots + capacity / 2, capacity / 2);
}

void KeyOrder::SplitGroup(const Side& all, int64_t width, int32_t* out, int64_t size) {
  if (all.count <= size) {
    if (all.rows != out) std::copy(all.rows, all.rows + all.count, out);
    return;
  }
  const int64_t groups = (all.count + size - 1) / size;
  const auto [left, right] = Cut(all, width, (groups + 1) / 2 * size, groups > 2 ? Move::kAll : Move::kNumbers);
  SplitGroup(left, width, out, size);
  SplitGroup(right, width, out + left.count, size);
}

}  // namespace hsa
