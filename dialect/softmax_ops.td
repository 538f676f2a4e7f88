#ifndef HSA_SOFTMAX_OPS_TD
#define HSA_SOFTMAX_OPS_TD

include "dialect/hsa_attrs.td"
include "dialect/hsa_types.td"
include "dialect/hsa_interfaces.td"

#endif
