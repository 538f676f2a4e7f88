// A function with one hsa.attention, its passes, and its inputs from an oracle's problem.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/substitute.h"
#include "dialect/hsa_ops.h"
#include "dialect/reference/interpreter.h"
#include "gtest/gtest.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/passes.h"
#include "tests/oracle/attention_oracle.h"

namespace hsa::ir {

// Units so small that a few hundred keys have every level, two kinds of unit and windows that see them.
inline constexpr char kSmallUnits[] =
    "leafTokens = 4, miniSegmentTokens = 64, segmentTokens = 256, windowTokens = 64, tileQueries = 16, bands = 4";

// @attention over [H,?,D], [Hkv,?,D], [Hkv,?,Dv] with lse.
inline std::string AttentionText(const oracle::Problem& p, const std::string& config) {
  return absl::Substitute(R"(
!q = tensor<$0x?x$1xf32>
!k = tensor<$2x?x$1xf32>
!v = tensor<$2x?x$3xf32>
!o = tensor<$0x?x$3xf32>
!l = tensor<$0x?xf32>
func.func @attention(%q: !q, %k: !k, %v: !v) -> (!o, !l) {
  %o, %l = hsa.attention %q, %k, %v {mask = #hsa.mask<causal = $4, slidingWindow = $5, sinkTokens = $6>, scale = $7 : f64, config = #hsa.config<$8>}
      : (!q, !k, !v) -> (!o, !l)
  return %o, %l : !o, !l
})",
                          p.H, p.D, p.Hkv, p.Dv, p.mask.causal ? "true" : "false", p.mask.window, p.mask.sinks,
                          absl::StrFormat("%.17e", p.scale), config);
}

inline std::vector<reference::Tensor> Inputs(const oracle::Problem& p) {
  return {{{p.H, p.N, p.D}, {p.q.begin(), p.q.end()}},
          {{p.Hkv, p.M, p.D}, {p.k.begin(), p.k.end()}},
          {{p.Hkv, p.M, p.Dv}, {p.v.begin(), p.v.end()}}};
}

enum class Form { kDeclared, kDecomposed, kFused };

// Parses once, interprets often.
class AttentionModule {
 public:
  AttentionModule(const std::string& text, Form form) {
    context_.loadDialect<mlir::func::FuncDialect, mlir::tensor::TensorDialect, HsaDialect>();
    module_ = mlir::parseSourceString<mlir::ModuleOp>(text, &context_);
    mlir::PassManager passes(&context_);
    if (form != Form::kDeclared) passes.addPass(createDecomposePass());
    if (form == Form::kFused) passes.addNestedPass<mlir::func::FuncOp>(createFusePass());
    EXPECT_TRUE(module_ && mlir::succeeded(passes.run(*module_))) << text;
  }

  // o and lse of `function`.
  oracle::Result Run(const std::string& function, const std::vector<reference::Tensor>& inputs,
                     const reference::GivenIndex* given = nullptr, std::vector<reference::Candidate>* candidates = nullptr) {
    auto results = reference::Interpret(module_->lookupSymbol<mlir::func::FuncOp>(function), inputs, given, candidates);
    if (!results) {
      ADD_FAILURE() << llvm::toString(results.takeError());
      return {};
    }
    return {(*results)[0].values, (*results)[1].values};
  }

 private:
  mlir::MLIRContext context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
};

// Relative L2 of o, and the largest difference of lse; −∞ agrees with −∞ only.
inline void ExpectAgree(const oracle::Result& is, const oracle::Result& wanted, double bound) {
  EXPECT_LE(oracle::RelL2(std::span<const double>(is.o), std::span<const double>(wanted.o)), bound);
  ASSERT_EQ(is.lse.size(), wanted.lse.size());
  for (size_t i = 0; i < is.lse.size(); ++i)
    if (is.lse[i] != wanted.lse[i]) {
      ASSERT_NEAR(is.lse[i], wanted.lse[i], bound * (1 + std::abs(wanted.lse[i]))) << "row " << i;
    }
}

}  // namespace hsa::ir
