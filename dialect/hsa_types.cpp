#include "dialect/hsa_dialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

// Three extents, as in a tensor type: 2x64x64, ? for one that is not known.
static ParseResult parseDims(AsmParser& parser, int64_t& a, int64_t& b, int64_t& c) {
  SmallVector<int64_t> dims;
  const SMLoc loc = parser.getCurrentLocation();
  if (parser.parseDimensionList(dims, /*allowDynamic=*/true, /*withTrailingX=*/false)) return failure();
  if (dims.size() != 3) return parser.emitError(loc) << "wants 3 extents, has " << dims.size();
  a = dims[0], b = dims[1], c = dims[2];
  return success();
}

static void printDims(AsmPrinter& printer, int64_t a, int64_t b, int64_t c) { printer.printDimensionList({a, b, c}); }

static LogicalResult checkExtents(function_ref<InFlightDiagnostic()> emitError, StringRef constraint, ArrayRef<int64_t> extents, int64_t least) {
  for (int64_t extent : extents)
    if (!ShapedType::isDynamic(extent) && extent < least)
      return emitError() << constraint << ": an extent is " << extent << ", wanted at least " << least;
  return success();
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

LogicalResult IndexType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t kvHeads, int64_t headDim, int64_t valueDim) {
  return checkExtents(emitError, "index_type_c1", {kvHeads, headDim, valueDim}, 1);
}

LogicalResult PartialType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t heads, int64_t queries, int64_t valueDim) {
  return checkExtents(emitError, "partial_type_c1", {heads, queries, valueDim}, 0);
}

}  // namespace hsa::ir
