// hsa.attention and its exact stream against plain loops in float64.
#include <random>

#include "tests/dialect/attention_text.h"

namespace hsa::ir {
namespace {

struct Case {
  const char* name;
  oracle::ProblemSpec spec;
};

const Case kCases[] = {
    // name                 H  Hkv  N   M    D    Dv   mask {causal, window, sinks}, scale
    {"one_key", {1, 1, 1, 1, 64, 64}},  // softmax of one score is exactly 1
    {"no_query", {2, 1, 0, 5, 32, 32}},
    {"no_key", {2, 1, 4, 0, 32, 32}},  // output 0, lse −∞
    {"nothing", {2, 2, 0, 0, 32, 32}},
    {"ragged_noncausal", {8, 1, 33, 100, 32, 48}},  // Dv ≠ D, eight heads on one kv_head
    {"ragged_causal", {4, 2, 33, 100, 64, 64, {true, 0, 0}}},
    {"square_causal", {2, 2, 65, 65, 128, 32, {true, 0, 0}}},  // the first query sees one key
    {"wide", {2, 1, 5, 70, 256, 256, {true, 0, 0}}},
    {"sliding", {3, 1, 90, 90, 32, 32, {true, 17, 0}}},
    {"sliding_with_sinks", {6, 2, 50, 200, 32, 32, {true, 17, 4}, 0.5}},
    {"window_of_one", {1, 1, 9, 9, 32, 32, {true, 1, 0}}},  // each query sees its own key only
};

class ReferenceExactTest : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Cases, ReferenceExactTest, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST_P(ReferenceExactTest, DeclaredMatchesOracle) {
  const oracle::Problem p = oracle::RandomProblem(GetParam().spec, /*seed=*/7);
  AttentionModule module(AttentionText(p, ""), Form::kDeclared);
  ExpectAgree(module.Run("attention", Inputs(p)), oracle::Attend(p), 1e-12);
}

// Segments of 256 keys would not be cut by the cases of 200; of 128 they are.
TEST_P(ReferenceExactTest, StreamMatchesOracle) {
  const oracle::Problem p = oracle::RandomProblem(GetParam().spec, /*seed=*/7);
  AttentionModule module(AttentionText(p, "leafTokens = 2, miniSegmentTokens = 32, segmentTokens = 128"), Form::kDecomposed);
  ExpectAgree(module.Run("attention_exact", Inputs(p)), oracle::Attend(p), 1e-12);
}

// Any head ratio, mask and shape that the spec allows.
TEST(ReferenceExactPropertyTest, RandomGraphs) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    auto upTo = [&](int64_t n) { return int64_t(random() % uint64_t(n + 1)); };
    oracle::ProblemSpec spec;
    spec.Hkv = 1 + upTo(2), spec.H = spec.Hkv * (1 + upTo(7));
    spec.D = 32 + upTo(224), spec.Dv = 32 + upTo(224);
    spec.M = upTo(150), spec.N = upTo(spec.M);
    spec.mask.causal = upTo(1);
    if (spec.mask.causal && upTo(1)) spec.mask.window = 1 + upTo(60), spec.mask.sinks = upTo(6);
    const oracle::Problem p = oracle::RandomProblem(spec, seed);
    AttentionModule module(AttentionText(p, "leafTokens = 2, miniSegmentTokens = 32, segmentTokens = 128"), Form::kDecomposed);
    ExpectAgree(module.Run("attention_exact", Inputs(p)), oracle::Attend(p), 1e-12);
  }
}

// A non-finite entry spoils the rows that see it and no others.
TEST(ReferenceExactTest, NonFiniteStaysWhereItIsSeen) {
  oracle::Problem p = oracle::RandomProblem({.H = 2, .Hkv = 1, .N = 20, .M = 20, .D = 32, .Dv = 32, .mask = {.causal = true}}, 7);
  const oracle::Result clean = oracle::Attend(p);
  p.k[12 * p.D + 3] = -INFINITY;  // a score of −∞ must not pass for a key that is not there
  AttentionModule module(AttentionText(p, ""), Form::kDeclared);
  const oracle::Result spoilt = module.Run("attention", Inputs(p));
  for (int64_t h = 0; h < p.H; ++h)
    for (int64_t i = 0; i < p.N; ++i) {
      const double o = spoilt.o[(h * p.N + i) * p.Dv];
      if (i < 12)
        EXPECT_NEAR(o, clean.o[(h * p.N + i) * p.Dv], 1e-12) << "query " << i;
      else
        EXPECT_FALSE(std::isfinite(o)) << "query " << i;
    }
}

// To the nearest bf16, of two the even one: 2^-7 is the distance between those from 1 on.
TEST(ReferenceExactTest, QuantizeRounds) {
  mlir::MLIRContext context;
  context.loadDialect<mlir::func::FuncDialect, HsaDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(R"(func.func @f(%x: tensor<1x1x6xf32>) -> tensor<1x1x6xbf16> {
    %n = hsa.quantize %x : (tensor<1x1x6xf32>) -> tensor<1x1x6xbf16>
    return %n : tensor<1x1x6xbf16>
  })",
                                                        &context);
  const double half = 0x1p-8;
  auto results = reference::Interpret(module->lookupSymbol<mlir::func::FuncOp>("f"),
                                      {{{1, 1, 6}, {1 + half, 1 + 3 * half, 1 + 1.01 * half, -1 - 3 * half, 3.4e38, NAN}}});
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  const std::vector<double> wanted = {1, 1 + 4 * half, 1 + 2 * half, -1 - 4 * half, INFINITY};
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ((*results)[0].values[i], wanted[i]) << "element " << i;
  EXPECT_TRUE(std::isnan((*results)[0].values[5]));
}

// 65 rows of 16 dimensions. The first 64, all ones, stay as they are and are the center of the last, which is one step off it in one dimension: turned, every
// number is that step or its negative, so nothing is lost. A row that is not finite stands for NaN.
TEST(ReferenceExactTest, QuantizeToBytes) {
  mlir::MLIRContext context;
  context.loadDialect<mlir::func::FuncDialect, HsaDialect>();
  auto module =
      mlir::parseSourceString<mlir::ModuleOp>(R"(func.func @f(%x: tensor<1x66x16xf32>) -> (tensor<1x66x16xi8>, tensor<1x66x16xi8>) {
    %k = hsa.quantize %x {centered} : (tensor<1x66x16xf32>) -> tensor<1x66x16xi8>
    %q = hsa.quantize %x : (tensor<1x66x16xf32>) -> tensor<1x66x16xi8>
    return %k, %q : tensor<1x66x16xi8>, tensor<1x66x16xi8>
  })",
                                              &context);
  std::vector<double> x(66 * 16, 1.0);
  x[64 * 16 + 5] = 1.25, x[65 * 16 + 2] = INFINITY;
  auto results = reference::Interpret(module->lookupSymbol<mlir::func::FuncOp>("f"), {{{1, 66, 16}, x}});
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  for (size_t i = 0; i < 65 * 16; ++i) EXPECT_NEAR((*results)[0].values[i], x[i], 1e-12) << "element " << i;
  for (size_t i = 65 * 16; i < 66 * 16; ++i) EXPECT_TRUE(std::isnan((*results)[0].values[i])) << "element " << i;
  // About 0 the greatest turned number of the row is 16.25, one of 127 steps; the others, ±0.25, are two steps: 0.256.
  const double step = 16.25 / 127,
               wanted = (127 * step - 2 * step) / 16;  // of a dimension that meets the greatest with +, a quarter with -
  EXPECT_NEAR((*results)[1].values[64 * 16 + 4], wanted, 1e-12);
}

TEST(InterpretTest, SaysWhatIsWrong) {
  const oracle::Problem p = oracle::RandomProblem({.D = 32, .Dv = 32}, 7);
  mlir::MLIRContext context;
  context.loadDialect<mlir::func::FuncDialect, HsaDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(AttentionText(p, ""), &context);
  auto function = module->lookupSymbol<mlir::func::FuncOp>("attention");
  auto inputs = Inputs(p);
  inputs[1].shape[2] = 16;
  auto results = reference::Interpret(function, inputs);
  EXPECT_EQ(llvm::toString(results.takeError()), "argument 1: the input has shape [1, 1, 16], the function wants tensor<1x?x32xf32>");
  inputs.pop_back();
  auto fewer = reference::Interpret(function, inputs);
  EXPECT_EQ(llvm::toString(fewer.takeError()), "@attention: has 3 arguments, 2 inputs were given");
}

}  // namespace
}  // namespace hsa::ir
