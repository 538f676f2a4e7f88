#include "tests/end_to_end/change_tokens.h"

#include <algorithm>
#include <cstring>

namespace hsa::end_to_end {

float* QueryAt(oracle::Problem& p, int64_t head, int64_t position) { return &p.q[(head * p.N + position - (p.M - p.N)) * p.D]; }
float* KeyAt(oracle::Problem& p, int64_t kv_head, int64_t position) { return &p.k[(kv_head * p.M + position) * p.D]; }
float* ValueAt(oracle::Problem& p, int64_t kv_head, int64_t position) { return &p.v[(kv_head * p.M + position) * p.Dv]; }

void ChangeTokens(oracle::Problem& p, int64_t begin, int64_t end) {
  const auto change = [](float* row, int64_t dim) {
    for (int64_t d = 0; d < dim; ++d) row[d] = 1.5f - 2 * row[d];
  };
  for (int64_t position = begin; position < end; ++position) {
    for (int64_t h = 0; h < p.Hkv; ++h) change(KeyAt(p, h, position), p.D), change(ValueAt(p, h, position), p.Dv);
    for (int64_t h = 0; h < p.H && position >= p.M - p.N; ++h) change(QueryAt(p, h, position), p.D);
  }
}

oracle::Problem Prefix(const oracle::Problem& p, int64_t keys) {
  oracle::Problem cut = p;
  cut.M = keys, cut.N = std::max<int64_t>(0, p.N - (p.M - keys));
  const auto rows = [](const std::vector<float>& from, int64_t heads, int64_t tokens, int64_t kept, int64_t dim) {
    std::vector<float> to;
    for (int64_t h = 0; h < heads; ++h) to.insert(to.end(), from.begin() + h * tokens * dim, from.begin() + (h * tokens + kept) * dim);
    return to;
  };
  cut.q = rows(p.q, p.H, p.N, cut.N, p.D);
  cut.k = rows(p.k, p.Hkv, p.M, cut.M, p.D);
  cut.v = rows(p.v, p.Hkv, p.M, cut.M, p.Dv);
  return cut;
}

oracle::Problem LastQueries(const oracle::Problem& p, int64_t queries) {
  oracle::Problem last = p;
  last.N = queries;
  last.q.clear();
  for (int64_t h = 0; h < p.H; ++h)
    last.q.insert(last.q.end(), p.q.begin() + ((h + 1) * p.N - queries) * p.D, p.q.begin() + (h + 1) * p.N * p.D);
  return last;
}

bool SameRows(const oracle::Problem& ap, const Attended& a, const oracle::Problem& bp, const Attended& b, int64_t begin, int64_t end) {
  const int64_t first = std::max<int64_t>(0, begin - (ap.M - ap.N)), count = end - (ap.M - ap.N) - first;
  if (count <= 0) return true;
  for (int64_t h = 0; h < ap.H; ++h) {
    const int64_t i = h * ap.N + first, j = h * bp.N + first;
    if (std::memcmp(&a.o[i * ap.Dv], &b.o[j * ap.Dv], count * ap.Dv * sizeof(float)) != 0) return false;
    if (std::memcmp(&a.lse[i], &b.lse[j], count * sizeof(float)) != 0) return false;
  }
  return true;
}

}  // namespace hsa::end_to_end
