// Sparse algebra beside that of Eigen, on random matrices: some rows and columns are empty, some matrices too.
#include "runtime/kept_matrix.h"

#include <Eigen/SparseCore>
#include <algorithm>
#include <random>

#include "gtest/gtest.h"

namespace hsa {
namespace {

using Peer = Eigen::SparseMatrix<double, Eigen::RowMajor>;

Peer PeerOf(const KeptMatrix& matrix) {
  std::vector<Eigen::Triplet<double>> entries;
  for (int64_t r = 0; r < matrix.rows(); ++r)
    for (int64_t i = matrix.begin[r]; i < matrix.begin[r + 1]; ++i)
      entries.emplace_back(static_cast<int>(r), matrix.column[i], matrix.value[i]);
  Peer peer(matrix.rows(), matrix.columns);
  peer.setFromTriplets(entries.begin(), entries.end());
  return peer;
}

// The same entries, to the bit but for the order of sums; columns of a row ascend and are there once.
void ExpectSame(const KeptMatrix& is, const Peer& wanted) {
  ASSERT_EQ(is.rows(), wanted.rows());
  ASSERT_EQ(is.columns, wanted.cols());
  ASSERT_EQ(is.entries(), wanted.nonZeros());
  ASSERT_EQ(is.value.size(), is.column.size());
  for (int64_t r = 0; r < is.rows(); ++r) {
    int64_t i = is.begin[r];
    for (Peer::InnerIterator entry(wanted, r); entry; ++entry, ++i) {
      ASSERT_LT(i, is.begin[r + 1]);
      EXPECT_EQ(is.column[i], entry.col());
      EXPECT_NEAR(is.value[i], entry.value(), 1e-14 * entry.value());
    }
    EXPECT_EQ(i, is.begin[r + 1]);
  }
}

class KeptMatrixTest : public testing::TestWithParam<int> {
 protected:
  int64_t OneOf(std::initializer_list<int64_t> values) { return *(values.begin() + random_() % values.size()); }
  KeptMatrix Random(int64_t rows, int64_t columns) {
    KeptMatrix matrix;
    matrix.columns = columns;
    const double share = std::uniform_real_distribution<>(0, 0.4)(random_);
    std::vector<double> row(columns);
    for (int64_t r = 0; r < rows; ++r) {
      for (double& x : row)
        x = std::uniform_real_distribution<>()(random_) < share ? std::exp(-20 * std::uniform_real_distribution<>()(random_)) : 0;
      matrix.AddRow(row);
    }
    return matrix;
  }

  std::mt19937 random_{static_cast<unsigned>(GetParam())};
};

TEST_P(KeptMatrixTest, AgreesWithEigen) {
  const int64_t n = OneOf({0, 1, 7, 40}), k = OneOf({1, 5, 64}), m = OneOf({1, 9, 33});
  const KeptMatrix a = Random(n, k), b = Random(k, m), c = Random(n, k);
  ExpectSame(Transposed(a), Peer(PeerOf(a).transpose()));
  ExpectSame(Product(a, b), Peer(PeerOf(a) * PeerOf(b)));
  ExpectSame(Product(Transposed(a), c), Peer(Peer(PeerOf(a).transpose()) * PeerOf(c)));
  ExpectSame(Union(a, c), Peer(PeerOf(a) + PeerOf(c)));
}

TEST_P(KeptMatrixTest, ScalesAndLeavesOutInPlace) {
  const int64_t n = OneOf({1, 7, 40}), k = OneOf({1, 5, 64});
  KeptMatrix a = Random(n, k);
  Eigen::VectorXd factors(n);
  for (double& f : factors) f = 0.5 + std::uniform_real_distribution<>()(random_);
  Peer scaled = factors.asDiagonal() * PeerOf(a);
  ScaleRows(a, {factors.data(), static_cast<size_t>(n)});
  ExpectSame(a, scaled);
  const std::vector<double> sums = a.RowSums();
  for (int64_t r = 0; r < n; ++r) EXPECT_NEAR(sums[r], scaled.row(r).sum(), 1e-14 * sums[r]);
  for (const double share : {0.05, 1.0}) {
    std::vector<double> greatest(n, 0.0);
    for (int64_t r = 0; r < n; ++r)
      for (Peer::InnerIterator entry(scaled, r); entry; ++entry) greatest[r] = std::max(greatest[r], entry.value());
    scaled.prune([&](Eigen::Index row, Eigen::Index, double value) { return value >= share * greatest[row]; });
    Threshold(a, share);
    ExpectSame(a, scaled);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, KeptMatrixTest, testing::Range(0, 40));

}  // namespace
}  // namespace hsa
