#include "runtime/kept_matrix.h"

#include <algorithm>
#include <numeric>

namespace hsa {

void KeptMatrix::AddRow(std::span<const double> row) {
  for (size_t c = 0; c < row.size(); ++c)
    if (row[c] != 0) column.push_back(static_cast<int32_t>(c)), value.push_back(row[c]);
  begin.push_back(entries());
}

std::vector<double> KeptMatrix::RowSums() const {
  std::vector<double> sums;
  for (int64_t r = 0; r < rows(); ++r) sums.push_back(std::accumulate(value.begin() + begin[r], value.begin() + begin[r + 1], 0.0));
  return sums;
}

// By counting, so that rows of the result are in order as rows of `matrix` are.
KeptMatrix Transposed(const KeptMatrix& matrix) {
  KeptMatrix result;
  result.columns = matrix.rows();
  result.begin.assign(matrix.columns + 1, 0);
  result.column.resize(matrix.entries()), result.value.resize(matrix.entries());
  for (const int32_t c : matrix.column) ++result.begin[c + 1];
  std::partial_sum(result.begin.begin(), result.begin.end(), result.begin.begin());
  std::vector<int64_t> next(result.begin.begin(), result.begin.end() - 1);
  for (int64_t r = 0; r < matrix.rows(); ++r)
    for (int64_t i = matrix.begin[r]; i < matrix.begin[r + 1]; ++i) {
      const int64_t at = next[matrix.column[i]]++;
      result.column[at] = static_cast<int32_t>(r), result.value[at] = matrix.value[i];
    }
  return result;
}

KeptMatrix Product(const KeptMatrix& left, const KeptMatrix& right) {
  KeptMatrix result;
  result.columns = right.columns;
  std::vector<double> sum(right.columns, 0.0);
  std::vector<int32_t> touched;
  for (int64_t r = 0; r < left.rows(); ++r) {
    touched.clear();
    for (int64_t i = left.begin[r]; i < left.begin[r + 1]; ++i)
      for (int64_t j = right.begin[left.column[i]]; j < right.begin[left.column[i] + 1]; ++j) {
        double& at = sum[right.column[j]];
        if (at == 0) touched.push_back(right.column[j]);
        at += left.value[i] * right.value[j];
      }
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());  // twice there: a term that was too small to count
    for (const int32_t c : touched) {
      if (sum[c] != 0) result.column.push_back(c), result.value.push_back(sum[c]);
      sum[c] = 0;
    }
    result.begin.push_back(result.entries());
  }
  return result;
}

KeptMatrix Union(const KeptMatrix& left, const KeptMatrix& right) {
  KeptMatrix result;
  result.columns = left.columns;
  for (int64_t r = 0; r < left.rows(); ++r) {
    int64_t i = left.begin[r], j = right.begin[r];
    while (i < left.begin[r + 1] || j < right.begin[r + 1]) {
      const bool has_left = i < left.begin[r + 1], has_right = j < right.begin[r + 1];
      const int32_t c = !has_right || (has_left && left.column[i] < right.column[j]) ? left.column[i] : right.column[j];
      double sum = 0;
      if (has_left && left.column[i] == c) sum += left.value[i++];
      if (has_right && right.column[j] == c) sum += right.value[j++];
      result.column.push_back(c), result.value.push_back(sum);
    }
    result.begin.push_back(result.entries());
  }
  return result;
}

void ScaleRows(KeptMatrix& matrix, std::span<const double> factors) {
  for (int64_t r = 0; r < matrix.rows(); ++r)
    for (int64_t i = matrix.begin[r]; i < matrix.begin[r + 1]; ++i) matrix.value[i] *= factors[r];
}

void Threshold(KeptMatrix& matrix, double share) {
  int64_t kept = 0;
  for (int64_t r = 0, from = 0; r < matrix.rows(); ++r) {
    const int64_t end = matrix.begin[r + 1];
    const double least = from < end ? share * *std::max_element(matrix.value.begin() + from, matrix.value.begin() + end) : 0;
    for (int64_t i = from; i < end; ++i)
      if (matrix.value[i] >= least) matrix.column[kept] = matrix.column[i], matrix.value[kept++] = matrix.value[i];
    from = end;
    matrix.begin[r + 1] = kept;
  }
  matrix.column.resize(kept), matrix.value.resize(kept);
}

}  // namespace hsa
