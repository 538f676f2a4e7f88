// Sparse products of scheme routed beside Eigen's: what tokens send is Aᵀ V, A the affinities that they keep, and what queries receive B (Aᵀ V) / B (Aᵀ 1).
#include <Eigen/SparseCore>

#include "tests/passes/cpu/kernel_test.h"

namespace hsa::ir {
namespace {

using Sparse = Eigen::SparseMatrix<double, Eigen::RowMajor>;
using Dense = Eigen::MatrixXd;

constexpr int64_t kLevels[] = {60, 10}, kSplats = 70, kPaddedSplats = 128, kTop = 5, kSlots = 16;

std::string GraphOf(const KernelCase& test, bool causal) {
  const std::string d = std::to_string(test.head_dim), dv = std::to_string(test.value_dim);
  const std::string q = "tensor<1x?x" + d + "xf32>", v = "tensor<1x?x" + dv + "xf32>", c = "tensor<1x70x" + d + "xf32>",
                    s = "tensor<1x70x1xf32>";
  return "func.func @attention(%q: " + q + ", %k: " + q + ", %v: " + v + ", %c: " + c + ", %s: " + s + ") -> " + v + " {\n" +
         "  %o = hsa.routed_attention %q, %k, %v splats %c, %s {" + (causal ? "causal, " : "") +
         "levels = array<i64: 60, 10>, weights = array<f64: 1.0, 1.0>, sparse = #hsa.sparse<top = 5>} : (" + q + ", " + q + ", " + v +
         ", " + c + ", " + s + ") -> " + v + "\n  return %o : " + v + "\n}\n";
}

// What some tokens keep: lists as an entry takes them, and the same as a matrix.
struct Kept {
  Kept(int64_t tokens) : score({2 * tokens, kSlots}), splat({2 * tokens, kSlots}), count({2 * tokens}), matrix(tokens, kSplats) {}
  Array<float> score;
  Array<int32_t> splat, count;
  Sparse matrix;  // 2^(score - amplitude + weight of the level)
};

class SparseKernelTest : public KernelTest {
 protected:
  const CompiledKernels& all_ = CompiledKernels::Of(GetParam().isa, GraphOf(GetParam(), false));
  const CompiledKernels& causal_ = CompiledKernels::Of(GetParam().isa, GraphOf(GetParam(), true));
  const int64_t tokens_ = 37;
  Array<float> amplitude_{{kPaddedSplats}}, level_weight_{{2}}, values_ = RandomRows(tokens_, dv_, dvp_);
  Array<float> max_{{kPaddedSplats}}, sum_{{kPaddedSplats, 16}}, acc_{{kPaddedSplats, dvp_}}, scratch_{{16, kSlots}},
      rows_{{tokens_, dvp_}};

  void SetUp() override {
    amplitude_.Fill(0), sum_.Fill(0), acc_.Fill(0), max_.Fill(-1e30f);
    for (int64_t s = 0; s < kSplats; ++s) amplitude_(s) = Normal();
    level_weight_(0) = 1.5f, level_weight_(1) = -2;
  }

  // Up to `kTop` of each level, none for some; scores over a hundred powers of two when they are keys, which raises maxima on the way.
  Kept RandomKept(double spread, const Array<float>* level_weight, const Array<float>* amplitude) {
    Kept kept(tokens_);
    std::vector<Eigen::Triplet<double>> entries;
    for (int64_t level = 0; level < 2; ++level)
      for (int64_t token = 0; token < tokens_; ++token) {
        const int64_t row = level * tokens_ + token;
        std::vector<int32_t> splats(kLevels[level]);
        std::iota(splats.begin(), splats.end(), level == 0 ? 0 : 60);
        std::shuffle(splats.begin(), splats.end(), random_);
        kept.count(row) = static_cast<int32_t>(random_() % (kTop + 1));
        for (int64_t slot = 0; slot < kept.count(row); ++slot) {
          kept.splat(row, slot) = splats[slot];
          kept.score(row, slot) = Normal(0, spread);
          const double log =
              kept.score(row, slot) + (level_weight ? (*level_weight)(level) : 0) - (amplitude ? (*amplitude)(splats[slot]) : 0);
          entries.emplace_back(token, splats[slot], std::exp2(log));
        }
      }
    kept.matrix.setFromTriplets(entries.begin(), entries.end());
    return kept;
  }
  Kept RandomKeys() { return RandomKept(15, nullptr, &amplitude_); }
  Kept RandomQueries() { return RandomKept(3, &level_weight_, nullptr); }

  // Values and, in the last column, ones.
  Dense ValuesAndOnes() const {
    Dense v(tokens_, dv_ + 1);
    for (int64_t t = 0; t < tokens_; ++t) {
      for (int64_t c = 0; c < dv_; ++c) v(t, c) = values_(t, c);
      v(t, dv_) = 1;
    }
    return v;
  }
  void ExpectRow(const Eigen::RowVectorXd& wanted, int64_t row) const {
    const double total = wanted(dv_);
    for (int64_t c = 0; c < dv_; ++c)
      EXPECT_NEAR(rows_(row, c), total == 0 ? 0 : wanted(c) / total, 1e-5) << "row " << row << " column " << c;
  }
};
INSTANTIATE_TEST_SUITE_P(All, SparseKernelTest, ::testing::ValuesIn(AllKernelCases()), KernelCaseName);

TEST_P(SparseKernelTest, SendIsATransposedProduct) {
  const Kept keys = RandomKeys();
  all_.Call("send_sparse", {&keys.score, &keys.splat, &keys.count, &amplitude_, &values_, &max_, &sum_, &acc_});
  const Dense wanted = Sparse(keys.matrix.transpose()) * ValuesAndOnes();
  for (int64_t s = 0; s < kSplats; ++s) {
    double total = 0;
    for (int64_t lane = 0; lane < 16; ++lane) total += sum_(s, lane);
    EXPECT_NEAR(std::exp2(max_(s)) * total, wanted(s, dv_), 1e-5 * wanted(s, dv_)) << "splat " << s;
    for (int64_t c = 0; c < dv_; ++c)
      EXPECT_NEAR(std::exp2(max_(s)) * acc_(s, c), wanted(s, c), 1e-5 * wanted(s, dv_) * 10) << "splat " << s << " column " << c;
  }
}

TEST_P(SparseKernelTest, ReceiveIsAQuotientOfProducts) {
  const Kept keys = RandomKeys(), queries = RandomQueries();
  all_.Call("send_sparse", {&keys.score, &keys.splat, &keys.count, &amplitude_, &values_, &max_, &sum_, &acc_});
  all_.Call("receive_sparse", {&queries.score, &queries.splat, &queries.count, &level_weight_, &max_, &sum_, &acc_, &rows_, &scratch_});
  const Dense wanted = queries.matrix * Dense(Sparse(keys.matrix.transpose()) * ValuesAndOnes());
  for (int64_t t = 0; t < tokens_; ++t) ExpectRow(wanted.row(t), t);
}

TEST_P(SparseKernelTest, PrefixesAreProductsOfTheFirstRows) {
  const Kept keys = RandomKeys(), queries = RandomQueries();
  causal_.Call("receive_prefix", {&keys.score, &keys.splat, &keys.count, &amplitude_, &values_, &queries.score, &queries.splat,
                                  &queries.count, &level_weight_, &max_, &sum_, &acc_, &rows_, &scratch_});
  const Dense values = ValuesAndOnes();
  for (int64_t t = 0; t < tokens_; ++t) {
    const Dense state = Sparse(Sparse(keys.matrix.topRows(t + 1)).transpose()) * values.topRows(t + 1);
    ExpectRow(Sparse(queries.matrix.middleRows(t, 1)) * state, t);
  }
}

}  // namespace
}  // namespace hsa::ir
