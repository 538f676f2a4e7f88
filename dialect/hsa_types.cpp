#include "dialect/hsa_dialect.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"

using namespace mlir;

// Extents as in a tensor type: 2x64x64, ? for one that is not known.
template <typename... Int>
static ParseResult parseDims(AsmParser& parser, Int&... extents) {
  SmallVector<int64_t> dims;
  const SMLoc loc = parser.getCurrentLocation();
  if (parser.parseDimensionList(dims, /*allowDynamic=*/true, /*withTrailingX=*/false)) return failure();
  if (dims.size() != sizeof...(extents)) return parser.emitError(loc) << "wants " << sizeof...(extents) << " extents, has " << dims.size();
  const int64_t* next = dims.begin();
  ((extents = *next++), ...);
  return success();
}

template <typename... Int>
static void printDims(AsmPrinter& printer, Int... extents) {
  printer.printDimensionList({extents...});
}

#define GET_TYPEDEF_CLASSES
#include "dialect/hsa_types.cpp.inc"

namespace hsa::ir {

void HsaDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/hsa_types.cpp.inc"
      >();
}

static bool isExtent(int64_t extent, int64_t least) { return ShapedType::isDynamic(extent) || extent >= least; }

LogicalResult SplatIndexType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t kvHeads, int64_t keys, int64_t headDim,
                                     int64_t valueDim) {
  if (!isExtent(kvHeads, 1) || !isExtent(keys, 0) || !isExtent(headDim, 1) || !isExtent(valueDim, 1))
    return emitError() << "index_type_c1: kv_heads, keys, head_dim, value_dim are " << kvHeads << ", " << keys << ", " << headDim << ", "
                       << valueDim << "; wanted at least 1, 0, 1, 1";
  return success();
}

LogicalResult PartialType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t heads, int64_t queries, int64_t valueDim) {
  if (!isExtent(heads, 0) || !isExtent(queries, 0) || !isExtent(valueDim, 0))
    return emitError() << "partial_type_c1: heads, queries, value_dim are " << heads << ", " << queries << ", " << valueDim
                       << "; wanted at least 0";
  return success();
}

}  // namespace hsa::ir
