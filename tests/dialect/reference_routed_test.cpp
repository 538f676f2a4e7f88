// hsa.routed_attention and its stages against the kernel of every pair of tokens.
#include <cmath>
#include <limits>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/substitute.h"
#include "gtest/gtest.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/passes.h"
#include "tests/oracle/attention_oracle.h"
#include "tests/oracle/routed_oracle.h"

#include "dialect/reference/interpreter.h"

namespace hsa::ir {
namespace {

using oracle::RoutedProblem;
using oracle::RoutedSpec;

// An operand of the function: its type and its numbers.
struct Operand {
  std::string keyword, type;
  reference::Tensor tensor;
};

Operand OperandOf(const std::string& keyword, std::vector<int64_t> shape, const std::vector<float>& values) {
  return {keyword, absl::Substitute("tensor<$0xf32>", absl::StrJoin(shape, "x")), {shape, {values.begin(), values.end()}}};
}

std::vector<Operand> OperandsOf(const RoutedProblem& p) {
  const RoutedSpec& s = p.spec;
  const int64_t S = p.splats(), L = static_cast<int64_t>(s.levels.size());
  std::vector<Operand> operands = {OperandOf("", {s.H, s.N, s.D}, p.q), OperandOf(",", {s.Hkv, s.M, s.D}, p.k),
                                   OperandOf(",", {s.Hkv, s.M, s.Dv}, p.v), OperandOf("splats", {s.Hkv, S, s.D}, p.center),
                                   OperandOf(",", {s.Hkv, S, p.variance_dim()}, p.variance)};
  if (s.amplitude) operands.push_back(OperandOf("amplitude", {s.Hkv, S, 1}, p.amplitude));
  if (s.link) operands.push_back(OperandOf("link", {s.Hkv, S, S}, p.link));
  if (s.gate) operands.push_back(OperandOf("gate", {s.Hkv, L, s.D}, p.gate_weight));
  if (s.gate) operands.push_back(OperandOf(",", {s.Hkv, L, 1}, p.gate_bias));
  return operands;
}

std::string TextOf(const RoutedProblem& p, const std::vector<Operand>& operands) {
  std::string arguments, uses, types;
  for (size_t i = 0; i < operands.size(); ++i) {
    absl::StrAppend(&arguments, i ? ", " : "", "%x", i, ": ", operands[i].type);
    absl::StrAppend(&uses, " ", operands[i].keyword, " %x", i);
    absl::StrAppend(&types, i ? ", " : "", operands[i].type);
  }
  std::vector<double> weights = p.spec.weights;
  weights.resize(p.spec.levels.size(), 1);
  const std::string weight_text = absl::StrJoin(weights, ", ", [](std::string* out, double w) { absl::StrAppend(out, std::to_string(w)); });
  const std::string threshold = p.spec.threshold > 0 ? absl::StrCat(", threshold = ", std::to_string(p.spec.threshold)) : "";
  const std::string sparse = p.spec.top > 0 ? absl::StrCat("sparse = #hsa.sparse<top = ", p.spec.top, threshold, ">, ") : "";
  const std::string value_dims =
      p.spec.value_dims.empty() ? "" : absl::StrCat("value_dims = array<i64: ", absl::StrJoin(p.spec.value_dims, ", "), ">, ");
  const std::string window = p.spec.window > 0 ? absl::StrCat("window = ", p.spec.window, " : i64, ") : "";
  return absl::Substitute(R"(func.func @f($0) -> tensor<$1x$2x$3xf32> {
    %o = hsa.routed_attention$4 {$5levels = array<i64: $6>, weights = array<f64: $7>} : ($8) -> tensor<$1x$2x$3xf32>
    return %o : tensor<$1x$2x$3xf32>
  })",
                          arguments, p.spec.H, p.spec.N, p.spec.Dv, uses,
                          absl::StrCat(p.spec.causal ? "causal, " : "", sparse, value_dims, window), absl::StrJoin(p.spec.levels, ", "),
                          weight_text, types);
}

enum class Form { kDeclared, kDecomposed };

llvm::Expected<std::vector<double>> InterpretText(const std::string& text, const std::vector<Operand>& operands, Form form) {
  mlir::MLIRContext context;
  context.loadDialect<mlir::func::FuncDialect, mlir::tensor::TensorDialect, HsaDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  mlir::PassManager passes(&context);
  if (form == Form::kDecomposed) passes.addPass(createDecomposePass());
  if (!module || mlir::failed(passes.run(*module))) return llvm::createStringError("not accepted: " + text);
  std::vector<reference::Tensor> inputs;
  for (const Operand& operand : operands) inputs.push_back(operand.tensor);
  auto results = reference::Interpret(module->lookupSymbol<mlir::func::FuncOp>("f"), inputs);
  if (!results) return results.takeError();
  return (*results)[0].values;
}

std::vector<double> Interpreted(const RoutedProblem& p, Form form) {
  const std::vector<Operand> operands = OperandsOf(p);
  auto values = InterpretText(TextOf(p, operands), operands, form);
  if (values) return *values;
  ADD_FAILURE() << llvm::toString(values.takeError());
  return {};
}

void ExpectOracle(const RoutedProblem& p) {
  const std::vector<double> wanted = oracle::AttendRouted(p);
  for (Form form : {Form::kDeclared, Form::kDecomposed})
    EXPECT_LE(oracle::RelL2(std::span<const double>(Interpreted(p, form)), std::span<const double>(wanted)), 1e-12);
}

struct Case {
  const char* name;
  RoutedSpec spec;
};

const Case kCases[] = {
    {"one_key", {.D = 8, .Dv = 4, .levels = {1}}},  // whatever the affinity, the value itself
    {"no_query", {.N = 0, .M = 5, .D = 8, .Dv = 4}},
    {"no_key", {.N = 0, .M = 0, .D = 8, .Dv = 4}},
    {"isotropic", {.H = 2, .Hkv = 1, .N = 7, .M = 19, .D = 12, .Dv = 5, .isotropic = true}},
    {"levels", {.H = 4, .Hkv = 2, .N = 9, .M = 30, .D = 16, .Dv = 8, .levels = {12, 5, 2}, .weights = {1, 0.25, 3}, .amplitude = true}},
    {"causal", {.H = 2, .Hkv = 1, .N = 9, .M = 30, .D = 16, .Dv = 8, .levels = {7, 3}, .causal = true}},
    {"links", {.H = 2, .Hkv = 2, .N = 9, .M = 30, .D = 16, .Dv = 8, .levels = {7, 3}, .link = true}},
    {"links_causal", {.H = 2, .Hkv = 2, .N = 30, .M = 30, .D = 16, .Dv = 8, .levels = {7, 3, 2}, .link = true, .causal = true}},
    {"fewer_values", {.H = 2, .Hkv = 2, .N = 9, .M = 30, .D = 16, .Dv = 8, .levels = {7, 3, 2}, .value_dims = {8, 3, 1}, .link = true}},
    {"fewer_values_causal",
     {.H = 2, .Hkv = 1, .N = 30, .M = 30, .D = 16, .Dv = 8, .levels = {7, 3}, .value_dims = {5, 5}, .gate = true, .causal = true}},
    {"fewer_values_sparse", {.N = 9, .M = 30, .D = 16, .Dv = 8, .levels = {7, 3}, .value_dims = {8, 2}, .top = 2}},
    {"gate", {.H = 2, .Hkv = 1, .N = 9, .M = 30, .D = 16, .Dv = 8, .levels = {7, 3}, .gate = true}},
    {"gate_causal", {.H = 2, .Hkv = 1, .N = 30, .M = 30, .D = 16, .Dv = 8, .levels = {7, 3}, .gate = true, .causal = true}},
    {"sparse", {.H = 2, .Hkv = 1, .N = 9, .M = 30, .D = 16, .Dv = 8, .levels = {12, 5}, .amplitude = true, .top = 3}},
    {"sparse_causal", {.H = 2, .Hkv = 1, .N = 20, .M = 30, .D = 16, .Dv = 8, .levels = {12, 5}, .causal = true, .top = 3}},
    {"sparse_links_gate", {.N = 9, .M = 30, .D = 16, .Dv = 8, .levels = {7, 3}, .link = true, .gate = true, .top = 2}},
    {"sparse_threshold",
     {.N = 20, .M = 30, .D = 16, .Dv = 8, .levels = {12, 5}, .causal = true, .top = 64, .threshold = 0.25, .width = 0.1}},
    {"sparse_long_threshold", {.N = 20, .M = 20000, .D = 2, .Dv = 1, .levels = {6}, .top = 6, .threshold = 0.25, .width = 0.1}},
    {"window", {.H = 2, .Hkv = 1, .N = 90, .M = 700, .D = 4, .Dv = 2, .levels = {4, 2}, .causal = true, .window = 512}},
    {"window_sparse_links", {.N = 70, .M = 650, .D = 4, .Dv = 2, .levels = {4, 2}, .link = true, .causal = true, .top = 2, .window = 512}},
    {"far", {.N = 9, .M = 30, .D = 16, .Dv = 8, .levels = {7, 3}, .width = 1e-4}},  // affinities about e^-20000
    {"far_causal", {.N = 30, .M = 30, .D = 16, .Dv = 8, .levels = {7, 3}, .causal = true, .width = 1e-4}},
};

class ReferenceRoutedTest : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Cases, ReferenceRoutedTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST_P(ReferenceRoutedTest, MatchesOracle) { ExpectOracle(oracle::RandomRouted(GetParam().spec, /*seed=*/7)); }

TEST(ReferenceRoutedPropertyTest, RandomGraphs) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    auto upTo = [&](int64_t n) { return int64_t(random() % uint64_t(n + 1)); };
    RoutedSpec spec;
    spec.Hkv = 1 + upTo(1), spec.H = spec.Hkv * (1 + upTo(2));
    spec.M = upTo(40), spec.N = upTo(spec.M), spec.D = 1 + upTo(20), spec.Dv = 1 + upTo(9);
    spec.levels.clear();
    for (int64_t level = upTo(3); level >= 0; --level) spec.levels.push_back(1 + upTo(9)), spec.weights.push_back(0.5 + double(upTo(4)));
    spec.isotropic = upTo(1), spec.amplitude = upTo(1), spec.link = upTo(1), spec.gate = upTo(1), spec.causal = upTo(1);
    spec.width = upTo(1) ? 1 : 1e-3;
    ExpectOracle(oracle::RandomRouted(spec, seed));
  }
}

// hsa.links puts each weight, or product, where its levels meet; links that lead the same way add up.
TEST(ReferenceRoutedTest, Links) {
  mlir::MLIRContext context;
  context.loadDialect<mlir::func::FuncDialect, HsaDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(R"(
    func.func @f(%up: tensor<1x1x2xf32>, %e: tensor<1x2x2xf32>, %c: tensor<1x2x1xf32>) -> tensor<1x3x3xf32> {
      %l = hsa.links %up, %e, %c, %up {levels = array<i64: 2, 1>, from = array<i64: 0, 1, 0>, to = array<i64: 1, 0, 1>, ranks = array<i64: 0, 2, 0>}
          : (tensor<1x1x2xf32>, tensor<1x2x2xf32>, tensor<1x2x1xf32>, tensor<1x1x2xf32>) -> tensor<1x3x3xf32>
      return %l : tensor<1x3x3xf32>
    })",
                                                        &context);
  ASSERT_TRUE(module);
  auto results = reference::Interpret(module->lookupSymbol<mlir::func::FuncOp>("f"),
                                      {{{1, 1, 2}, {3, 5}}, {{1, 2, 2}, {1, 2, 0, 4}}, {{1, 2, 1}, {10, 7}}});
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  EXPECT_EQ((*results)[0].values, (std::vector<double>{0, 0, 24, 0, 0, 28, 6, 10, 0}));
}

// Splats that adapt are a run's; what only observes is evaluated.
TEST(ReferenceRoutedTest, Adapt) {
  const RoutedProblem p = oracle::RandomRouted({.N = 9, .M = 9, .D = 8, .Dv = 4, .levels = {5, 2}, .causal = true}, 3);
  const std::vector<Operand> operands = OperandsOf(p);
  const std::string plain = TextOf(p, operands);
  for (Form form : {Form::kDeclared, Form::kDecomposed}) {
    const auto with = [&](const char* adapt) {
      return InterpretText(absl::StrReplaceAll(plain, {{"{causal", absl::StrCat("{adapt = #hsa.adapt<", adapt, ">, causal")}}), operands,
                           form);
    };
    auto adapting = with(""), observing = with("what = observe");
    ASSERT_FALSE(adapting);
    EXPECT_NE(llvm::toString(adapting.takeError()).find("splats that adapt between segments are not evaluated"), std::string::npos);
    ASSERT_TRUE(bool(observing)) << llvm::toString(observing.takeError());
    EXPECT_EQ(*observing, Interpreted(p, form));
  }
}

// Tokens that are not finite send nothing; a query that is not finite spoils its own row.
TEST(ReferenceRoutedTest, NonFinite) {
  for (bool causal : {false, true}) {
    RoutedProblem p = oracle::RandomRouted({.N = 20, .M = 20, .D = 8, .Dv = 4, .levels = {5, 2}, .causal = causal}, 3);
    p.k[3 * 8 + 1] = std::numeric_limits<float>::quiet_NaN();
    p.v[7 * 4 + 2] = std::numeric_limits<float>::infinity();
    p.q[11 * 8] = std::numeric_limits<float>::infinity();
    const std::vector<double> wanted = oracle::AttendRouted(p), is = Interpreted(p, Form::kDecomposed);
    for (int64_t i = 0; i < 20; ++i)
      for (int64_t c = 0; c < 4; ++c) {
        if (i == 11)
          EXPECT_TRUE(std::isnan(is[i * 4 + c]) && std::isnan(wanted[i * 4 + c]));
        else
          EXPECT_NEAR(is[i * 4 + c], wanted[i * 4 + c], 1e-12) << "row " << i;
      }
  }
}

}  // namespace
}  // namespace hsa::ir
