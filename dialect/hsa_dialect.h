// The hsa dialect, its attributes and its types. Ops are in dialect/hsa_ops.h.
#pragma once

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"

#include "dialect/hsa_dialect.h.inc"
#include "dialect/hsa_enums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/hsa_attrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/hsa_types.h.inc"
