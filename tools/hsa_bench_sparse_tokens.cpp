#include "tools/hsa_bench_sparse_tokens.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/splats_from_keys.h"
#include "tools/fail.h"
#include "tools/hsa_bench.h"

namespace hsa::bench {
namespace {

constexpr int64_t kKeys = 65536;  // of a capture, that its splats are made from: as many as are looked at

class Normals {
 public:
  Normals(int64_t dim, uint64_t seed) : dim_(dim), random_(seed) {}
  std::vector<float> Draw(int64_t rows, float spread) {
    std::vector<float> numbers(rows * dim_);
    for (float& x : numbers) x = spread * normal_(random_);
    return numbers;
  }
  uint64_t Bits() { return random_(); }

 private:
  int64_t dim_;
  std::mt19937_64 random_;
  std::normal_distribution<float> normal_;
};

class GroupedRows {
 public:
  explicit GroupedRows(int64_t dim) : dim_(dim), normals_(dim, 42) {
    for (int depth = 0; depth < 4; ++depth)
      groups_.push_back(normals_.Draw(int64_t{1} << (3 * (depth + 1)), 1.0f / static_cast<float>(1 << depth)));
  }
  std::vector<float> Draw(int64_t tokens) {
    std::vector<float> rows = normals_.Draw(tokens, kNoise);
    for (int64_t i = 0; i < tokens; ++i) {
      size_t group = 0;
      for (const std::vector<float>& level : groups_) {
        group = group * 8 + normals_.Bits() % 8;
        for (int64_t d = 0; d < dim_; ++d) rows[i * dim_ + d] += level[group * dim_ + d];
      }
    }
    return rows;
  }
  std::vector<float> Values(int64_t tokens) { return normals_.Draw(tokens, 1); }
  static constexpr float kNoise = 0.0625f;

 private:
  int64_t dim_;
  Normals normals_;
  std::vector<std::vector<float>> groups_;
};

TensorView View(const std::vector<float>& values, int64_t dim) {
  const auto tokens = static_cast<int64_t>(values.size()) / dim;
  return {reinterpret_cast<const std::byte*>(values.data()), DType::kF32, {1, tokens, dim}, {tokens * dim, dim, 1}};
}

TensorView FirstHead(TensorView tensor, int64_t tokens) {
  tensor.shape[0] = 1, tensor.shape[1] = tokens;
  return tensor;
}

template <typename T>
T OrExit(absl::StatusOr<T> result) {
  if (!result.ok()) std::exit(Fail(1, "hsa-bench", result.status()));
  return *std::move(result);
}

// The file is gone once it is mapped.
TensorFile MakeSplats(const Plan& plan, const TensorView& key) {
  const std::string path = (std::filesystem::temp_directory_path() / absl::StrCat("hsa-bench-splats-", getpid(), ".safetensors")).string();
  if (const absl::Status made = WriteSplatsFromKeys(plan, key, path); !made.ok()) std::exit(Fail(1, "hsa-bench", made));
  TensorFile file = OrExit(TensorFile::Open(path));
  std::filesystem::remove(path);
  return file;
}

}  // namespace

SparseTokens::SparseTokens(std::vector<float> q, std::vector<float> k, std::vector<float> v, std::vector<float> center, float variance,
                           int64_t dim)
    : q_(std::move(q)), k_(std::move(k)), v_(std::move(v)), center_(std::move(center)), variance_(center_.size() / dim, variance) {
  inputs_ = {View(q_, dim), View(k_, dim), View(v_, dim), {View(center_, dim), View(variance_, 1), {}}};
}

SparseTokens SparseTokens::Groups(int64_t tokens, int64_t dim, int64_t splats) {
  GroupedRows rows(dim);
  std::vector<float> q = rows.Draw(tokens), k = rows.Draw(tokens), v = rows.Values(tokens);
  return {
      std::move(q), std::move(k), std::move(v), rows.Draw(splats), GroupedRows::kNoise * GroupedRows::kNoise * static_cast<float>(dim) / 2,
      dim};
}

SparseTokens SparseTokens::Cloud(int64_t tokens, int64_t dim, int64_t splats) {
  Normals rows(dim, 43);
  std::vector<float> q = rows.Draw(tokens, 1), k = rows.Draw(tokens, 1), v = rows.Draw(tokens, 1);
  return {std::move(q), std::move(k), std::move(v), rows.Draw(splats, 1), static_cast<float>(dim) / 2, dim};
}

SparseTokens SparseTokens::Captured(const Capture& capture, const Plan& plan, int64_t tokens) {
  const Inputs& all = LongInputs(capture, kKeys);
  SparseTokens captured;
  captured.splats_.emplace(MakeSplats(plan, FirstHead(all.key, kKeys)));
  captured.inputs_ = {FirstHead(all.query, tokens),
                      FirstHead(all.key, tokens),
                      FirstHead(all.value, tokens),
                      {OrExit(captured.splats_->Get("center")), OrExit(captured.splats_->Get("variance")), {}}};
  return captured;
}

Inputs SparseTokens::First(int64_t tokens) const {
  Inputs first = inputs_;
  for (TensorView* tensor : {&first.query, &first.key, &first.value}) tensor->shape[1] = tokens;
  return first;
}

}  // namespace hsa::bench
