// The constraints of graph.proto on covariances that are not diagonal.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "frontend/graph.pb.h"

namespace hsa::frontend {

// Role and name of the tensors that say them, as far as the node names any.
std::vector<std::pair<std::string, std::string>> CovarianceTensors(const Routed& routed);

// Whether a variance of so many entries has one for each band of the dimensions, none of them empty.
bool AreBands(uint64_t entries, uint64_t dim);

// graph_c60, graph_c61, once the node's inputs and levels are there. `key` is the input that it names so.
absl::Status CheckCovariance(const Graph& graph, const Routed& routed, const Tensor& key);

}  // namespace hsa::frontend
