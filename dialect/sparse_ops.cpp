// Verifier and shapes of hsa.sparsify.
#include "dialect/hsa_ops.h"
#include "dialect/routed_check.h"
#include "dialect/shape_check.h"

using namespace mlir;

namespace hsa::ir {

SmallVector<Type> SparsifyOp::getImpliedTypes() {
  const RankedTensorType affinity = getAffinity().getType();
  const AffinityLayout layout = getKeep().getThreshold() ? AffinityLayout::Csr : AffinityLayout::Ell;
  return {RankedTensorType::get(affinity.getShape(), affinity.getElementType(), AffinityLayoutAttr::get(getContext(), layout))};
}

LogicalResult SparsifyOp::verify() {
  const RankedTensorType affinity = getAffinity().getType();
  const int64_t kvHeads = getKey().getType().getDimSize(0), splats = affinity.getDimSize(2);
  if (failed(checkLevelSizes(*this, "sparsify_c1", getLevels(), splats))) return failure();
  if (failed(checkPerSplat(*this, "sparsify_c2", "amplitude", getAmplitude(), kvHeads, splats, 1))) return failure();
  if (!mayDivide(kvHeads, affinity.getDimSize(0)))
    return emitOpError("sparsify_c3: ") << kvHeads << " kv_heads do not divide " << affinity.getDimSize(0) << " heads of tokens";
  return checkType(*this, "sparsify_c4", "kept", getKept().getType(), getImpliedTypes()[0]);
}

}  // namespace hsa::ir
