// What the ops that change the precision of a tensor compute.
#include <cmath>
#include <limits>
#include <span>

#include "dialect/hsa_ops.h"
#include "dialect/reference/frame.h"

namespace hsa::ir {

namespace {

using reference::Tensor;

// x ← W x for one row of whole blocks of 16; W W = `size` I.
int64_t turn(std::vector<double>& x) {
  constexpr int64_t kBlock = 16;
  const auto dims = static_cast<int64_t>(x.size());
  int64_t size = kBlock;
  while (dims % (2 * size) == 0) size *= 2;
  for (int64_t half = 1; half < size; half *= 2)
    for (int64_t i = 0; i < dims; ++i)
      if (i / half % 2 == 0) {
        const double a = x[i], b = x[i + half];
        x[i] = a + b, x[i + half] = a - b;
      }
  return size;
}

// What is left of a row when it is kept in integers of 8 bits.
std::vector<double> coded(std::vector<double> row) {
  row.resize((row.size() + 15) / 16 * 16);
  const int64_t size = turn(row);
  double most = 0;
  for (double x : row) most = std::max(most, std::abs(x));
  const double step = most / 127;
  for (double& x : row) x = step > 0 ? std::nearbyint(x / step) * step : 0;
  turn(row);
  for (double& x : row) x /= static_cast<double>(size);
  return row;
}

constexpr int64_t kRows = 64, kLanes = 16;  // row i of a block is of lane i mod 16

// In each dimension the mean of the sums of the lanes without the least and the greatest, for one row.
std::vector<double> middleOf(const std::vector<double>& lanes, int64_t dims) {
  std::vector<double> middle(dims);
  for (int64_t d = 0; d < dims; ++d) {
    double sum = 0, least = lanes[d], most = lanes[d];
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const double x = lanes[lane * dims + d];
      sum += x, least = std::min(least, x), most = std::max(most, x);
    }
    middle[d] = (sum - least - most) / (kRows - 2 * kRows / kLanes);
  }
  return middle;
}

// Rows of one head in integers of 8 bits, about the middle of the 64 before where they are centered.
void codeRows(std::span<double> rows, int64_t dims, bool centered) {
  const auto count = static_cast<int64_t>(rows.size()) / dims;
  const auto finite = [&](int64_t i) { return llvm::all_of(rows.subspan(i * dims, dims), [](double x) { return std::isfinite(x); }); };
  std::vector<double> center(dims);
  for (int64_t first = 0; first < count; first += kRows) {
    const int64_t end = std::min(first + kRows, count);
    std::vector<double> lanes(kLanes * dims);  // sums of what is finite
    for (int64_t i = first; i < end; ++i) {
      std::span<double> row = rows.subspan(i * dims, dims);
      std::vector<double> rest(dims, std::numeric_limits<double>::quiet_NaN());
      for (int64_t d = 0; finite(i) && d < dims; ++d) rest[d] = row[d] - center[d], lanes[i % kLanes * dims + d] += row[d];
      if (centered && first == 0) continue;
      if (finite(i)) rest = coded(rest);
      for (int64_t d = 0; d < dims; ++d) row[d] = center[d] + rest[d];
    }
    if (centered) center = middleOf(lanes, dims);
  }
}

double nearest(double value, const llvm::fltSemantics& semantics) {
  bool inexact = false;
  llvm::APFloat rounded(value);
  rounded.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &inexact);
  rounded.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return rounded.convertToDouble();
}

}  // namespace

llvm::Error QuantizeOp::evaluate(reference::Frame& frame) {
  Tensor narrow = frame.tensor(getWide());
  const mlir::Type type = getNarrow().getType().getElementType();
  if (type.isInteger(8)) {
    const int64_t rows = narrow.shape[1], dims = narrow.shape[2];
    for (int64_t head = 0; head < narrow.shape[0]; ++head)
      codeRows(std::span(narrow.values).subspan(head * rows * dims, rows * dims), dims, getCentered());
  } else {
    for (double& value : narrow.values) value = nearest(value, llvm::cast<mlir::FloatType>(type).getFloatSemantics());
  }
  frame.set(getNarrow(), std::move(narrow));
  return llvm::Error::success();
}

}  // namespace hsa::ir
