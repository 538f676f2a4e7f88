#include "frontend/check_covariance.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "frontend/spelling.h"

namespace hsa::frontend {
namespace {

constexpr uint64_t kMostRows = 16;

template <typename... Words>
absl::Status Refuse(std::string_view constraint, const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(constraint), ": ", words...));
}

const Tensor& InputOf(const Graph& graph, const std::string& name) {
  return *std::find_if(graph.inputs().begin(), graph.inputs().end(), [&](const Tensor& input) { return input.name() == name; });
}

std::string ShapeOf(const Tensor& tensor) {
  return absl::StrCat("[", tensor.heads(), ", ", tensor.has_tokens() ? absl::StrCat(tensor.tokens()) : "?", ", ", tensor.dim(), "]");
}

}  // namespace

std::vector<std::pair<std::string, std::string>> CovarianceTensors(const Routed& routed) {
  std::vector<std::pair<std::string, std::string>> tensors;
  if (routed.has_factor()) tensors.emplace_back("factor", routed.factor());
  if (routed.has_cholesky()) tensors.emplace_back("cholesky", routed.cholesky());
  return tensors;
}

bool AreBands(uint64_t entries, uint64_t dim) {
  return entries >= 1 && entries <= dim && (entries - 1) * ((dim + entries - 1) / entries) < dim;
}

absl::Status CheckCovariance(const Graph& graph, const Routed& routed, const Tensor& key) {
  uint64_t splats = 0;
  for (const Routed::Level& level : routed.levels()) splats += level.splats();
  if (routed.has_cholesky()) {
    if (routed.has_variance() || routed.has_factor())
      return Refuse("graph_c61", "routed has cholesky and ", routed.has_variance() ? "variance" : "factor",
                    ", wanted cholesky alone: it is a whole covariance; leave the other out");
    const Tensor& tensor = InputOf(graph, routed.cholesky());
    const uint64_t rows = splats * key.dim();
    if (tensor.heads() == key.heads() && tensor.dim() == key.dim() && (!tensor.has_tokens() || tensor.tokens() == rows))
      return absl::OkStatus();
    return Refuse("graph_c61", "input ", Quoted(tensor.name()), " is ", ShapeOf(tensor), ", wanted [", key.heads(), ", ", rows, ", ",
                  key.dim(), "]: ", key.dim(), " rows for each of ", splats, " splats");
  }
  if (!routed.has_factor()) return absl::OkStatus();
  const Tensor& tensor = InputOf(graph, routed.factor());
  if (tensor.heads() == key.heads() && tensor.dim() == key.dim() && tensor.has_tokens() && tensor.tokens() % splats == 0 &&
      tensor.tokens() >= splats && tensor.tokens() <= kMostRows * splats)
    return absl::OkStatus();
  return Refuse("graph_c60", "input ", Quoted(tensor.name()), " is ", ShapeOf(tensor), ", wanted [", key.heads(), ", ", splats, "·R, ",
                key.dim(), "] with R from 1 to ", kMostRows, "; set tokens to the rows of all splats");
}

}  // namespace hsa::frontend
