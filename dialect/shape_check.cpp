#include "dialect/shape_check.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace mlir;

namespace hsa::ir {

// The extents of a type of this dialect or of a tensor, to compare and to refine.
static std::optional<SmallVector<int64_t>> extentsOf(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type)) return SmallVector<int64_t>(tensor.getShape());
  if (auto partial = dyn_cast<PartialType>(type))
    return SmallVector<int64_t>{partial.getHeads(), partial.getQueries(), partial.getValueDim()};
  if (auto index = dyn_cast<SplatIndexType>(type))
    return SmallVector<int64_t>{index.getKvHeads(), index.getKeys(), index.getHeadDim(), index.getValueDim()};
  return std::nullopt;
}

static Type withExtents(Type type, ArrayRef<int64_t> extents) {
  if (auto tensor = dyn_cast<RankedTensorType>(type)) return tensor.clone(extents);
  if (isa<PartialType>(type)) return PartialType::get(type.getContext(), extents[0], extents[1], extents[2]);
  return SplatIndexType::get(type.getContext(), extents[0], extents[1], extents[2], extents[3]);
}

bool mayBe(Type a, Type b) {
  if (a == b) return true;
  auto left = extentsOf(a), right = extentsOf(b);
  if (!left || !right || left->size() != right->size()) return false;
  if (withExtents(a, *right) != b) return false;  // another kind of type, or another element type
  return llvm::all_of(llvm::zip_equal(*left, *right), [](auto pair) { return mayEqual(std::get<0>(pair), std::get<1>(pair)); });
}

Type refine(Type a, Type b) {
  auto extents = extentsOf(a), other = extentsOf(b);
  if (!extents) return a;
  for (auto [extent, otherExtent] : llvm::zip_equal(*extents, *other)) extent = known(extent, otherExtent);
  return withExtents(a, *extents);
}

LogicalResult checkQueryKeyValue(Operation* op, RankedTensorType query, RankedTensorType key, RankedTensorType value) {
  const StringRef name = op->getName().stripDialect();
  if (!mayEqual(query.getDimSize(2), key.getDimSize(2)))
    return op->emitOpError() << name << "_c1: head_dim is " << query.getDimSize(2) << " in query but " << key.getDimSize(2) << " in key";
  if (!mayEqual(key.getDimSize(0), value.getDimSize(0)))
    return op->emitOpError() << name << "_c2: key has " << key.getDimSize(0) << " kv_heads but value has " << value.getDimSize(0);
  if (!mayEqual(key.getDimSize(1), value.getDimSize(1)))
    return op->emitOpError() << name << "_c3: key has " << key.getDimSize(1) << " tokens but value has " << value.getDimSize(1);
  const int64_t kvHeads = known(key.getDimSize(0), value.getDimSize(0));
  if (!mayDivide(kvHeads, query.getDimSize(0)))
    return op->emitOpError() << name << "_c4: " << kvHeads << " kv_heads do not divide " << query.getDimSize(0) << " query heads";
  // Scores may be of integers that values are not of.
  const bool together = key.getElementType() == value.getElementType() || key.getElementType().isInteger(8);
  if (query.getElementType() != key.getElementType() || !together)
    return op->emitOpError() << name << "_c5: query, key, value are of " << query.getElementType() << ", " << key.getElementType() << ", "
                             << value.getElementType() << "; wanted one element type";
  return success();
}

LogicalResult checkType(Operation* op, StringRef constraint, StringRef name, Type is, Type wanted) {
  if (!mayBe(is, wanted)) return op->emitOpError() << constraint << ": " << name << " is " << is << " but the operands want " << wanted;
  return success();
}

LogicalResult checkScale(Operation* op, StringRef constraint, FloatAttr scale) {
  if (scale && !std::isfinite(scale.getValueAsDouble()))
    return op->emitOpError() << constraint << ": scale is " << scale.getValueAsDouble() << ", wanted a finite number";
  return success();
}

LogicalResult checkTheta(Operation* op, StringRef constraint, FloatAttr theta) {
  if (!(theta.getValueAsDouble() >= 0))
    return op->emitOpError() << constraint << ": theta is " << theta.getValueAsDouble() << ", wanted 0 or more";
  return success();
}

Type partialOf(RankedTensorType query, RankedTensorType value) {
  return PartialType::get(query.getContext(), query.getDimSize(0), query.getDimSize(1), value.getDimSize(2));
}

Type indexOf(RankedTensorType key, RankedTensorType value) {
  return SplatIndexType::get(key.getContext(), known(key.getDimSize(0), value.getDimSize(0)), known(key.getDimSize(1), value.getDimSize(1)),
                             key.getDimSize(2), value.getDimSize(2));
}

Type scoreOf(RankedTensorType query, int64_t keys, ConfigAttr config) {
  const int64_t nodes = ShapedType::isDynamic(keys) ? ShapedType::kDynamic : config.getNodeCount(keys);
  return RankedTensorType::get({query.getDimSize(0), query.getDimSize(1), nodes}, Float32Type::get(query.getContext()));
}

Type openOf(RankedTensorType query, int64_t keys, ConfigAttr config) {
  const int64_t queries = query.getDimSize(1);
  const bool isKnown = !ShapedType::isDynamic(keys) && !ShapedType::isDynamic(queries);
  return RankedTensorType::get({query.getDimSize(0), isKnown ? config.getTileCount(queries, keys) : ShapedType::kDynamic,
                                ShapedType::isDynamic(keys) ? ShapedType::kDynamic : config.getNodeCount(keys)},
                               IntegerType::get(query.getContext(), 1));
}

}  // namespace hsa::ir
