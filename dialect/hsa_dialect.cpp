#include "dialect/hsa_dialect.h"

#include "dialect/hsa_ops.h"

#include "dialect/hsa_dialect.cpp.inc"

namespace hsa::ir {

void HsaDialect::initialize() {
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "dialect/hsa_ops.cpp.inc"
      >();
}

}  // namespace hsa::ir
