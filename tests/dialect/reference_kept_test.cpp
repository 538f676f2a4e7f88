// Ops on affinities that are kept, interpreted, against Eigen's sparse algebra on what the logarithms stand for.
#include <Eigen/SparseCore>
#include <cmath>
#include <limits>
#include <random>

#include "gtest/gtest.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include "dialect/hsa_ops.h"
#include "dialect/reference/interpreter.h"

namespace hsa::ir {
namespace {

using Peer = Eigen::SparseMatrix<double>;
using reference::Tensor;

constexpr double kNone = -std::numeric_limits<double>::infinity();
constexpr int kHeads = 2, kTokens = 30, kLeft = 5, kRight = 4;

// About a third of the entries are kept.
Tensor Random(std::mt19937& random, int64_t rows, int64_t columns) {
  Tensor tensor = Tensor::filled({kHeads, rows, columns}, kNone);
  for (double& x : tensor.values)
    if (random() % 3 == 0) x = -std::uniform_real_distribution<>(0, 30)(random);
  return tensor;
}

Peer PeerOf(const Tensor& tensor, int64_t head) {
  Peer peer(tensor.shape[1], tensor.shape[2]);
  for (int64_t r = 0; r < tensor.shape[1]; ++r)
    for (int64_t c = 0; c < tensor.shape[2]; ++c)
      if (tensor.row(head, r)[c] != kNone) peer.insert(r, c) = std::exp(tensor.row(head, r)[c]);
  return peer;
}

void ExpectSame(const Tensor& is, int64_t head, const Peer& wanted) {
  ASSERT_EQ(is.shape[1], wanted.rows());
  ASSERT_EQ(is.shape[2], wanted.cols());
  int64_t entries = 0;
  for (int64_t r = 0; r < wanted.rows(); ++r)
    for (int64_t c = 0; c < wanted.cols(); ++c) {
      const double x = is.row(head, r)[c], peer = wanted.coeff(r, c);
      entries += x != kNone ? 1 : 0;
      EXPECT_NEAR(std::exp(x), peer, 1e-13 * peer) << r << " " << c;
    }
  EXPECT_EQ(entries, wanted.nonZeros());
}

Tensor Interpreted(const std::string& text, const std::vector<Tensor>& inputs) {
  mlir::MLIRContext context;
  context.loadDialect<mlir::func::FuncDialect, HsaDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module) throw std::runtime_error(text);
  auto results = reference::Interpret(module->lookupSymbol<mlir::func::FuncOp>("f"), inputs);
  if (!results) throw std::runtime_error(llvm::toString(results.takeError()));
  return (*results)[0];
}

TEST(ReferenceKeptTest, AgreesWithEigen) {
  std::mt19937 random(3);
  for (int turn = 0; turn < 5; ++turn) {
    const Tensor a = Random(random, kTokens, kLeft), b = Random(random, kTokens, kRight), c = Random(random, kTokens, kLeft);
    const Tensor overlap = Interpreted(R"(
      !a = tensor<2x30x5xf32, #hsa.affinity<csr>>
      !b = tensor<2x30x4xf32, #hsa.affinity<ell>>
      func.func @f(%a: !a, %b: !b) -> tensor<2x5x4xf32, #hsa.affinity<csr>> {
        %o = hsa.overlap %a, %b : (!a, !b) -> tensor<2x5x4xf32, #hsa.affinity<csr>>
        return %o : tensor<2x5x4xf32, #hsa.affinity<csr>>
      })",
                                       {a, b});
    const Tensor all = Interpreted(R"(
      !a = tensor<2x30x5xf32, #hsa.affinity<csr>>
      func.func @f(%a: !a, %c: !a) -> !a {
        %u = hsa.union %a, %c : (!a, !a) -> !a
        return %u : !a
      })",
                                   {a, c});
    for (int64_t h = 0; h < kHeads; ++h) {
      ExpectSame(overlap, h, Peer(PeerOf(a, h).transpose()) * PeerOf(b, h));
      ExpectSame(all, h, PeerOf(a, h) + PeerOf(c, h));
    }
  }
}

TEST(ReferenceKeptTest, ScalesRowsOrColumns) {
  std::mt19937 random(4);
  const Tensor a = Random(random, kTokens, kLeft);
  Tensor rows = Tensor::filled({kHeads, kTokens, 1}, 0), columns = Tensor::filled({kHeads, 1, kLeft}, 0);
  for (double& x : rows.values) x = std::uniform_real_distribution<>(-3, 3)(random);
  for (double& x : columns.values) x = std::uniform_real_distribution<>(-3, 3)(random);
  const auto text = [](const std::string& scale) {
    return "!a = tensor<2x30x5xf32, #hsa.affinity<ell>>\nfunc.func @f(%a: !a, %s: " + scale +
           ") -> !a {\n %r = hsa.rescale %a, %s : (!a, " + scale + ") -> !a\n return %r : !a\n}";
  };
  const Tensor by_row = Interpreted(text("tensor<2x30x1xf32>"), {a, rows}),
               by_column = Interpreted(text("tensor<2x1x5xf32>"), {a, columns});
  for (int64_t h = 0; h < kHeads; ++h) {
    Eigen::VectorXd r(kTokens), c(kLeft);
    for (int64_t i = 0; i < kTokens; ++i) r[i] = std::exp(rows.row(h, i)[0]);
    for (int64_t i = 0; i < kLeft; ++i) c[i] = std::exp(columns.row(h, 0)[i]);
    ExpectSame(by_row, h, r.asDiagonal() * PeerOf(a, h));
    ExpectSame(by_column, h, PeerOf(a, h) * c.asDiagonal());
  }
}

TEST(ReferenceKeptTest, LeavesOutWhatIsSmall) {
  std::mt19937 random(5);
  Tensor a = Random(random, kTokens, kLeft);
  a.row(1, 7)[2] = std::numeric_limits<double>::quiet_NaN();
  const Tensor kept = Interpreted(R"(
    !a = tensor<2x30x5xf32, #hsa.affinity<csr>>
    func.func @f(%a: !a) -> !a {
      %t = hsa.threshold %a {share = 0.001 : f64} : (!a) -> !a
      return %t : !a
    })",
                                  {a});
  for (int64_t h = 0; h < kHeads; ++h)
    for (int64_t i = 0; i < kTokens; ++i) {
      const std::span<const double> row = a.row(h, i), is = kept.row(h, i);
      if (h == 1 && i == 7) {
        EXPECT_TRUE(std::isnan(is[2]));
        EXPECT_EQ(is[0], row[0]);
        continue;
      }
      const double most = *std::max_element(row.begin(), row.end());
      for (int64_t s = 0; s < kLeft; ++s) EXPECT_EQ(is[s], std::exp(row[s] - most) >= 0.001 ? row[s] : kNone);
    }
}

// A token with a NaN counts nothing.
TEST(ReferenceKeptTest, OverlapLeavesOutNaN) {
  std::mt19937 random(6);
  Tensor a = Random(random, kTokens, kLeft), b = Random(random, kTokens, kRight), without = a;
  a.row(0, 3)[1] = std::numeric_limits<double>::quiet_NaN();
  for (double& x : without.row(0, 3)) x = kNone;
  const std::string text = R"(
    !a = tensor<2x30x5xf32, #hsa.affinity<csr>>
    !b = tensor<2x30x4xf32, #hsa.affinity<csr>>
    func.func @f(%a: !a, %b: !b) -> tensor<2x5x4xf32, #hsa.affinity<csr>> {
      %o = hsa.overlap %a, %b : (!a, !b) -> tensor<2x5x4xf32, #hsa.affinity<csr>>
      return %o : tensor<2x5x4xf32, #hsa.affinity<csr>>
    })";
  EXPECT_EQ(Interpreted(text, {a, b}).values, Interpreted(text, {without, b}).values);
}

}  // namespace
}  // namespace hsa::ir
