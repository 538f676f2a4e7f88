// Sparse matrices of what is kept: tokens by splats, or splats by splats (docs/spec.md, "Sparse"). Row after row, columns ascending (CSR).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hsa {

struct KeptMatrix {
  int64_t columns = 0;
  std::vector<int64_t> begin = {0};  // [rows + 1]: entries of a row
  std::vector<int32_t> column;       // of each entry
  std::vector<double> value;         // finite and > 0

  int64_t rows() const { return static_cast<int64_t>(begin.size()) - 1; }
  int64_t entries() const { return static_cast<int64_t>(column.size()); }

  // Adds a row: entries of `row` that are not 0.
  void AddRow(std::span<const double> row);
  std::vector<double> RowSums() const;
};

// The same entries by columns: CSC of `matrix`, as rows.
KeptMatrix Transposed(const KeptMatrix& matrix);

// left · right, an entry where both keep one of some term: row by row of left, each a sum of rows of right (Gustavson). left has as many columns as right rows.
KeptMatrix Product(const KeptMatrix& left, const KeptMatrix& right);

// left + right, of one shape: what either keeps, added up where both do.
KeptMatrix Union(const KeptMatrix& left, const KeptMatrix& right);

// In place: row r times factors[r], finite and > 0; what is kept stays.
void ScaleRows(KeptMatrix& matrix, std::span<const double> factors);

// In place: each row keeps what is at least `share`, more than 0 and 1 at most, of its greatest entry.
void Threshold(KeptMatrix& matrix, double share);

}  // namespace hsa
