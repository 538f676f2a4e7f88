// Generated code of all ops; verifiers, shape inference and folds are in <group>_ops.cpp.
#include "dialect/hsa_ops.h"

#include "dialect/hsa_interfaces.cpp.inc"

#define GET_OP_CLASSES
#include "dialect/hsa_ops.cpp.inc"
