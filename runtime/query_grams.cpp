#include "runtime/query_grams.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <numeric>

namespace hsa {

namespace {
constexpr int64_t kLeastQueries = 64;  // below it second moments say little: the identity serves
}

const QueryGrams::Block& QueryGrams::BlockAt(Worker& worker, int64_t kv_head, int64_t block) {
  {
    const std::lock_guard lock(mutex_);
    if (auto found = blocks_.find({block, kv_head}); found != blocks_.end()) return found->second;
  }
  const int64_t d = geometry_.padded_head_dim;
  const int64_t begin = std::max(geometry_.first_position(), block * geometry_.mini),
                end = std::min(geometry_.keys, (block + 1) * geometry_.mini);
  Block sum{std::vector<float>(d * d, 0.0f), 0};
  if (begin < end) {
    WideRows rows;
    rows.Resize(end - begin, d);
    for (int64_t i = 0; i < geometry_.group(); ++i) {
      const int64_t head = kv_head * geometry_.group() + i;
      reader_.Read(worker, query_, head, begin - geometry_.first_position(), end - begin, d, rows.rows.data(), rows.bad.data());
      worker.Bind("q_rows", rows.rows.data(), {end - begin, d});
      worker.Bind("bad_rows", rows.bad.data(), {end - begin});
      worker.Bind("gram", sum.gram.data(), {d, d});
      worker.Call(gram_);
      sum.count += end - begin - std::accumulate(rows.bad.begin(), rows.bad.end(), int64_t{0});
    }
  }
  const std::lock_guard lock(mutex_);  // two threads may have summed the same block: the first stays, both are equal
  return blocks_.try_emplace({block, kv_head}, std::move(sum)).first->second;
}

std::vector<float> QueryGrams::Metric(Worker& worker, int64_t kv_head, int64_t end) {
  const int64_t d = geometry_.padded_head_dim;
  const int64_t first = geometry_.causal ? std::max(geometry_.first_position(), end - geometry_.segment) : geometry_.first_position();
  const int64_t last = geometry_.causal ? end : geometry_.keys;
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(geometry_.head_dim, geometry_.head_dim);
  int64_t count = 0;
  for (int64_t block = first / geometry_.mini; block * geometry_.mini < last; ++block) {
    const Block& part = BlockAt(worker, kv_head, block);
    count += part.count;
    for (int64_t r = 0; r < geometry_.head_dim; ++r)
      for (int64_t c = 0; c < geometry_.head_dim; ++c) sum(r, c) += part.gram[r * d + c];
  }
  std::vector<float> metric(d * d, 0.0f);
  for (int64_t i = 0; i < geometry_.head_dim; ++i) metric[i * d + i] = 1.0f;
  if (count < kLeastQueries) return metric;
  // Half of what a direction weighs is what queries ask of it, the other half is the same for all: a query that asks for something new finds its keys.
  if (!(sum.trace() > 0)) return metric;
  sum *= static_cast<double>(geometry_.head_dim) / sum.trace();
  sum.diagonal().array() += 1.0;
  const Eigen::LLT<Eigen::MatrixXd> factor(sum);
  if (factor.info() != Eigen::Success) return metric;
  const Eigen::MatrixXd lower = factor.matrixL();
  for (int64_t r = 0; r < geometry_.head_dim; ++r)
    for (int64_t c = 0; c <= r; ++c) metric[r * d + c] = static_cast<float>(lower(r, c));
  return metric;
}

void QueryGrams::Forget(int64_t position) {
  const std::lock_guard lock(mutex_);
  blocks_.erase(blocks_.begin(), blocks_.lower_bound({position / geometry_.mini, 0}));
}

}  // namespace hsa
