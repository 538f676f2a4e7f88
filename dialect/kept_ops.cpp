// Verifiers and shapes of the ops on affinities that are kept.
#include "dialect/hsa_ops.h"
#include "dialect/shape_check.h"

using namespace mlir;

namespace hsa::ir {

static RankedTensorType csrOf(MLIRContext* context, ArrayRef<int64_t> shape) {
  return RankedTensorType::get(shape, Float32Type::get(context), AffinityLayoutAttr::get(context, AffinityLayout::Csr));
}

static LogicalResult checkKept(Operation* op, StringRef constraint, StringRef name, RankedTensorType type) {
  if (isa_and_nonnull<AffinityLayoutAttr>(type.getEncoding())) return success();
  return op->emitOpError(constraint) << ": " << name << " is " << type
                                     << ", which keeps every affinity, wanted #hsa.affinity<csr> or <ell>";
}

static LogicalResult checkAgree(Operation* op, StringRef constraint, StringRef what, int64_t left, int64_t right) {
  if (mayEqual(left, right)) return success();
  return op->emitOpError(constraint) << ": " << what << " is " << left << " in left but " << right << " in right";
}

SmallVector<Type> OverlapOp::getImpliedTypes() {
  const RankedTensorType left = getLeft().getType(), right = getRight().getType();
  return {csrOf(getContext(), {known(left.getDimSize(0), right.getDimSize(0)), left.getDimSize(2), right.getDimSize(2)})};
}

LogicalResult OverlapOp::verify() {
  const RankedTensorType left = getLeft().getType(), right = getRight().getType();
  if (failed(checkKept(*this, "overlap_c80", "left", left)) || failed(checkKept(*this, "overlap_c80", "right", right))) return failure();
  if (failed(checkAgree(*this, "overlap_c81", "the number of heads", left.getDimSize(0), right.getDimSize(0))) ||
      failed(checkAgree(*this, "overlap_c81", "the number of tokens", left.getDimSize(1), right.getDimSize(1))))
    return failure();
  return checkType(*this, "overlap_c82", "overlap", getOverlap().getType(), getImpliedTypes()[0]);
}

SmallVector<Type> UnionOp::getImpliedTypes() {
  const RankedTensorType left = getLeft().getType(), right = getRight().getType();
  SmallVector<int64_t> shape;
  for (auto [a, b] : llvm::zip_equal(left.getShape(), right.getShape())) shape.push_back(known(a, b));
  return {csrOf(getContext(), shape)};
}

LogicalResult UnionOp::verify() {
  const RankedTensorType left = getLeft().getType(), right = getRight().getType();
  if (failed(checkKept(*this, "union_c80", "left", left)) || failed(checkKept(*this, "union_c80", "right", right))) return failure();
  const char* extents[] = {"the number of heads", "the number of tokens", "the number of splats"};
  for (auto [d, extent] : llvm::enumerate(extents))
    if (failed(checkAgree(*this, "union_c81", extent, left.getDimSize(d), right.getDimSize(d)))) return failure();
  return checkType(*this, "union_c82", "all", getAll().getType(), getImpliedTypes()[0]);
}

SmallVector<Type> RescaleOp::getImpliedTypes() { return {getAffinity().getType()}; }

LogicalResult RescaleOp::verify() {
  const RankedTensorType affinity = getAffinity().getType(), scale = getLogScale().getType();
  if (failed(checkKept(*this, "rescale_c80", "affinity", affinity))) return failure();
  const auto is = [&](int64_t rows, int64_t columns) {
    return mayEqual(scale.getDimSize(0), affinity.getDimSize(0)) && mayEqual(scale.getDimSize(1), rows) &&
           mayEqual(scale.getDimSize(2), columns);
  };
  if (!is(affinity.getDimSize(1), 1) && !is(1, affinity.getDimSize(2)))
    return emitOpError("rescale_c81: log_scale is ") << scale << ", wanted a factor for each row or for each column of " << affinity;
  return checkType(*this, "rescale_c82", "scaled", getScaled().getType(), getImpliedTypes()[0]);
}

SmallVector<Type> ThresholdOp::getImpliedTypes() { return {csrOf(getContext(), getAffinity().getType().getShape())}; }

LogicalResult ThresholdOp::verify() {
  if (failed(checkKept(*this, "threshold_c80", "affinity", getAffinity().getType()))) return failure();
  const double share = getShare().convertToDouble();
  if (!(share > 0 && share <= 1)) return emitOpError("threshold_c81: share is ") << getShareAttr() << ", wanted more than 0, 1 at most";
  return checkType(*this, "threshold_c82", "kept", getKept().getType(), getImpliedTypes()[0]);
}

}  // namespace hsa::ir
