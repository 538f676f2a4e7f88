#include "runtime/splat_parameter.h"

#include <array>

#include "absl/strings/str_cat.h"

namespace hsa {

absl::Status CheckSplatParameter(const std::string& name, const TensorView& tensor, int64_t heads, int64_t rows, int64_t dim) {
  if (tensor.data == nullptr)
    return absl::InvalidArgumentError(
        absl::StrCat("the plan reads the splats' tensor '", name, "', which is not given; give it beside the keys"));
  if (tensor.dtype != DType::kF32)
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", name, "' is ", std::string(DTypeName(tensor.dtype)), ", parameters of splats are f32; convert it"));
  if (tensor.shape != std::array{heads, rows, dim})
    return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "' is [", tensor.shape[0], ", ", tensor.shape[1], ", ",
                                                   tensor.shape[2], "], the plan wants [", heads, ", ", rows, ", ", dim,
                                                   "]; give a matching file or compile the graph again"));
  return absl::OkStatus();
}

}  // namespace hsa
